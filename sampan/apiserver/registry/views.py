"""Forms in which a resource's objects are shown: as stored, as another version, as metadata alone, as rows of a table.

A view turns cached objects into bodies, lists and watch frames. `identity` is equal for views that make equal bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from sampan.api.resource import Resource, Tree
from sampan.apiserver.registry.objects import CachedObject, object_head
from sampan.lib.http import JSON_TYPE

_encode = msgspec.json.encode
_decode = msgspec.json.decode

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
LIST_BLUEPRINT = "kubernetes.io/initial-events-list-blueprint"


def frame(type_: str, body: bytes) -> bytes:
    """One event of a watch's answer."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), body)


def view_of(resource: Resource) -> View:
    """The form in which a resource shows its objects, or those of the resource that it is stored as."""
    if resource.from_stored is not None:
        return ConvertedView(resource, resource.from_stored)
    return CustomView(resource) if resource.custom_schema is not None else StoredView(resource)


def list_metadata(revision: int, continue_: str = "", remaining: int | None = None) -> bytes:
    metadata = b'"resourceVersion":"%d"' % revision
    if continue_:
        metadata += b',"continue":"%b"' % continue_.encode()
        if remaining is not None:
            metadata += b',"remainingItemCount":%d' % remaining
    return b"{%b}" % metadata


def bookmark_metadata(revision: int, annotations: bytes = b"") -> bytes:
    return b'{"resourceVersion":"%d","creationTimestamp":null%b}' % (revision, annotations)


LIST_END = b"]}"


def whole_list(view: View, objects: Sequence[CachedObject], metadata: bytes) -> bytes:
    return b"".join((view.list_head(metadata), b",".join(view.items(objects)), LIST_END))


class View(Protocol):
    @property
    def identity(self) -> str: ...

    @property
    def content_type(self) -> str: ...

    @property
    def is_stored_form(self) -> bool:
        """Whether it shows `CachedObject.body` as it is."""
        ...

    def object(self, obj: CachedObject) -> bytes: ...

    def list_head(self, metadata: bytes) -> bytes:
        """What stands before the items of a list; behind them stands LIST_END."""
        ...

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]: ...

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes: ...


class _Headed:
    """What all views of whole objects share: their heads."""

    content_type = JSON_TYPE

    def __init__(self, group_version: str, kind: str, list_kind: str = "", *, custom: bool = False) -> None:
        self._custom = custom
        self._head = object_head(group_version, kind)
        list_head = object_head(group_version, list_kind or kind + "List")
        self._list_head = list_head + b'"metadata":%b,"items":['
        # From the second a client learns what the list would have been that it gets in pieces.
        blueprint = base64.b64encode(list_head + b'"metadata":{},"items":null}\n').decode()
        self._initial_end = b',"annotations":%b' % _encode({INITIAL_EVENTS_END: "true", LIST_BLUEPRINT: blueprint})

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        return self._head + b'"metadata":%b}' % bookmark_metadata(revision, self._initial_end if initial_end else b"")

    def list_head(self, metadata: bytes) -> bytes:
        # Lists of custom resources say, too, that there is no more.
        if self._custom and b'"continue":' not in metadata:
            metadata = b'{"continue":"",' + metadata[1:]
        return self._list_head % metadata


class StoredView(_Headed):
    """The bytes the cache keeps."""

    is_stored_form = True

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.group_version, resource.kind, resource.list_kind, custom=resource.custom_schema is not None)
        self.identity = "stored"

    def object(self, obj: CachedObject) -> bytes:
        return obj.body

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        return [obj.item for obj in objects]


class CustomView(StoredView):
    """The bytes the cache keeps, of custom resources: in a list of these each item says its kind, as upstream's do."""

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        return [obj.body for obj in objects]


class RenamedView(CustomView):
    """The bytes the cache keeps under another apiVersion: all there is to do between versions of one schema."""

    is_stored_form = False

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource)
        self.identity = resource.group_version

    def object(self, obj: CachedObject) -> bytes:
        return self._head + obj.item[1:]

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        head = self._head
        return [head + obj.item[1:] for obj in objects]


class ConvertedView(_Headed):
    """The objects of another resource in this one's form; each is converted once, as long as nobody asks for a third form."""

    is_stored_form = False

    def __init__(self, resource: Resource, from_stored: Callable[[Tree], Tree]) -> None:
        super().__init__(resource.group_version, resource.kind, resource.list_kind, custom=resource.custom_schema is not None)
        self.identity = resource.group_version
        self._kind = resource.kind
        self._from_stored = from_stored

    def object(self, obj: CachedObject) -> bytes:
        if obj.view is not None and obj.view[0] == self.identity:
            return obj.view[1]
        tree = self._from_stored(obj.tree())
        body = _encode({**tree, "kind": self._kind, "apiVersion": self.identity})
        obj.view = (self.identity, body)
        return body

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        return [self.object(obj) for obj in objects]


class MetadataView(_Headed):
    """`PartialObjectMetadata`: all that the garbage collector and metadata informers want to know."""

    is_stored_form = False

    def __init__(self, version: str, source: Callable[[CachedObject], bytes]) -> None:
        group_version = f"meta.k8s.io/{version}"
        super().__init__(group_version, "PartialObjectMetadata", "PartialObjectMetadataList")
        self.identity = f"metadata/{version}"
        self._source = source

    def object(self, obj: CachedObject) -> bytes:
        return self._head + b'"metadata":%b}' % metadata_of(self._source(obj))

    def items(self, objects: Sequence[CachedObject]) -> list[bytes]:
        return [self.object(obj) for obj in objects]


class _OnlyMetadata(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_decode_metadata = msgspec.json.Decoder(_OnlyMetadata).decode


def metadata_of(body: bytes) -> bytes:
    """The bytes of an object's metadata; the rest is skipped, not decoded."""
    return bytes(_decode_metadata(body).metadata)
