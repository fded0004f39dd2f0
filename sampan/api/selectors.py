"""Label and field selectors: their grammars, their errors, and matching on the watch fan-out's hot path.

After k8s.io/apimachinery/pkg/labels and .../fields. A selector is compiled once: its equalities become plain pairs that are
tested first, so that the usual `app=web` costs one dictionary look-up an object.

    >>> parse_labels("app=web,tier in (front,back),!legacy").matches({"app": "web", "tier": "back"})
    True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from sampan.api import names
from sampan.api.fieldselectors import FieldRequirement, FieldSelector, SelectorError, bounded, parse_fields
from sampan.api.integers import parse_int64

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldRequirement",
    "FieldSelector",
    "LabelSelector",
    "Requirement",
    "SelectorError",
    "from_label_selector",
    "from_labels",
    "parse_fields",
    "parse_labels",
    "requirement",
]

IN: Final = "in"
NOT_IN: Final = "notin"
EQUALS: Final = "="
DOUBLE_EQUALS: Final = "=="
NOT_EQUALS: Final = "!="
EXISTS: Final = "exists"
DOES_NOT_EXIST: Final = "!"
GREATER_THAN: Final = "gt"
LESS_THAN: Final = "lt"

_BINARY: Final = (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER_THAN, LESS_THAN)
_integer = re.compile(r"[+-]?[0-9]+").fullmatch


class Requirement(NamedTuple):
    key: str
    operator: str
    values: tuple[str, ...] = ()
    """Sorted, without repeats."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """`labels` may be empty, never None."""
        operator = self.operator
        if operator == EXISTS:
            return self.key in labels
        if operator == DOES_NOT_EXIST:
            return self.key not in labels
        value = labels.get(self.key)
        if operator in (NOT_IN, NOT_EQUALS):
            return value is None or value not in self.values
        if value is None:
            return False
        if operator in (GREATER_THAN, LESS_THAN):
            if not _integer(value):
                return False
            difference = int(value) - int(self.values[0])
            return difference > 0 if operator == GREATER_THAN else difference < 0
        return value in self.values

    def __str__(self) -> str:
        values = ",".join(self.values)
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({values})"
            case "gt":
                return f"{self.key}>{values}"
            case "lt":
                return f"{self.key}<{values}"
            case _:
                return f"{self.key}{self.operator}{values}"


class LabelSelector:
    """All its requirements must hold; without any it matches everything. `nothing` matches no object at all."""

    __slots__ = ("_equal", "_others", "nothing", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = (), *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda r: r.key))
        self.nothing = nothing
        exact = (EQUALS, DOUBLE_EQUALS, IN)
        self._equal = [(r.key, r.values[0]) for r in self.requirements if r.operator in exact and len(r.values) == 1]
        self._others = [r for r in self.requirements if r.operator not in exact or len(r.values) != 1]

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        if self.nothing:
            return False
        if not labels:
            labels = {}
        for key, value in self._equal:
            if labels.get(key) != value:
                return False
        return all(requirement.matches(labels) for requirement in self._others) if self._others else True

    def exact(self, key: str) -> str | None:
        """The one value this selector allows for a label, if it names exactly one."""
        for equal_key, value in self._equal:
            if equal_key == key:
                return value
        return None

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelSelector):
            return NotImplemented
        return (self.requirements, self.nothing) == (other.requirements, other.nothing)

    def __hash__(self) -> int:
        return hash((self.requirements, self.nothing))


EVERYTHING: Final = LabelSelector()
NOTHING: Final = LabelSelector(nothing=True)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _go_strings(values: Sequence[str]) -> str:
    return "[" + ",".join(map(_quoted, values)) + "]"


def _checked_key(key: str, path: str) -> None:
    if problems := names.qualified_name(key):
        raise SelectorError(f"{path}: Invalid value: {_quoted(key)}: {'; '.join(problems)}")


def requirement(key: str, operator: str, values: Sequence[str] = ()) -> Requirement:
    """A checked requirement. Raises SelectorError."""
    _checked_key(key, "key")
    shown = _go_strings(values)
    if operator in (IN, NOT_IN):
        if not values:
            raise SelectorError(f"values: Invalid value: {shown}: for 'in', 'notin' operators, values set can't be empty")
    elif operator in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS):
        if len(values) != 1:
            raise SelectorError(f"values: Invalid value: {shown}: exact-match compatibility requires one single value")
    elif operator in (EXISTS, DOES_NOT_EXIST):
        if values:
            raise SelectorError(f"values: Invalid value: {shown}: values set must be empty for exists and does not exist")
    elif operator in (GREATER_THAN, LESS_THAN):
        if len(values) != 1:
            raise SelectorError(f"values: Invalid value: {shown}: for 'Gt', 'Lt' operators, exactly one value is required")
        try:
            parse_int64(values[0])
        except ValueError:
            reason = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise SelectorError(f"values[0]: Invalid value: {_quoted(values[0])}: {reason}") from None
    else:
        supported = ", ".join(_quoted(o) for o in (*_BINARY, EXISTS, DOES_NOT_EXIST))
        raise SelectorError(f"operator: Unsupported value: {_quoted(operator)}: supported values: {supported}")
    for index, value in enumerate(values):
        if problems := names.label_value(value):
            path = f"values[{index}][{key}]"
            raise SelectorError(f"{path}: Invalid value: {_quoted(value)}: {'; '.join(problems)}")
    return Requirement(key, operator, tuple(sorted(set(values))))


_token = re.compile(r"[ \t\r\n]*(?:([^ \t\r\n=!(),<>]+)|(==|!=|=|!|\(|\)|,|<|>)|$)")
_WORDS: Final = (IN, NOT_IN)
_SYMBOLS: Final = {"=": EQUALS, "==": DOUBLE_EQUALS, "!=": NOT_EQUALS, ">": GREATER_THAN, "<": LESS_THAN}


class _Parser:
    """Recursive descent over upstream's grammar; a token is (is a word, text), the end is (False, "")."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[bool, str]] = []
        position = 0
        # NUL ends the text, as in upstream's lexer.
        text = text.partition("\0")[0]
        while position < len(text):
            match = _token.match(text, position)
            assert match is not None
            if match[1] is None and match[2] is None:
                break
            self.tokens.append((match[1] is not None, match[1] or match[2]))
            position = match.end()
        self.tokens.append((False, ""))
        self.at = 0

    def peek(self) -> tuple[bool, str]:
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def take(self) -> tuple[bool, str]:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        while True:
            is_word, text = self.peek()
            if not is_word and text == "":
                return requirements
            if not is_word and text != "!":
                _expected(text, "!, identifier, or 'end of string'")
            try:
                requirements.append(self.requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            is_word, text = self.take()
            if is_word or text not in ("", ","):
                _expected(text, "',' or 'end of string'")
            if text == "":
                return requirements
            is_word, text = self.peek()
            if not is_word and text != "!":
                _expected(text, "identifier after ','")

    def requirement(self) -> Requirement:
        is_word, key = self.take()
        negated = not is_word and key == "!"
        if negated:
            is_word, key = self.take()
        if not is_word:
            _expected(key, "identifier")
        _checked_key(key, "<nil>")
        if self.peek() in ((False, ""), (False, ",")):
            return requirement(key, DOES_NOT_EXIST if negated else EXISTS)
        if negated:
            # Upstream takes "!key" followed by anything for a requirement, and then stumbles over what follows.
            return requirement(key, DOES_NOT_EXIST)
        operator = self.operator()
        return requirement(key, operator, self.value_set() if operator in _WORDS else self.exact_value())

    def operator(self) -> str:
        is_word, text = self.take()
        if is_word and text in _WORDS:
            return text
        if is_word or text not in _SYMBOLS:
            _expected(text, ", ".join(_BINARY))
        return _SYMBOLS[text]

    def exact_value(self) -> list[str]:
        is_word, text = self.peek()
        if not is_word and text in ("", ","):
            return [""]
        self.take()
        if not is_word:
            _expected(text, "identifier")
        return [text]

    def value_set(self) -> list[str]:
        is_word, text = self.take()
        if is_word or text != "(":
            raise SelectorError(f"found '{text}' expected: '('")
        is_word, text = self.peek()
        if not is_word and text == ")":
            self.take()
            return [""]
        if not is_word and text != ",":
            _expected(text, "',', ')' or identifier")
        values = self.identifiers()
        self.take()
        return sorted(values)

    def identifiers(self) -> set[str]:
        """Up to the closing parenthesis, which is left; an empty place between commas is the empty value."""
        values: set[str] = set()
        while True:
            is_word, text = self.take()
            following = self.peek()
            if is_word:
                values.add(text)
                if following == (False, ")"):
                    return values
                if following != (False, ","):
                    _expected(following[1], "',' or ')'")
            elif text == ",":
                if not values:
                    values.add("")
                if following == (False, ")"):
                    values.add("")
                    return values
                if following == (False, ","):
                    values.add("")
            else:
                _expected(text, "',', or identifier")


def _expected(found: str, expected: str) -> NoReturn:
    raise SelectorError(f"found '{found}', expected: {expected}")


def parse_labels(text: str) -> LabelSelector:
    """A label selector as it stands in a query. Raises SelectorError (a ValueError)."""
    if not text:
        return EVERYTHING
    return LabelSelector(bounded(_Parser(text).parse()))


def from_labels(labels: Mapping[str, str] | None) -> LabelSelector:
    """One that wants exactly these labels, unchecked: a Service's or ReplicationController's selector."""
    return LabelSelector(Requirement(key, EQUALS, (value,)) for key, value in (labels or {}).items())


_TREE_OPERATORS: Final = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}


def from_label_selector(selector: Any) -> LabelSelector:
    """From a `metav1.LabelSelector`, tree or struct: None selects nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    if isinstance(selector, Mapping):
        labels: Mapping[str, str] = selector.get("matchLabels") or {}
        expressions = [
            (e.get("key", ""), e.get("operator", ""), e.get("values") or []) for e in selector.get("matchExpressions") or ()
        ]
    else:
        labels = selector.matchLabels or {}
        expressions = [(e.key, e.operator, e.values or []) for e in selector.matchExpressions or ()]
    requirements = [requirement(key, EQUALS, [value]) for key, value in labels.items()]
    for key, operator, values in expressions:
        if operator not in _TREE_OPERATORS:
            raise SelectorError(f"{_quoted(operator)} is not a valid label selector operator")
        requirements.append(requirement(key, _TREE_OPERATORS[operator], values))
    return LabelSelector(requirements)
