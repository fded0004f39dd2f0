"""How the tables of these tests drive a kind: defaults, rules and cells, in the order the registry uses."""

from __future__ import annotations

import copy
from typing import Any

from sampan.api.errors import FieldError
from sampan.api.groups.validation.metadata import validate_metadata
from sampan.api.resource import Resource

Tree = dict[str, Any]
NOW = 1_700_000_000.0
CREATED = "2023-11-14T22:08:20Z"
"""Five minutes before NOW."""


def merged(base: Tree, change: Tree) -> Tree:
    """A copy of `base` with `change` laid over it; None takes a key away, lists are replaced."""
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def defaulted(resource: Resource, tree: Tree) -> Tree:
    tree = copy.deepcopy(tree)
    tree.setdefault("metadata", {})
    resource.default(tree)
    return tree


def created(resource: Resource, tree: Tree) -> Tree:
    """What a create stores, but for what the server stamps."""
    tree = defaulted(resource, tree)
    resource.strategy.prepare_create(tree)
    return tree


def shown(errors: list[FieldError]) -> list[str]:
    return [f"{error.reason.removeprefix('FieldValue')} {error}" for error in errors]


def create_errors(resource: Resource, tree: Tree) -> list[str]:
    tree = created(resource, tree)
    errors = validate_metadata(tree, resource.namespaced, resource.name_is_valid)
    return shown(errors + resource.strategy.validate(tree))


def update_errors(resource: Resource, old: Tree, change: Tree) -> list[str]:
    """What stands against changing a stored object so."""
    before = created(resource, old)
    before["metadata"]["resourceVersion"] = "5"
    after = defaulted(resource, merged(before, change))
    strategy = resource.strategy
    strategy.prepare_update(after, before)
    if strategy.validate_change is not None:
        return shown(strategy.validate_change(after, before))
    return shown(strategy.validate(after) + strategy.validate_update(after, before))


def status_errors(resource: Resource, old: Tree, before: Tree, after: Tree) -> list[str]:
    stored = created(resource, old) | {"status": before}
    stored["metadata"]["resourceVersion"] = "5"
    new = copy.deepcopy(stored) | {"status": after}
    resource.strategy.prepare_status(new, stored)
    return shown(resource.strategy.validate_status(new, stored))


def row(resource: Resource, tree: Tree, *, wide: bool = True) -> dict[str, Any]:
    """The cells of an object by column, five minutes after its creation."""
    tree = merged({"metadata": {"creationTimestamp": CREATED}}, tree)
    cells: dict[str, Any] = {}
    for column in resource.columns:
        if wide or not column.priority:
            if callable(column.cell):
                cells[column.name] = column.cell(tree, NOW)
            else:
                value: Any = tree
                for name in column.cell.strip(".").split("."):
                    value = value.get(name, {})
                cells[column.name] = value
    return cells
