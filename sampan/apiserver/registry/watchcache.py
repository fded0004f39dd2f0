"""All objects of one stored resource, in memory, and what happened to them lately.

After upstream's cacher (k8s.io/apiserver/pkg/storage/cacher): reads and watches are served from here and never touch the
store. A `Feed` applies the store's events; `channels` of watchers hear of each batch once it is applied.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

from sampan.apiserver.registry.locks import Underway
from sampan.apiserver.registry.objects import CachedObject, ObjectShape

_SMALLEST_RING = 100
_LARGEST_RING = 100 * 1024
_FRESH_SECONDS = 75.0


class CacheEvent:
    """One change. `object` is what stands after it, or what was deleted as seen at the deletion's revision."""

    __slots__ = ("deleted", "frame", "object", "previous", "received", "revision")

    def __init__(self, revision: int, obj: CachedObject, previous: CachedObject | None, deleted: bool, received: float) -> None:
        self.revision = revision
        self.object = obj
        self.previous = previous
        self.deleted = deleted
        self.received = received
        self.frame: bytes | None = None
        """The event as watchers without selectors get it; kept only while a batch is handed out."""

    @property
    def type(self) -> str:
        if self.deleted:
            return "DELETED"
        return "MODIFIED" if self.previous is not None else "ADDED"


class Listener(Protocol):
    def __call__(self, events: Sequence[CacheEvent]) -> None: ...


class TooOld(Exception):
    """The ring no longer holds every event after the revision asked for."""


class WatchCache:
    """`objects` by store key; `keys` sorted; `revision` is that of the newest event of this resource."""

    def __init__(self, shape: ObjectShape, prefix: str) -> None:
        self.shape = shape
        self.prefix = prefix
        self.objects: dict[str, CachedObject] = {}
        self.keys: list[str] = []
        self.revision = 0
        self.ring: deque[CacheEvent] = deque()
        self.ring_start = 0
        """Events with a greater revision are all in the ring."""
        self.capacity = _SMALLEST_RING
        self.underway: dict[str, Underway] = {}
        """By key, what is to stand once the store has made the writes that it was handed."""
        self._listeners: list[Listener] = []
        self._prepared: dict[tuple[str, bytes], CachedObject] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def __iter__(self) -> Iterator[CachedObject]:
        return iter(list(self.objects.values()))

    def key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.shape.resource.namespaced else self.prefix + name

    def get(self, namespace: str, name: str) -> CachedObject | None:
        return self.objects.get(self.key(namespace, name))

    def in_namespace(self, namespace: str) -> list[CachedObject]:
        """Objects of a namespace ("": all) in the order of their keys."""
        objects = self.objects
        return [objects[key] for key in self.keys_in(namespace)]

    def keys_in(self, namespace: str) -> list[str]:
        if not namespace:
            return self.keys
        prefix = f"{self.prefix}{namespace}/"
        return self.keys[bisect_left(self.keys, prefix) : bisect_left(self.keys, prefix[:-1] + "0")]

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each batch of events is applied, in the order of listening."""
        self._listeners.append(listener)

    def expect(self, key: str, value: bytes, obj: CachedObject) -> None:
        """A writer is about to store `value`: when it comes back from the store, `obj` is what it decodes to. If another is
        about to store the same, its own is not forgotten."""
        self._prepared.setdefault((key, value), obj)

    def unexpect(self, key: str, value: bytes) -> None:
        self._prepared.pop((key, value), None)

    def fill(self, objects: Sequence[CachedObject], revision: int) -> None:
        """Start over with what the store holds at `revision`; `objects` in the order of their keys."""
        self.objects = {obj.key: obj for obj in objects}
        self.keys = [obj.key for obj in objects]
        self.revision = max((obj.revision for obj in objects), default=0)
        self.ring.clear()
        self.ring_start = revision
        self._prepared.clear()  # what is here already does not come back

    def put(self, key: str, revision: int, value: bytes, received: float) -> CacheEvent:
        obj = self._decoded(key, revision, value)
        previous = self.objects.get(key)
        if previous is None:
            self._insert(key)
        self.objects[key] = obj
        return self._record(CacheEvent(revision, obj, previous, False, received))

    def remove(self, key: str, revision: int, received: float) -> CacheEvent | None:
        previous = self.objects.pop(key, None)
        if previous is None:
            return None
        del self.keys[bisect_left(self.keys, key)]
        return self._record(CacheEvent(revision, previous.at(revision), previous, True, received))

    def announce(self, events: Sequence[CacheEvent]) -> None:
        for listener in self._listeners:
            listener(events)
        for event in events:
            event.frame = None

    def after(self, revision: int) -> list[CacheEvent]:
        """The events with a greater revision. Raises TooOld."""
        if revision < self.ring_start:
            raise TooOld
        if revision >= self.revision:
            return []
        found: list[CacheEvent] = []
        for event in reversed(self.ring):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def _decoded(self, key: str, revision: int, value: bytes) -> CachedObject:
        prepared = self._prepared.pop((key, value), None)
        if prepared is None or prepared.revision not in (0, revision):
            # Also where it was placed at another revision, at which somebody may be looking at it.
            return self.shape.load(key, revision, value)
        if not prepared.revision:
            prepared.place(revision, value)
        return prepared

    def _insert(self, key: str) -> None:
        if self.keys and key > self.keys[-1]:
            self.keys.append(key)
        else:
            insort(self.keys, key)

    def _record(self, event: CacheEvent) -> CacheEvent:
        self.revision = event.revision
        ring = self.ring
        if len(ring) >= self.capacity:
            self._make_room(event.received)
        ring.append(event)
        return event

    def _make_room(self, now: float) -> None:
        """Double the ring while it turns over within the time a watcher may need to come back; else drop the oldest."""
        ring = self.ring
        if now - ring[0].received < _FRESH_SECONDS and self.capacity < _LARGEST_RING:
            self.capacity *= 2
            return
        while len(ring) >= self.capacity:
            self.ring_start = ring.popleft().revision
