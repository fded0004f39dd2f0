"""Schemas as merging sees them: what is taken whole, what by its fields, what by its items.

A `Place` says of one place in an object how it is told apart and compared. It is made from a `Schema` when first asked for and
kept with it. What no schema speaks of is *deduced*: objects go by their fields, all else is taken whole.

After k8s.io/kube-openapi/pkg/schemaconv.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from sampan.api.apply.elements import of_keyed_item, of_keys, of_set_item
from sampan.api.schema import Schema, Type
from sampan.api.standing import zeroes
from sampan.lib.remember import LONGEST

Value = Any
"""A JSON value."""

_RAW_EXTENSION: Final = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_MERGING: Final = frozenset(("merge", "retainKeys"))


class Kind(Enum):
    WHOLE = "whole"
    """One field, whatever is in it."""
    FIELDS = "fields"
    """An object, each of whose fields is one."""
    SET = "set"
    """A list of different scalars."""
    KEYED = "keyed"
    """A list of objects that keys tell apart."""
    DEDUCED = "deduced"
    """As the value is: see the module."""


class Place:
    __slots__ = ("_fields", "_items", "_preserves", "atomic", "declared", "defaults", "keys", "kind", "schema", "standing")

    def __init__(self, schema: Schema | None, *, preserves: bool = False) -> None:
        self.schema = schema
        self._preserves = preserves or (schema is not None and schema.preserves_unknown)
        self.kind = _kind(schema)
        self.atomic = self.kind is Kind.WHOLE and schema is not None and schema.type in (Type.OBJECT, Type.MAP, Type.LIST)
        """Whether what is taken whole could have fields or items."""
        self.declared = frozenset(schema.shape.field_names) if schema is not None else frozenset[str]()
        """Fields by name, rather than keys of a map."""
        self.standing: Mapping[str, Value] = {} if schema is None or self.kind is not Kind.FIELDS else zeroes(schema.shape)
        """Fields that a Go struct always has, with what they are when nobody set them."""
        self.keys: tuple[str, ...] = ()
        self.defaults: Mapping[str, Value] = {}
        """What keys are taken to be in items that lack them."""
        if self.kind is Kind.KEYED and schema is not None:
            keys = schema.map_keys or ((schema.merge_key,) if schema.merge_key else ())
            self.keys = tuple(sorted(keys))
            self.defaults = _defaults(schema.items, self.keys)
        self._fields: dict[str, Place] = {}
        self._items: Place | None = None

    def field(self, name: str) -> Place:
        found = self._fields.get(name)
        if found is None:
            if name not in self.declared and self.schema is not None and self.schema.values is not None:
                return self.values
            found = self._make(self.schema.shape.field(name) if self.schema is not None else None)
            if name in self.declared:
                self._fields[name] = found
        return found

    @property
    def values(self) -> Place:
        """Of a map."""
        return self._inner(self.schema.values if self.schema is not None else None)

    @property
    def items(self) -> Place:
        return self._inner(self.schema.items if self.schema is not None else None)

    def knows(self, name: str) -> bool:
        """Whether the object may have such a field."""
        if self.schema is None or self.kind is Kind.DEDUCED or name in self.declared:
            return True
        return self.schema.values is not None or self._preserves

    def element(self, item: Value) -> str:
        """Of an item of a list. Raises ElementError."""
        if not self.keys:
            return of_set_item(item)
        if len(self.keys) > 1 or not isinstance(item, dict):
            return of_keyed_item(item, self.keys, self.defaults)
        value = item.get(self.keys[0])
        if type(value) is str and len(value) <= LONGEST:
            return _of_name(self.keys[0], value)
        return of_keyed_item(item, self.keys, self.defaults)

    def _inner(self, schema: Schema | None) -> Place:
        if self._items is None:
            self._items = self._make(schema)
        return self._items

    def _make(self, schema: Schema | None) -> Place:
        if schema is None:
            return DEDUCED
        return Place(schema, preserves=True) if self._preserves else place_of(schema)


@lru_cache(maxsize=4096)
def _of_name(key: str, value: str) -> str:
    return of_keys({key: value})


def _kind(schema: Schema | None) -> Kind:
    if schema is None:
        return Kind.DEDUCED
    kind = schema.type
    if kind in (Type.OBJECT, Type.MAP):
        return Kind.WHOLE if schema.map_type == "atomic" else Kind.FIELDS
    if kind is Type.LIST:
        if schema.list_type:
            return {"set": Kind.SET, "map": Kind.KEYED}.get(schema.list_type, Kind.WHOLE)
        if "merge" in schema.patch_strategy and schema.patch_strategy <= _MERGING:
            return Kind.KEYED if schema.merge_key else Kind.SET
        return Kind.WHOLE
    if kind is Type.FREE:
        return Kind.WHOLE if schema.shape.name == _RAW_EXTENSION else Kind.DEDUCED
    return Kind.DEDUCED if kind is Type.ANY else Kind.WHOLE


def _defaults(items: Schema | None, keys: tuple[str, ...]) -> dict[str, Value]:
    if items is None:
        return {}
    standing, found = zeroes(items.shape), {}
    for key in keys:
        field = items.field(key)
        if field is None:
            continue
        if field.default_value is not None:
            found[key] = field.default_value
        elif items.shape.name and key == "protocol":
            found[key] = "TCP"  # which the definitions say in words only
        elif standing.get(key) is not None:
            found[key] = standing[key]
    return found


DEDUCED: Final = Place(None)


def place_of(schema: Schema) -> Place:
    if schema.place is None:
        schema.place = Place(schema)
    return schema.place
