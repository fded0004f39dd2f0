"""Which old value a new one replaces: what an update did not change need not be better than it was.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting, after
k8s.io/apiserver/pkg/cel/common/equality.go and maplist.go.
"""

from __future__ import annotations

from sampan.api.crd.structure import Structure, Value

_UNSET = object()


def item_key(item: Value, keys: tuple[str, ...]) -> tuple[Value, ...] | None:
    """What tells an item of a map-like list from the others; None for what cannot be told."""
    if not isinstance(item, dict):
        return None
    key = tuple(item.get(name) for name in keys)
    return None if any(isinstance(part, (dict, list)) for part in key) else key


class OldItems:
    """The items of an old list, by key where the list is a map, and not at all where it is not."""

    __slots__ = ("_by_key", "_keys")

    def __init__(self, structure: Structure, old: Value) -> None:
        self._keys = structure.map_keys
        self._by_key: dict[tuple[Value, ...], Value] = {}
        if structure.list_type == "map" and isinstance(old, list):
            for item in old:
                key = item_key(item, self._keys)
                if key is not None:
                    self._by_key.setdefault(key, item)

    def get(self, item: Value) -> Value:
        """None where there is none."""
        key = item_key(item, self._keys)
        return self._by_key.get(key) if key is not None else None


class Pair:
    """A new value and the old one in its place."""

    __slots__ = ("_equal", "_items", "new", "old", "structure")

    def __init__(self, new: Value, old: Value, structure: Structure) -> None:
        self.new = new
        self.old = old
        self.structure = structure
        self._equal: bool | None = None
        self._items: OldItems | None = None

    @property
    def is_equal(self) -> bool:
        if self._equal is None:
            self._equal = bool(self.new == self.old)
        return self._equal

    def key(self, name: str) -> Pair | None:
        """None: there is no old value to compare with."""
        if not isinstance(self.old, dict) or not isinstance(self.new, dict):
            return None
        old, new, structure = self.old.get(name, _UNSET), self.new.get(name, _UNSET), self.structure.field(name)
        return None if old is _UNSET or new is _UNSET or structure is None else Pair(new, old, structure)

    def item(self, index: int) -> Pair | None:
        if not isinstance(self.old, list) or not isinstance(self.new, list) or self.structure.items is None:
            return None
        if self._items is None:
            self._items = OldItems(self.structure, self.old)
        old = self._items.get(self.new[index])
        return None if old is None else Pair(self.new[index], old, self.structure.items)
