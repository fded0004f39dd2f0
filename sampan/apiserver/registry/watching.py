"""Watches: each event is encoded once for all watchers that want the same, and written straight to their connections.

Watchers with the same view, namespace and selectors share a `Channel`. While a watcher keeps up, the channel writes each
batch to it as it is applied. One that lets too much pile up leaves the channel and reads on from the cache's ring at its
own pace; the ring is its queue, so a slow watcher costs no memory of its own and is ended when the ring has passed it by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from sampan.api.errors import StatusError
from sampan.apiserver.registry.objects import ObjectShape
from sampan.apiserver.registry.selection import Selection
from sampan.apiserver.registry.views import View, frame
from sampan.apiserver.registry.watchcache import CacheEvent, TooOld, WatchCache
from sampan.lib.clock import Clock
from sampan.lib.http import Sink
from sampan.lib.log import get_logger

_BEHIND_BYTES = 1024 * 1024
"""Unsent bytes at which a watcher is told no more until it has read."""
_WRITE_BYTES = 256 * 1024
_STALLED_SECONDS = 60.0
_NODE_NAME, _NAME = "spec.nodeName", "metadata.name"
_BOOKMARK_SECONDS = 60.0

log = get_logger("apiserver")

Revision = Callable[[], int]


class Channel:
    """Watchers that get exactly the same bytes."""

    def __init__(self, view: View, selection: Selection) -> None:
        self.view = view
        self.selection = selection
        self.watchers: list[Watcher] = []
        self._whole = selection.everything and view.is_stored_form

    def announce(self, events: Sequence[CacheEvent]) -> None:
        data = self.encode(events)
        if data:
            first, last = events[0].revision, events[-1].revision
            for watcher in list(self.watchers):
                if watcher.revision < first:
                    watcher.deliver(data, last)
                elif watcher.revision < last:  # it asked for what comes after a revision that was not there yet
                    watcher.deliver(self.encode([event for event in events if event.revision > watcher.revision]), last)

    def encode(self, events: Sequence[CacheEvent]) -> bytes:
        """The frames of those events that the selection lets through."""
        if self._whole:
            return b"".join([event.frame or self._frame(event) for event in events])
        return b"".join([frame for event in events if (frame := self._select(event))])

    def _frame(self, event: CacheEvent) -> bytes:
        event.frame = frame(event.type, self.view.object(event.object))
        return event.frame

    def _select(self, event: CacheEvent) -> bytes:
        """An object that enters the selection is ADDED to the watcher, one that leaves it DELETED, as it was before."""
        selection = self.selection
        is_in = not event.deleted and selection.matches(event.object)
        was_in = event.previous is not None and selection.matches(event.previous)
        if is_in:
            if self.view.is_stored_form and was_in == (event.previous is not None):
                return event.frame or self._frame(event)
            return frame("MODIFIED" if was_in else "ADDED", self.view.object(event.object))
        if not was_in or event.previous is None:
            return b""
        gone = event.object if event.deleted else event.previous.at(event.revision)
        return frame("DELETED", self.view.object(gone))


async def _drain(sink: Sink) -> None:
    """Raises TimeoutError for a client that has stopped reading."""
    if not sink.buffered_bytes:
        return
    async with asyncio.timeout(_STALLED_SECONDS):
        await sink.drain()


class Watcher:
    """One client's watch. `run` is its task; everything else is called by the hub between turns."""

    def __init__(self, hub: WatchHub, channel: Channel, revision: int, *, deadline: float, bookmarks: bool) -> None:
        self.revision = revision
        """Every event up to here is written."""
        self.deadline = deadline
        self.bookmarks = bookmarks
        self.next_bookmark = 0.0
        self.ended = False
        self._hub = hub
        self._channel = channel
        self._sink: Sink | None = None
        self._wake: asyncio.Future[None] | None = None
        self._live = False

    async def run(self, sink: Sink, initial: Iterable[bytes] = (), last: bytes = b"") -> None:
        """Write `initial` and `last`, then every later event until the deadline or the end of the server."""
        self._sink = sink
        self.ended = self._hub.closed
        self._hub.watchers.add(self)
        self.next_bookmark = self._hub.clock.monotonic() + _BOOKMARK_SECONDS
        try:
            await self._write_slowly(initial)
            if last:
                sink.write(last)
            while not self.ended and not sink.closed:
                await self._catch_up(sink)
                if not self.ended:
                    await self._follow()
        except StatusError as error:
            sink.write(frame("ERROR", self._hub.encode_status(error)))
        except TimeoutError:
            log.info("ended a watch whose client reads nothing", resource=self._hub.cache.prefix)
        finally:
            self._leave()
            self._hub.watchers.discard(self)

    def deliver(self, data: bytes, revision: int) -> None:
        sink = self._sink
        if sink is None:
            return
        sink.write(data)
        if sink.buffered_bytes > _BEHIND_BYTES:
            self.revision = revision
            self._leave()
            self._awake()

    def check(self, now: float) -> None:
        """Called every second: is a bookmark due, or the end?"""
        if now >= self.deadline:
            self.end()
        elif self.bookmarks and now >= self.next_bookmark:
            self.next_bookmark = now + _BOOKMARK_SECONDS
            self._bookmark()

    def end(self) -> None:
        if self.bookmarks and not self.ended:
            self._bookmark()
        self.ended = True
        self._awake()

    def _bookmark(self) -> None:
        revision = self._hub.revision()
        if self._live and self._sink is not None and revision >= self.revision:
            self._sink.write(frame("BOOKMARK", self._channel.view.bookmark(revision, initial_end=False)))

    async def _write_slowly(self, frames: Iterable[bytes]) -> None:
        """Frames that are made as they are written: a client that does not read has no copy of all of them."""
        sink = self._sink
        assert sink is not None
        pending: list[bytes] = []
        size = 0
        for piece in frames:
            pending.append(piece)
            size += len(piece)
            if size >= _WRITE_BYTES:
                sink.write(b"".join(pending))
                pending.clear()
                size = 0
                await _drain(sink)
        if pending:
            sink.write(b"".join(pending))

    async def _catch_up(self, sink: Sink) -> None:
        """Read the ring until nothing is left, then join the channel within the same turn."""
        cache = self._hub.cache
        while not self.ended:
            await _drain(sink)
            try:
                events = cache.after(self.revision)
                reached = events[-1].revision if events else 0
            except TooOld:
                events, reached = await self._hub.history(self.revision)
            if not reached:
                self._live = True
                self._hub.join(self._channel, self)
                return
            await self._write_slowly(self._channel.encode([event]) for event in events)
            self.revision = reached

    async def _follow(self) -> None:
        if not self._live:
            return
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    def _leave(self) -> None:
        if self._live:
            self._live = False
            self._hub.leave(self._channel, self)

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class ChannelIndex:
    """Channels by the one value of a field they want: thousands of kubelets watch the pods with their own spec.nodeName, and an
    event must not be shown to each of them to learn that it concerns one.
    """

    def __init__(self, shape: ObjectShape) -> None:
        self._field = shape.field_names.index(_NODE_NAME) if _NODE_NAME in shape.field_names else -1
        self._others: dict[Channel, None] = {}
        self._by_value: dict[tuple[str, str], dict[Channel, None]] = {}

    def add(self, channel: Channel) -> None:
        self._group(channel)[channel] = None

    def remove(self, channel: Channel) -> None:
        group = self._group(channel)
        group.pop(channel, None)
        wanted = self._wanted(channel)
        if wanted is not None and not group:
            del self._by_value[wanted]

    def _group(self, channel: Channel) -> dict[Channel, None]:
        wanted = self._wanted(channel)
        return self._others if wanted is None else self._by_value.setdefault(wanted, {})

    def _wanted(self, channel: Channel) -> tuple[str, str] | None:
        for field in (_NODE_NAME, _NAME):
            value = channel.selection.exact(field)
            if value is not None and (field == _NAME or self._field >= 0):
                return field, value
        return None

    def concerned(self, events: Sequence[CacheEvent]) -> list[Channel]:
        found = dict(self._others)
        if self._by_value:
            for event in events:
                for obj in (event.object, event.previous):
                    if obj is not None:
                        found |= self._by_value.get((_NAME, obj.name), {})
                        if self._field >= 0:
                            found |= self._by_value.get((_NODE_NAME, obj.fields[self._field]), {})
        return list(found)


