"""PodDisruptionBudget."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.policy.poddisruptionbudget import RESOURCE as BUDGET
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors

MINIMAL: Tree = {
    "metadata": {"name": "b", "namespace": "default"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
}
COUNTS = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
NOT_NEGATIVE = "must be greater than or equal to 0"
GOOD = {"type": "A", "status": "True", "reason": "B", "message": "", "lastTransitionTime": "2023-11-14T22:08:20Z"}


def test_a_new_budget_allows_nothing() -> None:
    tree = created(BUDGET, MINIMAL | {"status": {"disruptionsAllowed": 5}})
    assert (tree["spec"], tree["status"], tree["metadata"]["generation"]) == (MINIMAL["spec"], COUNTS, 1)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"minAvailable": "50%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}, []),
        ({"minAvailable": None, "selector": None}, []),
        ({"maxUnavailable": 1},
         ['Invalid spec: Invalid value: {"minAvailable":1,"selector":{"matchLabels":{"app":"web"}},"maxUnavailable":1}: '
          "minAvailable and maxUnavailable cannot be both set"]),
        ({"minAvailable": -1}, [f"Invalid spec.minAvailable: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"minAvailable": "101%"},
         ['Invalid spec.minAvailable: Invalid value: "101%": must not be greater than 100%']),
        ({"minAvailable": None, "maxUnavailable": "some"},
         ['Invalid spec.maxUnavailable: Invalid value: "some": a valid percent string must be a numeric string followed '
          "by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"]),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
         ["Required spec.selector.matchExpressions[0].values: Required value: "
          "must be specified when `operator` is 'In' or 'NotIn'"]),
        ({"unhealthyPodEvictionPolicy": "Never"},
         ['NotSupported spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": '
          'supported values: "AlwaysAllow", "IfHealthyBudget"']),
    ],
)  # fmt: skip
def test_rules_of_a_budget(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(BUDGET, merged(MINIMAL, {"spec": spec})) == expected


CONDITION = "status.conditions[0]"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({**COUNTS, "conditions": [GOOD]}, []),
        ({"disruptionsAllowed": -1, "expectedPods": -1},
         [f"Invalid status.disruptionsAllowed: Invalid value: -1: {NOT_NEGATIVE}",
          f"Invalid status.expectedPods: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"conditions": [GOOD, GOOD]}, ['Duplicate status.conditions[1].type: Duplicate value: "A"']),
        ({"conditions": [{"type": "A"}]},
         [f'NotSupported {CONDITION}.status: Unsupported value: "": supported values: "False", "True", "Unknown"',
          f"Required {CONDITION}.lastTransitionTime: Required value: must be set",
          f"Required {CONDITION}.reason: Required value: must be set"]),
        ({"conditions": [GOOD | {"reason": "not good", "observedGeneration": -1}]},
         [f"Invalid {CONDITION}.observedGeneration: Invalid value: -1: must be greater than or equal to zero",
          f'Invalid {CONDITION}.reason: Invalid value: "not good": a condition reason must start with alphabetic character, '
          "optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character "
          "or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', "
          "regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"]),
        ({"conditions": [GOOD | {"message": "m" * 32769}]},
         [f"TooLong {CONDITION}.message: Too long: may not be more than 32768 bytes"]),
    ],
)  # fmt: skip
def test_rules_of_its_status(status: Tree, expected: list[str]) -> None:
    assert status_errors(BUDGET, MINIMAL, {}, status) == expected


def test_its_table() -> None:
    tree = merged(created(BUDGET, MINIMAL), {"status": {"disruptionsAllowed": 2}})
    assert row(BUDGET, tree) == {
        "Name": "b", "Min Available": "1", "Max Unavailable": "N/A", "Allowed Disruptions": 2, "Age": "5m",
    }  # fmt: skip
    other = merged(tree, {"spec": {"minAvailable": None, "maxUnavailable": "25%"}})
    assert (row(BUDGET, other)["Min Available"], row(BUDGET, other)["Max Unavailable"]) == ("N/A", "25%")
