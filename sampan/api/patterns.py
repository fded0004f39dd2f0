"""Regular expressions of schemas and of CEL: RE2, as upstream's, so that none can take long."""

from __future__ import annotations

from typing import Any, Final

import re2

from sampan.lib.remember import remember

_TOO_LARGE: Final = "pattern too large - compile failed"
_LONGEST: Final = 1024
_MOST_INSTRUCTIONS: Final = 4_000_000
"""Of all large patterns that are kept, of some ten bytes each. Clients write patterns, and a few characters of one make a
million instructions, where upstream's Go makes a thousand of them."""


def _options(most_bytes: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = most_bytes
    return options


_OPTIONS: Final = _options(64 << 20)
_SMALL: Final = _options(256 << 10)
"""For finding out that a pattern is larger than that, which takes a millisecond; to compile it may take half a second. Not to
search with: what RE2 remembers of texts must fit in there, too."""


class PatternError(ValueError):
    """Not a regular expression; the message is Go's."""


_REASONS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "bad character class range": "invalid character class range",
    "bad character class": "invalid character class",
    "bad named capture group": "invalid named capture",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "trailing \\": "trailing backslash at end of expression",
    "bad repetition size": "invalid repeat count",
    "invalid repetition size": "invalid repeat count",
    "invalid UTF-8": "invalid UTF-8",
    "invalid escape sequence": "invalid escape sequence",
}
"""RE2's words → those of Go's regexp/syntax, which is the same grammar."""


def compile_pattern(pattern: str) -> Any:
    """A compiled pattern, to `search` with. Raises PatternError."""
    small = small_pattern(pattern) if len(pattern) <= _LONGEST else None
    return _large.compiled(pattern) if small is None else small


@remember(4096, longest=_LONGEST)
def small_pattern(pattern: str) -> Any | None:
    """The compiled pattern, which may be kept; None for one that is large or long, and only to be compiled when it is needed.
    Raises PatternError."""
    try:
        _compiled(pattern, _SMALL)
    except PatternError as error:
        if _TOO_LARGE in str(error):
            return None
        raise
    return _compiled(pattern, _OPTIONS) if len(pattern) <= _LONGEST else None


class _Large:
    """Large and long patterns, as many of the last that were looked for as fit."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._size = 0

    def compiled(self, pattern: str) -> Any:
        found = self._kept.pop(pattern, None)
        if found is None:
            found = _compiled(pattern, _OPTIONS)
            self._size += _size(pattern, found)
        self._kept[pattern] = found
        while self._size > _MOST_INSTRUCTIONS:
            oldest = next(iter(self._kept))
            self._size -= _size(oldest, self._kept.pop(oldest))
        return found


def _size(pattern: str, compiled: Any) -> int:
    return int(compiled.programsize) + len(pattern)


_large: Final = _Large()


def _compiled(pattern: str, options: Any) -> Any:
    """Raises PatternError."""
    try:
        # What re2.compile makes, too; but that keeps the last 128, however large.
        return re2._Regexp(pattern, options)
    except re2.error as error:
        raise PatternError(_in_words_of_go(pattern, error)) from None


def _in_words_of_go(pattern: str, error: Exception) -> str:
    raw = error.args[0] if error.args else ""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    reason, _, at = text.partition(": ")
    return f"error parsing regexp: {_REASONS.get(reason, reason)}: `{_shown(reason, pattern, at)}`"


def _shown(reason: str, pattern: str, at: str) -> str:
    # Go shows the whole pattern where a bracket is missing, RE2 the rest of it.
    return pattern if reason in ("missing )", "unexpected )") else at


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. Raises PatternError."""
    return compile_pattern(pattern).search(text) is not None
