"""Conditions that follow from a definition alone: by whose leave it adds to a protected group, and whether it is structural."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.apiserver.custom.conditions import plan_approval, plan_structure

Tree = dict[str, Any]
SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
DEMAND = 'protected groups must have approval annotation "api-approved.kubernetes.io"'


def definition(group: str = "example.com", annotation: str = "", *, preserves: bool = False, **schema: Any) -> Tree:
    annotations = {"api-approved.kubernetes.io": annotation} if annotation else None
    version = {"name": "v1", "schema": {"openAPIV3Schema": schema}} if schema else {"name": "v1"}
    return {
        "metadata": {"annotations": annotations},
        "spec": {"group": group, "versions": [version], "preserveUnknownFields": preserves},
    }


@pytest.mark.parametrize(
    ("group", "annotation", "status", "reason", "message"),
    [
        ("k8s.io", "", "False", "MissingAnnotation", f"{DEMAND}, {SEE}"),
        ("x.kubernetes.io", "unapproved, yet", "False", "UnapprovedAnnotation", 'not approved: "unapproved, yet"'),
        ("x.k8s.io", "https://example.com/1", "True", "ApprovedAnnotation", "approved in https://example.com/1"),
        ("x.k8s.io", "yes", "False", "InvalidAnnotation",
         f'{DEMAND} with either a URL or a reason starting with "unapproved", {SEE}'),
    ],
)  # fmt: skip
def test_a_protected_group_says_by_whose_leave(group: str, annotation: str, status: str, reason: str, message: str) -> None:
    found = plan_approval(definition(group, annotation))
    assert found is not None and found[1:] == (status, reason, message)


@pytest.mark.parametrize("group", ["example.com", "myk8s.io"])
def test_any_other_group_needs_no_approval(group: str) -> None:
    assert plan_approval(definition(group)) is None


MUST_BE_FALSE = "spec.preserveUnknownFields: Invalid value: true: must be false"


@pytest.mark.parametrize(
    ("crd", "expected"),
    [
        (definition(type="object"), None),
        (definition(preserves=True, type="object"), ("True", "Violations", MUST_BE_FALSE)),
        (definition(preserves=True), ("True", "Violations", MUST_BE_FALSE)),
        (definition(preserves=True, properties={"a": {"type": "string"}}), (
            "True", "Violations",
            f"[{MUST_BE_FALSE}, spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root]")),
        (definition(preserves=True, type="object", id="x"), (
            "Unknown", "StructuralError",
            "failed to check validation schema for version v1: OpenAPIV3Schema 'id' is not supported")),
    ],
)  # fmt: skip
def test_what_is_not_structural_is_said(crd: Tree, expected: tuple[str, str, str] | None) -> None:
    found = plan_structure(crd)
    assert (found and found[1:]) == expected
