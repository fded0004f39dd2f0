"""What a well typed expression must hold to besides: literals of times and patterns, lists and maps of one type, formats.

After github.com/google/cel-go/cel/validator.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sampan.api.cel import formatchecks
from sampan.api.cel.conversions import string_to_duration, string_to_timestamp
from sampan.api.cel.errors import CelRuntimeError, Issues
from sampan.api.cel.patterns import compiled
from sampan.api.cel.syntax import Call, ListLiteral, Literal, MapLiteral, Node
from sampan.api.cel.types import CelType, Kind

VALIDATED_SINCE: Final = 29
"""The minor version from which on literals are looked at; that lists and maps are of one type was always so."""
_LITERALS: Final[dict[str, Callable[[str], object]]] = {
    "duration": string_to_duration,
    "timestamp": string_to_timestamp,
    "matches": compiled,
}


def validate(root: Node, minor: int, issues: Issues) -> None:
    for node in root.walk():
        if minor >= VALIDATED_SINCE and isinstance(node, Call):
            _validate_call(node, issues)
    _validate_aggregates(root, exempt=False, issues=issues)


def _validate_call(node: Call, issues: Issues) -> None:
    read = _LITERALS.get(node.function)
    argument = node.arguments[0] if node.arguments else None
    if "string_format" in node.overloads:
        formatchecks.check(node, issues)
    if read is None or not isinstance(argument, Literal) or not isinstance(argument.value, str):
        return
    try:
        read(argument.value)
    except CelRuntimeError:
        issues.add(argument.offset, f"invalid {node.function} argument")


def _validate_aggregates(root: Node, exempt: bool, issues: Issues) -> None:
    stack = [(root, exempt)]
    while stack:
        node, exempt = stack.pop()
        if isinstance(node, Call) and node.function == "format":
            exempt = True
        if not exempt and isinstance(node, ListLiteral):
            _validate_list(node, issues)
        if not exempt and isinstance(node, MapLiteral):
            _validate_map(node, issues)
        stack.extend((child, exempt) for child in node.children())


def _validate_list(node: ListLiteral, issues: Issues) -> None:
    first: CelType | None = None
    for index, element in enumerate(node.elements):
        of = _inner(element, index in node.optional)
        if first is None:
            first = of
        elif not _equivalent(first, of):
            _mismatch(element, first, of, issues)
            return


def _validate_map(node: MapLiteral, issues: Issues) -> None:
    key: CelType | None = None
    value: CelType | None = None
    for entry in node.entries:
        of = _inner(entry.value, entry.optional)
        if key is None or value is None:
            key, value = entry.key.type, of
            continue
        if not _equivalent(key, entry.key.type):
            _mismatch(entry.key, key, entry.key.type, issues)
        if not _equivalent(value, of):
            _mismatch(entry.value, value, of, issues)


def _inner(node: Node, optional: bool) -> CelType:
    return node.type.parameters[0] if optional and node.type.parameters else node.type


def _equivalent(first: CelType, second: CelType) -> bool:
    if first.kind is Kind.PARAMETER and second.kind is Kind.PARAMETER:
        return True
    return first == second


def _mismatch(node: Node, expected: CelType, actual: CelType, issues: Issues) -> None:
    issues.add(node.offset, f"expected type '{expected}' but found '{actual}'")
