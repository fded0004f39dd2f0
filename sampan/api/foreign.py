"""Versions of API groups that another server serves, as this one's documents tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

Tree = dict[str, Any]

_PARAMETERS: Final = "#/parameters/"


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


class ResponseKind(msgspec.Struct, omit_defaults=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Discovered(msgspec.Struct, omit_defaults=True):
    """What entries of aggregated discovery share."""

    responseKind: ResponseKind | None = None
    verbs: list[str] | None = None


class DiscoveredSubresource(_Discovered, omit_defaults=True):
    subresource: str = ""


class DiscoveredResource(_Discovered, omit_defaults=True):
    """One that a client of this server could not read would spoil the whole document: so it is read here first."""

    resource: str = ""
    scope: str = ""
    singularResource: str = ""
    shortNames: list[str] | None = None
    categories: list[str] | None = None
    subresources: list[DiscoveredSubresource] | None = None


class _Named(msgspec.Struct):
    name: str = ""


class _Version(msgspec.Struct):
    version: str = ""
    resources: list[DiscoveredResource] | None = None


class _Group(msgspec.Struct):
    metadata: _Named = msgspec.field(default_factory=_Named)
    versions: list[_Version] | None = None


class DiscoveredGroups(msgspec.Struct):
    """An APIGroupDiscoveryList."""

    kind: str = ""
    items: list[_Group] | None = None

    def resources(self, group: str, version: str) -> list[Tree] | None:
        """None where it does not tell of that version."""
        if self.kind != "APIGroupDiscoveryList":
            return None
        for item in self.items or ():
            for each in (item.versions or ()) if item.metadata.name == group else ():
                if each.version == version:
                    found: list[Tree] = msgspec.to_builtins(each.resources or [])
                    return found
        return None


class OpenAPIEntry(msgspec.Struct):
    serverRelativeURL: str = ""


class OpenAPIIndex(msgspec.Struct):
    """`/openapi/v3`."""

    paths: dict[str, OpenAPIEntry] = {}


class OpenAPIV2(msgspec.Struct):
    """What is of use of `/openapi/v2`."""

    paths: dict[str, Tree] = {}
    definitions: dict[str, Tree] = {}
    parameters: dict[str, Tree] = {}

    def part(self, group: str, version: str) -> Tree:
        """The paths of a version, and the definitions; {} where there are no such paths. Parameters that paths share are put
        in their places, for the document that they go into has none to refer to."""
        prefix = f"/apis/{group}/{version}/"
        paths = {path: self._whole(item) for path, item in self.paths.items() if f"{path}/".startswith(prefix)}
        return {"paths": paths, "definitions": self.definitions} if paths else {}

    def _whole(self, item: Tree) -> Tree:
        return {key: self._whole(value) if isinstance(value, dict) else self._listed(key, value) for key, value in item.items()}

    def _listed(self, key: str, value: Any) -> Any:
        if key != "parameters" or not isinstance(value, list):
            return value
        return [self.parameters.get(each["$ref"].removeprefix(_PARAMETERS), each) if "$ref" in each else each for each in value]


class LegacyResource(msgspec.Struct):
    name: str = ""
    singularName: str = ""
    namespaced: bool = False
    group: str = ""
    version: str = ""
    kind: str = ""
    verbs: list[str] | None = None
    shortNames: list[str] | None = None
    categories: list[str] | None = None


class LegacyResources(msgspec.Struct):
    """An APIResourceList."""

    kind: str = ""
    resources: list[LegacyResource] | None = None


def legacy_resources(resources: Sequence[LegacyResource]) -> list[Tree]:
    """The resources of an APIResourceList in the form of aggregated discovery."""
    found: dict[str, Tree] = {}
    for resource in resources:
        name, _, subresource = resource.name.partition("/")
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        if subresource:
            parent = found.setdefault(name, {"resource": name, "responseKind": {"group": "", "version": "", "kind": ""}})
            entry = {"subresource": subresource, "responseKind": kind, "verbs": resource.verbs or []}
            parent.setdefault("subresources", []).append(entry)
            continue
        tree = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "singularResource": resource.singularName,
            "verbs": resource.verbs or [],
        }
        if resource.shortNames:
            tree["shortNames"] = resource.shortNames
        if resource.categories:
            tree["categories"] = resource.categories
        found[name] = found.get(name, {}) | tree
    return list(found.values())
