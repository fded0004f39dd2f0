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


class Passed:
    """Texts that a check let pass, so that it need not be made of them again."""

    def __init__(self, entries: int, longest: int) -> None:
        self._entries = entries
        self._longest = longest
        self._texts: set[bytes] = set()

    def __contains__(self, text: bytes) -> bool:
        return text in self._texts

    def add(self, text: bytes) -> None:
        if len(text) > self._longest:
            return
        if len(self._texts) >= self._entries:
            self._texts.clear()
        self._texts.add(text)
