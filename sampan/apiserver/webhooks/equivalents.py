"""The versions in which one and the same object is served, and the way from one to another.

After EquivalentResourceMapper and ObjectConvertor of k8s.io/apiserver/pkg/admission: a webhook that asks for
`apps/v1 deployments` is called for any version of them with matchPolicy Equivalent, and gets the one it asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.resource import Resource, Tree
from sampan.apiserver.context import Context
from sampan.apiserver.custom.conversion import WebhookConverter
from sampan.apiserver.custom.shape import trim

_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Equivalents:
    def __init__(self, context: Context) -> None:
        self._context = context

    def of(self, resource: Resource, subresource: str) -> Sequence[Resource]:
        """The other resources that show the same objects, and have that subresource."""
        stored = _stored(resource)
        return [
            other
            for other in self._context.scheme
            if other.kind == resource.kind
            and _stored(other) == stored
            and other.group_version != resource.group_version
            and _serves(other, subresource)
        ]

    async def convert(self, tree: Tree, source: Resource, target: Resource) -> Tree:
        """`tree`, which stays as it is, in another version. Raises ConversionFailed."""
        if source.group_version == target.group_version:
            return tree
        if self._by_webhook(source) or self._by_webhook(target):
            return await self._ask(tree, target)
        copied: Tree = msgspec.json.decode(msgspec.json.encode(tree))  # for conversions change and keep what they get
        stored = source.to_stored(copied) if source.to_stored is not None else copied
        shown = target.from_stored(stored) if target.from_stored is not None else stored
        return {**shown, "kind": target.kind, "apiVersion": target.group_version}

    def _by_webhook(self, resource: Resource) -> bool:
        return resource.stored_as is not None and resource.from_stored is None

    async def _ask(self, tree: Tree, target: Resource) -> Tree:
        found = self._context.registry(*_DEFINITIONS).cache.get("", f"{target.plural}.{target.group}")
        webhook = (found.tree()["spec"].get("conversion") or {}).get("webhook") or {} if found is not None else {}
        (converted,) = await WebhookConverter(self._context.webhooks, webhook).convert([tree], target.group_version)
        assert isinstance(target.custom_schema, CustomSchema), "only custom resources are converted by webhooks"
        return trim(converted, target.custom_schema)


def _stored(resource: Resource) -> tuple[str, str]:
    group, _, plural = resource.stored_as or (resource.group, resource.version, resource.plural)
    return group, plural


def _serves(resource: Resource, subresource: str) -> bool:
    if subresource == "status":
        return resource.status
    if subresource == "scale":
        return resource.scale is not None
    return True
