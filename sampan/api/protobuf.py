"""Bodies in Kubernetes' protobuf encoding, turned into the JSON tree that says the same.

Go clients (kubectl's typed commands since 1.32, controller-runtime) send built-in kinds in protobuf and take JSON back. The
envelope is `k8s\\0` and a runtime.Unknown; see https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding.
Field numbers are in protobuf_fields.txt; what the numbers hold follows from the OpenAPI definition of the same name.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from sampan.api.gofields import numbers
from sampan.api.schema import Schema, Type, schema_of

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"

_APIS: Final = {
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}
"""Groups whose definitions are not called `io.k8s.api.` and the first word of the group's name."""
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH: Final = 100

Tree = dict[str, Any]


class ProtobufError(ValueError):
    """The body is not what it says it is."""


def decode(body: bytes) -> Tree:
    """The object in a protobuf body, with its apiVersion and kind. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = {number: value for number, _, value in _fields(memoryview(body)[4:])}
    kind_meta = {number: _text(value, 0) for number, _, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = kind_meta.get(1, ""), kind_meta.get(2, "")
    definition = _definition_of(api_version, kind)
    tree = _decode_message(_bytes(envelope.get(2, b"")), _message(definition), 0)
    return {"kind": kind, "apiVersion": api_version, **tree}


def _definition_of(api_version: str, kind: str) -> str:
    """The OpenAPI definition of a kind: of its group-version, or of the machinery (DeleteOptions)."""
    group, _, version = api_version.rpartition("/")
    package = _APIS.get(group) or f"io.k8s.api.{group.split('.')[0] or 'core'}"
    for name in (f"{package}.{version}.{kind}", f"{_META}.{kind}"):
        if name in numbers():
            return name
    raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')


class _Field(NamedTuple):
    name: str
    """The JSON name; "" for a message whose fields stand in line."""
    read: Callable[[Any, int], Any]
    """From the wire's value, and the depth, to JSON's."""
    many: str
    """"list", "map" or ""."""
    keeps_zero: bool


class _Message(NamedTuple):
    fields: dict[int, _Field]


@cache
def _message(definition: str) -> _Message:
    return _inline_message(definition, schema_of(definition))


def _inline_message(definition: str, schema: Schema) -> _Message:
    """A message whose fields have their types from `schema`: its own definition's, or that of the object it stands in."""
    group = definition.rpartition(".")[0]
    fields = {}
    for name, written in numbers()[definition].items():
        number = int(written.rstrip("*"))
        if name.startswith("+"):
            inner = _embedded(f"{group}.{name[1:]}", schema)
            fields[number] = _Field("", inner, "", False)
        elif (place := schema.field(name)) is not None:
            fields[number] = _field(name, place, written.endswith("*"))
    return _Message(fields)


def _embedded(definition: str, schema: Schema) -> Callable[[Any, int], Any]:
    made: list[_Message] = []

    def read(value: Any, depth: int) -> Any:
        if not made:
            made.append(_inline_message(definition, schema))
        return _decode_message(_bytes(value), made[0], depth)

    return read


def _field(name: str, place: Schema, pointer: bool) -> _Field:
    if place.type is Type.LIST:
        assert place.items is not None
        return _Field(name, _reader(place.items), "list", True)
    if place.type is Type.MAP:
        assert place.values is not None
        return _Field(name, _entry_reader(place.values), "map", True)
    return _Field(name, _reader(place), "", pointer)


def _reader(place: Schema) -> Callable[[Any, int], Any]:
    """How a value of the place's type stands on the wire."""
    if (either := _EITHER.get(place.shape.name.rpartition(".")[2])) is not None:
        return either
    if place.type is Type.OBJECT:
        definition = place.shape.name
        return lambda value, depth: _decode_message(_bytes(value), _message(definition), depth)
    if place.type is Type.LIST:
        # A list inside a map is a message of its own on the wire, with the items as its field 1 (ExtraValue).
        assert place.items is not None
        read = _reader(place.items)
        return lambda value, depth: [read(v, depth) for _, _, v in _fields(_bytes(value))]
    return _SCALAR_READERS[place.type]


def _entry_reader(values: Schema) -> Callable[[Any, int], tuple[str, Any]]:
    read = _reader(values)
    empty: Any = 0 if values.type in (Type.INT32, Type.INT64, Type.BOOLEAN) else b""

    def entry(value: Any, depth: int) -> tuple[str, Any]:
        parts = {number: inner for number, _, inner in _fields(_bytes(value))}
        return _text(parts.get(1, b""), depth), read(parts.get(2, empty), depth)

    return entry


def _decode_message(data: memoryview, message: _Message, depth: int) -> Tree:
    if depth > _MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    tree: Tree = {}
    for number, _, raw in _fields(data):
        field = message.fields.get(number)
        if field is None:
            continue  # A field of a newer version: protobuf's way is to pass over it.
        value = field.read(raw, depth + 1)
        if field.many == "list":
            tree.setdefault(field.name, []).append(value)
        elif field.many == "map":
            tree.setdefault(field.name, {})[value[0]] = value[1]
        elif not field.name:
            tree.update(value)
        elif value is not None and (field.keeps_zero or value not in ("", 0, False, {})):
            tree[field.name] = value
    return tree


