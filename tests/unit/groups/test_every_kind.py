"""Every kind that can be created has a row of its defaults and of its rules."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.samples import sample
from tests.unit.groups.kindrows import ROWS
from tests.unit.groups.kinds import Tree, create_errors, created, merged


def kinds() -> list[Resource]:
    """Those that are stored as themselves: the events of the core group share a row with the newer ones."""
    return [each for each in builtin() if {"create", "delete"} <= set(each.verbs) and each.stored_as is None]


def added(after: Any, before: Any, path: str = "") -> Tree:
    """What differs from `before`, by path."""
    if isinstance(after, dict) and isinstance(before, dict):
        result: Tree = {}
        for key, value in after.items():
            below = f"{path}.{key}" if path else key
            result |= added(value, before[key], below) if key in before else {below: value}
        return result
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return {k: v for i, pair in enumerate(zip(after, before, strict=True)) for k, v in added(*pair, f"{path}[{i}]").items()}
    return {} if after == before else {path: after}


def small(resource: Resource) -> Tree:
    tree = sample(resource)
    tree["metadata"]["uid"] = "u"
    if resource.namespaced:
        tree["metadata"]["namespace"] = "default"
    return tree


def matches(text: str, expected: str) -> bool:
    return text.startswith(expected[:-1]) if expected.endswith("…") else text == expected


def test_every_kind_has_its_row() -> None:
    assert {each.kind for each in kinds()} == set(ROWS)


@pytest.mark.parametrize("resource", kinds(), ids=lambda each: each.kind)
def test_defaults_and_rules(resource: Resource) -> None:
    row, tree = ROWS[resource.kind], small(resource)
    assert added(created(resource, tree), tree) == row.added
    assert create_errors(resource, tree) == []
    errors = create_errors(resource, merged(tree, row.wrong))
    assert len(errors) == len(row.errors), errors
    for text, expected in zip(errors, row.errors, strict=True):
        assert matches(text, expected), text
