"""Deployment, ReplicaSet and ControllerRevision."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.api.groups.apps.controllerrevision import RESOURCE as CONTROLLER_REVISION
from sampan.api.groups.apps.deployment import RESOURCE as DEPLOYMENT
from sampan.api.groups.apps.replicaset import RESOURCE as REPLICA_SET
from sampan.api.resource import Resource, Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, merged, row, status_errors, update_errors
from tests.unit.groups.test_pod import CONTAINER, SPEC

MINIMAL: Tree = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}, {"name": "log", "image": "busybox:1"}]},
        },
    },
}
POD_SPEC = {key: value for key, value in SPEC.items() if key != "enableServiceLinks"} | {
    "containers": [CONTAINER, CONTAINER | {"name": "log", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"}]
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC}


def test_a_minimal_deployment_is_filled_in() -> None:
    assert created(DEPLOYMENT, MINIMAL | {"status": {"replicas": 3}}) == {
        "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": TEMPLATE,
        },
    }


def test_a_minimal_replica_set_is_filled_in() -> None:
    tree = created(REPLICA_SET, MINIMAL)
    assert tree["spec"] == {"selector": {"matchLabels": {"app": "web"}}, "replicas": 1, "template": TEMPLATE}
    assert (tree["metadata"]["generation"], tree["status"]) == (1, {"replicas": 0})
    assert defaulted(REPLICA_SET, merged(MINIMAL, {"spec": {"replicas": 0}}))["spec"]["replicas"] == 0


MISMATCH = (
    'Invalid spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: '
    "`selector` does not match template `labels`"
)
ROLLING = "spec.strategy.rollingUpdate"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"replicas": -1}, ["Invalid spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        ({"selector": None}, ["Required spec.selector: Required value", MISMATCH]),
        (
            {"selector": {"matchLabels": None}},
            ["Invalid spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            {"selector": {"matchLabels": {"app": "other"}}},
            [MISMATCH],
        ),
        ({"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}, []),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "In"}]}},
            [
                "Required spec.selector.matchExpressions[0].values: Required value: "
                "must be specified when `operator` is 'In' or 'NotIn'",
                'Invalid spec.selector: Invalid value: {"matchLabels":{"app":"web"},'
                '"matchExpressions":[{"key":"app","operator":"In"}]}: invalid label selector',
            ],
        ),
        (
            {"template": None},
            [
                MISMATCH.replace('{"app":"web"}', "(nil)"),
                "Required spec.template.spec.containers: Required value",
            ],
        ),
        (
            {"template": {"spec": {"restartPolicy": "Never"}}},
            ['NotSupported spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        (
            {"template": {"spec": {"activeDeadlineSeconds": 5}}},
            [
                "Forbidden spec.template.spec.activeDeadlineSeconds: Forbidden: "
                "activeDeadlineSeconds in ReplicaSet is not Supported"
            ],
        ),
        (
            {"template": {"spec": {"containers": []}}},
            ["Required spec.template.spec.containers: Required value"],
        ),
        ({"minReadySeconds": 600}, [
            "Invalid spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"
        ]),
        ({"strategy": {"type": "Recreate"}}, []),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            [f"Forbidden {ROLLING}: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            {"strategy": {"type": "Blue"}},
            ['NotSupported spec.strategy: Unsupported value: {"type":"Blue"}: supported values: "Recreate", "RollingUpdate"'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            [f'Invalid {ROLLING}.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            [f'Invalid {ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "half"}}},
            [
                f'Invalid {ROLLING}.maxSurge: Invalid value: "half": a valid percent string must be a numeric string followed '
                "by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "5"}}},
            [
                f'Invalid {ROLLING}.maxUnavailable: Invalid value: "5": a valid percent string must be a numeric string '
                "followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            ],
        ),
    ],
)  # fmt: skip
def test_deployment_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(DEPLOYMENT, merged(MINIMAL, {"spec": spec})) == expected


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICA_SET], ids=["deployment", "replicaset"])
def test_a_selector_is_fixed(resource: Any) -> None:
    change = {"spec": {"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}}
    assert update_errors(resource, MINIMAL, change) == [
        'Invalid spec.selector: Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'
    ]


def generation_after(resource: Any, change: Tree) -> int:
    old = created(resource, MINIMAL)
    new = merged(old, change)
    resource.strategy.prepare_update(new, old)
    generation: int = new["metadata"]["generation"]
    return generation


def test_a_change_of_the_spec_is_a_new_generation() -> None:
    for resource in (DEPLOYMENT, REPLICA_SET):
        assert generation_after(resource, {"spec": {"replicas": 3}}) == 2
        assert generation_after(resource, {"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 3}}) == 1
    assert generation_after(DEPLOYMENT, {"metadata": {"annotations": {"a": "b"}}}) == 2
    assert generation_after(REPLICA_SET, {"metadata": {"annotations": {"a": "b"}}}) == 1


def test_a_status_update_keeps_spec_and_labels() -> None:
    old = created(DEPLOYMENT, MINIMAL)
    new = merged(old, {"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 5}, "status": {"replicas": 1}})
    DEPLOYMENT.strategy.prepare_status(new, old)
    assert new == old | {"status": {"replicas": 1}}


@pytest.mark.parametrize("resource", [DEPLOYMENT, REPLICA_SET], ids=lambda each: each.kind)
def test_pods_that_terminate_are_counted_by_none_who_did_not_before(resource: Resource) -> None:
    counted = created(resource, MINIMAL) | {"status": {"replicas": 1, "terminatingReplicas": 1}}
    for status, kept in (({"replicas": 1}, {"replicas": 1}), (counted["status"], counted["status"])):
        new = copy.deepcopy(counted)
        resource.strategy.prepare_status(new, counted | {"status": status})
        assert new["status"] == kept


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"replicas": 2, "readyReplicas": 2, "availableReplicas": 2}, []),
        (
            {"observedGeneration": -1},
            ["Invalid status.observedGeneration: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"replicas": 1, "readyReplicas": 2},
            ["Invalid status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"],
        ),
        (
            {"replicas": 2, "readyReplicas": 1, "availableReplicas": 2},
            ["Invalid status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"],
        ),
    ],
)
def test_counts_of_a_status_add_up(status: Tree, expected: list[str]) -> None:
    for resource in (DEPLOYMENT, REPLICA_SET):
        assert status_errors(resource, MINIMAL, {}, status) == expected


def test_the_tables() -> None:
    status = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    tree = merged(created(DEPLOYMENT, MINIMAL), {"spec": {"replicas": 3}, "status": status})
    wide = {"Containers": "web,log", "Images": "nginx,busybox:1", "Selector": "app=web"}
    assert row(DEPLOYMENT, tree) == {"Name": "web", "Ready": "2/3", "Up-to-date": 1, "Available": 2, "Age": "5m"} | wide
    assert row(REPLICA_SET, tree) == {"Name": "web", "Desired": 3, "Current": 3, "Ready": 2, "Age": "5m"} | wide


def test_a_selector_reads_as_on_the_command_line() -> None:
    expressions = [
        {"key": "tier", "operator": "NotIn", "values": ["b", "a"]},
        {"key": "x", "operator": "Exists"},
        {"key": "gone", "operator": "DoesNotExist"},
    ]
    tree = merged(MINIMAL, {"spec": {"selector": {"matchExpressions": expressions}}})
    assert row(DEPLOYMENT, tree)["Selector"] == "app=web,!gone,tier notin (a,b),x"
    for resource in (DEPLOYMENT, REPLICA_SET):
        assert resource.scale is not None
        assert callable(resource.scale.selector)
        assert resource.scale.selector(tree) == "app=web,!gone,tier notin (a,b),x"
    assert REPLICA_SET.selectable["status.replicas"]({"status": {"replicas": 4}}) == "4"


REVISION: Tree = {"metadata": {"name": "web-1", "namespace": "default"}, "data": {"spec": {}}, "revision": 1}


def test_a_controller_revision_is_a_snapshot() -> None:
    assert create_errors(CONTROLLER_REVISION, REVISION) == []
    assert create_errors(CONTROLLER_REVISION, merged(REVISION, {"data": None, "revision": -1})) == [
        "Required data: Required value: data is mandatory",
        "Invalid revision: Invalid value: -1: must be greater than or equal to 0",
    ]
    assert update_errors(CONTROLLER_REVISION, REVISION, {"data": {"spec": {"a": 1}}}) == [
        'Invalid data: Invalid value: {"spec":{"a":1}}: field is immutable'
    ]
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "controller": True}
    tree = merged(REVISION, {"metadata": {"ownerReferences": [owner]}})
    assert row(CONTROLLER_REVISION, tree) == {"Name": "web-1", "Controller": "daemonset.apps/web", "Revision": 1, "Age": "5m"}
    assert row(CONTROLLER_REVISION, REVISION)["Controller"] == "<none>"


def test_collisions_are_only_counted_up() -> None:
    counted = {"replicas": 0, "collisionCount": 2}
    assert status_errors(DEPLOYMENT, MINIMAL, counted, {"replicas": 0}) == [
        "Invalid status.collisionCount: Invalid value: 0: cannot be decremented"
    ]
    assert status_errors(DEPLOYMENT, MINIMAL, counted, counted) == []
