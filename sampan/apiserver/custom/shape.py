"""How custom resources are kept: as their definition would have them now, whatever it said when they were written.

Upstream prunes an object and sets its defaults by the schema of the version it is stored in with every read from etcd. Here
that is done once, when a cache takes it in; a write through this server has passed the same code already and costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.embedded import BadMetadata
from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.objects import CachedObject, ObjectShape

_decode = msgspec.json.decode


class OutdatedObject(CachedObject):
    """One that stands otherwise in the store: an update writes it though it changes nothing, which is how objects are brought
    into another storage version."""

    __slots__ = ()
    outdated = True

    @classmethod
    def like(cls, obj: CachedObject, head: bytes) -> OutdatedObject:
        """Not placed at a revision yet."""
        return cls(obj.key, obj.namespace, obj.name, obj.labels, obj.fields, head)


class CustomShape(ObjectShape):
    """`schemas` by apiVersion: those of every version of the definition, for objects are stored in older ones, too."""

    def __init__(self, resource: Resource, schemas: Mapping[str, CustomSchema]) -> None:
        super().__init__(resource)
        self._schemas = schemas

    def load(self, key: str, revision: int, value: bytes) -> CachedObject:
        tree: Tree = _decode(value)
        settled = self.settle(tree)
        found = self.draft(key, settled)
        if settled != tree or not value.startswith(self.head):
            value, found = self.encode(settled), OutdatedObject.like(found, self.head)
        found.place(revision, value)
        return found

    def settle(self, tree: Tree) -> Tree:
        """A stored object as this version has it. The schema it was stored by comes first, as its own defaults count."""
        version = tree.get("apiVersion", "")
        schema = self._schemas.get(version)
        settled = schema.settle(tree) if schema is not None else dict(tree)
        return settled if version == self.group_version else self._renamed(settled)

    def _renamed(self, tree: Tree) -> Tree:
        tree["apiVersion"] = self.group_version
        return trim(tree, self._schemas[self.group_version])


def trim(tree: Tree, schema: CustomSchema) -> Tree:
    """An object without what a schema does not know, its inside changed in place. What was stored once is never refused."""
    metadata = tree.get("metadata")
    # These may be JSON that nobody has decoded, and are no schema's business.
    managed = metadata.pop("managedFields", None) if isinstance(metadata, dict) else None
    with suppress(BadMetadata, ValueError):
        schema.coerce(tree)
    if managed is not None:
        tree["metadata"]["managedFields"] = managed
    return tree
