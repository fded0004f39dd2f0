"""Results remembered by what they were made from, as `functools.lru_cache` does, but never by what is long.

Clients choose the names, labels and headers that they send, and some thousand of a megabyte each would fill the memory. What
is looked up time and again is short.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T", str, bytes)
R = TypeVar("R")

LONGEST = 256


def remember(entries: int, longest: int = LONGEST) -> Callable[[Callable[[T], R]], Callable[[T], R]]:
    """For a pure function of one text: keeps its last results for texts up to `longest`."""

    def decorate(function: Callable[[T], R]) -> Callable[[T], R]:
        kept = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def remembering(text: T) -> R:
            return kept(text) if len(text) <= longest else function(text)

        return remembering

    return decorate
