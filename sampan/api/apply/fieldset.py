"""Sets of fields: nested dicts as FieldsV1 has them. They are shared and never changed; every function returns a new one.

An inner dict that is empty is a field of the set; so is one that holds "." beside the fields within it. The outermost dict is
the whole object, which is in no set: empty, it is the empty set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from sampan.api.apply.elements import SELF, ElementError, canonical, in_order, shown
from sampan.lib.remember import remember

Fields = dict[str, Any]
"""Values are Fields again."""

LEAF: Final[Fields] = {}
"""The field itself and nothing within. One for all: it must never be changed."""
EMPTY: Final[Fields] = {}
"""The set without fields."""
_OPEN_LEAF: Final[Fields] = {SELF: LEAF}

_encode = msgspec.json.encode


class FieldSetError(ValueError):
    """Not FieldsV1."""


def encode(fields: Fields) -> bytes:
    return _encode(fields)


@remember(256, longest=8192)
def parse(encoded: bytes) -> Fields:
    """The set that FieldsV1 JSON says. Raises FieldSetError."""
    try:
        return _parsed(msgspec.json.decode(encoded)) or EMPTY
    except (msgspec.DecodeError, RecursionError, ElementError) as error:
        raise FieldSetError(str(error)) from None


def _parsed(value: object) -> Fields:
    if not isinstance(value, dict):
        if value is None:
            return LEAF
        raise FieldSetError("expected { or n")
    found: Fields = {}
    for key, inner in value.items():
        if key == SELF:
            found[SELF] = LEAF
        elif element := canonical(key):
            node = _parsed(inner)
            found[element] = _united(found[element], node) if element in found else node
    return LEAF if not found or (len(found) == 1 and SELF in found) else ordered(found)


def ordered(fields: Fields) -> Fields:
    """The same with its outermost keys as upstream sorts them."""
    if len(fields) < 2:
        return fields
    wanted = in_order(list(fields))
    return fields if wanted == list(fields) else {key: fields[key] for key in wanted}


def node(fields: Fields, is_member: bool) -> Fields | None:
    """What stands for a place within a set: `fields` within it, and itself or not; None where that is nothing."""
    if not fields:
        return LEAF if is_member else None
    if is_member and SELF not in fields:
        return {SELF: LEAF, **fields}
    return fields


def is_member(found: Fields | None) -> bool:
    return found is not None and (not found or SELF in found)


def has(fields: Fields, path: tuple[str, ...]) -> bool:
    found: Fields | None = fields
    for element in path:
        if not found:
            return False
        found = found.get(element)
    return is_member(found)


def of_path(path: tuple[str, ...]) -> Fields:
    found = LEAF
    for element in reversed(path):
        found = {element: found}
    return found


def union(left: Fields, right: Fields) -> Fields:
    if not right or left is right:
        return left
    return _merged(left, right) if left else right


def _merged(left: Fields, right: Fields) -> Fields:
    result = left
    grew = False
    for key, theirs in right.items():
        ours = result.get(key)
        if ours is None:
            joined = theirs
            grew = True
        elif key == SELF or (joined := _united(ours, theirs)) is ours:
            continue
        if result is left:
            result = dict(left)
        result[key] = joined
    return ordered(result) if grew else result


def _united(left: Fields, right: Fields) -> Fields:
    if left is right or (not left and not right):
        return left
    if not right:
        return left if SELF in left else {SELF: LEAF, **left}
    if not left:
        return right if SELF in right else {SELF: LEAF, **right}
    return _merged(left, right)


def difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and not in `right`. A field goes without those within it."""
    if not left or not right:
        return left
    result = left
    for key in _shared(left, right):
        kept = _without(left[key], right[key])
        if kept is not left[key]:
            result = _replaced(result, left, key, kept)
    return result


def _without(ours: Fields, theirs: Fields) -> Fields | None:
    member = is_member(ours) and not is_member(theirs)
    before = _inner(ours)
    inner = difference(before, _inner(theirs))
    return ours if member == is_member(ours) and inner is before else node(inner, member)


def recursive_difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and neither in `right` nor within a field that is."""
    if not left or not right:
        return left
    result = left
    for key in _shared(left, right):
        ours, theirs = left[key], right[key]
        kept = None if is_member(theirs) else node(recursive_difference(_inner(ours), _inner(theirs)), is_member(ours))
        if kept != ours:
            result = _replaced(result, left, key, kept)
    return result


def intersection(left: Fields, right: Fields) -> Fields:
    found: Fields = {}
    for key in _shared(left, right):
        ours, theirs = left[key], right[key]
        both = node(intersection(_inner(ours), _inner(theirs)), is_member(ours) and is_member(theirs))
        if both is not None:
            found[key] = both
    return found


def matching(fields: Fields, patterns: Sequence[Sequence[str]]) -> Fields:
    """What begins with one of the patterns, in which "*" is any element, and what such a pattern begins with."""
    found: Fields = {}
    for key, inner in fields.items():
        rests = [pattern[1:] for pattern in patterns if pattern[0] in (key, "*")]
        if key == SELF or not rests:
            continue
        content = inner if not all(rests) else node(matching(_inner(inner), rests), is_member(inner))
        if content is not None:
            found[key] = content
    return found


def _shared(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """The keys of both, in the order of the left, which is upstream's."""
    if len(right) < len(left):
        shared = [key for key in right if key in left]
        return shared if len(shared) < 2 else [key for key in left if key in right]
    return [key for key in left if key in right]


def _inner(found: Fields) -> Fields:
    """The fields within a place, without itself."""
    if SELF not in found:
        return found
    return {key: inner for key, inner in found.items() if key != SELF}


def _replaced(result: Fields, original: Fields, key: str, value: Fields | None) -> Fields:
    """`result` with another value, copied from `original` before its first change."""
    if result is original:
        result = dict(original)
    if value is None:
        del result[key]
    else:
        result[key] = value
    return result


def paths(fields: Fields) -> Iterator[tuple[str, ...]]:
    """Every field: a place's members before what is within them."""
    for key, inner in fields.items():
        if key != SELF and is_member(inner):
            yield (key,)
    for key, inner in fields.items():
        if key != SELF:
            for path in paths(_inner(inner)):
                yield (key, *path)


def shown_path(path: tuple[str, ...]) -> str:
    return "".join(map(shown, path))
