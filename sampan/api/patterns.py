"""Regular expressions of schemas and of CEL: RE2, as upstream's, so that none can take long."""

from __future__ import annotations

from typing import Any

import re2

from sampan.lib.remember import remember

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 64 << 20
_HEAVY_PROGRAM = 5_000
"""Instructions, of some ten bytes each. Clients write patterns, and a few characters of one make a million of them."""


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


class _Heavy(Exception):
    """A compiled pattern that is not to be kept: exceptions are not remembered."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled


def compile_pattern(pattern: str) -> Any:
    """A compiled pattern, to `search` with; who needs it often keeps it. Raises PatternError."""
    try:
        return _compile(pattern)
    except _Heavy as heavy:
        return heavy.compiled


@remember(4096, longest=1024)
def _compile(pattern: str) -> Any:
    try:
        compiled = re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        raise PatternError(_in_words_of_go(pattern, error)) from None
    if compiled.programsize > _HEAVY_PROGRAM:
        raise _Heavy(compiled)
    return compiled


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
