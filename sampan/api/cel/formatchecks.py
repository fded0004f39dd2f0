"""Calls of `format` whose format stands in the expression: whether its clauses take what they are given.

After the stringFormatValidator of github.com/google/cel-go/ext/formatting.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.errors import Issues
from sampan.api.cel.libraries.formatting import WRONG_TYPES, FormatError, interpolate
from sampan.api.cel.syntax import Call, ListLiteral, Literal, MapLiteral, Node
from sampan.api.cel.types import Kind

_INTEGERS: Final = frozenset((Kind.INT, Kind.UINT))
_REALS: Final = frozenset((Kind.DOUBLE, Kind.STRING))
_SIZED: Final = frozenset((Kind.STRING, Kind.BYTES))
_TAKEN: Final = {
    "d": _INTEGERS,
    "o": _INTEGERS,
    "f": _REALS,
    "e": _REALS,
    "b": _INTEGERS | {Kind.BOOL},
    "x": _INTEGERS | _SIZED,
    "X": _INTEGERS | _SIZED,
    "s": _INTEGERS
    | _SIZED
    | {Kind.LIST, Kind.MAP, Kind.DOUBLE, Kind.BOOL, Kind.TIMESTAMP, Kind.DURATION, Kind.TYPE, Kind.NULL},
}


class _WrongArgument(FormatError):
    def __init__(self, node: Node, letter: str) -> None:
        super().__init__(f"error during formatting: {WRONG_TYPES[letter]}, was given {node.type.name}")
        self.node = node


def check(call: Call, issues: Issues) -> None:
    """Of a call of `format`."""
    text, arguments = call.target, call.arguments[0]
    if not isinstance(text, Literal) or not isinstance(text.value, str) or not isinstance(arguments, ListLiteral):
        return
    elements = arguments.elements

    def clause(letter: str, precision: int, index: int) -> str:
        wrong = _wrong(elements[index], letter)
        if wrong is not None:
            raise _WrongArgument(wrong, letter)
        return ""

    try:
        _, used = interpolate(text.value, len(elements), clause)
    except _WrongArgument as error:
        issues.add(error.node.offset, str(error))
    except FormatError as error:
        issues.add(call.offset, str(error))
    else:
        if len(elements) > used:
            issues.add(call.offset, f"too many arguments supplied to string.format (expected {used}, got {len(elements)})")


def _wrong(node: Node, letter: str) -> Node | None:
    """The part of an argument that the clause does not take."""
    if node.type.kind is not Kind.DYN and node.type.kind not in _TAKEN[letter]:
        return node
    if letter == "s" and isinstance(node, (ListLiteral, MapLiteral)):
        return next((wrong for child in node.children() if (wrong := _wrong(child, letter)) is not None), None)
    return None
