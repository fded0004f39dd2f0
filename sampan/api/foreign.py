"""Versions of API groups that another server serves, as this one's documents tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Foreign:
    """One APIService that leads to a Service."""

    group: str
    version: str
    group_priority: int
    version_priority: int
    resources: Sequence[Tree] = ()
    """As they stand in an aggregated discovery document."""
    fresh: bool = False
    """Whether the other server could be asked when it was last to be."""
    v3_url: str = ""
    """Where its OpenAPI document is; "" where it has none."""
    v2: Tree = field(default_factory=dict)
    """The paths and definitions of its OpenAPI v2 document; {} where it has none."""


def legacy_resources(resources: Sequence[Tree]) -> list[Tree]:
    """The resources of an APIResourceList in the form of aggregated discovery."""
    found: dict[str, Tree] = {}
    for resource in resources:
        name, _, subresource = resource.get("name", "").partition("/")
        kind = {part: resource.get(part, "") for part in ("group", "version", "kind")}
        if subresource:
            parent = found.setdefault(name, {"resource": name, "responseKind": {"group": "", "version": "", "kind": ""}})
            entry = {"subresource": subresource, "responseKind": kind, "verbs": resource.get("verbs", [])}
            parent.setdefault("subresources", []).append(entry)
            continue
        tree = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if resource.get("namespaced") else "Cluster",
            "singularResource": resource.get("singularName", ""),
            "verbs": resource.get("verbs", []),
        }
        for theirs, ours in (("shortNames", "shortNames"), ("categories", "categories")):
            if resource.get(theirs):
                tree[ours] = resource[theirs]
        found[name] = found.get(name, {}) | tree
    return list(found.values())
