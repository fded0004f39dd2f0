"""StatefulSet."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.apps.statefulset import RESOURCE as STATEFUL_SET
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors
from tests.unit.groups.test_workloads import MINIMAL, MISMATCH, TEMPLATE

CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
RETENTION = {"whenDeleted": "Retain", "whenScaled": "Retain"}
ONLY_THESE = (
    "Forbidden spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
NOT_NEGATIVE = "must be greater than or equal to 0"
STRATEGY = "spec.updateStrategy"


def test_a_minimal_stateful_set_is_filled_in() -> None:
    tree = merged(MINIMAL, {"spec": {"serviceName": "web", "volumeClaimTemplates": [CLAIM]}, "status": {"replicas": 3}})
    assert created(STATEFUL_SET, tree) == {
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "serviceName": "web",
            "replicas": 1,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "persistentVolumeClaimRetentionPolicy": RETENTION,
            "revisionHistoryLimit": 10,
            "template": TEMPLATE,
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
                    "status": {"phase": "Pending"},
                }
            ],
        },
        "status": {"replicas": 0, "availableReplicas": 0},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "OnDelete"}, {"type": "OnDelete"}),
        ({"type": "RollingUpdate"}, {"type": "RollingUpdate"}),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2, "maxUnavailable": 2}},
         {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
    ],
)  # fmt: skip
def test_the_update_strategy_is_filled_in_where_it_is_begun(given: Tree, expected: Tree) -> None:
    assert created(STATEFUL_SET, merged(MINIMAL, {"spec": {"updateStrategy": given}}))["spec"]["updateStrategy"] == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"podManagementPolicy": "Parallel", "ordinals": {"start": 3}, "minReadySeconds": 5}, []),
        ({"podManagementPolicy": "Random"},
         ["Invalid spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"]),
        ({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
         [f"Invalid {STRATEGY}.rollingUpdate: Invalid value: {{\"partition\":1}}: "
          "only allowed for updateStrategy 'RollingUpdate'"]),
        ({"updateStrategy": {"type": "Blue"}},
         [f"Invalid {STRATEGY}: Invalid value: {{\"type\":\"Blue\"}}: must be 'RollingUpdate' or 'OnDelete'"]),
        ({"updateStrategy": {"rollingUpdate": {"partition": -1}}},
         [f"Invalid {STRATEGY}.rollingUpdate.partition: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep"}},
         ['NotSupported spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": '
          'supported values: "Retain", "Delete"']),
        ({"replicas": -1, "minReadySeconds": -2, "ordinals": {"start": -3}},
         [f"Invalid spec.replicas: Invalid value: -1: {NOT_NEGATIVE}",
          f"Invalid spec.minReadySeconds: Invalid value: -2: {NOT_NEGATIVE}",
          f"Invalid spec.ordinals.start: Invalid value: -3: {NOT_NEGATIVE}"]),
        ({"serviceName": "a.b"}, ['Invalid spec.serviceName: Invalid value: "a.b": must not contain dots']),
        ({"revisionHistoryLimit": -1}, []),
        ({"selector": None}, ["Required spec.selector: Required value", MISMATCH]),
        ({"selector": {"matchLabels": None}},
         ["Invalid spec.selector: Invalid value: {}: empty selector is invalid for statefulset"]),
        ({"selector": {"matchLabels": {"app": "db"}}}, [MISMATCH]),
        ({"selector": {"matchExpressions": [{"key": "app", "operator": "Like"}]}},
         ['Invalid spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator',
          'Invalid spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":'
          '[{"key":"app","operator":"Like"}]}']),
        ({"template": {"spec": {"containers": []}}}, []),
        ({"template": {"spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 1}}},
         ['NotSupported spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
          "Forbidden spec.template.spec.activeDeadlineSeconds: Forbidden: "
          "activeDeadlineSeconds in StatefulSet is not Supported"]),
    ],
)  # fmt: skip
def test_rules_of_a_stateful_set(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(STATEFUL_SET, merged(MINIMAL, {"spec": spec})) == expected


def test_its_name_begins_those_of_pods() -> None:
    errors = create_errors(STATEFUL_SET, merged(MINIMAL, {"metadata": {"name": "a.b"}}))
    assert errors == ['Invalid metadata.name: Invalid value: "a.b": must not contain dots']


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"replicas": 3, "minReadySeconds": 1, "revisionHistoryLimit": 2, "ordinals": {"start": 1}}, []),
        ({"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}, []),
        ({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}, []),
        ({"template": {"spec": {"terminationGracePeriodSeconds": 5}}}, []),
        ({"serviceName": "Other One"}, [ONLY_THESE]),
        ({"podManagementPolicy": "Parallel"}, [ONLY_THESE]),
        ({"volumeClaimTemplates": [CLAIM]}, [ONLY_THESE]),
        ({"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}, [ONLY_THESE]),
    ],
)
def test_what_an_update_may_change(change: Tree, expected: list[str]) -> None:
    assert update_errors(STATEFUL_SET, MINIMAL, {"spec": change}) == expected


def test_an_update_keeps_the_status_and_counts_changes_of_the_spec() -> None:
    old = created(STATEFUL_SET, MINIMAL) | {"status": {"replicas": 2}}
    new = merged(old, {"spec": {"replicas": 5}, "status": {"replicas": 9}})
    STATEFUL_SET.strategy.prepare_update(new, old)
    assert (new["metadata"]["generation"], new["status"]) == (2, {"replicas": 2})
    new = merged(old, {"spec": {"replicas": 5}, "status": {"replicas": 9}})
    STATEFUL_SET.strategy.prepare_status(new, old)
    assert (new["spec"], new["status"]) == (old["spec"], {"replicas": 9})


ABOVE = "cannot be greater than status.replicas"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"replicas": 2, "readyReplicas": 2, "currentReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, []),
        ({"replicas": -1}, [f"Invalid status.replicas: Invalid value: -1: {NOT_NEGATIVE}"]
         + [f"Invalid status.{f}Replicas: Invalid value: 0: {ABOVE}" for f in ("ready", "current", "updated", "available")]),
        ({"replicas": 1, "currentReplicas": 2}, [f"Invalid status.currentReplicas: Invalid value: 2: {ABOVE}"]),
        ({"replicas": 2, "readyReplicas": 1, "availableReplicas": 2},
         ["Invalid status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas"]),
        ({"collisionCount": 1}, ["Invalid status.collisionCount: Invalid value: 1: cannot be decremented"]),
        ({}, ["Invalid status.collisionCount: Invalid value: 0: cannot be decremented"]),
    ],
)  # fmt: skip
def test_rules_of_its_status(status: Tree, expected: list[str]) -> None:
    before = {"collisionCount": 2} if any("collision" in error for error in expected) else {}
    assert status_errors(STATEFUL_SET, MINIMAL, before, status) == expected


def test_a_history_without_end_is_warned_of() -> None:
    warn = STATEFUL_SET.strategy.warn
    assert warn is not None
    assert warn(created(STATEFUL_SET, MINIMAL), None) == []
    assert warn(created(STATEFUL_SET, merged(MINIMAL, {"spec": {"revisionHistoryLimit": -1}})), None) == [
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    ]


def test_its_table_and_scale() -> None:
    tree = merged(created(STATEFUL_SET, MINIMAL), {"spec": {"replicas": 3}, "status": {"readyReplicas": 2}})
    assert row(STATEFUL_SET, tree) == {
        "Name": "web", "Ready": "2/3", "Age": "5m", "Containers": "web,log", "Images": "nginx,busybox:1",
    }  # fmt: skip
    assert STATEFUL_SET.scale is not None and callable(STATEFUL_SET.scale.selector)
    assert STATEFUL_SET.scale.selector(tree) == "app=web"
    assert (STATEFUL_SET.short, STATEFUL_SET.categories) == (("sts",), ("all",))


def test_claims_are_warned_of() -> None:
    claim = merged(CLAIM, {"spec": {"resources": {"requests": {"storage": "500m"}}}})
    tree = created(STATEFUL_SET, merged(MINIMAL, {"spec": {"volumeClaimTemplates": [claim]}}))
    assert STATEFUL_SET.strategy.warn is not None
    for old, path in ((None, "spec.volumeClaimTemplates[0]"), (tree, "spec.volumeClaimTemplates[0].Spec")):
        (warning,) = STATEFUL_SET.strategy.warn(tree, old)
        assert warning.startswith(f'{path}.resources.requests[storage]: fractional byte value "500m" is invalid')
