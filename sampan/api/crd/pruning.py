"""Pruning: fields that a schema does not specify are taken out of an object.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
"""

from __future__ import annotations

from sampan.api.crd.structure import META_FIELDS, Structure, Value


def prune(value: Value, structure: Structure | None, *, root: bool = False) -> list[str]:
    """Takes unknown fields out of `value`, in place; returns their paths, sorted. At the root of an object, and of an
    embedded one, apiVersion, kind and metadata are known; what is in the latter is not looked at."""
    unknown: list[str] = []
    if root:
        structure = (structure or Structure({})).as_root()
    _prune(value, structure, "", unknown)
    return sorted(unknown)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _prune(value: Value, structure: Structure | None, path: str, unknown: list[str]) -> None:
    if structure is not None and structure.preserves_unknown:
        _prune_specified(value, structure, path, unknown)
    elif isinstance(value, dict):
        for key in list(value):
            if structure is not None and structure.embedded and key in META_FIELDS:
                continue
            if structure is not None and (key in structure.properties or structure.has_additional):
                _prune(value[key], structure.field(key), _below(path, key), unknown)
                continue
            if key not in META_FIELDS or path:
                unknown.append(_below(path, key))
            del value[key]
    elif isinstance(value, list):
        items = structure.items if structure is not None else None
        for index, item in enumerate(value):
            _prune(item, items, f"{path}[{index}]", unknown)


def _prune_specified(value: Value, structure: Structure | None, path: str, unknown: list[str]) -> None:
    """Within what keeps unknown fields, pruning begins again where something is specified."""
    if structure is None:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if structure.embedded and key in META_FIELDS:
                continue
            if key in structure.properties or structure.has_additional:
                _prune(inner, structure.field(key), _below(path, key), unknown)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _prune_specified(item, structure.items, f"{path}[{index}]", unknown)
