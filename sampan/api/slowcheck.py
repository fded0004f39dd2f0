"""What is wrong with an object, said as Go's decoders say it: a walk of object and schema side by side.

The messages are those of sigs.k8s.io/json, apimachinery's Quantity, IntOrString and Time. Paths of type errors have no
indices (`PodSpec.spec.containers.name`), paths of strict errors do (`spec.containers[0].foo`), as upstream's.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import Any, Final

from sampan.api import quantity
from sampan.api.fasttypes import canonical_base64, canonical_time
from sampan.api.schema import PLAIN_ZEROES, Schema, Shape, Type

Value = Any
"""A JSON value."""

_ZEROES: Final[dict[Type, Value]] = {
    Type.STRING: "",
    Type.BYTES: "",
    Type.BOOLEAN: False,
    Type.INT32: 0,
    Type.INT64: 0,
    Type.NUMBER: 0,
    Type.QUANTITY: "0",
    Type.INT_OR_STRING: 0,
}
"""What null means inside a list or map, where a value cannot be absent. Everything else is an empty object or list."""


class Repeating(dict[str, Any]):
    """An object some of whose keys were written more than once."""

    __slots__ = ("repeated",)

    repeated: list[str]


def unrepeated(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    """An `object_pairs_hook` for `json.loads` that remembers repeated keys."""
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    found = Repeating(plain)
    times = Counter(key for key, _ in pairs)
    found.repeated = [key for key in plain if times[key] > 1]
    return found


class _Mismatch(Exception):
    """A value that cannot stand at its place."""


def kind_of(value: Value) -> str:
    """As Go names a JSON value in errors."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def go_type(schema: Schema) -> str:
    """The Go type at a place, as far as a schema tells."""
    match schema.type:
        case Type.OBJECT:
            return schema.shape.go_type or "map[string]interface {}"
        case Type.LIST:
            return "[]" + (go_type(schema.items) if schema.items else "interface {}")
        case Type.MAP:
            return "map[string]" + (go_type(schema.values) if schema.values else "interface {}")
        case Type.BYTES:
            return "[]uint8"
        case Type.BOOLEAN:
            return "bool"
        case Type.QUANTITY:
            return "resource.Quantity"
        case Type.INT_OR_STRING:
            return "intstr.IntOrString"
        case _:
            return str(schema.type.value)


