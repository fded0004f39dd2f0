"""One write's objects in the versions that webhooks and policies ask for, each converted once."""

from __future__ import annotations

import msgspec

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Attributes
from sampan.apiserver.webhooks.equivalents import Equivalents


def plain(tree: Tree) -> Tree:
    """A copy that shares nothing, managedFields decoded: they are carried as the JSON they are stored as."""
    copied: Tree = msgspec.json.decode(msgspec.json.encode(tree))
    return copied


class Versioned:
    """Nobody may change what it gives out."""

    def __init__(self, attributes: Attributes, equivalents: Equivalents) -> None:
        self._attributes = attributes
        self._equivalents = equivalents
        self._shown: dict[str, Tree | None] = {}
        self._old: dict[str, Tree | None] = {}

    async def shown(self, target: Resource) -> Tree | None:
        """The object. Raises ConversionFailed."""
        return await self._as(self._attributes.object, target, self._shown)

    async def old(self, target: Resource) -> Tree | None:
        """The object that stands. Raises ConversionFailed."""
        return await self._as(self._attributes.old, target, self._old)

    async def _as(self, tree: Tree | None, target: Resource, known: dict[str, Tree | None]) -> Tree | None:
        version = target.group_version
        if version not in known:
            known[version] = await self._converted(tree, target) if tree is not None else None
        return known[version]

    async def _converted(self, tree: Tree, target: Resource) -> Tree:
        copied = plain(tree)
        if self._attributes.form is not None:  # which is the same for all versions of the resource
            return copied
        return await self._equivalents.convert(copied, self._attributes.resource, target)
