"""Whether a custom object is good, as fast as can be told: a C pass by `fasttypes`, then the keywords that it does not know.

Says yes or no. Why it is no, `values` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.fasttypes import literal_strings, required_fields
from sampan.api.crd.formats import check_of
from sampan.api.crd.structure import META_FIELDS, Structure, Tree, Value
from sampan.api.crd.values import judge
from sampan.api.crd.verdict import Place
from sampan.api.fasttypes import convert_checked
from sampan.api.patterns import PatternError, matches, small_pattern

Check = Callable[[Value], bool]
_HERE: Final = Place("")
_DESCRIPTIVE: Final = frozenset(
    ("type", "description", "title", "default", "example", "externalDocs", "nullable", "properties")
)


class Judge:
    """Of the objects of one schema."""

    def __init__(self, schema: CustomSchema) -> None:
        self._type = schema.custom_decoder.type
        self._rest = _rest(schema.structure)

    def is_good(self, tree: Tree) -> bool:
        """False may yet be forgiven, or be a false alarm; True is certain."""
        try:
            msgspec.convert(tree, self._type, dec_hook=convert_checked)
        except (msgspec.ValidationError, RecursionError):
            return False
        return self._rest is None or self._rest(tree)


def _rest(structure: Structure | None) -> Check | None:
    """What is left to check once the types are right."""
    if structure is None:
        return None
    if structure.preserves_unknown and structure.specifies:
        return lambda value: judge(structure.raw, value, _HERE).is_good
    checks = [check for check in (_own(structure), _of_fields(structure), _of_items(structure)) if check is not None]
    if len(checks) < 2:
        return checks[0] if checks else None
    return lambda value: all(check(value) for check in checks)


def _of_fields(structure: Structure) -> Check | None:
    below: list[tuple[str, Check]] = []
    for name, inner in structure.properties.items():
        check = _whole(inner.raw) if structure.embedded and name in META_FIELDS else _rest(inner)
        if check is not None:
            below.append((name, check))
    values, named = _rest(structure.additional), structure.properties
    if not below and values is None:
        return None

    def check_fields(value: Value) -> bool:
        if not isinstance(value, dict):
            return True
        for name, check in below:
            if name in value and not check(value[name]):
                return False
        return values is None or all(values(inner) for key, inner in value.items() if key not in named)

    return check_fields


def _of_items(structure: Structure) -> Check | None:
    check = _rest(structure.items)
    if check is None:
        return None
    return lambda value: not isinstance(value, list) or all(check(item) for item in value)


def _whole(raw: Tree) -> Check | None:
    """Of what the struct takes for metadata whatever the schema says."""
    if not raw.get("properties") and raw.keys() <= _DESCRIPTIVE:
        return None
    return lambda value: judge(raw, value, _HERE).is_good


def _own(structure: Structure) -> Check | None:
    """The node's own keywords."""
    raw = structure.raw
    left = {key: raw[key] for key in _keywords_left(structure)}
    if not left:
        return None
    if left.keys() == {"pattern"}:
        return _pattern_check(raw["pattern"])
    if left.keys() == {"required"}:
        names = tuple(raw["required"])
        return lambda value: not isinstance(value, dict) or all(name in value for name in names)
    # The type is known to be right, but formats and numbers are judged by it.
    left |= {key: raw[key] for key in ("type", "nullable", "x-kubernetes-int-or-string", "exclusiveMinimum") if key in raw}
    left |= {key: raw[key] for key in ("exclusiveMaximum",) if key in raw}
    return lambda value: judge(left, value, _HERE).is_good


def _keywords_left(structure: Structure) -> list[str]:
    raw = structure.raw
    kept = structure.preserves_unknown or structure.int_or_string
    left = [key for key in ("allOf", "anyOf", "oneOf", "not", "uniqueItems", "multipleOf", "pattern") if raw.get(key)]
    if raw.get("format") and check_of(raw["format"]) is not None:
        left.append("format")
    if raw.get("enum") and not (structure.type == "string" and literal_strings(raw)):
        left.append("enum")
    if structure.type != "integer" or kept:
        left += [key for key in ("minimum", "maximum") if raw.get(key) is not None]
    if kept:
        left += [key for key in ("minLength", "maxLength", "minItems", "maxItems") if raw.get(key) is not None]
    if kept or structure.properties or not structure.has_additional:
        left += [key for key in ("minProperties", "maxProperties") if raw.get(key) is not None]
    if set(raw.get("required") or ()) - (set() if kept else required_fields(structure)):
        left.append("required")
    return left if not _is_plain_int_or_string(structure, left) else []


def _is_plain_int_or_string(structure: Structure, left: list[str]) -> bool:
    """The customary way to say what x-kubernetes-int-or-string says already."""
    return structure.int_or_string and left == ["anyOf"] and structure.raw["anyOf"] == [{"type": "integer"}, {"type": "string"}]


def _pattern_check(pattern: str) -> Check | None:
    try:
        small = small_pattern(pattern)
    except PatternError:
        return lambda value: False
    if small is None:
        return lambda value: not isinstance(value, str) or _is_found(pattern, value)
    search = small.search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _is_found(pattern: str, value: str) -> bool:
    try:
        return matches(pattern, value)
    except PatternError:
        return False
