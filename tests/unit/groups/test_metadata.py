"""Rules of metadata that hold for every kind."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.validation.metadata import validate_metadata, validate_metadata_update
from sampan.api.resource import Tree
from tests.unit.groups.kinds import merged, shown

GOOD: Tree = {"metadata": {"name": "a", "namespace": "default", "resourceVersion": "1"}}
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"name": ""}, ["Required metadata.name: Required value: name or generateName is required"]),
        ({"namespace": ""}, ["Required metadata.namespace: Required value"]),
        ({"labels": {"a": "b", "x.io/c": ""}, "annotations": {"UPPER": "x"}, "finalizers": ["orphan", "x.io/y"]}, []),
        ({"labels": {"-a": "b"}}, [f'Invalid metadata.labels: Invalid value: "-a": {QUALIFIED}']),
        (
            {"annotations": {"a": "x" * (256 * 1024)}},
            ["TooLong metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
        (
            {"annotations": {"a": "ü" * (128 * 1024)}},
            ["TooLong metadata.annotations: Too long: may not be more than 262144 bytes"],
        ),
        ({"annotations": {"ab": "ü" * (128 * 1024 - 1)}}, []),
        (
            {"finalizers": ["mine"]},
            [
                'Invalid metadata.finalizers[0]: Invalid value: "mine": '
                "name is neither a standard finalizer name nor is it fully qualified"
            ],
        ),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            [
                'Invalid metadata.finalizers: Invalid value: []string{"orphan", "foregroundDeletion"}: '
                "finalizer orphan and foregroundDeletion cannot be both set"
            ],
        ),
        ({"ownerReferences": [OWNER]}, []),
        (
            {"ownerReferences": [OWNER | {"uid": ""}]},
            ['Invalid metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'],
        ),
        (
            {"ownerReferences": [OWNER | {"apiVersion": "apps/"}]},
            ['Invalid metadata.ownerReferences.apiVersion: Invalid value: "apps/": version must not be empty'],
        ),
    ],
)
def test_new_metadata_is_checked(change: dict[str, Any], expected: list[str]) -> None:
    assert shown(validate_metadata(merged(GOOD, {"metadata": change}), namespaced=True)) == expected


def test_only_one_owner_controls() -> None:
    owners = [OWNER | {"controller": True}, OWNER | {"name": "s", "controller": True}]
    errors = validate_metadata(merged(GOOD, {"metadata": {"ownerReferences": owners}}), namespaced=True)
    assert [e.message.split(": ", 2)[2] for e in errors] == [
        'Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/r and ReplicaSet/s'
    ]


def test_a_namespace_is_not_allowed_on_cluster_scoped_kinds() -> None:
    assert shown(validate_metadata(GOOD, namespaced=False)) == [
        "Forbidden metadata.namespace: Forbidden: not allowed on this type"
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"name": "b"}, ['Invalid metadata.name: Invalid value: "b": field is immutable']),
        ({"uid": "x"}, ['Invalid metadata.uid: Invalid value: "x": field is immutable']),
        ({"resourceVersion": None}, ['Invalid metadata.resourceVersion: Invalid value: "": must be specified for an update']),
        ({"finalizers": ["x.io/a"]}, []),
    ],
)
def test_an_update_keeps_the_identity(change: dict[str, Any], expected: list[str]) -> None:
    assert shown(validate_metadata_update(merged(GOOD, {"metadata": change}), GOOD)) == expected


def test_a_deleted_object_gets_no_new_finalizers() -> None:
    old = merged(GOOD, {"metadata": {"deletionTimestamp": "2023-11-14T22:08:20Z", "finalizers": ["x.io/a"]}})
    new = merged(old, {"metadata": {"finalizers": ["x.io/a", "x.io/b"]}})
    assert shown(validate_metadata_update(new, old)) == [
        "Forbidden metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"x.io/b"}'
    ]
