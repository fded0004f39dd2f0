"""OpenAPI 2 in protobuf, the form that kubectl up to 1.26 insists on.

The messages are those of gnostic's `openapi.v2` package (https://github.com/google/gnostic), as far as Kubernetes' documents
use them. They are written by hand, table by table: (field of the JSON document, number, how it is written).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

Value = Any
"""A JSON value."""
Write = Callable[[int, Value], bytes]
"""From a field's number and value to its bytes on the wire."""
Table = Sequence[tuple[str, int, Write]]

_VARINT, _FIXED64, _LENGTH = 0, 1, 2


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _chunk(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(len(payload)) + payload


def _string(number: int, value: Value) -> bytes:
    return _chunk(number, value.encode()) if value else b""


def _strings(number: int, value: Value) -> bytes:
    return b"".join(_chunk(number, item.encode()) for item in value)


def _flag(number: int, value: Value) -> bytes:
    return _varint(number << 3 | _VARINT) + b"\x01" if value else b""


def _whole(number: int, value: Value) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value % 2**64)


def _real(number: int, value: Value) -> bytes:
    return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def _any(number: int, value: Value) -> bytes:
    """`Any` holds YAML text; JSON is YAML."""
    return _chunk(number, _chunk(2, msgspec.json.encode(value) + b"\n"))


def _anys(number: int, value: Value) -> bytes:
    return b"".join(_any(number, item) for item in value)


def _fields(table: Table, value: Mapping[str, Value]) -> bytes:
    return b"".join(write(number, value[name]) for name, number, write in table if name in value)


def _extensions(number: int, value: Mapping[str, Value]) -> bytes:
    return _named(number, {key: inner for key, inner in value.items() if key.startswith("x-")}, _any)


def _named(number: int, value: Mapping[str, Value], write: Write) -> bytes:
    """A map, as gnostic has them: repeated pairs of a name (1) and a value (2)."""
    return b"".join(_chunk(number, _string(1, name) + write(2, inner)) for name, inner in value.items())


def _map(write: Write, at: int = 1) -> Write:
    """A message whose one field, number `at`, is a map."""
    return lambda number, value: _chunk(number, _named(at, value, write))


def _schema(number: int, value: Value) -> bytes:
    extensions = _extensions(31, value)
    return _chunk(number, _fields(_SCHEMA, value) + extensions)


def _schema_item(number: int, value: Value) -> bytes:
    return _chunk(number, _schema(1, value))


_SCHEMA: Final[Table] = (
    ("$ref", 1, _string),
    ("format", 2, _string),
    ("title", 3, _string),
    ("description", 4, _string),
    ("default", 5, _any),
    ("maximum", 7, _real),
    ("exclusiveMaximum", 8, _flag),
    ("minimum", 9, _real),
    ("exclusiveMinimum", 10, _flag),
    ("maxLength", 11, _whole),
    ("minLength", 12, _whole),
    ("pattern", 13, _string),
    ("maxItems", 14, _whole),
    ("minItems", 15, _whole),
    ("uniqueItems", 16, _flag),
    ("required", 19, _strings),
    ("enum", 20, _anys),
    ("additionalProperties", 21, _schema_item),
    ("type", 22, lambda number, value: _chunk(number, _string(1, value))),
    ("items", 23, _schema_item),
    ("properties", 25, _map(_schema)),
)

_BODY_PARAMETER: Final[Table] = (
    ("description", 1, _string),
    ("name", 2, _string),
    ("in", 3, _string),
    ("required", 4, _flag),
    ("schema", 5, _schema),
)
_QUERY_PARAMETER: Final[Table] = (
    ("required", 1, _flag),
    ("in", 2, _string),
    ("description", 3, _string),
    ("name", 4, _string),
    ("type", 6, _string),
    ("uniqueItems", 20, _flag),
)
_PATH_PARAMETER: Final[Table] = (
    ("required", 1, _flag),
    ("in", 2, _string),
    ("description", 3, _string),
    ("name", 4, _string),
    ("type", 5, _string),
    ("uniqueItems", 19, _flag),
)


def _parameters(number: int, value: Value) -> bytes:
    # ParametersItem.parameter, then Parameter.body_parameter, or .non_body_parameter and in that the kind of place.
    return b"".join(_chunk(number, _chunk(1, _parameter(item))) for item in value)


def _parameter(value: Mapping[str, Value]) -> bytes:
    if value["in"] == "body":
        return _chunk(1, _fields(_BODY_PARAMETER, value))
    if value["in"] == "query":
        return _chunk(2, _chunk(3, _fields(_QUERY_PARAMETER, value)))
    return _chunk(2, _chunk(4, _fields(_PATH_PARAMETER, value)))


_RESPONSE: Final[Table] = (("description", 1, _string), ("schema", 2, _schema_item))


def _response(number: int, value: Value) -> bytes:
    return _chunk(number, _chunk(1, _fields(_RESPONSE, value)))


_OPERATION: Final[Table] = (
    ("tags", 1, _strings),
    ("description", 3, _string),
    ("operationId", 5, _string),
    ("produces", 6, _strings),
    ("consumes", 7, _strings),
    ("parameters", 8, _parameters),
    ("responses", 9, _map(_response)),
    ("schemes", 10, _strings),
)


def _operation(number: int, value: Value) -> bytes:
    return _chunk(number, _fields(_OPERATION, value) + _extensions(13, value))


_PATH_ITEM: Final[Table] = (
    ("get", 2, _operation),
    ("put", 3, _operation),
    ("post", 4, _operation),
    ("delete", 5, _operation),
    ("patch", 8, _operation),
    ("parameters", 9, _parameters),
)
_INFO: Final[Table] = (("title", 1, _string), ("version", 2, _string))
_API_KEY: Final[Table] = (("type", 1, _string), ("name", 2, _string), ("in", 3, _string), ("description", 4, _string))


def _message(table: Table, number: int, value: Value) -> bytes:
    return _chunk(number, _fields(table, value))


def _security_definition(number: int, value: Value) -> bytes:
    return _chunk(number, _message(_API_KEY, 2, value))


def _string_array(number: int, value: Value) -> bytes:
    return _chunk(number, _strings(1, value))


def _security(number: int, value: Value) -> bytes:
    return b"".join(_map(_string_array)(number, requirement) for requirement in value)


_DOCUMENT: Final[Table] = (
    ("swagger", 1, _string),
    ("info", 2, partial(_message, _INFO)),
    ("paths", 8, _map(partial(_message, _PATH_ITEM), at=2)),
    ("definitions", 9, _map(_schema)),
    ("security", 12, _security),
    ("securityDefinitions", 13, _map(_security_definition)),
)


def encode(document: Mapping[str, Value]) -> bytes:
    """An OpenAPI 2 document as an `openapi.v2.Document`."""
    return _fields(_DOCUMENT, document)