def _fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value) of each field: an int for numbers, a memoryview for what has a length."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, kind, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {kind}")
        if position + length > end:
            raise ProtobufError("unexpected EOF")
        yield key >> 3, kind, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ProtobufError("proto: integer overflow")
    raise ProtobufError("unexpected EOF")


def _bytes(value: Any) -> memoryview:
    if isinstance(value, int):  # of which `bytes` would make so many zeros
        raise ProtobufError("proto: wrong wireType = 0")
    return memoryview(value)


def _text(value: Any, depth: int) -> str:
    try:
        return bytes(_bytes(value)).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("proto: invalid UTF-8") from error


def _integer(value: Any, depth: int) -> int:
    """int32 and int64 alike: negative numbers stand in two's complement of 64 bits."""
    if not isinstance(value, int):
        raise ProtobufError("proto: wrong wireType = 2")
    number = value & ((1 << 64) - 1)
    return number - (1 << 64) if number >> 63 else number


def _double(value: Any, depth: int) -> float:
    data = _bytes(value)
    if len(data) != 8:
        raise ProtobufError("proto: wrong wireType")
    [number] = struct.unpack("<d", data)
    return float(number)


def _numbers_of(value: Any) -> dict[int, Any]:
    return {number: inner for number, _, inner in _fields(_bytes(value))}


def _time(value: Any, depth: int) -> str | None:
    """seconds = 1, nanos = 2; both zero is Go's zero time, which is no time."""
    parts = _numbers_of(value)
    seconds = _integer(parts.get(1, 0), depth)
    return None if not any(parts.values()) else _moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Any, depth: int) -> str | None:
    parts = _numbers_of(value)
    if not any(parts.values()):
        return None
    moment = _moment(_integer(parts.get(1, 0), depth)).replace(microsecond=_integer(parts.get(2, 0), depth) // 1000 % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ProtobufError(f"time out of range: {seconds}") from error


def _int_or_string(value: Any, depth: int) -> int | str:
    """type = 1 (0: the number, 1: the string), intVal = 2, strVal = 3."""
    parts = _numbers_of(value)
    return _text(parts.get(3, b""), depth) if parts.get(1) == 1 else _integer(parts.get(2, 0), depth)


def _raw_json(value: Any, depth: int) -> Any:
    """RawExtension, FieldsV1: JSON text in field 1."""
    text = bytes(_bytes(_numbers_of(value).get(1, b"")))
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ProtobufError("json: exceeded max depth") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtobufError(f"json: {error}") from error


def _schema_props(value: Any, depth: int) -> Tree:
    return _decode_message(_bytes(value), _message(f"{_APIS['apiextensions.k8s.io']}.v1.JSONSchemaProps"), depth)


def _schema_or_many(value: Any, depth: int) -> Any:
    """schema = 1, jSONSchemas = 2."""
    many = [_schema_props(inner, depth) for number, _, inner in _fields(_bytes(value)) if number == 2]
    return many or _schema_props(_numbers_of(value).get(1, b""), depth)


def _schema_or_bool(value: Any, depth: int) -> Any:
    """allows = 1, schema = 2."""
    parts = _numbers_of(value)
    return _schema_props(parts[2], depth) if 2 in parts else bool(_integer(parts.get(1, 0), depth))


def _schema_or_names(value: Any, depth: int) -> Any:
    """schema = 1, property = 2."""
    names = [_text(inner, depth) for number, _, inner in _fields(_bytes(value)) if number == 2]
    return names or _schema_props(_numbers_of(value).get(1, b""), depth)


_EITHER: Final[dict[str, Callable[[Any, int], Any]]] = {
    "JSONSchemaPropsOrArray": _schema_or_many,
    "JSONSchemaPropsOrBool": _schema_or_bool,
    "JSONSchemaPropsOrStringArray": _schema_or_names,
}
"""What is of several types in JSON, so that OpenAPI says nothing of it."""

_SCALAR_READERS: Final[dict[Type, Callable[[Any, int], Any]]] = {
    Type.STRING: _text,
    Type.BYTES: lambda value, depth: base64.b64encode(_bytes(value)).decode(),
    Type.BOOLEAN: lambda value, depth: bool(_integer(value, depth)),
    Type.INT32: _integer,
    Type.INT64: _integer,
    Type.NUMBER: _double,
    Type.TIME: _time,
    Type.MICRO_TIME: _micro_time,
    Type.QUANTITY: lambda value, depth: _text(_numbers_of(value).get(1, b""), depth) or "0",
    Type.INT_OR_STRING: _int_or_string,
    Type.FREE: _raw_json,
    Type.ANY: _raw_json,
}
