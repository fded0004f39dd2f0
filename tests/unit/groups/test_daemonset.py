"""DaemonSet."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apps.daemonset import RESOURCE as DAEMON_SET
from sampan.api.groups.apps.daemonset import TEMPLATE_GENERATION
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors
from tests.unit.groups.test_workloads import MINIMAL, MISMATCH, TEMPLATE

ROLLING = "spec.updateStrategy.rollingUpdate"
NOT_NEGATIVE = "must be greater than or equal to 0"
COUNTS = {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0}


def rolling(**amounts: int | str) -> Tree:
    return {"updateStrategy": {"rollingUpdate": amounts}}


def test_a_minimal_daemon_set_is_filled_in() -> None:
    assert created(DAEMON_SET, MINIMAL | {"status": {"numberReady": 3}}) == {
        "metadata": {
            "name": "web", "namespace": "default", "generation": 1, "annotations": {TEMPLATE_GENERATION: "1"},
        },
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "revisionHistoryLimit": 10,
            "template": TEMPLATE,
        },
        "status": COUNTS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"updateStrategy": {"type": "OnDelete"}}, []),
        (rolling(maxSurge="10%", maxUnavailable=0), []),
        (rolling(maxSurge=1),
         [f"Invalid {ROLLING}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"]),
        (rolling(maxUnavailable=0), [f"Required {ROLLING}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"]),
        (rolling(maxUnavailable="101%"),
         [f'Invalid {ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%']),
        (rolling(maxUnavailable=-1), [f"Invalid {ROLLING}.maxUnavailable: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"updateStrategy": {"type": "Blue"}},
         ['NotSupported spec.updateStrategy: Unsupported value: {"type":"Blue"}: '
          'supported values: "RollingUpdate", "OnDelete"']),
        ({"selector": None}, [MISMATCH]),
        ({"selector": {"matchLabels": None}},
         ["Invalid spec.selector: Invalid value: {}: empty selector is invalid for daemonset"]),
        ({"selector": {"matchLabels": {"app": "db"}}}, [MISMATCH]),
        ({"minReadySeconds": -1, "revisionHistoryLimit": -2},
         [f"Invalid spec.minReadySeconds: Invalid value: -1: {NOT_NEGATIVE}",
          f"Invalid spec.revisionHistoryLimit: Invalid value: -2: {NOT_NEGATIVE}"]),
        ({"template": {"spec": {"containers": []}}}, ["Required spec.template.spec.containers: Required value"]),
        ({"template": {"spec": {"restartPolicy": "OnFailure", "activeDeadlineSeconds": 1}}},
         ['NotSupported spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
          "Forbidden spec.template.spec.activeDeadlineSeconds: Forbidden: "
          "activeDeadlineSeconds in DaemonSet is not Supported"]),
    ],
)  # fmt: skip
def test_rules_of_a_daemon_set(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(DAEMON_SET, merged(MINIMAL, {"spec": spec})) == expected


def test_its_selector_is_fixed() -> None:
    change = {"spec": {"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}}
    assert update_errors(DAEMON_SET, MINIMAL, change) == [
        'Invalid spec.selector: Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'
    ]
    late = f"Invalid spec.minReadySeconds: Invalid value: -1: {NOT_NEGATIVE}"
    assert update_errors(DAEMON_SET, MINIMAL, {"spec": {"minReadySeconds": -1}}) == [late, late]


@pytest.mark.parametrize(
    ("row", "change", "generation", "template_generation"),
    [
        ("nothing", {}, 1, "1"),
        ("the strategy", {"spec": {"updateStrategy": {"type": "OnDelete"}}}, 2, "1"),
        ("the template", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, 2, "2"),
        ("its annotation, which is not the client's", {"metadata": {"annotations": {TEMPLATE_GENERATION: "7"}}}, 1, "1"),
        ("all annotations", {"metadata": {"annotations": None}}, 1, "1"),
    ],
)
def test_changes_are_counted(row: str, change: Tree, generation: int, template_generation: str) -> None:
    old = created(DAEMON_SET, MINIMAL)
    new = merged(old, change)
    DAEMON_SET.strategy.prepare_update(new, old)
    meta = new["metadata"]
    assert (meta["generation"], meta["annotations"][TEMPLATE_GENERATION]) == (generation, template_generation), row


@pytest.mark.parametrize(("given", "kept"), [("5", "5"), ("0", "1"), ("-3", "1"), ("x", "1")])
def test_a_new_one_may_bring_its_template_generation(given: str, kept: str) -> None:
    tree = created(DAEMON_SET, merged(MINIMAL, {"metadata": {"annotations": {TEMPLATE_GENERATION: given}}}))
    assert tree["metadata"]["annotations"] == {TEMPLATE_GENERATION: kept}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({**COUNTS, "numberReady": 5}, []),
        ({"numberAvailable": -1, "observedGeneration": -1},
         [f"Invalid status.observedGeneration: Invalid value: -1: {NOT_NEGATIVE}",
          f"Invalid status.numberAvailable: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"collisionCount": 1}, ["Invalid status.collisionCount: Invalid value: 1: cannot be decremented"]),
    ],
)  # fmt: skip
def test_rules_of_its_status(status: Tree, expected: list[str]) -> None:
    before = {"collisionCount": 2} if "collisionCount" in status else {}
    assert status_errors(DAEMON_SET, MINIMAL, before, status) == expected


def test_its_table() -> None:
    counts = {
        "desiredNumberScheduled": 5, "currentNumberScheduled": 4, "numberReady": 3, "updatedNumberScheduled": 2,
        "numberAvailable": 1,
    }  # fmt: skip
    node = {"template": {"spec": {"nodeSelector": {"b": "2", "a": "1"}}}}
    tree = merged(created(DAEMON_SET, merged(MINIMAL, {"spec": node})), {"status": counts})
    assert row(DAEMON_SET, tree) == {
        "Name": "web", "Desired": 5, "Current": 4, "Ready": 3, "Up-to-date": 2, "Available": 1, "Node Selector": "a=1,b=2",
        "Age": "5m", "Containers": "web,log", "Images": "nginx,busybox:1", "Selector": "app=web",
    }  # fmt: skip
    assert row(DAEMON_SET, created(DAEMON_SET, MINIMAL))["Node Selector"] == "<none>"
