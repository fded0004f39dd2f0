"""What of an applied configuration is not of its type, in the words of structured-merge-diff's typed/validate.go."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sampan.api.apply.elements import ElementError, shown
from sampan.api.apply.places import Kind, Place
from sampan.api.schema import Type

Value = Any
"""A JSON value."""

_NUMBERS: Final = (Type.INT32, Type.INT64, Type.NUMBER)
_TEXTS: Final = (Type.STRING, Type.BYTES)
_OBJECTS: Final = (Type.OBJECT, Type.MAP, Type.FREE)


def explain(place: Place, value: Value) -> str:
    """ "" for what is valid."""
    problems = _problems(place, value)
    if len(problems) < 2:
        return "".join(problems)
    return "\n  ".join(["errors:", *problems])


def _problems(place: Place, value: Value) -> list[str]:
    schema = place.schema
    if schema is None or schema.type is Type.ANY or value is None:
        return []
    if schema.type in _OBJECTS:
        if schema.type is Type.FREE and place.kind is Kind.WHOLE:
            return []
        return _of_fields(place, value) if isinstance(value, dict) else [f"expected map, got &{{{_go(value)}}}"]
    if schema.type is Type.LIST:
        return _of_items(place, value) if isinstance(value, list) else [f"expected list, got &{{{_go(value)}}}"]
    return _of_scalar(schema.type, value)


def _of_scalar(kind: Type, value: Value) -> list[str]:
    if kind in _NUMBERS:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        return [] if good else [f"expected numeric (int or float), got {_go_type(value)}"]
    if kind in _TEXTS:
        return [] if isinstance(value, str) else [f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"]
    if kind is Type.BOOLEAN:
        return [] if isinstance(value, bool) else [f"expected boolean, got &{{{_go(value)}}}"]
    return [f"expected any scalar, got &{{{_go(value)}}}"] if isinstance(value, (dict, list)) else []


def _of_fields(place: Place, value: dict[str, Value]) -> list[str]:
    found: list[str] = []
    for name, inner in value.items():
        if not place.knows(name):
            return [*found, f".{name}: field not declared in schema"]
        found += _below(f".{name}", _problems(place.field(name), inner))
    return found


def _of_items(place: Place, items: list[Value]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        path = f"[{index}]"
        if place.kind in (Kind.SET, Kind.KEYED):
            try:
                element = place.element(item)
            except ElementError as error:
                return [*found, f"element {index}: {error}"]
            path = shown(element)
            if element in seen:
                found.append(f"duplicate entries for key {path}")
            seen.add(element)
        found += _below(path, _problems(place.items, item))
    return found


def _below(path: str, problems: list[str]) -> list[str]:
    """What is wrong within a place begins with its path, or tells its own."""
    return [path + problem if problem[0] in ".[" else f"{path}: {problem}" for problem in problems]


def _go_type(value: Value) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list):
        return "[]interface {}"
    return "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "float64"


def _go(value: Value) -> str:
    """As Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if value is not None else "<nil>"
