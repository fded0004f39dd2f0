"""Defaults of a schema, and nulls that mean "absent".

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable
"""

from __future__ import annotations

from collections.abc import Callable

from sampan.api.crd.structure import Structure, Value, copied

Defaulter = Callable[[Value], None]


def prune_nulls(value: Value, structure: Structure | None) -> None:
    """Takes nulls out of objects, in place, where they are not allowed and no default takes their place."""
    if isinstance(value, dict):
        for key in list(value):
            inner = structure.field(key) if structure is not None else None
            if value[key] is None and inner is not None and not inner.nullable and inner.default is None:
                del value[key]
            else:
                prune_nulls(value[key], inner)
    elif isinstance(value, list):
        for item in value:
            prune_nulls(item, structure.items if structure is not None else None)


def defaulter(structure: Structure | None) -> Defaulter | None:
    """A function that puts defaults into a value, in place; None where a schema has none."""
    if structure is None:
        return None
    return _of_lists(structure) if structure.items is not None else _of_objects(structure)


def _of_lists(structure: Structure) -> Defaulter | None:
    items = structure.items
    assert items is not None
    inner, default, nullable = defaulter(items), items.default, items.nullable
    if inner is None and default is None:
        return None

    def put(value: Value) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                if item is None and not nullable:
                    value[index] = copied(default)
                if inner is not None:
                    inner(value[index])

    return put


def _of_objects(structure: Structure) -> Defaulter | None:
    defaults = [(name, s.default, s.nullable) for name, s in structure.properties.items() if s.default is not None]
    below = [(name, inner) for name, s in structure.properties.items() if (inner := defaulter(s)) is not None]
    values = _of_values(structure)
    if not (defaults or below or values):
        return None

    def put(value: Value) -> None:
        if not isinstance(value, dict):
            return
        for name, default, nullable in defaults:
            if name not in value or (value[name] is None and not nullable):
                value[name] = copied(default) if isinstance(default, (dict, list)) else default
        for name, inner in below:
            if name in value:
                inner(value[name])
        if values is not None:
            values(value)

    return put


def _of_values(structure: Structure) -> Defaulter | None:
    """Of the values of a map, besides its named properties."""
    additional, named = structure.additional, structure.properties
    inner = defaulter(additional)
    if additional is None or (inner is None and additional.default is None):
        return None
    default, nullable = additional.default, additional.nullable

    def put(value: Value) -> None:
        for key in value:
            if key in named:
                continue
            if value[key] is None and not nullable:
                value[key] = copied(default)
            if inner is not None:
                inner(value[key])

    return put
