"""What a definition asks to be served: a resource for each served version, and how they come from the one that is stored.

Pure. Without a conversion webhook the versions of an object differ in apiVersion, and in the fields that a version's schema
knows: what it does not know is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from sampan.api.crd import definition
from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.resources import build_resource
from sampan.api.resource import Resource, Tree
from sampan.apiserver.custom.shape import trim

WEBHOOK: Final = "Webhook"
_VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""In the order in which upstream's discovery lists them."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Of one definition."""

    group: str
    plural: str
    stored: Resource
    """That of the storage version, be it served or not."""
    served: tuple[Resource, ...]
    versions: tuple[Resource, ...]
    """All there are, as they are defined."""
    schemas: Mapping[str, CustomSchema]
    """By apiVersion, of every version."""
    same_form: frozenset[str]
    """The versions whose objects differ from stored ones in nothing but the apiVersion."""
    webhook: Tree | None
    """spec.conversion.webhook, where that converts."""
    uniform: bool
    """Whether all objects there are, are stored in the storage version."""


def build_plan(crd: Tree) -> Plan:
    """Of an admitted definition whose names are accepted."""
    spec: Tree = crd["spec"]
    versions = definition.versions(crd)
    resources = {version["name"]: replace(build_resource(crd, version), verbs=_VERBS) for version in versions}
    stored = resources[definition.storage_version(crd)]
    raw = {version["name"]: definition.schema_of_version(version) for version in versions}
    same = frozenset(name for name in raw if raw[name] == raw[stored.version])
    conversion: Tree = spec.get("conversion") or {}
    webhook = conversion.get("webhook") if conversion.get("strategy") == WEBHOOK else None
    schemas = {resource.group_version: _schema(resource) for resource in resources.values()}
    served = [resources[version["name"]] for version in definition.served_versions(crd)]
    return Plan(
        group=stored.group,
        plural=stored.plural,
        stored=stored,
        served=tuple(_converted(resource, stored, None if webhook else same) for resource in served),
        versions=tuple(resources.values()),
        schemas=schemas,
        same_form=same,
        webhook=webhook,
        uniform=_is_uniform(crd),
    )


def identity_of(crd: Tree) -> bytes:
    """Of what a plan is made from: definitions that are equal in it are served alike."""
    uniform = _is_uniform(crd) or "webhook" not in (crd["spec"].get("conversion") or {})
    said = (crd["metadata"]["uid"], crd["spec"], definition.names(crd), uniform)
    # A digest, for schemas are large.
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()


def _is_uniform(crd: Tree) -> bool:
    storage = definition.storage_version(crd)
    return bool((crd.get("status", {}).get("storedVersions") or [storage]) == [storage])


def _schema(resource: Resource) -> CustomSchema:
    assert isinstance(resource.custom_schema, CustomSchema)
    return resource.custom_schema


def _converted(resource: Resource, stored: Resource, same: frozenset[str] | None) -> Resource:
    """Another version of the stored resource, shown and stored by renaming it. `same` None: a webhook sees to that."""
    if resource.version == stored.version:
        return resource
    stored_as = (stored.group, stored.version, stored.plural)
    if same is None:
        return replace(resource, stored_as=stored_as)

    def rename(tree: Tree, target: Resource) -> Tree:
        renamed = {**tree, "apiVersion": target.group_version}
        return renamed if resource.version in same else trim(renamed, _schema(target))

    return replace(
        resource,
        stored_as=stored_as,
        from_stored=lambda tree: rename(tree, resource),
        to_stored=lambda tree: rename(tree, stored),
    )
