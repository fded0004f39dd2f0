"""Lists that are sets or maps: their items, or the keys of these, must be unique.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.api.crd.structure import Structure, Value
from sampan.api.errors import FieldError, duplicate, invalid
from sampan.api.gotext import go_json, shown

Check = Callable[[Value, str], list[FieldError]]


def uniqueness(structure: Structure | None) -> Check | None:
    """A function of (value, path) that finds repeated items; None where a schema has no list that could repeat any."""
    if structure is None:
        return None
    if structure.items is not None:
        return _of_list(structure)
    return _of_object(structure)


def _of_object(structure: Structure) -> Check | None:
    named = [(name, found) for name, inner in structure.properties.items() if (found := uniqueness(inner)) is not None]
    values = uniqueness(structure.additional)
    if not named and values is None:
        return None

    def check(value: Value, path: str) -> list[FieldError]:
        errors: list[FieldError] = []
        if isinstance(value, dict):
            if values is not None:
                for key, inner in value.items():
                    errors += values(inner, f"{path}[{key}]")
            for name, below in named:
                if name in value:
                    errors += below(value[name], f"{path}.{name}" if path else name)
        return errors

    return check


def _of_list(structure: Structure) -> Check | None:
    below = uniqueness(structure.items)
    own = {"set": _repeated_items, "map": _repeated_keys}.get(structure.list_type)
    if below is None and own is None:
        return None
    keys = structure.map_keys

    def check(value: Value, path: str) -> list[FieldError]:
        if not isinstance(value, list):
            return []
        errors = own(value, keys, path) if own is not None else []
        if below is not None:
            for index, item in enumerate(value):
                errors += below(item, f"{path}[{index}]")
        return errors

    return check


def _second_times(items: Sequence[Value]) -> list[int]:
    """Where something stands for the second time: one report for each, however often it is repeated."""
    seen: dict[Value, int] = {}
    found: list[int] = []
    for index, item in enumerate(items):
        identity = (type(item), go_json(item) if isinstance(item, (dict, list)) else item)
        seen[identity] = seen.get(identity, 0) + 1
        if seen[identity] == 2:
            found.append(index)
    return found


def _repeated_items(items: list[Value], keys: tuple[str, ...], path: str) -> list[FieldError]:
    return [duplicate(f"{path}[{index}]", shown(items[index])) for index in _second_times(items)]


def _repeated_keys(items: list[Value], keys: tuple[str, ...], path: str) -> list[FieldError]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            return [invalid(f"{path}[{index}]", shown(item), "must be an object for an array of list-type map")]
    identities = [{key: item[key] for key in keys if key in item} if item is not None else {} for item in items]
    return [duplicate(f"{path}[{index}]", shown(identities[index])) for index in _second_times(identities)]
