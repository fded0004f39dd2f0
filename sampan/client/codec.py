"""JSON to generated structs and back, one cached decoder a type.

Servers send `null` for times that are not set ("creationTimestamp": null in a pod template), which become "", and now and then
for a list that is empty; for built-in kinds null means absent. The latter is rare, so a failed decode is tried again without
the nulls.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field

from sampan.api.types.base import API, read_time
from sampan.api.types.meta_v1 import ListMeta, ObjectMeta
from sampan.lib.decoders import make_decoder


class Object(Protocol):
    """Any generated struct of a kind."""

    api: ClassVar[API]
    metadata: ObjectMeta


T = TypeVar("T", bound=Object)
S = TypeVar("S")


class Listed(Struct, Generic[S]):
    metadata: ListMeta = field(default_factory=ListMeta)
    items: list[S] = field(default_factory=list)


class WatchLine(Struct):
    type: str
    object: Raw


class PartialObject(Struct, omit_defaults=True, kw_only=True):
    """An object of any kind, of which only the metadata is read. `partial` makes a subclass for a resource."""

    api: ClassVar[API] = API("meta.k8s.io", "v1", "PartialObjectMetadata", "partialobjectmetadata", True)
    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


@cache
def partial(api: API) -> type[PartialObject]:
    """The struct that reads only the metadata of objects at `api`."""
    return type(f"Partial{api.kind}", (PartialObject,), {"api": api})


@cache
def _decoder(cls: Any) -> msgspec.json.Decoder[Any]:
    return make_decoder(cls, read_time)


def decode(cls: type[S], data: bytes | Raw) -> S:
    """Raises msgspec.DecodeError (a ValidationError where the JSON is fine and its types are not)."""
    try:
        decoded: S = _decoder(cast(Any, cls)).decode(data)
    except msgspec.ValidationError:
        decoded = msgspec.convert(_without_nulls(msgspec.json.decode(data)), cls, dec_hook=read_time)
    return decoded


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _without_nulls(v) for k, v in tree.items() if v is not None}
    if isinstance(tree, list):
        return [_without_nulls(v) for v in tree]
    return tree


_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def clone(obj: S) -> S:
    """A deep copy, for changing what an informer shares."""
    copied: S = _decoder(cast(Any, type(obj))).decode(_encoder.encode(obj))
    return copied
