"""The kinds of storage.k8s.io, and RuntimeClass."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.componentstatus import RESOURCE as COMPONENT_STATUS
from sampan.api.groups.node.runtimeclass import RESOURCE as RUNTIME_CLASS
from sampan.api.groups.storage.csidriver import RESOURCE as DRIVER
from sampan.api.groups.storage.csinode import RESOURCE as CSI_NODE
from sampan.api.groups.storage.csistoragecapacity import RESOURCE as CAPACITY
from sampan.api.groups.storage.storageclass import RESOURCE as STORAGE_CLASS
from sampan.api.groups.storage.volumeattachment import RESOURCE as ATTACHMENT
from sampan.api.resource import Resource, Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors
from tests.unit.groups.test_persistentvolume import LABEL, SUBDOMAIN

META: Tree = {"metadata": {"name": "a"}}
CLASS: Tree = META | {"provisioner": "disk.example.com"}
ATTACHED: Tree = META | {
    "spec": {"attacher": "disk.example.com", "nodeName": "node-1", "source": {"persistentVolumeName": "disk"}}
}
DRIVERS: Tree = META | {"spec": {"drivers": [{"name": "disk.example.com", "nodeID": "i-1", "topologyKeys": ["zone"]}]}}
SIZED: Tree = {
    "metadata": {"name": "a", "namespace": "default"},
    "storageClassName": "fast",
    "nodeTopology": {"matchLabels": {"zone": "a"}},
}
RUNTIME: Tree = META | {"handler": "runc"}


@pytest.mark.parametrize(
    ("resource", "tree", "filled"),
    [
        (STORAGE_CLASS, CLASS, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
        (ATTACHMENT, ATTACHED | {"status": {"attached": True}}, {"status": {"attached": False}}),
        (
            DRIVER,
            META | {"spec": {"nodeAllocatableUpdatePeriodSeconds": 5}},
            {
                "spec": {
                    "attachRequired": True,
                    "podInfoOnMount": False,
                    "storageCapacity": False,
                    "fsGroupPolicy": "ReadWriteOnceWithFSType",
                    "volumeLifecycleModes": ["Persistent"],
                    "requiresRepublish": False,
                    "seLinuxMount": False,
                }
            },
        ),
        (CSI_NODE, DRIVERS, {}),
        (CAPACITY, SIZED, {}),
        (RUNTIME_CLASS, RUNTIME, {}),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else "",
)
def test_minimal_objects_are_filled_in_and_valid(resource: Resource, tree: Tree, filled: Tree) -> None:
    assert created(resource, tree) == tree | filled
    assert create_errors(resource, tree) == []


QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
TERM = {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}
MODES = '"Immediate", "WaitForFirstConsumer"'


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"allowedTopologies": [TERM], "provisioner": "Kubernetes.io/GCE-pd"}, []),
        ({"provisioner": None}, ["Required provisioner: Required value"]),
        ({"provisioner": "A_"}, [f'Invalid provisioner: Invalid value: "a_": {QUALIFIED}']),
        (
            {"reclaimPolicy": "Recycle"},
            ['NotSupported reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
        ),
        (
            {"volumeBindingMode": "Later"},
            [f'NotSupported volumeBindingMode: Unsupported value: "Later": supported values: {MODES}'],
        ),
        ({"parameters": {"": "a"}}, ['Invalid parameters: Invalid value: "": field can not be empty.']),
        ({"parameters": {"a": "b" * 2**18}}, ["TooLong parameters: Too long: may not be more than 262144 bytes"]),
        (
            {"parameters": {str(n): "" for n in range(513)}},
            ["TooLong parameters: Too long: may not be more than 512 bytes"],
        ),
        (
            {"allowedTopologies": [TERM, TERM]},
            ['Duplicate allowedTopologies[1].matchLabelExpressions: Duplicate value: ""'],
        ),
        (
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "a"}, {"key": "a", "values": ["b", "b"]}]}]},
            [
                "Required allowedTopologies[0].matchLabelExpressions[0].values: Required value",
                'Duplicate allowedTopologies[0].matchLabelExpressions[1].values[1]: Duplicate value: "b"',
                'Duplicate allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "a"',
            ],
        ),
    ],
)  # fmt: skip
def test_storage_class_rules(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(STORAGE_CLASS, merged(CLASS, change)) == expected


def test_little_of_a_storage_class_may_change() -> None:
    assert update_errors(STORAGE_CLASS, CLASS, {"allowVolumeExpansion": True, "mountOptions": ["ro"]}) == []
    change = {"parameters": {"a": "b"}, "provisioner": "b", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediately"}
    assert update_errors(STORAGE_CLASS, CLASS, change)[1:] == [
        "Forbidden parameters: Forbidden: updates to parameters are forbidden.",
        "Forbidden provisioner: Forbidden: updates to provisioner are forbidden.",
        "Forbidden reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
        'Invalid volumeBindingMode: Invalid value: "Immediately": field is immutable',
    ]


ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
INLINE: Tree = {"csi": {"driver": "disk.example.com", "volumeHandle": "a"}, "accessModes": ["ReadWriteOnce"]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"attacher": None},
            [
                "Required spec.attacher: Required value",
                "Required spec.attacher: Required value",
                f'Invalid spec.attacher: Invalid value: "": {SUBDOMAIN}',
            ],
        ),
        ({"attacher": "a" * 64}, ["TooLong spec.attacher: Too long: may not be more than 63 bytes"]),
        ({"source": {"persistentVolumeName": None}}, [f"Required spec.source: Required value: {ONE_SOURCE}"]),
        ({"source": {"inlineVolumeSpec": INLINE}}, [f"Forbidden spec.source: Forbidden: {ONE_SOURCE}"]),
        ({"source": {"persistentVolumeName": None, "inlineVolumeSpec": INLINE}}, []),
        (
            {"source": {"persistentVolumeName": None, "inlineVolumeSpec": {"capacity": {"storage": "1Gi"}}}},
            [
                "Forbidden spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline "
                "volumes",
                "Required spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline "
                "volumes",
                "Required spec.source.inlineVolumeSpec.accessModes: Required value",
                "Required spec.source.inlineVolumeSpec: Required value: must specify a volume type",
            ],
        ),
        ({"nodeName": "A"}, [f'Invalid spec.nodeName: Invalid value: "A": {SUBDOMAIN}']),
    ],
)
def test_attachment_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(ATTACHMENT, merged(ATTACHED, {"spec": spec})) == expected


def test_an_attachment_is_fixed_and_its_status_bounded() -> None:
    (error,) = update_errors(ATTACHMENT, ATTACHED, {"spec": {"nodeName": "node-2"}})
    assert error.startswith("Invalid spec: ") and error.endswith("field is immutable")
    problem = {"attachError": {"message": "a" * 1025, "errorCode": -1}}
    before = {"attached": False, "attachError": {"errorCode": 1}}
    assert status_errors(ATTACHMENT, ATTACHED, before, {"attached": True} | problem) == [
        "TooLong status.attachError.message: Too long: may not be more than 262144 bytes",
        "Invalid status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ]
    # A code where there was none is dropped.
    assert len(status_errors(ATTACHMENT, ATTACHED, {"attached": False}, {"attached": True} | problem)) == 1


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"fsGroupPolicy": "Maybe"},
            [
                'NotSupported spec.fsGroupPolicy: Unsupported value: "Maybe": supported values: "File", "None", '
                '"ReadWriteOnceWithFSType"'
            ],
        ),
        (
            {"volumeLifecycleModes": ["Persistent", "Brief"]},
            ['NotSupported spec.volumeLifecycleModes: Unsupported value: "Brief": supported values: "Persistent", "Ephemeral"'],
        ),
        (
            {"tokenRequests": [{"audience": "a"}, {"audience": "a"}, {"audience": "b", "expirationSeconds": 599}]},
            [
                'Duplicate spec.tokenRequests[1].audience: Duplicate value: "a"',
                "Invalid spec.tokenRequests[2].expirationSeconds: Invalid value: 599: "
                "may not specify a duration less than 10 minutes",
            ],
        ),
    ],
)
def test_driver_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(DRIVER, META | {"spec": spec}) == expected


def test_what_may_change_in_a_driver_counts_generations() -> None:
    assert update_errors(DRIVER, META, {"spec": {"attachRequired": False, "volumeLifecycleModes": ["Ephemeral"]}}) == [
        "Invalid spec.attachedRequired: Invalid value: false: field is immutable",
        'Invalid spec.volumeLifecycleModes: Invalid value: []string{"Ephemeral"}: field is immutable',
    ]
    old = created(DRIVER, META)
    new = merged(old, {"spec": {"podInfoOnMount": True}})
    DRIVER.strategy.prepare_update(new, old)
    assert new["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ({"name": "a b"}, [f'Invalid spec.drivers[0].name: Invalid value: "a b": {SUBDOMAIN}']),
        ({"nodeID": None}, ["Required spec.drivers[0].nodeID: Required value"]),
        (
            {"nodeID": "a" * 257},
            [f'Invalid spec.drivers[0].nodeID: Invalid value: "{"a" * 257}": must be 256 characters or less'],
        ),
        (
            {"allocatable": {"count": -1}},
            ["Invalid spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"],
        ),
        ({"topologyKeys": ["zone", "zone"]}, ['Duplicate spec.drivers[0]: Duplicate value: "zone"']),
    ],
)
def test_rules_of_drivers_on_a_node(driver: dict[str, Any], expected: list[str]) -> None:
    changed = merged(DRIVERS["spec"]["drivers"][0], driver)
    assert create_errors(CSI_NODE, META | {"spec": {"drivers": [changed]}}) == expected


def test_a_driver_on_a_node_stays_as_it_is() -> None:
    (driver,) = DRIVERS["spec"]["drivers"]
    others = [driver, {"name": "b", "nodeID": "c"}]
    assert update_errors(CSI_NODE, DRIVERS, {"spec": {"drivers": others}}) == []
    (error,) = update_errors(CSI_NODE, DRIVERS, {"spec": {"drivers": [driver | {"nodeID": "i-2"}]}})
    assert error.startswith("Invalid spec.drivers: ") and error.endswith("field is immutable")


def test_capacity_rules() -> None:
    assert create_errors(CAPACITY, merged(SIZED, {"storageClassName": "A", "capacity": "-1"})) == [
        f'Invalid storageClassName: Invalid value: "A": {SUBDOMAIN}',
        'Invalid capacity: Invalid value: "-1": must be greater than or equal to 0',
    ]
    assert update_errors(CAPACITY, SIZED, {"capacity": "5Gi"}) == []
    assert update_errors(CAPACITY, SIZED, {"storageClassName": "b", "nodeTopology": None}) == [
        'Invalid nodeTopology: Invalid value: "null": field is immutable',
        'Invalid storageClassName: Invalid value: "b": field is immutable',
    ]


TOLERATION = {"key": "a", "operator": "Exists", "effect": "NoExecute"}


def test_runtime_class_rules() -> None:
    change = {
        "handler": "A.b",
        "overhead": {"podFixed": {"cpu": "-1"}},
        "scheduling": {"tolerations": [TOLERATION, TOLERATION | {"tolerationSeconds": 5}]},
    }
    assert create_errors(RUNTIME_CLASS, merged(RUNTIME, change)) == [
        f'Invalid handler: Invalid value: "A.b": {LABEL}',
        'Invalid overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        "Duplicate scheduling.tolerations[1]: Duplicate value: "
        '{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":5}',
    ]
    assert update_errors(RUNTIME_CLASS, RUNTIME, {"handler": "gvisor"}) == [
        'Invalid handler: Invalid value: "gvisor": field is immutable'
    ]


@pytest.mark.parametrize(
    ("resource", "tree", "cells"),
    [
        (
            STORAGE_CLASS,
            merged(CLASS, {"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}),
            {
                "Name": "a (default)",
                "Provisioner": "disk.example.com",
                "ReclaimPolicy": "Delete",
                "VolumeBindingMode": "Immediate",
                "AllowVolumeExpansion": False,
                "Age": "5m",
            },
        ),
        (
            ATTACHMENT,
            ATTACHED,
            {
                "Name": "a",
                "Attacher": "disk.example.com",
                "PV": "disk",
                "Node": "node-1",
                "Attached": False,
                "Age": "5m",
            },
        ),
        (
            DRIVER,
            META | {"spec": {"tokenRequests": [{"audience": "a"}, {"audience": "b"}]}},
            {
                "Name": "a",
                "AttachRequired": True,
                "PodInfoOnMount": False,
                "StorageCapacity": False,
                "TokenRequests": "a,b",
                "RequiresRepublish": False,
                "Modes": "Persistent",
                "Age": "5m",
            },
        ),
        (CSI_NODE, DRIVERS, {"Name": "a", "Drivers": 1, "Age": "5m"}),
        (CAPACITY, SIZED, {"Name": "a", "StorageClassName": "fast", "Capacity": "<unset>"}),
        (RUNTIME_CLASS, RUNTIME, {"Name": "a", "Handler": "runc", "Age": "5m"}),
        (COMPONENT_STATUS, META, {"Name": "a", "Status": "Unknown", "Message": "", "Error": ""}),
        (
            COMPONENT_STATUS,
            META | {"conditions": [{"type": "Healthy", "status": "False", "message": "down", "error": "why"}]},
            {"Name": "a", "Status": "Unhealthy", "Message": "down", "Error": "why"},
        ),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else "",
)
def test_the_tables(resource: Resource, tree: Tree, cells: Tree) -> None:
    assert row(resource, created(resource, tree)) == cells


ZONE = "failure-domain.beta.kubernetes.io/zone"
WHY = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'


@pytest.mark.parametrize(
    ("resource", "tree", "warning"),
    [
        (
            STORAGE_CLASS,
            CLASS | {"allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["a"]}]}]},
            f"allowedTopologies[0].matchLabelExpressions[0].key: {WHY}",
        ),
        (CAPACITY, SIZED | {"nodeTopology": {"matchLabels": {ZONE: "a"}}}, f"nodeTopology.matchLabels.{ZONE}: {WHY}"),
        (
            CAPACITY,
            SIZED | {"nodeTopology": {"matchExpressions": [{"key": ZONE, "operator": "Exists"}]}},
            f"nodeTopology.matchExpressions[0].key: {ZONE} is {WHY}",
        ),
        (RUNTIME_CLASS, RUNTIME | {"scheduling": {"nodeSelector": {ZONE: "a"}}}, f"scheduling.nodeSelector: {WHY}"),
    ],
    ids=lambda value: value.plural if isinstance(value, Resource) else "",
)
def test_labels_of_nodes_with_later_names_are_warned_of(resource: Resource, tree: Tree, warning: str) -> None:
    assert resource.strategy.warn is not None
    assert resource.strategy.warn(created(resource, tree), None) == [warning]
