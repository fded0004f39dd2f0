"""Printer columns and selectable fields of a custom resource.

After k8s.io/apiextensions-apiserver/pkg/registry/customresource/{tableconvertor,strategy.go}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sampan.api.crd.structure import Tree, Value
from sampan.api.fasttypes import canonical_time
from sampan.api.gotext import go_json, go_plain
from sampan.api.groups.columns import NAME, since
from sampan.api.jsonpath import Finder, JSONPathError, compile_path
from sampan.api.resource import Column
from sampan.api.resource import Value as Cell

_AGE_HELP: Final = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be "
    "set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 "
    "form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_DEFAULT: Final[tuple[Tree, ...]] = (
    {"name": "Age", "type": "date", "description": _AGE_HELP, "jsonPath": ".metadata.creationTimestamp"},
)


def build_columns(definitions: Sequence[Tree] | None) -> tuple[Column, ...]:
    """Name, and then what a version defines; its age where it defines nothing. From the first path that cannot be understood
    on, there are no columns."""
    columns = [NAME]
    for definition in definitions or _DEFAULT:
        path: str = definition["jsonPath"]
        try:
            find = compile_path(path)
        except JSONPathError:
            break
        columns.append(
            Column(
                definition["name"],
                _CELLS.get(definition["type"], _string_cell)(find),
                definition["type"],
                definition.get("priority", 0),
                definition.get("format", ""),
                definition.get("description") or f"Custom resource definition column (in JSONPath format): {path}",
            )
        )
    return tuple(columns)


def _first(find: Finder, tree: Tree) -> tuple[bool, Value]:
    try:
        found = find(tree)
    except JSONPathError:
        return False, None
    return (True, found[0]) if found else (False, None)


def _string_cell(find: Finder) -> Callable[[Tree, float], Cell]:
    def cell(tree: Tree, now: float) -> Cell:
        there, value = _first(find, tree)
        if not there:
            return None
        if isinstance(value, (dict, list)):
            return go_json(value)
        return "<no value>" if value is None else go_plain(value)

    return cell


def _integer_cell(find: Finder) -> Callable[[Tree, float], Cell]:
    def cell(tree: Tree, now: float) -> Cell:
        value = _first(find, tree)[1]
        return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    return cell


def _number_cell(find: Finder) -> Callable[[Tree, float], Cell]:
    def cell(tree: Tree, now: float) -> Cell:
        value = _first(find, tree)[1]
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    return cell


def _boolean_cell(find: Finder) -> Callable[[Tree, float], Cell]:
    def cell(tree: Tree, now: float) -> Cell:
        value = _first(find, tree)[1]
        return value if isinstance(value, bool) else None

    return cell


def _date_cell(find: Finder) -> Callable[[Tree, float], Cell]:
    def cell(tree: Tree, now: float) -> Cell:
        value = _first(find, tree)[1]
        if not isinstance(value, str):
            return None
        try:
            return since(canonical_time(value) if value else None, now)
        except ValueError:
            return "<invalid>"

    return cell


_CELLS: Final = {"integer": _integer_cell, "number": _number_cell, "boolean": _boolean_cell, "date": _date_cell}


def build_selectable(fields: Sequence[Tree] | None) -> Mapping[str, Callable[[Tree], str]]:
    """Field selectors: "spec.color" → the value of an object in words."""
    selectable: dict[str, Callable[[Tree], str]] = {}
    for field in fields or ():
        path: str = field["jsonPath"]
        selectable[path.removeprefix(".")] = _selectable(compile_path(path))
    return selectable


def _selectable(find: Finder) -> Callable[[Tree], str]:
    def value_of(tree: Tree) -> str:
        there, value = _first(find, tree)
        return go_plain(value) if there and value is not None else ""

    return value_of
