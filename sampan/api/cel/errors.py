"""What can go wrong with an expression, in cel-go's words and layout.

    ERROR: <input>:1:5: undeclared reference to 'x' (in container '')
     | 1 + x
     | ....^

After github.com/google/cel-go/common/error.go and errors.go.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from sampan.api.cel.limits import MAX_SYNTAX_ERRORS

NOWHERE: Final = -1
"""The offset of an issue that no place in the text is to blame for."""
_MAX_SNIPPET = 16384


class CelError(Exception):
    """An expression that is no expression, or has no type. The message has one block an issue, in order of place."""


class CelProgramError(CelError):
    """An expression that is well typed and can never run, as `int('x')` or a pattern that is none."""


class CelRuntimeError(Exception):
    """An evaluation that has no value."""


class CostExceeded(CelRuntimeError):
    """An evaluation that was stopped because it did too much. Nothing absorbs it."""

    def __init__(self, message: str = "operation cancelled: actual cost limit exceeded") -> None:
        super().__init__(message)


def no_such_overload(function: str = "") -> CelRuntimeError:
    """`function`: if it is the first operand, or the only one, that the function does not take at all."""
    return CelRuntimeError(f"no such overload: {function}" if function else "no such overload")


class Issue(NamedTuple):
    """At an offset in the text, in code points."""

    offset: int
    message: str


class Issues:
    """What was found wrong with a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Issue] = []
        self._starts = [0, *(index + 1 for index, character in enumerate(text) if character == "\n")]

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, offset: int, message: str) -> None:
        self._found.append(Issue(offset, message))

    def error(self) -> CelError:
        return CelError(self._shown())

    def place(self, offset: int) -> tuple[int, int]:
        """Line, from 1, and column, from 0."""
        if offset == NOWHERE:
            return -1, -1
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1]

    def _shown(self) -> str:
        placed = sorted(
            ((self.place(issue.offset), issue.message) for issue in self._found[:MAX_SYNTAX_ERRORS]), key=lambda p: p[0]
        )
        shown = [self._block(line, column, message) for (line, column), message in placed]
        if len(self._found) > MAX_SYNTAX_ERRORS:
            shown.append(f"{len(self._found) - MAX_SYNTAX_ERRORS} more errors were truncated")
        return "\n".join(shown)

    def _block(self, line: int, column: int, message: str) -> str:
        head = f"ERROR: <input>:{line}:{column + 1}: {message}"
        if line < 1 or not self._text:
            return head
        start = self._starts[line - 1]
        end = self._starts[line] - 1 if line < len(self._starts) else len(self._text)
        snippet = self._text[start:end].replace("\t", " ")
        if len(snippet) > _MAX_SNIPPET:
            return head
        before = "".join("．" if character > "\x7f" else "." for character in snippet[:column])
        mark = "＾" if snippet[column : column + 1] > "\x7f" else "^"
        return f"{head}\n | {snippet}\n | {before}{mark}"
