"""Field selectors, `metadata.name=web,status.phase!=Running`, after k8s.io/apimachinery/pkg/fields.

Import them from `sampan.api.selectors`, beside label selectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

MOST_REQUIREMENTS: Final = 1000
_ESCAPED: Final = "\\,="


class SelectorError(ValueError):
    """Not a selector; the message is upstream's."""


class FieldRequirement(NamedTuple):
    field: str
    operator: str
    """"=" or "!="."""
    value: str


class FieldSelector:
    """All its requirements must hold; without any it matches everything. A field that is absent has the value ""."""

    __slots__ = ("requirements",)

    def __init__(self, requirements: Iterable[FieldRequirement] = ()) -> None:
        self.requirements = tuple(requirements)

    @property
    def empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements

    def matches(self, fields: Mapping[str, str]) -> bool:
        for field, operator, value in self.requirements:  # noqa: SIM110 - a generator doubles the cost of the hot path
            if (fields.get(field, "") == value) != (operator == "="):
                return False
        return True

    def exact(self, field: str) -> str | None:
        """The one value this selector allows for a field, if it names exactly one."""
        for candidate, operator, value in self.requirements:
            if candidate == field and operator == "=":
                return value
        return None

    def transform(self, change: Callable[[str, str], tuple[str, str]]) -> FieldSelector:
        """With every (field, value) passed through `change`, which raises for fields that it does not know."""
        return FieldSelector(
            FieldRequirement(f, r.operator, v) for r in self.requirements for f, v in [change(r.field, r.value)]
        )

    def __str__(self) -> str:
        return ",".join(f"{field}{operator}{escape(value)}" for field, operator, value in self.requirements)


def escape(value: str) -> str:
    """A value as it must stand in a selector's text."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def unescape(text: str) -> str:
    """Raises SelectorError for a bare "=" and for escapes of other characters."""
    if "\\" not in text and "=" not in text and "," not in text:
        return text
    value: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if not character or character not in _ESCAPED:
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{character}")
        elif character in ",=":
            # Upstream prints the rune as its number.
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(character)}")
        value.append(character)
    return "".join(value)


def _terms(text: str) -> list[str]:
    """Split at commas that no backslash precedes."""
    terms: list[str] = []
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == ",":
            terms.append(text[start:position])
            start = position + 1
        position += 1
    return [*terms, text[start:]]


def _split(term: str) -> tuple[str, str, str] | None:
    for position in range(len(term)):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, position):
                return term[:position], operator, term[position + len(operator) :]
    return None


Item = TypeVar("Item")


def bounded(requirements: Iterable[Item]) -> Iterable[Item]:
    """Those of a selector in a query, each once; every object is held against them. Raises SelectorError for too many."""
    found = dict.fromkeys(requirements)
    if len(found) > MOST_REQUIREMENTS:
        raise SelectorError(f"selector has {len(found)} requirements: must have at most {MOST_REQUIREMENTS}")
    return found


def parse_fields(text: str) -> FieldSelector:
    """A field selector as it stands in a query. Raises SelectorError (a ValueError)."""
    requirements: list[FieldRequirement] = []
    for term in sorted(_terms(text)):
        if not term:
            continue
        parts = _split(term)
        if parts is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = parts[0], parts[1], unescape(parts[2])
        if field or value:  # a bare operator asks for nothing
            requirements.append(FieldRequirement(field, "!=" if operator == "!=" else "=", value))
    return FieldSelector(bounded(requirements))
