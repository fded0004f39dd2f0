"""Structural schemas as `msgspec` types: one C pass checks types and bounds, and finds nothing to take out of an object.

As `sampan.api.fasttypes` for built-in kinds, whose conversions it uses. What such a type refuses is looked at again with
patience; a refusal is never an error by itself. `judging` knows which keywords are left to check.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from sampan.api.crd.defaulting import prune_nulls
from sampan.api.crd.embedded import BadMetadata, coerce
from sampan.api.crd.pruning import prune
from sampan.api.crd.structure import META_FIELDS, Structure, Tree, Value, copied
from sampan.api.definitions import OBJECT_META
from sampan.api.fasttypes import Checked, type_for
from sampan.api.schema import schema_of

if TYPE_CHECKING:
    from sampan.api.crd.custom_schema import CustomSchema

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_INT64: Final = (-(2**63), 2**63 - 1)


class _Number(Checked):
    @staticmethod
    def convert(value: Value) -> Value:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError
        if isinstance(value, float) and value.is_integer():
            raise ValueError  # to be written without its fraction
        return value


class _Never(Checked):
    """What needs the patient walk in every case."""

    @staticmethod
    def convert(value: Value) -> Value:
        raise ValueError


def fast_type(schema: CustomSchema) -> Any:
    """What to hand to a msgspec decoder, with `fasttypes.convert_checked` as its hook, for whole objects."""
    if schema.preserves or schema.structure.preserves_unknown:
        return _keeping_root(schema)
    return _struct(schema.structure, root=True)


def _keeping_root(schema: CustomSchema) -> Any:
    class Root(Checked):
        @staticmethod
        def convert(value: Value) -> Value:
            if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("apiVersion", "kind")):
                raise TypeError
            tree = copied(value)
            if not (tree["apiVersion"] and tree["kind"]) or schema.coerce(tree):
                raise ValueError
            return tree

    return Root


def _type(structure: Structure) -> Any:
    inner = _plain_type(structure)
    if inner is Any or not structure.nullable or structure.raw.get("enum"):
        return inner  # null is no choice of an enumeration, whatever else is said of it
    return inner | None


def _plain_type(structure: Structure) -> Any:
    if structure.preserves_unknown:
        return _keeping_type(structure)
    if structure.int_or_string:
        return _bounded(int, ge=_INT64[0], le=_INT64[1]) | str
    match structure.type:
        case "array" if structure.items is not None:
            return _list_type(structure)
        case "object" if not structure.has_additional:
            return _struct(structure)
        case "object" if structure.additional is not None and not structure.properties:
            return _map_type(structure)
        case "string":
            return _string_type(structure.raw)
        case "integer":
            return _integer_type(structure.raw)
        case "number":
            return _Number
        case "boolean":
            return bool
    return _Never


def _keeping_type(structure: Structure) -> Any:
    """Of what keeps unknown fields: anything, unless something is specified."""
    if not structure.specifies:
        return {"object": GenericAlias(dict, (str, Any)), "": Any}.get(structure.type, _Never)

    class Kept(Checked):
        @staticmethod
        def convert(value: Value) -> Value:
            if not isinstance(value, dict):
                raise TypeError
            copy = copied(value)
            prune(copy, structure)
            prune_nulls(copy, structure)
            try:
                coerce(copy, structure)
            except BadMetadata:
                raise ValueError from None
            if copy != value:
                raise ValueError
            return value

    return Kept


def _bounded(type_: Any, **bounds: Any) -> Any:
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    return Annotated[type_, msgspec.Meta(**bounds)] if bounds else type_


def _size(raw: Tree, key: str) -> int | None:
    size = raw.get(key)
    return None if size is None else max(size, 0)


def _list_type(structure: Structure) -> Any:
    assert structure.items is not None
    raw, items = structure.raw, GenericAlias(list, (_type(structure.items),))
    return _bounded(items, min_length=_size(raw, "minItems"), max_length=_size(raw, "maxItems"))


def _map_type(structure: Structure) -> Any:
    assert structure.additional is not None
    raw, values = structure.raw, GenericAlias(dict, (str, _type(structure.additional)))
    return _bounded(values, min_length=_size(raw, "minProperties"), max_length=_size(raw, "maxProperties"))


def _string_type(raw: Tree) -> Any:
    if choices := literal_strings(raw):
        return Literal[choices]
    return _bounded(str, min_length=_size(raw, "minLength"), max_length=_size(raw, "maxLength"))


def literal_strings(raw: Tree) -> tuple[str, ...]:
    """The choices of an enumeration of strings that nothing else restricts; none of any other schema."""
    choices = raw.get("enum") or ()
    restricted = "minLength" in raw or "maxLength" in raw
    return () if restricted or not all(isinstance(choice, str) for choice in choices) else tuple(dict.fromkeys(choices))


def _integer_type(raw: Tree) -> Any:
    low, high = _INT64
    if raw.get("minimum") is not None:
        low = max(low, int(raw["minimum"]) + bool(raw.get("exclusiveMinimum")))
    if raw.get("maximum") is not None:
        high = min(high, int(raw["maximum"]) - bool(raw.get("exclusiveMaximum")))
    return _bounded(int, ge=low, le=high) if low <= high and low >= _INT64[0] and high <= _INT64[1] else _Never


def required_fields(structure: Structure) -> set[str]:
    """The fields whose absence a struct finds out. One with a default may be absent until the default is put in."""
    named = {name for name, inner in structure.properties.items() if inner.default is None}
    return (named - META_FIELDS if structure.embedded else named) & set(structure.raw.get("required") or ())


def _struct(structure: Structure, root: bool = False) -> Any:
    """Keys come out sorted, as Go writes the maps that custom objects are there."""
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    names = sorted(META_FIELDS | structure.properties.keys()) if structure.embedded else structure.properties
    required = required_fields(structure)
    for index, name in enumerate(names):
        attribute = f"f{index}"
        rename[attribute] = name
        if structure.embedded and name in META_FIELDS:
            type_, is_required = _meta_type(name, root)
        else:
            type_, is_required = _type(structure.properties[name]), name in required
        if is_required:
            fields.append((attribute, type_, msgspec.NODEFAULT))
        else:
            fields.append((attribute, type_ if type_ is Any else type_ | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("Custom", fields, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False)


def _meta_type(name: str, root: bool) -> tuple[Any, bool]:
    if name == "metadata":
        return type_for(schema_of(OBJECT_META)), False
    return _Name if root else str, root
