"""One watch of the whole store that keeps every `WatchCache` up to date and knows the revision all of them stand at."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence

from sampan.api.errors import too_large_resource_version
from sampan.apiserver.registry.keys import ROOT
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import CacheEvent, WatchCache
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks
from sampan.store.base import Compacted, Event, Store, StoreUnavailable

_PAGE = 2000
_RETRY_SECONDS = 1.0
_CHECK_SECONDS = 2.0
_FUTURE_WAIT_SECONDS = 3.0

log = get_logger("apiserver")


class Feed:
    """`revision` is the newest store revision whose event every cache has applied."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.revision = 0
        self.ready = asyncio.Event()
        self._following = True
        self._answering = True
        self.local = store.in_process
        """Whether every write of the store passes through this process, so that the caches are never behind an answer."""
        self._caches: dict[str, WatchCache] = {}
        self._joining: dict[str, list[Event]] = {}
        """By prefix: what has happened under it since a cache began to join."""
        self._fills = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._waiters = 0
        self._fill_listeners: list[Callable[[], None]] = []

    def add(self, cache: WatchCache) -> None:
        self._caches[cache.prefix] = cache

    async def join(self, cache: WatchCache) -> None:
        """Fill a cache while the feed runs, and feed it from now on, in place of the one that was fed the same keys.

        It misses no event and gets none twice: what happens under its prefix while it is filled is kept for it, and applied
        once the feed has come to the revision that it was filled at. Only one may join a prefix at a time. Raises
        StoreUnavailable.
        """
        while True:
            fills = self._fills
            late = self._joining[cache.prefix] = []
            try:
                revision = await self.store.current_revision()
                await self.fill_one(cache, revision)
                await self.reach(revision)
                if fills == self._fills:
                    self._caches[cache.prefix] = cache
                    self._feed_late(cache, [event for event in late if event.revision > revision])
                    return
            except Compacted:
                continue  # the store forgot the revision while it was listed
            finally:
                del self._joining[cache.prefix]

    def leave(self, cache: WatchCache) -> None:
        """Feed a cache no more."""
        if self._caches.get(cache.prefix) is cache:
            del self._caches[cache.prefix]

    def _feed_late(self, cache: WatchCache, events: Sequence[Event]) -> None:
        now = self.clock.monotonic()
        for event in events:
            _apply_to(cache, event, now)

    async def run(self) -> None:
        """Follow the store until cancelled; when it falters, fill the caches anew and go on. `fill` must have been called."""
        while True:
            try:
                await self._follow()
            except Exception as error:  # the loop's boundary: without a feed the server is blind
                self._following = False
                log.warning("the feed from the store broke off; filling the caches again", error=repr(error))
                await self._refill()

    @property
    def healthy(self) -> bool:
        """Whether the store answers and its events come."""
        return self._following and self._answering

    async def check_store(self) -> None:
        """Ask a store that is elsewhere, until cancelled, whether it is still there."""
        while not self.local:
            await self.clock.sleep(_CHECK_SECONDS)
            try:
                await self.store.current_revision()
                self._answering = True
            except StoreUnavailable as error:
                if self._answering:
                    log.warning("the store does not answer", error=str(error))
                self._answering = False

    async def _refill(self) -> None:
        while True:
            await self.clock.sleep(_RETRY_SECONDS)
            try:
                await self.fill()
                return
            except (Compacted, StoreUnavailable) as error:
                log.warning("the store cannot be read", error=repr(error))

    def on_fill(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the caches were filled anew."""
        self._fill_listeners.append(listener)

    async def fill(self) -> None:
        revision = await self.store.current_revision()
        self._fills += 1
        for cache in list(self._caches.values()):
            await self.fill_one(cache, revision)
        if revision < self.revision:
            self._set_back(revision)
        for listener in self._fill_listeners:
            listener()
        self._advance(revision)
        self._following = True
        self.ready.set()

    def _set_back(self, revision: int) -> None:
        """The store was restored from a backup: what it told of beyond that has not happened, and is not to be waited for."""
        log.warning("the store was set back", before=self.revision, now=revision)
        self.revision = revision
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(StoreUnavailable("it was set back"))

    async def fill_one(self, cache: WatchCache, revision: int) -> None:
        objects: list[CachedObject] = []
        start = ""
        while True:
            page = await self.store.list(cache.prefix, start=start, limit=_PAGE, revision=revision)
            objects += [cache.shape.load(entry.key, entry.revision, entry.value) for entry in page.entries]
            if not page.remaining:
                break
            start = page.entries[-1].key + "\0"
        cache.fill(objects, revision)

    async def _follow(self) -> None:
        watch = self.store.watch(ROOT, self.revision, progress=not self.local, previous=False)
        try:
            async for batch in watch:
                self._apply(batch, watch.revision)
        finally:
            watch.close()

    def _apply(self, batch: Sequence[Event], revision: int) -> None:
        """`revision`: up to where the batch is all there is."""
        now = self.clock.monotonic()
        changed: dict[WatchCache, list[CacheEvent]] = {}
        for event in batch:
            cache = self._cache_of(event.key)
            if self._joining:
                self._keep(event)
            if cache is None:
                continue
            applied = _apply_to(cache, event, now)
            if applied is not None:
                changed.setdefault(cache, []).append(applied)
        self._advance(revision)
        for cache, events in changed.items():
            cache.announce(events)

    def _keep(self, event: Event) -> None:
        for prefix, late in self._joining.items():
            if event.key.startswith(prefix):
                late.append(event)

    def _cache_of(self, key: str) -> WatchCache | None:
        end = key.find("/", len(ROOT)) + 1
        cache = self._caches.get(key[:end])
        if cache is None and end:
            cache = self._caches.get(key[: key.find("/", end) + 1])
        return cache

    def _advance(self, revision: int) -> None:
        self.revision = max(self.revision, revision)
        waiting = self._waiting
        while waiting and waiting[0][0] <= revision:
            future = heapq.heappop(waiting)[2]
            if not future.done():
                future.set_result(None)

    async def reach(self, revision: int) -> None:
        """Return when every cache has applied `revision`, which the store is known to have."""
        if revision <= self.revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters += 1
        waiting = (revision, self._waiters, future)
        heapq.heappush(self._waiting, waiting)
        try:
            await future
        except asyncio.CancelledError:
            # Clients may name revisions that never come: who gives up must not stand here for ever.
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                heapq.heapify(self._waiting)
            raise

    async def reach_requested(self, revision: int, *, waits: bool = True) -> None:
        """As `reach`, for a revision that a client names and that may never come: 504 after three seconds, or at once if none
        `waits` for it."""
        if revision <= self.revision:
            return
        if not waits:
            await self.catch_up()
            if revision > self.revision:
                raise too_large_resource_version(revision, self.revision, 0)
            return
        try:
            async with Tasks() as tasks:
                reached = tasks.start(self.reach(revision), "reach a revision")
                timer = tasks.start(self.clock.sleep(_FUTURE_WAIT_SECONDS), "give up on a revision")
                await asyncio.wait((reached, timer), return_when=asyncio.FIRST_COMPLETED)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        if revision > self.revision:
            raise too_large_resource_version(revision, self.revision)

    async def reach_now(self) -> None:
        """Return when the caches hold every write acknowledged before this call by any server of the store."""
        await self.reach(await self.store.current_revision())

    async def catch_up(self) -> None:
        """As `reach_now` where another server may have written: the world that a write is judged by must hold all that its
        client has seen, by whatever server."""
        if not self.local:
            await self.reach_now()


def _apply_to(cache: WatchCache, event: Event, now: float) -> CacheEvent | None:
    if event.value is None:
        return cache.remove(event.key, event.revision, now)
    return cache.put(event.key, event.revision, event.value, now)
