"""Watches of a store whose writes all pass through this process: a hub hands each committed event to the watches it concerns.

A watch that starts in the past first reads history, in pages, up to the revision the hub stood at when the watch was made;
everything later reaches it through the hub, so there is neither gap nor repeat where the two meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from sampan.store.base import Event, StoreUnavailable

History = Callable[[str, int, int], Awaitable[tuple[Sequence[Event], int]]]
"""(prefix, after, until) → some of the events in (after, until] under the prefix, and the revision up to which that is all of
them. Raises Compacted."""


class LiveWatch:
    """The `Watch` of both in-process stores."""

    def __init__(self, hub: WatchHub, prefix: str, after_revision: int, history: History, progress: bool) -> None:
        self.prefix = prefix
        self.after_revision = after_revision
        self._hub = hub
        self._history = history
        self._progress = progress
        self._delivered = after_revision
        self._replay_until = hub.revision
        self._pending: list[Event] = []
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._failure: Exception | None = None

    def __aiter__(self) -> LiveWatch:
        return self

    @property
    def revision(self) -> int:
        return self._delivered

    async def __anext__(self) -> Sequence[Event]:
        while self._delivered < self._replay_until and not self._closed:
            events, self._delivered = await self._history(self.prefix, self._delivered, self._replay_until)
            if events or self._progress:
                return events
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            if self._progress and self._hub.revision > self._delivered:
                break
            if self._failure is not None:
                raise self._failure
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        batch, self._pending = self._pending, []
        # The hub hands over every event in the turn in which it learns of it, so that all of them are in the batch.
        self._delivered = max(self._delivered, self._hub.revision)
        return batch

    def close(self) -> None:
        self._closed = True
        self._pending = []
        self._hub.remove(self)
        self.wake()

    def deliver(self, event: Event) -> None:
        if event.revision > self.after_revision:
            self._pending.append(event)
            self.wake()

    def fail(self, failure: Exception) -> None:
        """What is pending is still delivered; then iteration raises."""
        self._failure = failure
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class WatchHub:
    """The running watches by prefix, and the newest revision that was handed to them."""

    def __init__(self) -> None:
        self.revision = 0
        self._directories: dict[str, list[LiveWatch]] = {}
        """Watches whose prefix ends in a slash: found by the few such prefixes a key has, however many watches there are."""
        self._others: list[LiveWatch] = []
        self._following: list[LiveWatch] = []
        """Those that want to hear of progress."""
        self._closed = False

    def watch(self, prefix: str, after_revision: int, history: History, progress: bool) -> LiveWatch:
        watch = LiveWatch(self, prefix, after_revision, history, progress)
        if self._closed:
            watch.fail(StoreUnavailable("the store is closed"))
        elif prefix.endswith("/"):
            self._directories.setdefault(prefix, []).append(watch)
        else:
            self._others.append(watch)
        if progress:
            self._following.append(watch)
        return watch

    def remove(self, watch: LiveWatch) -> None:
        siblings = self._directories.get(watch.prefix, self._others)
        if watch in siblings:
            siblings.remove(watch)
        if not siblings and watch.prefix in self._directories:
            del self._directories[watch.prefix]
        if watch in self._following:
            self._following.remove(watch)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand over committed events, which come in order of revision."""
        directories = self._directories
        for event in events:
            key = event.key
            self.revision = event.revision
            end = key.find("/") + 1
            while end:
                for watch in directories.get(key[:end], ()):
                    watch.deliver(event)
                end = key.find("/", end) + 1
            for watch in self._others:
                if key.startswith(watch.prefix):
                    watch.deliver(event)
        for watch in self._following:
            watch.wake()

    def close(self) -> None:
        """End every watch with StoreUnavailable once it has delivered what it holds."""
        self._closed = True
        for watch in list(self._all()):
            watch.fail(StoreUnavailable("the store is closed"))

    def _all(self) -> Iterator[LiveWatch]:
        yield from self._others
        for watches in self._directories.values():
            yield from watches


def after_prefix(prefix: str) -> str:
    """A string greater than every key that begins with `prefix` and not greater than any other that follows."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\x7f"
