"""Sets of fields from before a schema changed: what is taken whole now was owned in parts then.

After structured-merge-diff's typed/reconcile_schema.go, which does the same one way: parts that were a whole are left alone.
"""

from __future__ import annotations

from sampan.api.apply.elements import SELF
from sampan.api.apply.fieldset import LEAF, Fields, is_member, node, ordered
from sampan.api.apply.places import Kind, Place


def reconciled(place: Place, fields: Fields) -> Fields:
    """The same object if nothing changed."""
    result = fields
    for element, inner in fields.items():
        if element == SELF:
            continue
        found = _inner(place, element, inner)
        if found is not inner:
            result = dict(fields) if result is fields else result
            result[element] = found
    return result


def _inner(place: Place, element: str, inner: Fields) -> Fields:
    if not inner:
        return inner
    if element[0] == "f":
        name = element[2:]
        if place.kind is not Kind.FIELDS or not place.knows(name):
            return inner
        below = place.field(name)
    elif place.kind in (Kind.SET, Kind.KEYED):
        below = place.items
    else:
        return inner
    if below.atomic:
        return LEAF
    if below.kind is Kind.DEDUCED or below.kind is Kind.WHOLE:
        return inner
    content = {key: value for key, value in inner.items() if key != SELF} if SELF in inner else inner
    deeper = reconciled(below, content)
    return inner if deeper is content else ordered(node(deeper, is_member(inner)) or LEAF)
