"""What differs between two objects, and which fields one object has, as sets of fields.

    compare(place, old, new)     # Comparison(removed, modified, added)
    all_fields(place, new)       # what an applier of `new` says that it wants

After structured-merge-diff's typed/compare.go and typed/tofieldset.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sampan.api.apply.elements import SELF, of_field
from sampan.api.apply.fieldset import EMPTY, LEAF, Fields, node, ordered, union
from sampan.api.apply.places import Kind, Place

Value = Any
"""A JSON value."""


class _Missing:
    """Not even null."""


MISSING: Final = _Missing()


class Comparison(NamedTuple):
    removed: Fields
    modified: Fields
    added: Fields

    @property
    def changed(self) -> Fields:
        return union(self.modified, self.added)


def compare(place: Place, old: Value, new: Value) -> Comparison:
    """Of whole objects. Raises ElementError for lists whose items cannot be told apart."""
    removed, modified, added = _both(place, old, new)
    return Comparison(removed or EMPTY, modified or EMPTY, added or EMPTY)


_Parts = tuple[Fields | None, Fields | None, Fields | None]
"""Removed, modified and added, as a place stands in each set; None: it does not."""
_SAME: Final[_Parts] = (None, None, None)


def _both(place: Place, old: Value, new: Value) -> _Parts:
    """Of a place at which something stands on both sides, and not the same."""
    kind = place.kind
    if kind is Kind.DEDUCED:
        return _deduced(place, old, new)
    if kind is Kind.WHOLE:
        return None, LEAF, None
    if not old and not new:
        return (None, LEAF, None) if old != new else _SAME
    if kind is Kind.FIELDS:
        return _fields(place, old or {}, new or {})
    return _items(place, old or [], new or [])


def _deduced(place: Place, old: Value, new: Value) -> _Parts:
    if isinstance(old, dict | None) and isinstance(new, dict | None):
        return _fields(place, old or {}, new or {}) if old or new else (None, LEAF, None)
    gone = _inner_of(place, old) if isinstance(old, dict) else None
    come = _inner_of(place, new) if isinstance(new, dict) else None
    return gone, LEAF, come


def _fields(place: Place, old: Value, new: Value) -> _Parts:
    removed: Fields = {}
    modified: Fields = {}
    added: Fields = {}
    standing = place.standing
    for name, value in new.items():
        before = old.get(name, MISSING)
        if before == value:
            continue
        if before is MISSING:
            if name not in standing:
                added[of_field(name)] = whole(place.field(name), value)
                continue
            before = standing[name]
            if before == value:
                continue
        _note(of_field(name), _both(place.field(name), before, value), removed, modified, added)
    for name, value in old.items():
        if name in new:
            continue
        if name not in standing:
            removed[of_field(name)] = whole(place.field(name), value)
        elif standing[name] != value:
            _note(of_field(name), _both(place.field(name), value, standing[name]), removed, modified, added)
    return _ordered(removed), _ordered(modified), _ordered(added)


def _items(place: Place, old: list[Value], new: list[Value]) -> _Parts:
    removed: Fields = {}
    modified: Fields = {}
    added: Fields = {}
    before, after = indexed(place, old), indexed(place, new)
    for element, values in after.items():
        others = before.get(element)
        if others is None:
            added[element] = whole(place.items, values[0]) if len(values) == 1 else LEAF
        elif values == others:
            continue
        elif len(values) == 1 and len(others) == 1:
            _note(element, _both(place.items, others[0], values[0]), removed, modified, added)
        elif len(values) > 1 and len(others) > 1:
            modified[element] = LEAF
        elif len(values) == 1:  # of several, which count as one field, one is left
            removed[element] = LEAF
            added[element] = whole(place.items, values[0])
        else:
            removed[element] = whole(place.items, others[0])
            added[element] = LEAF
    for element, values in before.items():
        if element not in after:
            removed[element] = whole(place.items, values[0]) if len(values) == 1 else LEAF
    return _ordered(removed), _ordered(modified), _ordered(added)


def _note(element: str, parts: _Parts, removed: Fields, modified: Fields, added: Fields) -> None:
    for found, into in zip(parts, (removed, modified, added), strict=True):
        if found is not None:
            into[element] = found


def _ordered(fields: Fields) -> Fields | None:
    return ordered(fields) if fields else None


def indexed(place: Place, items: Sequence[Value]) -> dict[str, list[Value]]:
    """The items by their elements. Raises ElementError."""
    found: dict[str, list[Value]] = {}
    for item in items:
        found.setdefault(place.element(item), []).append(item)
    return found


def whole(place: Place, value: Value) -> Fields:
    """A place and all within it, as one side of a comparison that the other lacks. Raises ElementError."""
    inner = _inner_of(place, value)
    return {SELF: LEAF, **inner} if inner else LEAF


def _inner_of(place: Place, value: Value) -> Fields | None:
    kind = place.kind
    if kind is Kind.WHOLE or not value:
        return None
    if isinstance(value, dict):
        if kind is Kind.FIELDS or kind is Kind.DEDUCED:
            return ordered({of_field(name): whole(place.field(name), inner) for name, inner in value.items()})
    elif isinstance(value, list) and kind is not Kind.DEDUCED and kind is not Kind.FIELDS:
        found = indexed(place, value)
        return ordered({e: whole(place.items, values[0]) if len(values) == 1 else LEAF for e, values in found.items()})
    return None


def all_fields(place: Place, value: Value) -> Fields:
    """The fields of an object: its leaves, the items of its lists, the keys of its maps. Raises ElementError."""
    return _fields_of(place, value)[0]


def _fields_of(place: Place, value: Value) -> tuple[Fields, bool]:
    """What is within a place, and whether the place is a field whatever it holds."""
    kind = place.kind
    if kind is Kind.FIELDS or (kind is Kind.DEDUCED and isinstance(value, dict)):
        if not isinstance(value, dict):
            return EMPTY, value is not None
        found: Fields = {}
        for name, inner in value.items():
            fields, is_leaf = _fields_of(place.field(name), inner)
            stands = node(fields, is_leaf or inner is None or inner == {} or name not in place.declared)
            if stands is not None:
                found[of_field(name)] = stands
        return ordered(found), False
    if kind is Kind.SET or kind is Kind.KEYED:
        if not isinstance(value, list):
            return EMPTY, value is not None
        items = indexed(place, value)
        return ordered({element: _item_fields(place.items, values) for element, values in items.items()}), False
    return EMPTY, kind is Kind.WHOLE or value is not None


def _item_fields(place: Place, values: list[Value]) -> Fields:
    inner = _fields_of(place, values[0])[0] if len(values) == 1 else EMPTY
    return node(inner, True) or LEAF
