"""Ranges of sizes and costs, in unsigned numbers of 64 bits that stop at the largest.

After github.com/google/cel-go/checker/cost.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from sampan.api.cel.limits import TRAVERSAL_FACTOR
from sampan.api.cel.syntax import Node
from sampan.api.cel.types import CelType

UNBOUNDED: Final = 2**64 - 1


class Cost(NamedTuple):
    """What an expression costs, at least and at most; UNBOUNDED where nobody can tell."""

    min: int
    max: int


class Range(NamedTuple):
    """A size or a cost, at least and at most."""

    min: int
    max: int

    def plus(self, *others: Range) -> Range:
        low, high = self
        for other in others:
            low, high = low + other.min, high + other.max
        return Range(min(low, UNBOUNDED), min(high, UNBOUNDED))

    def times(self, other: Range) -> Range:
        return Range(min(self.min * other.min, UNBOUNDED), min(self.max * other.max, UNBOUNDED))

    def scaled(self, factor: float) -> Range:
        """Rounded up."""
        return Range(_scaled(self.min, factor), _scaled(self.max, factor))

    def traversed(self, times: float = 1) -> Range:
        """The cost of going through a string of that size."""
        return self.scaled(times * TRAVERSAL_FACTOR)

    def union(self, other: Range) -> Range:
        return Range(min(self.min, other.min), max(self.max, other.max))


def _scaled(amount: int, factor: float) -> int:
    scaled = ceil(float(amount) * factor)
    return UNBOUNDED if scaled >= 2**64 else scaled


def fixed(amount: int) -> Range:
    return Range(amount, amount)


FREE: Final = Range(0, 0)
ONE: Final = Range(1, 1)
UNKNOWN: Final = Range(0, UNBOUNDED)
NOTHING: Final = Range(UNBOUNDED, 0)
"""To unite with others."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A receiver or an argument, with how large it may be."""

    node: Node
    size: Range
    path: tuple[str, ...]
    size_at: Callable[[tuple[str, ...]], Range | None]

    @property
    def type(self) -> CelType:
        return self.node.type

    def element_size(self) -> Range:
        """Of what a list holds."""
        known = self.size_at((*self.path, "@items")) if self.path else None
        return UNKNOWN if known is None else known