class Walk:
    """One object's walk. `problems` are type errors, of which upstream reports the first; `strict` unknown, repeated fields."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.strict: list[str] = []

    def value(self, schema: Schema, value: Value, path: str = "", fields: str = "", struct: str = "") -> Value:
        """The value, checked and canonical. `path` has indices; `fields` has none; `struct` is the Go type of the object
        around it."""
        try:
            match schema.type:
                case Type.OBJECT:
                    return self._object(schema, value, path, fields)
                case Type.MAP:
                    return self._map(schema, value, path, fields, struct)
                case Type.LIST:
                    return self._list(schema, value, path, fields, struct)
                case _:
                    return _scalar(schema.type, value)
        except _Mismatch as mismatch:
            text = str(mismatch)
            if text:
                self.problems.append(text)
                return None
            shown = _shown(schema, value)
            target = f"Go struct field {struct}.{fields}" if struct else "Go value"
            self.problems.append(f"json: cannot unmarshal {shown} into {target} of type {go_type(schema)}")
            return None

    def _object(self, schema: Schema, value: Value, path: str, fields: str) -> Value:
        if not isinstance(value, dict):
            raise _Mismatch
        struct = schema.shape.go_type.rpartition(".")[2]
        repeated = value.repeated if isinstance(value, Repeating) else ()
        converted: dict[str, Value] = {}
        for key, inner in value.items():
            place = schema.shape.field(key) or schema.shape.values
            inner_path = f"{path}.{key}" if path else key
            if place is None:
                if schema.preserves_unknown:
                    converted[key] = inner
                    continue
                self.strict.append(f'unknown field "{inner_path}"')
            if key in repeated:
                self.strict.append(f'duplicate field "{inner_path}"')
            if inner is not None and place is not None and not _is_omitted(schema.shape, key, place, inner):
                inner_fields = f"{fields}.{key}" if fields else key
                converted[key] = self.value(place, inner, inner_path, inner_fields, struct)
        return converted

    def _map(self, schema: Schema, value: Value, path: str, fields: str, struct: str) -> Value:
        if not isinstance(value, dict):
            raise _Mismatch
        repeated = value.repeated if isinstance(value, Repeating) else ()
        converted: dict[str, Value] = {}
        for key, inner in value.items():
            inner_path = f"{path}.{key}" if path else key
            if key in repeated:
                self.strict.append(f'duplicate field "{inner_path}"')
            converted[key] = self._element(schema.values, inner, inner_path, fields, struct)
        return converted

    def _list(self, schema: Schema, value: Value, path: str, fields: str, struct: str) -> Value:
        if not isinstance(value, list):
            raise _Mismatch
        return [self._element(schema.items, inner, f"{path}[{i}]", fields, struct) for i, inner in enumerate(value)]

    def _element(self, schema: Schema | None, value: Value, path: str, fields: str, struct: str) -> Value:
        if schema is None or (value is None and schema.type is Type.ANY):
            return value
        if value is None:
            return _ZEROES.get(schema.type, [] if schema.type is Type.LIST else {})
        return self.value(schema, value, path, fields, struct)


def _is_omitted(shape: Shape, key: str, place: Schema, value: Value) -> bool:
    """Whether Go would not write the field out. (False is no zero, and 0 is no False: types are judged elsewhere.)"""
    zero = PLAIN_ZEROES.get(place.type) if key in shape.omitted_zeroes else None
    return type(value) is type(zero) and value == zero


def _shown(schema: Schema, value: Value) -> str:
    kind = kind_of(value)
    if kind == "number" and schema.type in (Type.INT32, Type.INT64):
        return f"number {value!r}"
    return kind


def _scalar(type_: Type, value: Value) -> Value:
    """The canonical value. Raises _Mismatch, with words where the type has its own."""
    match type_:
        case Type.STRING if not isinstance(value, str):
            raise _Mismatch
        case Type.BOOLEAN if not isinstance(value, bool):
            raise _Mismatch
        case Type.INT32 | Type.INT64:
            _whole(value, 32 if type_ is Type.INT32 else 64)
        case Type.NUMBER if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _Mismatch
        case Type.INT_OR_STRING:
            return _int_or_string(value)
        case Type.QUANTITY:
            return _quantity(value)
        case Type.BYTES:
            return _bytes(value)
        case Type.TIME | Type.MICRO_TIME:
            return _time(value, micro=type_ is Type.MICRO_TIME)
    return value


def _whole(value: Value, bits: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise _Mismatch


def _int_or_string(value: Value) -> Value:
    if isinstance(value, str):
        return value
    try:
        _whole(value, 32)
    except _Mismatch:
        shown = f"number {value!r}" if kind_of(value) == "number" else kind_of(value)
        raise _Mismatch(f"json: cannot unmarshal {shown} into Go value of type int32") from None
    return value


def _quantity(value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _Mismatch(quantity.FORMAT_MESSAGE)
    try:
        return quantity.canonical(value)
    except quantity.QuantityError as error:
        raise _Mismatch(str(error)) from None


_not_base64 = re.compile(r"[^A-Za-z0-9+/]").search


def _bytes(value: Value) -> str:
    if not isinstance(value, str):
        raise _Mismatch
    try:
        return canonical_base64(value)
    except ValueError:
        bad = _not_base64(value)
        at = bad.start() if bad else len(value) - len(value) % 4
        raise _Mismatch(f"illegal base64 data at input byte {at}") from None


_TIME_PARTS: Final = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d"), (":", ":"),
    ("04", r"\d\d"), (":", ":"), ("05", r"\d\d(?:[.,]\d+)?"), ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)  # fmt: skip


def _time(value: Value, *, micro: bool) -> str:
    if not isinstance(value, str):
        raise _Mismatch(f"json: cannot unmarshal {kind_of(value)} into Go value of type string")
    try:
        return canonical_time(value, micro=micro)
    except ValueError:
        raise _Mismatch(why_no_time(value, micro=micro)) from None


def why_no_time(text: str, *, micro: bool = False) -> str:
    """What Go's time.Parse says of a text that is no RFC 3339 time."""
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    return f"parsing time {_quoted(text)}{_time_problem(text, layout)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time_problem(text: str, layout: str) -> str:
    rest = text
    for name, pattern in _TIME_PARTS:
        match = re.match(pattern, rest, re.ASCII)
        if match is None:
            return f' as "{layout}": cannot parse {_quoted(rest)} as "{name}"'
        rest = rest[match.end() :]
    if rest:
        return f": extra text: {_quoted(rest)}"
    parts = [
        ("month", text[5:7], 1, 12),
        ("hour", text[11:13], 0, 23),
        ("minute", text[14:16], 0, 59),
        ("second", text[17:19], 0, 59),
    ]
    if not text.endswith("Z"):
        parts += [("time zone offset hour", text[-5:-3], 0, 23), ("time zone offset minute", text[-2:], 0, 59)]
    wrong = next((name for name, digits, low, high in parts if not low <= int(digits) <= high), "")
    return f": {wrong or _wrong_date(text[:10])} out of range"


def _wrong_date(text: str) -> str:
    """A day that its month does not have, or else a year that is none here: in UTC they are 1 to 9999."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return "year" if text.startswith("0000") else "day"
    return "year"
