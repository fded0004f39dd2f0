"""Namespace, Node, Lease and PriorityClass."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.api.groups.coordination.lease import RESOURCE as LEASE
from sampan.api.groups.core.namespace import RESOURCE as NAMESPACE
from sampan.api.groups.core.node import RESOURCE as NODE
from sampan.api.groups.scheduling.priorityclass import RESOURCE as PRIORITY_CLASS
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, row, status_errors, update_errors

NAMED: Tree = {"metadata": {"name": "a"}}
LEASED: Tree = {"metadata": {"name": "a", "namespace": "default"}}


def test_a_namespace_is_born_active_with_its_finalizer_and_label() -> None:
    tree = created(NAMESPACE, NAMED | {"status": {"phase": "Terminating"}})
    assert tree == {
        "metadata": {"name": "a", "labels": {"kubernetes.io/metadata.name": "a"}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def test_the_finalizers_of_a_namespace_cannot_be_updated_away() -> None:
    old = created(NAMESPACE, NAMED)
    new = defaulted(NAMESPACE, {"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"finalizers": []}})
    NAMESPACE.strategy.prepare_update(new, old)
    assert new["spec"] == {"finalizers": ["kubernetes"]}
    assert new["metadata"]["labels"] == {"x": "y", "kubernetes.io/metadata.name": "a"}


def test_the_phase_of_a_namespace_follows_its_deletion() -> None:
    assert status_errors(NAMESPACE, NAMED, {"phase": "Active"}, {"phase": "Terminating"}) == [
        "Invalid status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]
    going = {"metadata": {"name": "a", "deletionTimestamp": "2023-11-14T22:08:20Z"}}
    assert status_errors(NAMESPACE, going, {"phase": "Terminating"}, {"phase": "Active"}) == [
        "Invalid status.Phase: Invalid value: \"Active\": may only be 'Terminating' if `deletionTimestamp` is not empty"
    ]


def test_a_namespace_is_a_dns_label() -> None:
    assert create_errors(NAMESPACE, {"metadata": {"name": "a.b"}}) == [
        'Invalid metadata.name: Invalid value: "a.b": must not contain dots'
    ]
    assert row(NAMESPACE, created(NAMESPACE, NAMED)) == {"Name": "a", "Status": "Active", "Age": "5m"}
    assert "deletecollection" not in NAMESPACE.verbs


def test_a_nodes_allocatable_defaults_to_its_capacity() -> None:
    tree = defaulted(NODE, NAMED | {"status": {"capacity": {"cpu": "4"}}, "spec": {"podCIDR": "10.0.0.0/24"}})
    assert tree["status"]["allocatable"] == {"cpu": "4"}
    assert tree["spec"]["podCIDRs"] == ["10.0.0.0/24"]
    assert defaulted(NODE, NAMED | {"spec": {"podCIDRs": ["10.0.0.0/24"]}})["spec"]["podCIDR"] == "10.0.0.0/24"


TAINT = {"key": "a", "value": "b", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"taints": [TAINT, TAINT | {"effect": "NoExecute"}]}, []),
        ({"taints": [TAINT | {"effect": ""}]}, ["Required metadata.taints[0].effect: Required value"]),
        (
            {"taints": [TAINT | {"effect": "Never"}]},
            [
                'NotSupported metadata.taints[0].effect: Unsupported value: "Never": '
                'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
            ],
        ),
        (
            {"taints": [TAINT, TAINT]},
            [
                'Duplicate metadata.taints[1]: Duplicate value: {"key":"a","value":"b","effect":"NoSchedule"}: '
                "taints must be unique by key and effect pair"
            ],
        ),
        (
            {"podCIDRs": ["10.0.0.0/24", "10.0.1.0/24"]},
            [
                'Invalid spec.podCIDRs: Invalid value: []string{"10.0.0.0/24", "10.0.1.0/24"}: '
                "may specify no more than one CIDR for each IP family"
            ],
        ),
    ],
)
def test_node_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(NODE, NAMED | {"spec": spec}) == expected


def test_a_nodes_pod_network_is_fixed_once_set() -> None:
    assert update_errors(NODE, NAMED, {"spec": {"podCIDR": "10.0.0.0/24", "unschedulable": True}}) == []
    old = NAMED | {"spec": {"podCIDR": "10.0.0.0/24", "providerID": "x"}}
    assert update_errors(NODE, old, {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": None, "providerID": "y"}}) == [
        'Forbidden spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
        'Forbidden spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
        "Forbidden []: Forbidden: node updates may only change labels, taints, or capacity",
    ]


def test_the_table_of_nodes() -> None:
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "x"}
    info = {"kubeletVersion": "v1.33.0", "osImage": "Debian", "kernelVersion": "6", "containerRuntimeVersion": "containerd://1"}
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": info,
        "addresses": [{"type": "InternalIP", "address": "10.0.0.2"}, {"type": "Hostname", "address": "a"}],
    }
    tree = {"metadata": {"name": "a", "labels": labels}, "spec": {"unschedulable": True}, "status": status}
    assert row(NODE, tree) == {
        "Name": "a",
        "Status": "Ready,SchedulingDisabled",
        "Roles": "control-plane,worker,x",
        "Age": "5m",
        "Version": "v1.33.0",
        "Internal-IP": "10.0.0.2",
        "External-IP": "<none>",
        "OS-Image": "Debian",
        "Kernel-Version": "6",
        "Container-Runtime": "containerd://1",
    }
    assert row(NODE, NAMED)["Status"] == "Unknown"
    assert row(NODE, NAMED)["Roles"] == "<none>"
    assert NODE.selectable["spec.unschedulable"](tree) == "true"
    assert NODE.selectable["spec.unschedulable"](NAMED) == "false"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"leaseDurationSeconds": 15, "leaseTransitions": 0, "holderIdentity": ""}, []),
        ({"leaseDurationSeconds": 0}, ["Invalid spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
        ({"leaseTransitions": -1}, ["Invalid spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"]),
    ],
)
def test_lease_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(LEASE, LEASED | {"spec": spec}) == expected


def test_coordination_of_leases_is_off_but_for_those_that_have_it() -> None:
    tree = LEASED | {"spec": {"strategy": "OldestEmulationVersion", "preferredHolder": "b"}}
    assert created(LEASE, tree)["spec"] == {}
    new = copy.deepcopy(tree)
    LEASE.strategy.prepare_update(new, LEASED)
    assert new["spec"] == {}
    new = copy.deepcopy(tree)
    LEASE.strategy.prepare_update(new, tree)
    assert new == tree
    why = "Forbidden: may only be specified if `strategy` is defined"
    assert [str(e) for e in LEASE.strategy.validate(LEASED | {"spec": {"preferredHolder": "b"}})] == [
        f"spec.preferredHolder: {why}"
    ]


def test_leases_show_their_holder_and_need_a_revision_to_be_updated() -> None:
    assert row(LEASE, LEASED | {"spec": {"holderIdentity": "me"}}) == {"Name": "a", "Holder": "me", "Age": "5m"}
    assert not LEASE.strategy.allow_unconditional_update


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"metadata": {"name": "high"}, "value": 1_000_000_000}, []),
        (
            {"metadata": {"name": "high"}, "value": 1_000_000_001},
            ["Forbidden value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
        ),
        ({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}, []),
        (
            {"metadata": {"name": "system-mine"}, "value": 1},
            [
                "Forbidden metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use "
                "only. error: system-mine is not a known system priority class"
            ],
        ),
        (
            {"metadata": {"name": "high"}, "value": 1, "preemptionPolicy": "Always"},
            ['NotSupported preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"'],
        ),
    ],
)
def test_priority_class_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(PRIORITY_CLASS, tree) == expected


def test_a_priority_class_never_changes_its_value() -> None:
    old = {"metadata": {"name": "high"}, "value": 1}
    assert update_errors(PRIORITY_CLASS, old, {"value": 2, "preemptionPolicy": "Never"}) == [
        "Forbidden value: Forbidden: may not be changed in an update.",
        'Invalid preemptionPolicy: Invalid value: "Never": field is immutable',
    ]
    assert row(PRIORITY_CLASS, created(PRIORITY_CLASS, old)) == {
        "Name": "high",
        "Value": 1,
        "Global-Default": False,
        "Age": "5m",
        "PreemptionPolicy": "PreemptLowerPriority",
    }
