"""The objects an informer holds, by namespace and name, with indexes kept as they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple

from sampan.client.codec import T

IndexFunction = Callable[[T], Iterable[str]]


class Key(NamedTuple):
    """What names an object of a known kind; `namespace` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: T) -> Key:
    return Key(obj.metadata.namespace, obj.metadata.name)


class ObjectCache(Generic[T]):
    def __init__(self) -> None:
        self._objects: dict[str, dict[str, T]] = {}
        self._functions: dict[str, IndexFunction[T]] = {}
        self._indexes: dict[str, dict[str, dict[Key, T]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._objects.values()))

    def __iter__(self) -> Iterator[T]:
        for objects in self._objects.values():
            yield from objects.values()

    def get(self, key: Key) -> T | None:
        objects = self._objects.get(key.namespace)
        return objects.get(key.name) if objects else None

    def in_namespace(self, namespace: str) -> list[T]:
        return list(self._objects.get(namespace, {}).values())

    def by_index(self, index: str, value: str) -> list[T]:
        return list(self._indexes[index].get(value, {}).values())

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """A second index of the same name is the same index; whoever comes first defines it."""
        if name in self._functions:
            return
        self._functions[name] = function
        self._indexes[name] = {}
        for obj in self:
            self._index(name, key_of(obj), obj)

    def put(self, obj: T) -> T | None:
        """Returns what it replaced."""
        key = key_of(obj)
        objects = self._objects.setdefault(key.namespace, {})
        old = objects.get(key.name)
        objects[key.name] = obj
        for name in self._functions:
            if old is not None:
                self._unindex(name, key, old)
            self._index(name, key, obj)
        return old

    def remove(self, key: Key) -> T | None:
        objects = self._objects.get(key.namespace)
        old = objects.pop(key.name, None) if objects else None
        if old is None:
            return None
        if not objects:
            del self._objects[key.namespace]
        for name in self._functions:
            self._unindex(name, key, old)
        return old

    def _index(self, name: str, key: Key, obj: T) -> None:
        for value in self._functions[name](obj):
            self._indexes[name].setdefault(value, {})[key] = obj

    def _unindex(self, name: str, key: Key, obj: T) -> None:
        index = self._indexes[name]
        for value in self._functions[name](obj):
            entries = index.get(value)
            if entries is not None:
                entries.pop(key, None)
                if not entries:
                    del index[value]
