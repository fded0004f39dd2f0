"""What an object becomes when a configuration is merged into it, and when fields are taken out of it.

Neither input is changed; the outcome shares with both. After structured-merge-diff's typed/merge.go and typed/remove.go.
"""

from __future__ import annotations

from typing import Any

from sampan.api.apply.compare import MISSING, indexed
from sampan.api.apply.elements import of_field
from sampan.api.apply.fieldset import LEAF, Fields, is_member, node
from sampan.api.apply.places import Kind, Place

Value = Any
"""A JSON value."""


def merge(place: Place, live: Value, wanted: Value) -> Value:
    """`live` with all that `wanted` says; nothing goes by it. `wanted` is valid. Raises ElementError."""
    if live is MISSING:
        return wanted
    if wanted is MISSING:
        return live
    kind = place.kind
    if kind is Kind.FIELDS or kind is Kind.DEDUCED:
        if isinstance(live, dict) and (isinstance(wanted, dict) or (wanted is None and live)):
            return _merged_fields(place, live, wanted or {})
        return wanted
    if kind is Kind.WHOLE or not (live or wanted) or not isinstance(live, list | None):
        return wanted
    return _merged_items(place, live or [], wanted or [])


def _merged_fields(place: Place, live: dict[str, Value], wanted: dict[str, Value]) -> Value:
    result = dict(live)
    for name, value in wanted.items():
        result[name] = merge(place.field(name), live.get(name, MISSING), value)
    return result


def _merged_items(place: Place, live: list[Value], wanted: list[Value]) -> list[Value]:
    """Items in the order of `wanted`; those that only `live` has stay before what follows them there.

    Items that `live` has several times under one element are not merged with, but replaced.
    """
    theirs = {element: items[0] for element, items in indexed(place, wanted).items()}
    ours = indexed(place, live)
    order = [place.element(item) for item in live]
    result: list[Value] = []
    merged: set[str] = set()
    shared = iter([element for element in theirs if element in ours])
    expected = next(shared, None)

    def take(element: str) -> None:
        found = ours.get(element, [MISSING])
        result.append(merge(place.items, found[0] if len(found) == 1 else MISSING, theirs[element]))
        merged.add(element)

    wanted_order = list(theirs)
    at, then = 0, 0
    while at < len(order) or then < len(wanted_order):
        if at < len(order) and then < len(wanted_order):
            element = order[at]
            if element == wanted_order[then]:
                take(element)
                at, then = at + 1, then + 1
                expected = next(shared, None)
                continue
            if element in theirs and expected is not None and element != expected:
                at += 1  # in both, but it is another's turn
                continue
        if at < len(order):
            element = order[at]
            if element not in theirs:
                result.append(live[at])
                at += 1
                continue
            if element in merged:
                at += 1
        if then < len(wanted_order):
            element = wanted_order[then]
            take(element)
            then += 1
            if element == expected:
                expected = next(shared, None)
    return result


def remove(place: Place, value: Value, fields: Fields) -> Value:
    """`value` without the fields of a set; None for an object or a list of which nothing stays. Raises ElementError."""
    kind = place.kind
    if isinstance(value, dict) and kind in (Kind.FIELDS, Kind.DEDUCED):
        kept = {}
        for name, inner in value.items():
            found = fields.get(of_field(name))
            if not is_member(found):
                kept[name] = inner if found is None else remove(place.field(name), inner, found)
        return kept or None
    if isinstance(value, list) and kind in (Kind.SET, Kind.KEYED):
        items = [_item_without(place, item, fields) for item in value]
        return [item for item in items if item is not None] or None
    return None if place.atomic else value


def _item_without(place: Place, item: Value, fields: Fields) -> Value:
    found = fields.get(place.element(item))
    if found is None:
        return item
    return None if is_member(found) else remove(place.items, item, found)


def with_named_fields(place: Place, fields: Fields) -> Fields:
    """The set with every field of an object in it that has fields in it, though not with keys of maps.

    Such fields are in no set of an applier of their own, but go when all in them goes.
    """
    found: Fields = {}
    for element, inner in fields.items():
        if element == ".":
            continue
        name = element[2:] if element[0] == "f" else ""
        below = place.field(name) if name else place.items if place.kind is Kind.KEYED else None
        content = {key: deeper for key, deeper in inner.items() if key != "."}
        deeper = with_named_fields(below, content) if below is not None else content
        found[element] = node(deeper, is_member(inner) or (bool(content) and name in place.declared)) or LEAF
    return found
