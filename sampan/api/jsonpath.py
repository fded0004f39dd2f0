"""JSONPath as Kubernetes has it, compiled to closures: printer columns and selectable fields of custom resources.

https://kubernetes.io/docs/reference/kubectl/jsonpath/, but for what only templates need (text around, range and end). Absent
fields are no results; what cannot be (the third of two items) raises JSONPathError.

    ready = compile_path('.status.conditions[?(@.type=="Ready")].status')
    ready(tree)     # ["True"]
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

from sampan.lib.remember import remember

Value = Any
"""A JSON value."""
Step = Callable[[list[Value]], list[Value]]
Finder = Callable[[Value], list[Value]]


class JSONPathError(ValueError):
    """Not a path, or one that cannot be followed in an object."""


_DICT_KEY: Final = re.compile(r"'([^']*)'").fullmatch
_SLICE: Final = re.compile(r"(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?").fullmatch
_COMPARISON: Final = re.compile(r"([^!<>=]+)([!<>=]+)(.+?)", re.DOTALL).fullmatch
_NUMBER: Final = re.compile(r"[+-]?[0-9.]*")
_TERMINATORS: Final = frozenset(" \t\r\n.,[]$@{}")


@remember(4096)
def compile_path(text: str) -> Finder:
    """From the inside of the braces, ".spec.replicas", to a function of an object that gives all results. Raises
    JSONPathError."""
    steps = _Parser(text).steps()

    def find(value: Value) -> list[Value]:
        return _run(steps, [value])

    return find


def _run(steps: list[Step], values: list[Value]) -> list[Value]:
    for step in steps:
        values = step(values)
    return values


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def steps(self) -> list[Step]:
        found: list[Step] = []
        while self.at < len(self.text):
            step = self._next()
            if step is not None:
                found.append(step)
        return found

    def _next(self) -> Step | None:
        text, start = self.text, self.at
        if text.startswith("[?(", start):
            return self._filter()
        if text.startswith("..", start):
            return self._descend()
        character = text[start]
        self.at += 1
        if character in " @$":
            return None
        if character == "[":
            return self._brackets()
        if character == ".":
            return self._field()
        if character in "\"'":
            return self._quoted(character)
        if character in "+-" or character.isdecimal():
            return self._number(start)
        if character == "_" or character.isalpha():
            return self._word(start)
        raise JSONPathError(f"unrecognized character in action: U+{ord(character):04X} '{character}'")

    def _field(self) -> Step:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _TERMINATORS:
            self.at += 2 if self.text[self.at] == "\\" else 1
        name = self.text[start : self.at].replace("\\", "")
        return _members if name == "*" else _field(name)

    def _descend(self) -> Step:
        self.at += 2
        rest = self.text[self.at : self.at + 1]
        if not (rest == "_" or rest.isalnum()):
            return _descendants
        field = self._field()
        return lambda values: field(_descendants(values))

    def _brackets(self) -> Step:
        end = self.text.find("]", self.at)
        if end < 0:
            raise JSONPathError("unterminated array")
        inside, self.at = self.text[self.at : end], end + 1
        if inside == "*":
            inside = ":"
        if "," in inside:
            parts = [_Parser(f"[{part.strip(' ')}]").steps() for part in inside.split(",")]
            return lambda values: [result for steps in parts for result in _run(steps, values)]
        key = _DICT_KEY(inside)
        if key is not None:
            steps = _Parser(f".{key[1]}").steps()
            return lambda values: _run(steps, values)
        return _slice(inside)

    def _filter(self) -> Step:
        self.at += 3
        start, quote = self.at, ""
        while True:
            character = self.text[self.at : self.at + 1]
            if character in ("", "\n"):
                raise JSONPathError("unterminated filter")
            self.at += 1
            if quote:
                quote = "" if character == quote and self.text[self.at - 2] != "\\" else quote
            elif character in "\"'":
                quote = character
            elif character == ")":
                break
        inside = self.text[start : self.at - 1]
        if self.text[self.at : self.at + 1] != "]":
            raise JSONPathError("unclosed array expect ]")
        self.at += 1
        return _filter(inside)

    def _quoted(self, quote: str) -> Step:
        start = self.at
        while self.text[self.at : self.at + 1] != quote or self.text[self.at - 1] == "\\":
            if self.text[self.at : self.at + 1] in ("", "\n"):
                raise JSONPathError("unterminated quoted string")
            self.at += 1
        literal = re.sub(r"\\(.)", r"\1", self.text[start : self.at])
        self.at += 1
        return lambda values: [literal]

    def _number(self, start: int) -> Step:
        match = _NUMBER.match(self.text, start)
        assert match is not None
        self.at = match.end()
        try:
            number = float(match[0]) if "." in match[0] else int(match[0])
        except ValueError:
            raise JSONPathError(f"cannot parse number {match[0]}") from None
        return lambda values: [number] * len(values)

    def _word(self, start: int) -> Step:
        while self.at < len(self.text) and self.text[self.at] not in _TERMINATORS:
            self.at += 1
        word = self.text[start : self.at]
        if word not in ("true", "false"):
            raise JSONPathError(f"unrecognized identifier {word}")
        return lambda values: [word == "true"] * len(values)


def _field(name: str) -> Step:
    def step(values: list[Value]) -> list[Value]:
        return [value[name] for value in values if isinstance(value, dict) and name in value]

    return step


def _children(value: Value) -> list[Value]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, str)) else []


def _members(values: list[Value]) -> list[Value]:
    return [inner for value in values for inner in _children(value)]


def _descendants(values: list[Value]) -> list[Value]:
    """All that has something inside."""
    found: list[Value] = []
    for value in values:
        inside = _children(value) if not isinstance(value, str) else []
        if inside:
            found += [value, *_descendants(inside)]
    return found


def _slice(inside: str) -> Step:
    match = _SLICE(inside)
    if match is None or (match[1] in ("", "-") and not match[2]):
        raise JSONPathError(f"invalid array index {inside}")
    low, high, by = (None if part is None else part.lstrip(":") for part in match.groups())
    try:
        first = int(low) if low else 0
        last = first + 1 if high is None else int(high) if high else None
        step = int(by) if by else 1
    except ValueError:
        raise JSONPathError(f"invalid array index {inside}") from None

    def slice_of(values: list[Value]) -> list[Value]:
        found: list[Value] = []
        for value in values:
            if value is not None:
                found += _sliced(value, first, last, step, derived=high is None)
        return found

    return slice_of


def _sliced(value: Value, first: int, last: int | None, step: int, *, derived: bool) -> list[Value]:
    if not isinstance(value, list):
        raise JSONPathError("is not array or slice")
    length = len(value)
    low = first + length if first < 0 else first
    high = length if last is None else last
    if high < 0 or (high == 0 and derived):
        high += length
    if low == high:
        return []
    if not 0 <= low < length or not 0 <= high <= length or low > high:
        raise JSONPathError(f"array index out of bounds: index {low}, length {length}")
    if step <= 0:
        raise JSONPathError("step must be > 0")
    found: list[Value] = value[low:high:step]
    return found


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _filter(inside: str) -> Step:
    match = _COMPARISON(inside)
    left = _Parser(match[1] if match else inside).steps()
    if match is None:
        return lambda values: [item for value in values for item in _items(value) if _run(left, [item])]
    right, compare = _Parser(match[3]).steps(), _OPERATORS.get(match[2])
    if compare is None:
        raise JSONPathError(f"unrecognized filter operator {match[2]}")

    def holds(item: Value) -> bool:
        lefts, rights = _run(left, [item]), _run(right, [item])
        if len(lefts) > 1 or len(rights) > 1:
            raise JSONPathError("can only compare one element at a time")
        if not lefts or not rights:
            return False
        if type(lefts[0]) is not type(rights[0]) or not isinstance(lefts[0], (str, int, float)):
            raise JSONPathError("incompatible types for comparison")
        return compare(lefts[0], rights[0])

    return lambda values: [item for value in values for item in _items(value) if holds(item)]


def _items(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise JSONPathError("is not array or slice and cannot be filtered")
    return value
