"""FieldsV1 of a new object, written in one walk: what `compare` with nothing comes to, for the path that every create takes.

Objects of one kind repeat each other's shape: the same fields at the same places, item after item. So the text for some keys
is put together once; a walk looks up what is known for the keys that it finds and goes down only where lists have items or maps
have maps. It answers what

    encode(compare(place, {}, tree).added minus what is excluded and what nobody owns)

would, which tests hold it to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from sampan.api.apply.elements import SELF, ElementError, in_order, of_field
from sampan.api.apply.fieldset import Fields, is_member
from sampan.api.apply.places import Kind, Place
from sampan.lib.remember import remember

Value = Any
"""A JSON value."""
Write = Callable[[Value], str]
P = TypeVar("P")

_LEAF: Final = "{}"
_SELF: Final = '".":{}'
_MOST_PLANS: Final = 512
"""Kept for one place. Maps with ever new keys would fill the memory."""
_LONGEST_PLAN: Final = 4096
"""Characters of keys: so would maps with keys of any length."""

_encode = msgspec.json.encode


def outline(place: Place, skipped: Fields) -> Write:
    """Writes the FieldsV1 of new objects; "" where nothing is owned. `skipped` are fields that nobody can own: whole ones of an
    object, single ones within these."""
    return _Standing(place, skipped)


@remember(4096)
def _text(element: str) -> str:
    return _encode(element).decode()


def _whole(value: Value) -> str:
    return _LEAF


def _keep(plans: dict[tuple[str, ...], P], keys: tuple[str, ...], plan: P) -> None:
    if len(plans) >= _MOST_PLANS:
        plans.clear()
    if sum(map(len, keys)) <= _LONGEST_PLAN:
        plans[keys] = plan


def _writer(place: Place) -> Write:
    """For a place at which nothing stood."""
    if place.kind is Kind.WHOLE:
        return _whole
    if place.kind is Kind.FIELDS:
        return _Fields(place)
    return _Items(place) if place.kind in (Kind.SET, Kind.KEYED) else _deduced


class _Fields:
    """An object and all its fields."""

    __slots__ = ("_place", "_plans", "_writers")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._plans: dict[tuple[str, ...], tuple[str, tuple[tuple[str, Write], ...]]] = {}
        """By the keys that are there: a text with a "%s" for each of the keys beside it."""
        self._writers: dict[str, Write] = {}

    def __call__(self, value: Value) -> str:
        if not value:
            return _LEAF
        if not isinstance(value, dict):
            raise ElementError(f"expected map, got {value!r}")  # a custom object that is yet to be refused
        keys = tuple(value)
        text, inner = self._plans.get(keys) or self._plan(keys)
        return text % tuple([write(value[key]) for key, write in inner]) if inner else text

    def _plan(self, keys: tuple[str, ...]) -> tuple[str, tuple[tuple[str, Write], ...]]:
        pieces, inner = [_SELF], []
        for element in in_order([of_field(key) for key in keys]):
            write = self._writer_of(element[2:])
            name = _text(element).replace("%", "%%")
            if write is _whole:
                pieces.append(f"{name}:{_LEAF}")
            else:
                pieces.append(f"{name}:%s")
                inner.append((element[2:], write))
        text = "{" + ",".join(pieces) + "}"
        plan = (text if inner else text % (), tuple(inner))
        _keep(self._plans, keys, plan)
        return plan

    def _writer_of(self, key: str) -> Write:
        kept = key if key in self._place.declared else ""  # keys of a map have all the same
        found = self._writers.get(kept)
        if found is None:
            found = self._writers[kept] = _writer(self._place.field(key))
        return found


class _Items:
    """A list and all its items."""

    __slots__ = ("_place", "_write")

    def __init__(self, place: Place) -> None:
        self._place = place
        self._write: Write | None = None

    def __call__(self, value: Value) -> str:
        if not value:
            return _LEAF
        if not isinstance(value, list):
            raise ElementError(f"expected list, got {value!r}")
        write = self._write
        if write is None:
            write = self._write = _writer(self._place.items)
        element = self._place.element
        if len(value) == 1:
            return f"{{{_SELF},{_text(element(value[0]))}:{write(value[0])}}}"
        found: dict[str, str] = {}
        for item in value:
            name = element(item)
            found[name] = _LEAF if name in found else write(item)
        return "{" + ",".join([_SELF, *[f"{_text(name)}:{found[name]}" for name in in_order(list(found))]]) + "}"


def _deduced(value: Value) -> str:
    if not isinstance(value, dict) or not value:
        return _LEAF
    found = [f"{_text(name)}:{_deduced(value[name[2:]])}" for name in in_order([of_field(key) for key in value])]
    return "{" + ",".join([_SELF, *found]) + "}"


class _Standing:
    """An object that a Go struct always has, if with nothing in it: its fields are new, but it is not. "" for nothing."""

    __slots__ = ("_place", "_plans", "_skipped", "_writers")

    def __init__(self, place: Place, skipped: Fields) -> None:
        self._place = place
        self._skipped = skipped
        self._writers: dict[str, tuple[str, str, Write] | None] = {}
        self._plans: dict[tuple[str, ...], list[tuple[str, str, Write]]] = {}

    def __call__(self, value: Value) -> str:
        keys = tuple(value)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(keys)
        pieces = [prefix + text for key, prefix, write in plan if (text := write(value[key]))]
        return "{" + ",".join(pieces) + "}" if pieces else ""

    def _plan(self, keys: tuple[str, ...]) -> list[tuple[str, str, Write]]:
        plan = [found for key in sorted(keys) if (found := self._writer(key)) is not None]
        _keep(self._plans, keys, plan)
        return plan

    def _writer(self, key: str) -> tuple[str, str, Write] | None:
        """Kept where the key is a field, for it has a memory of its own."""
        if key not in self._writers:
            found = self._made(key)
            if key not in self._place.declared:
                return found
            self._writers[key] = found
        return self._writers[key]

    def _made(self, key: str) -> tuple[str, str, Write] | None:
        element = of_field(key)
        skip = self._skipped.get(element)
        inner = {name: deeper for name, deeper in (skip or {}).items() if name != SELF}
        if is_member(skip) and not inner:
            return None
        place, standing = self._place.field(key), self._place.standing
        prefix = _text(element) + ":"
        if inner or isinstance(standing.get(key), dict):
            return key, prefix, _Standing(place, inner) if place.kind is Kind.FIELDS else _whole
        write = _writer(place)
        return key, prefix, _Changed(write, standing[key]) if key in standing else write


class _Changed:
    """A field that always has a value, if the one of its type that is nothing."""

    __slots__ = ("_write", "_zero")

    def __init__(self, write: Write, zero: Value) -> None:
        self._write = write
        self._zero = zero

    def __call__(self, value: Value) -> str:
        if value == self._zero:
            return ""
        text = self._write(value)
        return text if text == _LEAF else "{" + text[len(_SELF) + 2 :]
