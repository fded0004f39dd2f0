"""Whatever has the right types may be wrong, but must not break a kind: random objects drawn from the schemas."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from sampan.api import definitions
from sampan.api.groups.columnhelp import column_help
from sampan.api.groups.validation.metadata import validate_metadata, validate_metadata_update
from sampan.api.resource import Resource
from sampan.api.schema import schema_of
from sampan.api.scheme import builtin
from sampan.apiserver.registry.table import columns_of
from tests.unit.groups.kinds import NOW, Tree

ROUNDS = 150
WORDS = (
    "",
    "a",
    "web",
    "A b",
    "..",
    "10.0.0.1",
    "fd00::1",
    "None",
    "Always",
    "ClusterIP",
    "NodePort",
    "ExternalName",
    "50%",
    "In",
)
NUMBERS = (-1, 0, 1, 2, 80, 70000)
QUANTITIES = ("1", "100m", "1Gi", "-1", "0")
TIME = "2023-11-14T22:08:20Z"


class Drawing:
    """Random values of a definition; deeper ones are emptier, so that recursion ends."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, raw: Tree, depth: int) -> Any:
        if name := definitions.referenced(raw):
            return self.reference(name, depth)
        type_ = definitions.plain_type(raw)
        if type_ == "array":
            return [self.value(raw["items"], depth + 1) for _ in range(self.random.choice((0, 1, 1, 2)))]
        if type_ == "object":
            if "properties" in raw:
                return self.fields(raw, depth)
            values = raw.get("additionalProperties", {})
            return {self.random.choice(WORDS): self.value(values, depth + 1) for _ in range(self.random.choice((0, 1, 2)))}
        return self.scalar(type_, raw.get("format"))

    def reference(self, name: str, depth: int) -> Any:
        short = name.rpartition(".")[2]
        if short == "Quantity":
            return self.random.choice(QUANTITIES)
        if short == "IntOrString":
            return self.random.choice((0, 1, 80, "http", "25%"))
        if short in ("Time", "MicroTime"):
            return TIME
        return self.value(definitions.definition(name), depth)

    def scalar(self, type_: Any, format_: Any) -> Any:
        if type_ in ("integer", "number"):
            return self.random.choice(NUMBERS)
        if type_ == "boolean":
            return self.random.random() < 0.5
        return TIME if format_ == "date-time" else "YQ==" if format_ == "byte" else self.random.choice(WORDS)

    def fields(self, raw: Tree, depth: int) -> Tree:
        likely = 0.8 if depth < 2 else 0.35 if depth < 7 else 0.1
        needed = raw.get("required", ())
        return {
            name: self.value(field, depth + 1)
            for name, field in raw["properties"].items()
            if (name in needed and depth < 9) or self.random.random() < likely
        }


def drawn(resource: Resource, seed: int) -> Tree:
    tree: Tree = Drawing(seed).value(definitions.definition(resource.definition), 0)
    tree["apiVersion"], tree["kind"] = resource.group_version, resource.kind
    meta: Tree = tree.setdefault("metadata", {})
    for field in ("resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields"):
        meta.pop(field, None)
    return tree


STORED = [resource for resource in builtin() if "list" in resource.verbs]


def admitted(resource: Resource, seed: int) -> Tree | None:
    """An object as the server decodes it; None where the draw did not even have the right types."""
    schema = schema_of(resource.definition)
    tree = drawn(resource, seed)
    if schema.check(tree):
        return None
    return schema.admit_tree(tree).tree


def create(resource: Resource, tree: Tree) -> Tree:
    resource.complete(tree)
    again = copy.deepcopy(tree)
    resource.complete(again)
    assert again == tree, "defaults are stable"
    resource.strategy.prepare_create(tree)
    validate_metadata(tree, resource.namespaced, resource.name_is_valid)
    resource.strategy.validate(tree)
    meta = tree["metadata"] | {"resourceVersion": "1", "creationTimestamp": TIME}
    return copy.deepcopy(tree) | {"metadata": meta}


def update(resource: Resource, new: Tree, old: Tree) -> None:
    strategy = resource.strategy
    resource.complete(new)
    status = copy.deepcopy(new)
    strategy.prepare_update(new, old)
    validate_metadata_update(new, old)
    strategy.validate(new)
    strategy.validate_update(new, old)
    if strategy.validate_change is not None:
        strategy.validate_change(new, old)
    if strategy.warn is not None:
        strategy.warn(new, old)
    strategy.prepare_status(status, old)
    strategy.validate_status(status, old)


def show(resource: Resource, tree: Tree) -> None:
    for column in resource.columns:
        if callable(column.cell):
            assert isinstance(column.cell(tree, NOW), str | int | None)
    for value in resource.selectable.values():
        assert isinstance(value(tree), str)
    if resource.strategy.default_grace_seconds is not None:
        assert resource.strategy.default_grace_seconds(tree) >= 0


@pytest.mark.parametrize("resource", STORED, ids=lambda resource: f"{resource.plural}.{resource.group}")
def test_no_object_of_the_right_types_breaks_a_kind(resource: Resource) -> None:
    tried = 0
    for seed in range(ROUNDS):
        tree, new = admitted(resource, seed), admitted(resource, seed + ROUNDS)
        if tree is None or new is None:
            continue
        tried += 1
        old = create(resource, tree)
        update(resource, new, old)
        show(resource, old)
    assert tried > ROUNDS // 3


def test_every_column_says_what_it_shows() -> None:
    silent = [
        (resource.kind, column.name)
        for resource in builtin()
        if "list" in resource.verbs
        for column in columns_of(resource)
        if not (column.description or column_help(resource, column.name))
    ]
    assert silent == [("RuntimeClass", "Handler")]  # as upstream's
