"""A store in this process's memory, for tests: every promise of the contract but surviving the process."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from sampan.lib.clock import Clock, RealClock
from sampan.store.base import (
    Compacted,
    Conflict,
    Entry,
    Event,
    Expected,
    FutureRevision,
    Handed,
    KeyExists,
    Page,
    StoreUnavailable,
    Watch,
    revision_of,
)
from sampan.store.expiry import Expiry
from sampan.store.watching import WatchHub, after_prefix


class MemoryStore:
    """See `sampan.store.base.Store`."""

    in_process = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or RealClock()
        self._hub = WatchHub()
        self._hub.revision = 1
        self._compacted = 0
        self._events: list[Event] = []
        """Every event since `_events_after`, one a revision."""
        self._events_after = 1
        self._versions: dict[str, list[Event]] = {}
        """Each key's own events, of which the last tells what it holds now."""
        self._keys: list[str] = []
        """The keys of `_versions`, sorted."""
        self._expiry: Expiry | None = None

    async def open(self) -> None:
        self._expiry = Expiry(self._clock, self.delete)
        await self._expiry.open()

    async def close(self) -> None:
        if self._expiry is not None:
            expiry, self._expiry = self._expiry, None
            self._hub.close()
            await expiry.close()

    @property
    def revision(self) -> int:
        return self._hub.revision

    async def current_revision(self) -> int:
        self._opened()
        return self._hub.revision

    @property
    def next_revision(self) -> int:
        return self._hub.revision + 1

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        self._opened()
        return self._entry_at(key, self._readable(revision))

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._opened()
        at = self._readable(revision)
        first = bisect_left(self._keys, max(prefix, start))
        last = bisect_left(self._keys, after_prefix(prefix))
        found = [entry for key in self._keys[first:last] if (entry := self._entry_at(key, at)) is not None]
        page = found[:limit] if limit else found
        return Page(page, at, len(found) - len(page))

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        self._opened()
        if self._current(key) is not None:
            raise KeyExists(key)
        return await self._write(key, value, None, ttl_seconds)

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        return await self._write(key, value, self._expected(key, expected), ttl_seconds, handed)

    async def delete(self, key: str, expected: Expected) -> int:
        return await self._write(key, None, self._expected(key, expected), 0)

    def watch(self, prefix: str, after_revision: int, *, progress: bool = False, previous: bool = True) -> Watch:
        return self._hub.watch(prefix, after_revision, self._history, progress)

    async def compact(self, revision: int) -> None:
        self._opened()
        if revision > self._hub.revision:
            raise FutureRevision(self._hub.revision)
        if revision <= self._compacted:
            return
        forgotten = self._events[: revision - self._events_after]
        self._compacted = revision
        self._events = self._events[len(forgotten) :]
        self._events_after = revision
        for key in {event.key for event in forgotten}:
            self._forget(key, revision)

    async def compact_in_turn(self, revision: int) -> None:
        await self.compact(revision)

    async def seconds_left(self, page: Page) -> dict[str, float]:
        now, deadlines = self._clock.now(), self._opened().deadlines()
        return {e.key: deadlines[e.key, e.revision] - now for e in page.entries if (e.key, e.revision) in deadlines}

    async def size_bytes(self) -> int:
        self._opened()
        return sum(len(event.key) + len(event.value or b"") for versions in self._versions.values() for event in versions)

    def _opened(self) -> Expiry:
        if self._expiry is None:
            raise StoreUnavailable("the store is closed")
        return self._expiry

    def _readable(self, revision: int) -> int:
        if revision > self._hub.revision:
            raise FutureRevision(self._hub.revision)
        if revision and revision < self._compacted:
            raise Compacted(self._compacted)
        return revision or self._hub.revision

    def _entry_at(self, key: str, revision: int) -> Entry | None:
        versions = self._versions.get(key, ())
        index = bisect_right(versions, revision, key=lambda event: event.revision)
        return _entry(versions[index - 1]) if index else None

    def _current(self, key: str) -> Entry | None:
        versions = self._versions.get(key)
        return _entry(versions[-1]) if versions else None

    def _expected(self, key: str, expected: Expected) -> Entry:
        self._opened()
        current = self._current(key)
        if current is None or current.revision != revision_of(expected):
            raise Conflict(key, current)
        return current

    async def _write(
        self, key: str, value: bytes | None, previous: Entry | None, ttl_seconds: int, handed: Handed | None = None
    ) -> int:
        expiry = self._opened()
        revision = self._hub.revision + 1
        event = Event(key, revision, value, previous.create_revision if previous else revision, previous)
        if key not in self._versions:
            self._versions[key] = []
            insort(self._keys, key)
        self._versions[key].append(event)
        self._events.append(event)
        self._hub.publish((event,))
        if handed is not None:
            handed.revision = revision
        if ttl_seconds:
            expiry.add(key, revision, self._clock.now() + ttl_seconds)
        # Watches woken by the event run before the writer goes on, as they do behind a store with a real commit.
        await asyncio.sleep(0)
        return revision

    async def _history(self, prefix: str, after: int, until: int) -> tuple[Sequence[Event], int]:
        self._opened()
        if after < self._compacted:
            raise Compacted(self._compacted)
        events = self._events[max(after - self._events_after, 0) : until - self._events_after]
        return [event for event in events if event.key.startswith(prefix)], until

    def _forget(self, key: str, revision: int) -> None:
        """Drop the key's versions that were no longer current at `revision`."""
        versions = self._versions[key]
        keep = bisect_right(versions, revision, key=lambda event: event.revision) - 1
        if keep >= 0 and versions[keep].value is None:
            keep += 1
        if keep >= len(versions):
            del self._versions[key]
            del self._keys[bisect_left(self._keys, key)]
        elif keep > 0:
            self._versions[key] = versions[keep:]


def _entry(event: Event) -> Entry | None:
    return None if event.value is None else Entry(event.key, event.value, event.revision, event.create_revision)
