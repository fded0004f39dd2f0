"""Scalars of structural schemas as CEL values, by type and format.

After k8s.io/apiserver/pkg/cel/common/values.go and k8s.io/kube-openapi/pkg/validation/strfmt.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.times import parse_timestamp
from sampan.api.cel.values import Duration, Timestamp, Value
from sampan.api.duration import worded

Adapt = Callable[[Value], Value]
"""JSON to value. Raises CelRuntimeError for what the schema does not describe."""


class Never:
    """The type of no JSON value: everything has to be adapted."""


_GO_NAMES: Final = {
    type(None): "<nil>",
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


def _go_type(value: Value) -> str:
    return _GO_NAMES.get(type(value), type(value).__name__)


def _expected(name: str, of: type) -> Adapt:
    def adapt(value: Value) -> Value:
        if type(value) is not of:
            raise CelRuntimeError(f"invalid data, expected {name}, got {_go_type(value)}")
        return value

    return adapt


def _number(value: Value) -> Value:
    if type(value) is int or type(value) is float:
        return float(value)
    raise CelRuntimeError(f"invalid data, expected float, got {_go_type(value)}")


def _int_or_string(value: Value) -> Value:
    if type(value) is int or type(value) is str:
        return value
    raise CelRuntimeError("invalid data, expected XIntOrString value to be either a string or integer")


def _formatted(read: Callable[[str], Value]) -> Adapt:
    check = _expected("string", str)
    return lambda value: read(str(check(value)))


def _duration(text: str) -> Value:
    try:
        return Duration(worded(text))
    except ValueError as error:
        raise CelRuntimeError(f"Invalid duration {text}: {error}") from None


def _moment(written: str, text: str, what: str) -> Timestamp:
    """`written` is what `text` comes to in RFC 3339."""
    try:
        at = parse_timestamp(written)
    except CelRuntimeError:
        at = None
    if at is None:
        raise CelRuntimeError(f"Invalid {what} formatted string {text}: cannot parse")
    return at


_zone = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$").search


def _date_time(text: str) -> Value:
    """RFC 3339, also in small letters, without the colon in the zone, or without a zone."""
    written = text.upper()
    zone = _zone(written)
    if zone is None:
        written += "Z"
    elif ":" not in zone[0] and zone[0] != "Z":
        written = f"{written[:-2]}:{written[-2:]}"
    return _moment(written, text, "date-time")


def _date(text: str) -> Value:
    return _moment(f"{text}T00:00:00Z", text, "date")


def _octets(text: str) -> Value:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error as error:
        raise CelRuntimeError(f"Invalid byte formatted string {text}: {error}") from None


_FORMATS: Final[dict[str, Adapt]] = {
    "duration": _formatted(_duration),
    "date": _formatted(_date),
    "date-time": _formatted(_date_time),
    "byte": _formatted(_octets),
}
_SCALARS: Final[dict[str, tuple[type, Adapt]]] = {
    "string": (str, _expected("string", str)),
    "integer": (int, _expected("int", int)),
    "boolean": (bool, _expected("bool", bool)),
    "number": (float, _number),
    "int-or-string": (Never, _int_or_string),
}
_UNKNOWN: Final = (
    "invalid type, expected object, array, number, integer, boolean or string, or no type with x-kubernetes-int-or-string or "
    "x-kubernetes-preserve-unknown-fields is true, got "
)


def scalar_of(type_: str, format_: str) -> tuple[type, Adapt]:
    """The Python type that needs no adapting, and how all else is."""
    if type_ == "string" and format_ in _FORMATS:
        return Never, _FORMATS[format_]
    if type_ in _SCALARS:
        return _SCALARS[type_]

    def adapt(value: Value) -> Value:
        raise CelRuntimeError(_UNKNOWN + type_)

    return Never, adapt
