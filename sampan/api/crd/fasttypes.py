"""Structural schemas as `msgspec` types: one C pass checks types and bounds and finds nothing to take out of an object.

As `sampan.api.fasttypes` for built-in kinds, whose conversions it uses. What such a type refuses is looked at again with
patience; a refusal is never an error by itself.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from sampan.api.crd.structure import META_FIELDS, Structure, Value
from sampan.api.definitions import OBJECT_META
from sampan.api.fasttypes import Checked, type_for
from sampan.api.schema import schema_of

if TYPE_CHECKING:
    from sampan.api.crd.custom_schema import CustomSchema

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_SCALARS: Final[dict[str, Any]] = {"string": str, "integer": _Int64, "boolean": bool}


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
        return _Never
    return _struct(schema.structure, root=True)


def _type(structure: Structure) -> Any:
    inner = _plain_type(structure)
    return inner | None if structure.nullable and inner is not Any else inner


def _plain_type(structure: Structure) -> Any:
    if structure.preserves_unknown:
        specified = structure.properties or structure.has_additional or structure.items is not None or structure.embedded
        return _Never if specified else Any
    if structure.int_or_string:
        return _Int64 | str
    if structure.type == "array":
        return GenericAlias(list, (_type(structure.items),)) if structure.items is not None else _Never
    if structure.type == "object":
        if not structure.has_additional:
            return _struct(structure)
        if structure.properties or structure.additional is None:
            return _Never
        return GenericAlias(dict, (str, _type(structure.additional)))
    if structure.type == "number":
        return _Number
    return _SCALARS.get(structure.type, _Never)


def _struct(structure: Structure, root: bool = False) -> Any:
    """Keys come out sorted, as Go writes the maps that custom objects are there."""
    fields: list[tuple[str, Any, Any]] = []
    rename: dict[str, str] = {}
    names = sorted(META_FIELDS | structure.properties.keys()) if structure.embedded else structure.properties
    for index, name in enumerate(names):
        attribute = f"f{index}"
        rename[attribute] = name
        if structure.embedded and name in META_FIELDS:
            if name == "metadata":
                fields.append((attribute, type_for(schema_of(OBJECT_META)) | msgspec.UnsetType, msgspec.UNSET))
            elif root:
                fields.append((attribute, _Name, msgspec.NODEFAULT))
            else:
                fields.append((attribute, str | msgspec.UnsetType, msgspec.UNSET))
            continue
        fields.append((attribute, _type(structure.properties[name]) | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("Custom", fields, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False)
