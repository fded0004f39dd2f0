"""Definitions that the comparisons with upstream use."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]


def definition(kind: str, schema: Tree | None = None, *, scope: str = "Namespaced", **more: Any) -> Tree:
    """One version v1 with `more` of its fields (subresources, columns); every kind is in a group of its own."""
    versions = more.pop("versions", None)
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or OPEN}, **more}
    singular = kind.lower()
    group = f"{singular}.example.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": f"{singular}s", "singular": singular, "kind": kind, "listKind": f"{kind}List"},
            "versions": versions or [version],
        },
    }


def thing(kind: str, name: str = "a", version: str = "v1", **fields: Any) -> Tree:
    return {
        "apiVersion": f"{kind.lower()}.example.com/{version}",
        "kind": kind,
        "metadata": {"name": name} if name else {},
        **fields,
    }


def object_of(**properties: Tree) -> Tree:
    return {"type": "object", "properties": properties}


STRING: Tree = {"type": "string"}
INTEGER: Tree = {"type": "integer"}
OPEN: Tree = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
