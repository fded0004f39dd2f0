"""How objects are kept: JSON bytes made once, never decoded to be served.

A stored value begins with `{"kind":K,"apiVersion":GV,"metadata":{` and has no resourceVersion, for that is the store's to
give. What is served is the same bytes with `"resourceVersion":"N",` put in after that beginning. Items of a list carry no
kind and apiVersion of their own, as upstream's do not, so the cache keeps the item's form and the full body is one
concatenation away. Who manages which fields is half of many an object and of interest to few: a tree can be had without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sampan.api.apply.ownership import Raw
from sampan.api.resource import Resource, Tree

_encode = msgspec.json.encode
_decode = msgspec.json.decode


_MANAGED: Final = b'"managedFields":'


class _Metadata(msgspec.Struct):
    managedFields: Raw = msgspec.field(default_factory=Raw)


class _OnlyManaged(msgspec.Struct):
    metadata: _Metadata


_decode_managed = msgspec.json.Decoder(_OnlyManaged).decode


def object_head(group_version: str, kind: str) -> bytes:
    """The bytes that every body of the kind begins with, up to its metadata."""
    return b'{"kind":"%s","apiVersion":"%s",' % (kind.encode(), group_version.encode())


class CachedObject:
    """One object at one revision, immutable but for `place`, which says what revision the store gives it."""

    __slots__ = ("_fields", "_head", "item", "key", "labels", "name", "namespace", "revision", "view")

    def __init__(
        self, key: str, namespace: str, name: str, labels: Mapping[str, str], fields: tuple[str, ...], head: bytes
    ) -> None:
        self.key = key
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.revision = 0
        self.item = b""
        """The object without kind and apiVersion, as it stands in a list."""
        self.view: tuple[str, bytes] | None = None
        """(group/version, body) of the last other form this object was shown in; see `Resource.stored_as`."""
        self._fields = fields
        self._head = head

    outdated = False
    """Whether the store holds it in a form that it is not written in any more."""

    @property
    def body(self) -> bytes:
        """The whole object as JSON, resourceVersion and all."""
        return self._head + self.item[1:]

    @property
    def fields(self) -> tuple[str, ...]:
        """Values of the resource's selectable fields, in the order of its `ObjectShape.field_names`."""
        return self._fields

    def place(self, revision: int, value: bytes) -> None:
        self.revision = revision
        self.item = b'{"metadata":{"resourceVersion":"%d",%b' % (revision, value[len(self._head) + 12 :])

    def preview(self, value: bytes) -> None:
        """As `place`, for an object that a dry run does not store."""
        self.item = b'{"metadata":{' + value[len(self._head) + 12 :]

    def at(self, revision: int) -> CachedObject:
        """The same object as its deletion at `revision` shows it."""
        moved = CachedObject(self.key, self.namespace, self.name, self.labels, self._fields, self._head)
        start = self.item.index(b'",', 32) + 2
        moved.revision = revision
        moved.item = b'{"metadata":{"resourceVersion":"%d",%b' % (revision, self.item[start:])
        return moved

    def tree(self) -> Tree:
        """A fresh tree, the caller's own."""
        tree: Tree = _decode(self.body)
        return tree

    def apart(self) -> tuple[Tree, Raw | None]:
        """As `tree`, but without managedFields, and these."""
        item = self.item
        managed = bytes(_decode_managed(item).metadata.managedFields) if _MANAGED in item else b""
        if not managed:
            return self.tree(), None
        member = _MANAGED + managed
        at = item.index(member)
        # Before it stands the resourceVersion at least, so there is a comma.
        tree: Tree = _decode(b"".join((self._head, item[1 : at - 1], item[at + len(member) :])))
        return tree, Raw(managed)


class ObjectShape:
    """What must be known of a kind to keep its objects: the head of its values, which fields selectors can see."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.kind = resource.kind
        self.group_version = resource.group_version
        self.head = object_head(resource.group_version, resource.kind)
        self.faces: dict[str, Resource] = {}
        """The versions that its objects are shown in, by apiVersion."""
        self.selectable = tuple(resource.selectable.values())
        self.field_names = tuple(resource.selectable)

    def encode(self, tree: Tree) -> bytes:
        """The value to store; `tree` must have metadata with at least a name."""
        metadata = tree["metadata"]
        metadata.pop("resourceVersion", None)
        ordered: dict[str, Any] = {"kind": self.kind, "apiVersion": self.group_version, "metadata": metadata}
        for name, part in tree.items():
            if name not in ordered:
                ordered[name] = part
        return _encode(ordered)

    def draft(self, key: str, tree: Tree) -> CachedObject:
        """The object of `tree`, not placed at a revision yet."""
        metadata = tree["metadata"]
        fields = tuple([value(tree) for value in self.selectable])
        labels = metadata.get("labels") or _NO_LABELS
        return CachedObject(key, metadata.get("namespace", ""), metadata["name"], labels, fields, self.head)

    def load(self, key: str, revision: int, value: bytes) -> CachedObject:
        """The object that the store holds under `key`."""
        found = self.draft(key, _decode(value))
        found.place(revision, value)
        return found

    def fields_of(self, obj: CachedObject) -> dict[str, str]:
        """Every field that a field selector may name."""
        known = dict(zip(self.field_names, obj.fields, strict=True))
        known["metadata.name"] = obj.name
        known["metadata.namespace"] = obj.namespace
        return known


_NO_LABELS: Mapping[str, str] = {}
