"""What plugins must know of objects on every write, read once when an object changes: admission looks up and decodes nothing.

ranges = CacheIndex(limit_ranges_cache, lambda obj: Limits.of(obj.tree()))
ranges.at("default")          # name → what was read; empty for most namespaces
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import CacheEvent, WatchCache

T = TypeVar("T")


class CacheIndex(Generic[T]):
    """By namespace ("": objects of the cluster) and name. `read` returns None for an object that nobody has to know of."""

    def __init__(self, cache: WatchCache, read: Callable[[CachedObject], T | None]) -> None:
        self._cache = cache
        self._read = read
        self._seen: Mapping[str, CachedObject] | None = None
        self._found: dict[str, dict[str, T]] = {}
        self._nothing: Mapping[str, T] = {}
        cache.listen(self._apply)

    def at(self, namespace: str = "") -> Mapping[str, T]:
        if self._cache.objects is not self._seen:  # filled anew, of which nobody is told
            self._index()
        return self._found.get(namespace, self._nothing)

    def _index(self) -> None:
        self._seen = self._cache.objects
        self._found = {}
        for obj in self._seen.values():
            self._put(obj)

    def _apply(self, events: Sequence[CacheEvent]) -> None:
        for event in events:
            if event.deleted:
                self._remove(event.object)
            else:
                self._put(event.object)

    def _put(self, obj: CachedObject) -> None:
        value = self._read(obj)
        if value is None:
            self._remove(obj)
        else:
            self._found.setdefault(obj.namespace, {})[obj.name] = value

    def _remove(self, obj: CachedObject) -> None:
        found = self._found.get(obj.namespace)
        if found is not None:
            found.pop(obj.name, None)
            if not found:
                del self._found[obj.namespace]
