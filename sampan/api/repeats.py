"""Which items of a list stood there before, told in one pass: clients choose how long a list is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")


def repeats(items: Iterable[Item]) -> Iterator[tuple[int, Item]]:
    """(index, item) of each that is equal to one before it; items are JSON values."""
    seen: set[Hashable] = set()
    for index, item in enumerate(items):
        key = frozen(item)
        if key in seen:
            yield index, item
        seen.add(key)


def frozen(value: Any) -> Hashable:
    """Equal for equal JSON values."""
    if isinstance(value, dict):
        return frozenset((key, frozen(inner)) for key, inner in value.items())
    if isinstance(value, (set, frozenset)):
        return frozenset(map(frozen, value))
    if isinstance(value, (list, tuple)):
        return tuple(map(frozen, value))
    found: Hashable = value
    return found
