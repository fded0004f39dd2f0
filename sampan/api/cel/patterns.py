"""Regular expressions: RE2, as upstream's, so that none can take long."""

from __future__ import annotations

from typing import Any, Final

from re2 import _re2

from sampan.api.cel.errors import CelRuntimeError
from sampan.api.patterns import PatternError, compile_pattern, small_pattern

_ANYWHERE: Final = _re2.RE2.Anchor.UNANCHORED
_NOWHERE: Final = -1


class Pattern:
    """A compiled pattern. The module's own `search` makes an object of each match, which takes longer than most matches do."""

    __slots__ = ("_match", "_small", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._small = small_pattern(text)
        self._match = self._match_large if self._small is None else self._small._regexp.Match

    def _match_large(self, *where: Any) -> Any:
        return self._compiled()._regexp.Match(*where)

    def _compiled(self) -> Any:
        """Large ones are not kept here. Raises CelRuntimeError for one that is too large."""
        if self._small is not None:
            return self._small
        try:
            return compile_pattern(self._text)
        except PatternError as error:
            raise CelRuntimeError(str(error)) from None

    def found_in(self, text: str) -> bool:
        octets = text.encode("utf-8", "replace")
        return bool(self._match(_ANYWHERE, octets, 0, len(octets))[0][0] != _NOWHERE)

    def first(self, text: str) -> str:
        """The first part of a text that it fits, or an empty string."""
        match = self._compiled().search(text)
        return "" if match is None else str(match[0])

    def all(self, text: str, most: int) -> list[str]:
        """So many parts as fit, one after the other; all, where `most` is negative."""
        found: list[str] = []
        end = -1
        for match in self._compiled().finditer(text):
            if len(found) == most:
                break
            # Go leaves out an empty match right after another one.
            if match.end() == match.start() == end:
                continue
            end = match.end()
            found.append(str(match[0]))
        return found


def compiled(text: str) -> Pattern:
    """Raises CelRuntimeError for what is no pattern."""
    try:
        return Pattern(text)
    except PatternError as error:
        raise CelRuntimeError(str(error)) from None
