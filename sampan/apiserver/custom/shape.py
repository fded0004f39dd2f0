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


class CustomShape(ObjectShape):
    """`schemas` by apiVersion: those of every version of the definition, for objects are stored in older ones, too."""

    def __init__(self, resource: Resource, schemas: Mapping[str, CustomSchema]) -> None:
        super().__init__(resource)
        self._schemas = schemas

    def load(self, key: str, revision: int, value: bytes) -> CachedObject:
        tree: Tree = _decode(value)
        settled = self.settle(tree)
        if settled != tree or not value.startswith(self.head):
            tree, value = settled, self.encode(settled)
        found = self.draft(key, tree)
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
    with suppress(BadMetadata, ValueError):
        schema.coerce(tree)
    return tree
