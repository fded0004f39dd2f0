"""PersistentVolume."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.persistentvolume import RESOURCE as VOLUME
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors

MINIMAL: Tree = {
    "metadata": {"name": "disk"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}},
}
CSI = {"hostPath": None, "csi": {"driver": "disk.csi.example.com", "volumeHandle": "a"}}
TERMS = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def test_a_minimal_volume_is_filled_in() -> None:
    assert created(VOLUME, MINIMAL | {"status": {"phase": "Bound"}}) == {
        "metadata": {"name": "disk"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data", "type": ""},
            "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ({"iscsi": {"targetPortal": "a"}}, {"iscsi": {"targetPortal": "a", "iscsiInterface": "default"}}),
        ({"rbd": {"image": "a"}}, {"rbd": {"image": "a", "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}}),
        (
            {"azureDisk": {"diskName": "a", "kind": "Managed"}},
            {
                "azureDisk": {
                    "diskName": "a",
                    "kind": "Managed",
                    "cachingMode": "ReadWrite",
                    "fsType": "ext4",
                    "readOnly": False,
                }
            },
        ),
        ({"scaleIO": {"fsType": "ext4"}}, {"scaleIO": {"fsType": "ext4", "storageMode": "ThinProvisioned"}}),
    ],
)
def test_sources_are_filled_in(source: Tree, filled: Tree) -> None:
    spec = created(VOLUME, merged(MINIMAL, {"spec": source}))["spec"]
    assert {kind: spec[kind] for kind in source} == filled


def test_a_class_of_attributes_is_dropped() -> None:
    tree = created(VOLUME, merged(MINIMAL, {"spec": {"volumeAttributesClassName": "fast"}}))
    assert "volumeAttributesClassName" not in tree["spec"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (CSI, []),
        ({"accessModes": None}, ["Required spec.accessModes: Required value"]),
        (
            {"accessModes": ["Sometimes"]},
            [
                'NotSupported spec.accessModes: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", '
                '"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
            ],
        ),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteMany"]},
            ["Forbidden spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        (
            {"capacity": None},
            [
                "Required spec.capacity: Required value",
                'NotSupported spec.capacity: Unsupported value: {}: supported values: "storage"',
            ],
        ),
        (
            {"capacity": {"storage": "-1"}},
            [
                "Invalid spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
                'Invalid spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
            ],
        ),
        (
            {"persistentVolumeReclaimPolicy": "Burn"},
            [
                'NotSupported spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: '
                '"Delete", "Recycle", "Retain"'
            ],
        ),
        (
            {"hostPath": {"path": "/.."}, "persistentVolumeReclaimPolicy": "Recycle"},
            [
                "Invalid spec.hostPath.path: Invalid value: \"/..\": must not contain '..'",
                "Forbidden spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
            ],
        ),
        ({"hostPath": None}, ["Required spec: Required value: must specify a volume type"]),
        (
            {"nfs": {"server": "a", "path": "/"}, "cephfs": {"monitors": ["a"]}},
            [
                "Forbidden spec.nfs: Forbidden: may not specify more than 1 volume type",
                "Forbidden spec.cephFS: Forbidden: may not specify more than 1 volume type",
            ],
        ),
        (
            {"storageClassName": "Fast"},
            [f'Invalid spec.storageClassName: Invalid value: "Fast": {SUBDOMAIN}'],
        ),
        (
            {"volumeMode": "Tape"},
            ['NotSupported spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'],
        ),
        (
            {"hostPath": None, "local": {"path": "/a"}},
            ["Required spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        ({"hostPath": None, "local": {"path": "/a"}, "nodeAffinity": {"required": TERMS}}, []),
        (
            {"nodeAffinity": {}},
            ["Required spec.nodeAffinity.required: Required value: must specify required node constraints"],
        ),
        (
            {"nodeAffinity": {"required": {"nodeSelectorTerms": []}}},
            [
                "Required spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node "
                "selector term"
            ],
        ),
    ],
)
def test_volume_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(VOLUME, merged(MINIMAL, {"spec": spec})) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"gcePersistentDisk": {"partition": 256}}, [
            "Required spec.persistentDisk.pdName: Required value",
            "Invalid spec.persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
        ]),
        ({"glusterfs": {"endpoints": "a", "path": "b", "endpointsNamespace": ""}}, [
            'Invalid spec.glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace is set, it must be a '
            "valid namespace name"
        ]),
        ({"nfs": {"path": "a"}}, [
            "Required spec.nfs.server: Required value",
            'Invalid spec.nfs.path: Invalid value: "a": must be an absolute path',
        ]),
        ({"iscsi": {"targetPortal": "a" * 64, "iqn": "x", "lun": 256, "initiatorName": "iqn.a", "chapAuthSession": True}}, [
            f'Invalid spec.iscsi.targetportal: Invalid value: "{"a" * 64}": Total length of <volume name>:'
            "<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
            'Invalid spec.iscsi.iqn: Invalid value: "x": must be valid format',
            "Invalid spec.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            "Required spec.iscsi.secretRef: Required value",
            'Invalid spec.iscsi.initiatorname: Invalid value: "iqn.a": must be valid format',
        ]),
        ({"iscsi": {"targetPortal": "a", "iqn": "iqn.2015-02.example.com:init", "secretRef": {"namespace": "a"}}}, [
            "Required spec.iscsi.secretRef.name: Required value"
        ]),
        ({"cinder": {"volumeID": "a", "secretRef": {"name": "b"}}}, [
            "Required spec.cinder.secretRef.namespace: Required value"
        ]),
        ({"fc": {}}, [
            "Required spec.fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"
        ]),
        ({"fc": {"targetWWNs": ["a"]}}, [
            "Required spec.fc.lun: Required value: lun is required if targetWWNs is specified"
        ]),
        ({"flexVolume": {"driver": "a", "options": {"x.k8s.io/y": "z"}}}, [
            'Invalid spec.flexVolume.options[x.k8s.io/y]: Invalid value: "x.k8s.io/y": kubernetes.io and k8s.io namespaces '
            "are reserved"
        ]),
        ({"azureFile": {"secretName": "a", "shareName": "b", "secretNamespace": ""}}, [
            "Required spec.azureFile.secretNamespace: Required value"
        ]),
        ({"azureDisk": {"diskName": "a", "diskURI": "b", "kind": "Managed"}}, [
            'NotSupported spec.azureDisk.diskURI: Unsupported value: "b": supported values: "/subscriptions/{sub-id}/'
            'resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"'
        ]),
        ({"quobyte": {"registry": "a", "volume": "b"}}, [
            'Invalid spec.quobyte.registry: Invalid value: "a": must be a host:port pair or multiple pairs separated by commas'
        ]),
        ({"flocker": {"datasetName": "a/b"}}, [
            "Invalid spec.flocker.datasetName: Invalid value: \"a/b\": must not contain '/'"
        ]),
        ({"csi": {"driver": "", "controllerPublishSecretRef": {"name": "a", "namespace": "B"}}}, [
            "Required spec.csi.driver: Required value",
            f'Invalid spec.csi.driver: Invalid value: "": {SUBDOMAIN}',
            "Required spec.csi.volumeHandle: Required value",
            f'Invalid spec.csi.controllerPublishSecretRef.namespace: Invalid value: "B": {LABEL}',
        ]),
    ],
)  # fmt: skip
def test_source_rules(source: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(VOLUME, merged(MINIMAL, {"spec": {"hostPath": None, **source}})) == expected


def test_where_a_volume_is_never_changes() -> None:
    assert update_errors(VOLUME, MINIMAL, {"spec": {"hostPath": {"path": "/other"}, "volumeMode": "Block"}}) == [
        "Forbidden spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"
        '- \tspec.hostPath.path: "/data",\n+ \tspec.hostPath.path: "/other",\n',
        'Invalid volumeMode: Invalid value: "Block": field is immutable',
    ]
    assert update_errors(VOLUME, MINIMAL, {"spec": {"capacity": {"storage": "2Gi"}, "claimRef": {"name": "a"}}}) == []


def test_a_secret_for_expansion_may_be_added() -> None:
    secret = {"controllerExpandSecretRef": {"name": "a", "namespace": "b"}}
    assert update_errors(VOLUME, merged(MINIMAL, {"spec": CSI}), {"spec": {"csi": secret}}) == []


def affinity(key: str) -> Tree:
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}}


def test_a_node_affinity_is_set_once_and_may_take_labels_later_names() -> None:
    zone = "failure-domain.beta.kubernetes.io/zone"
    old = merged(MINIMAL, {"spec": {"nodeAffinity": affinity(zone)}})
    assert update_errors(VOLUME, MINIMAL, {"spec": {"nodeAffinity": affinity("zone")}}) == []
    assert update_errors(VOLUME, old, {"spec": {"nodeAffinity": affinity("topology.kubernetes.io/zone")}}) == []
    (error,) = update_errors(VOLUME, old, {"spec": {"nodeAffinity": affinity("zone")}})
    assert error.endswith("field is immutable, except for updating from beta label to GA")


def test_a_status_update_keeps_the_spec() -> None:
    assert status_errors(VOLUME, MINIMAL, {"phase": "Available"}, {"phase": "Bound"}) == []
    old = created(VOLUME, MINIMAL)
    new = merged(old, {"spec": {"capacity": {"storage": "5Gi"}}, "status": {"phase": "Bound"}})
    VOLUME.strategy.prepare_status(new, old)
    assert new == old | {"status": {"phase": "Bound"}}


def test_old_ways_are_warned_of() -> None:
    assert VOLUME.strategy.warn is not None
    note = {"metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "a"}}}
    tree = created(VOLUME, merged(MINIMAL, note | {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}}))
    assert VOLUME.strategy.warn(tree, None) == [
        "metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; "
        'use "storageClassName" attribute instead',
        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to "
        "use dynamic provisioning.",
    ]
    zone = "failure-domain.beta.kubernetes.io/zone"
    tree = created(VOLUME, merged(MINIMAL, {"spec": {"rbd": {}, "nodeAffinity": affinity(zone)}}))
    assert VOLUME.strategy.warn(tree, None) == [
        f"spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: {zone} is deprecated since v1.17; "
        'use "topology.kubernetes.io/zone" instead',
        "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
    ]


def test_the_table() -> None:
    spec = {
        "accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"],
        "claimRef": {"namespace": "default", "name": "data"},
        "storageClassName": "fast",
    }
    tree = merged(created(VOLUME, MINIMAL), {"spec": spec, "status": {"phase": "Bound", "reason": "why"}})
    cells = {
        "Name": "disk",
        "Capacity": "1Gi",
        "Access Modes": "RWO,RWX",
        "Reclaim Policy": "Retain",
        "Status": "Bound",
        "Claim": "default/data",
        "StorageClass": "fast",
        "VolumeAttributesClass": "<unset>",
        "Reason": "why",
        "Age": "5m",
        "VolumeMode": "Filesystem",
    }
    assert row(VOLUME, tree) == cells
    assert "VolumeMode" not in row(VOLUME, tree, wide=False)
    assert row(VOLUME, merged(tree, {"metadata": {"deletionTimestamp": "x"}}))["Status"] == "Terminating"
