"""How deep JSON may be nested: whoever walks an object calls himself, and Python lets him do so a thousand times."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 250
"""Levels of objects and lists. Upstream's decoder takes 10,000; the deepest that people write have about fifty."""
_OWNED_DEPTH: Final = MAX_DEPTH + 10
"""With metadata.managedFields, which tell of every level of the object from a few levels down."""


def may_be_too_deep(body: bytes) -> bool:
    """Cheap, and no more than a guess, for most bodies have not even as many brackets."""
    return body.count(b"{") + body.count(b"[") > MAX_DEPTH


def is_too_deep(value: Any) -> bool:
    return _has_levels(value, MAX_DEPTH) and (
        _has_levels(value, _OWNED_DEPTH) or _has_levels(_without_owners(value), MAX_DEPTH)
    )


def _has_levels(value: Any, most: int) -> bool:
    """Whether there are more than that."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(most):
        if not level:
            return False
        children: list[Any] = []
        for node in level:
            children.extend(node.values() if isinstance(node, dict) else node)
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)


def _without_owners(tree: Any) -> Any:
    metadata = tree.get("metadata") if isinstance(tree, dict) else None
    if not isinstance(metadata, dict):
        return tree
    return {**tree, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}