class WatchHub:
    """The watchers of one cache, by channel."""

    def __init__(
        self,
        cache: WatchCache,
        clock: Clock,
        revision: Revision,
        history: Callable[[int], Awaitable[tuple[list[CacheEvent], int]]],
        encode_status: Callable[[StatusError], bytes],
    ) -> None:
        self.cache = cache
        self.clock = clock
        self.revision = revision
        self.encode_status = encode_status
        self.watchers: set[Watcher] = set()
        self.closed = False
        self._history = history
        self._channels: dict[tuple[str, str], Channel] = {}
        self._index = ChannelIndex(cache.shape)
        cache.listen(self._announce)

    def channel(self, view: View, selection: Selection) -> Channel:
        """The channel to join; it is shared once somebody has joined it."""
        return self._channels.get((view.identity, selection.identity)) or Channel(view, selection)

    def join(self, channel: Channel, watcher: Watcher) -> None:
        found = self._channels.setdefault((channel.view.identity, channel.selection.identity), channel)
        if found is channel and not channel.watchers:
            self._index.add(channel)
        found.watchers.append(watcher)

    def leave(self, channel: Channel, watcher: Watcher) -> None:
        identity = (channel.view.identity, channel.selection.identity)
        channel = self._channels[identity]
        channel.watchers.remove(watcher)
        if not channel.watchers:
            del self._channels[identity]
            self._index.remove(channel)

    async def history(self, revision: int) -> tuple[list[CacheEvent], int]:
        """Events that the ring no longer holds, from the store. Raises StatusError 410 where it has forgotten them, too."""
        return await self._history(revision)

    def check(self, now: float) -> None:
        for watcher in list(self.watchers):
            watcher.check(now)

    def end_all(self) -> None:
        for watcher in list(self.watchers):
            watcher.end()

    def close(self) -> None:
        """The cache will hear of no more events: end all watches, and those that are about to begin."""
        self.closed = True
        self.end_all()

    def _announce(self, events: Sequence[CacheEvent]) -> None:
        for channel in self._index.concerned(events):
            channel.announce(events)
