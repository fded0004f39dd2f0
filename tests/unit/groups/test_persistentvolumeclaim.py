"""PersistentVolumeClaim."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.persistentvolumeclaim import RESOURCE as CLAIM
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, shown, status_errors, update_errors

MINIMAL: Tree = {
    "metadata": {"name": "data", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
ANNOTATION = "volume.beta.kubernetes.io/storage-class"
POPULATOR = {"apiGroup": "example.com", "kind": "Backup", "name": "a"}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "a"}


def requesting(storage: str) -> Tree:
    return {"resources": {"requests": {"storage": storage}}}


def test_a_minimal_claim_is_filled_in() -> None:
    assert created(CLAIM, MINIMAL | {"status": {"phase": "Bound", "capacity": {"storage": "9Gi"}}}) == {
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"dataSource": SNAPSHOT}, {"dataSource": SNAPSHOT, "dataSourceRef": SNAPSHOT}),
        ({"dataSourceRef": POPULATOR}, {"dataSource": POPULATOR, "dataSourceRef": POPULATOR}),
        ({"dataSource": POPULATOR}, {}),
        ({"dataSourceRef": SNAPSHOT | {"namespace": "other"}}, {}),
        ({"dataSource": POPULATOR, "dataSourceRef": SNAPSHOT}, {"dataSource": POPULATOR, "dataSourceRef": SNAPSHOT}),
    ],
)
def test_the_two_fields_for_a_data_source_are_kept_in_step(given: Tree, kept: Tree) -> None:
    spec = created(CLAIM, merged(MINIMAL, {"spec": given}))["spec"]
    assert {field: spec[field] for field in ("dataSource", "dataSourceRef") if field in spec} == kept


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"storageClassName": ""}, []),
        ({"accessModes": None}, ["Required spec.accessModes: Required value: at least 1 access mode is required"]),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteMany"]},
            ["Forbidden spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        ({"resources": None}, ["Required spec.resources[storage]: Required value"]),
        (
            requesting("0"),
            ['Invalid spec.resources[storage]: Invalid value: "0": must be greater than zero'],
        ),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
            [
                'Invalid spec.selector.matchExpressions[0].operator: Invalid value: "Like": '
                "not a valid selector operator"
            ],
        ),
        (
            {"volumeMode": "Tape"},
            ['NotSupported spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'],
        ),
        (
            {"dataSourceRef": {"kind": "Backup"}},
            [
                "Required spec.dataSource.name: Required value",
                "Invalid spec.dataSource: Invalid value: \"Backup\": must be 'PersistentVolumeClaim' when referencing the "
                "default apiGroup",
                "Required spec.dataSourceRef.name: Required value",
                "Invalid spec.dataSourceRef: Invalid value: \"Backup\": must be 'PersistentVolumeClaim' when referencing the "
                "default apiGroup",
            ],
        ),
        (
            {"dataSource": SNAPSHOT, "dataSourceRef": POPULATOR},
            ['Invalid spec: Invalid value: "spec.dataSource": must match dataSourceRef'],
        ),
    ],
)  # fmt: skip
def test_claim_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(CLAIM, merged(MINIMAL, {"spec": spec})) == expected


IMMUTABLE = (
    "Forbidden spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims\n"
)


def updated(old: Tree, change: Tree, status: Tree | None = None) -> list[str]:
    """As `update_errors`, of a claim with a status."""
    before = created(CLAIM, old) | {"status": status or {"phase": "Pending"}}
    before["metadata"]["resourceVersion"] = "5"
    after = merged(before, change)
    CLAIM.default(after)
    CLAIM.strategy.prepare_update(after, before)
    return shown(CLAIM.strategy.validate(after) + CLAIM.strategy.validate_update(after, before))


BOUND = {"phase": "Bound", "capacity": {"storage": "1Gi"}}


@pytest.mark.parametrize(
    ("old", "change", "status", "expected"),
    [
        ({}, {"volumeName": "disk"}, None, []),
        (
            {"volumeName": "disk"},
            {"volumeName": "other"},
            None,
            [IMMUTABLE + '- \tspec.volumeName: "disk",\n+ \tspec.volumeName: "other",\n'],
        ),
        ({}, requesting("2Gi"), BOUND, []),
        (
            {},
            requesting("2Gi"),
            None,
            [
                IMMUTABLE
                + '- \tspec.resources.requests.storage: "1Gi",\n+ \tspec.resources.requests.storage: "2Gi",\n'
            ],
        ),
        (
            requesting("2Gi"),
            requesting("1Gi"),
            BOUND,
            ["Forbidden spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
        ),
        (requesting("3Gi"), requesting("2Gi"), BOUND, []),
        ({}, {"storageClassName": "fast"}, None, []),
        (
            {"storageClassName": "slow"},
            {"storageClassName": "fast"},
            None,
            [IMMUTABLE + '- \tspec.storageClassName: "slow",\n+ \tspec.storageClassName: "fast",\n'],
        ),
        (
            {},
            {"volumeMode": "Block"},
            None,
            [
                IMMUTABLE + '- \tspec.volumeMode: "Filesystem",\n+ \tspec.volumeMode: "Block",\n',
                'Invalid volumeMode: Invalid value: "Block": field is immutable',
            ],
        ),
    ],
)  # fmt: skip
def test_what_may_change_in_a_claim(old: Tree, change: Tree, status: Tree | None, expected: list[str]) -> None:
    assert updated(merged(MINIMAL, {"spec": old}), {"spec": change}, status) == expected


def test_the_class_moves_from_the_annotation_to_the_field() -> None:
    old = merged(MINIMAL, {"metadata": {"annotations": {ANNOTATION: "fast"}}})
    moved = {"metadata": {"annotations": None}, "spec": {"storageClassName": "fast"}}
    assert update_errors(CLAIM, old, moved) == []
    assert update_errors(CLAIM, old, {"metadata": {"annotations": {ANNOTATION: "slow"}}}) == [
        f'Invalid metadata.annotations.{ANNOTATION}: Invalid value: "slow": field is immutable'
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Bound", "capacity": {"storage": "1Gi"}, "allocatedResources": {"storage": "2Gi"}}, []),
        (
            {"capacity": {"storage": "-1"}},
            ["Invalid status.capacity[storage]: Invalid value: -1: must be a valid resource quantity"],
        ),
        (
            {"allocatedResources": {"cpu": "1"}},
            ['NotSupported status.allocatedResources: Unsupported value: "cpu": supported values: "storage"'],
        ),
        (
            {"allocatedResourceStatuses": {"storage": "Soon"}},
            [
                'NotSupported status.allocatedResourceStatus: Unsupported value: "storage": supported values: '
                '"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", '
                '"NodeResizeInfeasible", "NodeResizePending"'
            ],
        ),
    ],
)
def test_status_rules(status: Tree, expected: list[str]) -> None:
    assert status_errors(CLAIM, MINIMAL, {"phase": "Pending"}, status) == expected


def test_fractions_of_bytes_are_warned_of() -> None:
    assert CLAIM.strategy.warn is not None
    assert CLAIM.strategy.warn(created(CLAIM, merged(MINIMAL, {"spec": requesting("1500m")})), None) == [
        'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'
    ]


def test_the_table() -> None:
    tree = created(CLAIM, MINIMAL)
    cells = {
        "Name": "data",
        "Status": "Pending",
        "Volume": "",
        "Capacity": "",
        "Access Modes": "",
        "StorageClass": "",
        "VolumeAttributesClass": "<unset>",
        "Age": "5m",
        "VolumeMode": "Filesystem",
    }
    assert row(CLAIM, tree) == cells
    bound = {"spec": {"volumeName": "disk", "storageClassName": "fast"}, "status": BOUND | {"accessModes": ["ReadOnlyMany"]}}
    changed = {"Status": "Bound", "Volume": "disk", "Capacity": "1Gi", "Access Modes": "ROX", "StorageClass": "fast"}
    assert row(CLAIM, merged(tree, bound)) == cells | changed
