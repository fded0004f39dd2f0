"""A CustomResourceDefinition's own data, read by name: what it says of a version, the names it goes by, its conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sampan.api.crd.structure import Tree

GROUP: Final = "apiextensions.k8s.io"
CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"


def versions(crd: Tree) -> list[Tree]:
    found: list[Tree] = crd["spec"].get("versions") or []
    return found


def served_versions(crd: Tree) -> Iterator[Tree]:
    return (version for version in versions(crd) if version.get("served"))


def storage_version(crd: Tree) -> str:
    """The version that objects are stored in; "" of a definition that is not valid."""
    return next((version.get("name", "") for version in versions(crd) if version.get("storage")), "")


def schema_of_version(version: Tree) -> Tree | None:
    schema: Tree | None = (version.get("schema") or {}).get("openAPIV3Schema")
    return schema


def names(crd: Tree) -> Mapping[str, object]:
    """The names that objects are served by: the accepted ones, or, as long as none are, those that are asked for."""
    accepted: Tree = crd.get("status", {}).get("acceptedNames") or {}
    found: Tree = accepted if accepted.get("plural") else crd["spec"].get("names") or {}
    return found


def condition(crd: Tree, type_: str) -> Tree | None:
    conditions: list[Tree] = crd.get("status", {}).get("conditions") or []
    return next((found for found in conditions if found.get("type") == type_), None)


def is_true(crd: Tree, type_: str) -> bool:
    found = condition(crd, type_)
    return found is not None and found.get("status") == "True"


def is_namespaced(crd: Tree) -> bool:
    scope: str = crd["spec"].get("scope", "")
    return scope == "Namespaced"
