"""`int(x)`, `string(x)` and their like.

After the ConvertToType methods of github.com/google/cel-go/common/types.
"""

from __future__ import annotations

import math
import re
from typing import Final

from sampan.api.cel import times
from sampan.api.cel.declarations import Binding
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.types import BOOL, BYTES, DOUBLE, DURATION, INT, STRING, TIMESTAMP, UINT, CelType
from sampan.api.cel.values import Duration, Timestamp, Uint, Value, type_of
from sampan.api.gotext import go_float

_integer = re.compile(r"[+-]?[0-9]+", re.ASCII).fullmatch
_natural = re.compile(r"[0-9]+", re.ASCII).fullmatch
_real = re.compile(
    r"[+-]?(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:inf|infinity)|(?i:nan)", re.ASCII
).fullmatch
_hexadecimal = re.compile(r"[+-]?0[xX][0-9A-Fa-f]*(?:\.[0-9A-Fa-f]*)?[pP][+-]?[0-9]+", re.ASCII).fullmatch
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_MOST_DIGITS: Final = 400


def failed(value: Value, to: CelType) -> CelRuntimeError:
    return CelRuntimeError(f"type conversion error from '{type_of(value).name}' to '{to.name}'")


def _same(value: Value) -> Value:
    return value


def to_bool(text: str) -> bool:
    if text not in _BOOLEANS:
        raise failed(text, BOOL)
    return _BOOLEANS[text]


def string_to_int(text: str) -> int:
    if _integer(text) is None or len(text) > _MOST_DIGITS or not -(2**63) <= int(text) < 2**63:
        raise failed(text, INT)
    return int(text)


def string_to_uint(text: str) -> Uint:
    if _natural(text) is None or len(text) > _MOST_DIGITS or int(text) >= 2**64:
        raise failed(text, UINT)
    return Uint(text)


def string_to_double(text: str) -> float:
    if _hexadecimal(text):
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError):
            raise failed(text, DOUBLE) from None
    if _real(text) is None or "_" in text:
        raise failed(text, DOUBLE)
    value = float(text)
    if math.isinf(value) and "inf" not in text.lower():
        raise failed(text, DOUBLE)
    return value


def string_to_duration(text: str) -> Duration:
    span = times.parse_duration(text)
    if span is None:
        raise failed(text, DURATION)
    return span


def string_to_timestamp(text: str) -> Timestamp:
    at = times.parse_timestamp(text)
    if at is None:
        raise failed(text, TIMESTAMP)
    return at


def double_to_int(value: float) -> int:
    if math.isnan(value) or not -(2.0**63) < value < 2.0**63:
        raise CelRuntimeError("integer overflow")
    return int(value)


def double_to_uint(value: float) -> Uint:
    if math.isnan(value) or not 0 <= value < 2.0**64:
        raise CelRuntimeError("unsigned integer overflow")
    return Uint(value)


def int_to_uint(value: int) -> Uint:
    if value < 0:
        raise CelRuntimeError("unsigned integer overflow")
    return Uint(value)


def uint_to_int(value: int) -> int:
    if value >= 2**63:
        raise CelRuntimeError("integer overflow")
    return int(value)


def bytes_to_string(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CelRuntimeError("invalid UTF-8 in bytes, cannot convert to string") from None


def format_double(value: float) -> str:
    """Go's `%g`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return go_float(value)


def to_string(value: Value) -> str:
    """`string(x)` of what it may be asked of. Raises CelRuntimeError."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # a str
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is Uint:
        return str(int(value))  # type: ignore[call-overload]  # a number
    if isinstance(value, float):
        return format_double(value)
    if isinstance(value, bytes):
        return bytes_to_string(value)
    if isinstance(value, Duration):
        return times.format_duration(value)
    if isinstance(value, Timestamp):
        return times.format_timestamp(value)
    if isinstance(value, CelType):
        return value.name
    if value is None:
        return "null"
    raise failed(value, STRING)


BINDINGS: Final[dict[str, Binding]] = {
    **{
        f"{name}_to_{name}": _same for name in ("bool", "bytes", "double", "duration", "int64", "string", "timestamp", "uint64")
    },
    "string_to_bool": to_bool,
    "string_to_bytes": str.encode,
    "string_to_double": string_to_double,
    "string_to_duration": string_to_duration,
    "string_to_int64": string_to_int,
    "string_to_timestamp": string_to_timestamp,
    "string_to_uint64": string_to_uint,
    "int64_to_double": float,
    "uint64_to_double": float,
    "double_to_int64": double_to_int,
    "duration_to_int64": int,
    "timestamp_to_int64": lambda at: int(at) // times.SECOND,
    "uint64_to_int64": uint_to_int,
    "double_to_uint64": double_to_uint,
    "int64_to_uint64": int_to_uint,
    "int64_to_timestamp": times.timestamp,
    **{f"{name}_to_string": to_string for name in ("bool", "bytes", "double", "duration", "int64", "timestamp", "uint64")},
}
__all__ = ["BINDINGS", "BYTES", "failed", "format_double", "to_string"]
