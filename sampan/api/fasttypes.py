"""Schemas as `msgspec` types: one C pass over a body checks types, refuses unknown fields and drops nulls.

A struct is made once for each definition, when first needed. Whatever such a type refuses is looked at again by
`slowcheck`, which takes its time and says what is wrong; this module only ever says yes or no.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec

from sampan.api import quantity
from sampan.api.schema import PLAIN_ZEROES, Schema, Shape, Type

Value = Any
"""A JSON value."""


class _AnyInstance(type):
    """Makes `isinstance(x, T)` true for every x: a decoding hook may then return plain JSON values for T."""

    def __instancecheck__(cls, instance: object) -> bool:
        return True


class Checked(metaclass=_AnyInstance):
    """The base of types that Python code decodes: `convert` takes a JSON value, returns it in canonical form, or raises
    ValueError or TypeError."""

    @staticmethod
    def convert(value: Value) -> Value:
        raise NotImplementedError


class _Quantity(Checked):
    @staticmethod
    def convert(value: Value) -> Value:
        if not isinstance(value, (str, int, float)):
            raise TypeError
        return quantity.canonical(value)


class _Bytes(Checked):
    @staticmethod
    def convert(value: Value) -> Value:
        return canonical_base64(value)


class _Time(Checked):
    @staticmethod
    def convert(value: Value) -> Value:
        return canonical_time(value)


class _MicroTime(Checked):
    @staticmethod
    def convert(value: Value) -> Value:
        return canonical_time(value, micro=True)


def canonical_base64(text: str) -> str:
    """Go's decoder skips line ends; its encoder makes none. Raises ValueError, TypeError."""
    if "\n" in text or "\r" in text:
        text = text.replace("\n", "").replace("\r", "")
    binascii.a2b_base64(text, strict_mode=bool(text))
    return text


_seconds_form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII).fullmatch
# Some Pythons take 24 for an hour.
_rfc3339 = re.compile(r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(?:[.,](\d+))?(?:Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


def canonical_time(text: str, *, micro: bool = False) -> str:
    """RFC 3339 in UTC, of whole seconds or of microseconds; what is finer is cut off. Raises ValueError, TypeError."""
    match = _rfc3339(text)
    if match is None:
        raise ValueError
    fraction = match[1] or ""
    if fraction:
        text = f"{text[:19]}.{fraction:0<6.6}{text[20 + len(fraction) :]}"
    moment = datetime.fromisoformat(text)
    if not micro and _seconds_form(text):
        return text
    try:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:  # which is no ValueError: before the year 1 or after 9999 it is no moment
        raise ValueError from error
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + "Z"


_Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_SIMPLE: Final[dict[Type, Any]] = {
    Type.ANY: Any,
    Type.FREE: Any,
    Type.STRING: str,
    Type.BOOLEAN: bool,
    Type.INT32: _Int32,
    Type.INT64: _Int64,
    Type.NUMBER: int | float,
    Type.INT_OR_STRING: _Int32 | str,
    Type.QUANTITY: _Quantity,
    Type.BYTES: _Bytes,
    Type.TIME: _Time,
    Type.MICRO_TIME: _MicroTime,
}


def convert_checked(type_: type[Checked], value: Value) -> Value:
    """The decoding hook for what `type_for` returns."""
    return type_.convert(value)


def type_for(schema: Schema) -> Any:
    """What to hand to a msgspec decoder, with `convert_checked` as its hook, for values at a place."""
    return _type_for(schema, ())


def _type_for(schema: Schema, inside: tuple[Shape, ...]) -> Any:
    shape = schema.shape
    simple = _SIMPLE.get(shape.type)
    if simple is not None:
        return simple
    if shape in inside or schema.preserves_unknown:
        return _walked(schema)
    if shape.type is Type.OBJECT:
        if shape.struct is None:
            shape.struct = _struct(shape, (*inside, shape))
        return shape.struct
    inner = shape.items if shape.type is Type.LIST else shape.values
    inner_type = _type_for(inner, (*inside, shape)) if inner is not None else Any
    return GenericAlias(list, (inner_type,)) if shape.type is Type.LIST else GenericAlias(dict, (str, inner_type))


def _struct(shape: Shape, inside: tuple[Shape, ...]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    for index, name in enumerate(shape.field_names):
        place = shape.field(name)
        assert place is not None
        attribute = f"f{index}"
        rename[attribute] = name
        type_ = _type_for(place, inside)
        if name in shape.omitted_zeroes and place.type in PLAIN_ZEROES:
            # Defaults are not written out. Null would be: it is left to the slow walk, for hardly any client sends it here.
            fields.append((attribute, type_, PLAIN_ZEROES[place.type]))
        else:
            fields.append((attribute, type_ | None, None))
    return msgspec.defstruct(
        shape.name.rpartition(".")[2] or "Inline",
        fields,
        rename=rename,
        forbid_unknown_fields=True,
        omit_defaults=True,
        gc=False,
    )


def _walked(schema: Schema) -> type[Checked]:
    """For definitions that contain themselves and objects that keep unknown fields: the slow walk does their part."""
    from sampan.api.slowcheck import Walk  # which needs the canonical forms above

    class Walked(Checked):
        @staticmethod
        def convert(value: Value) -> Value:
            walk = Walk()
            converted = walk.value(schema, value)
            if walk.strict or walk.problems:
                raise ValueError
            return converted

    return Walked
