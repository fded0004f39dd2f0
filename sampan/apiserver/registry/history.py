"""Events older than a cache's ring, read from the store's own history."""

from __future__ import annotations

from sampan.api.errors import expired
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.keys import ROOT
from sampan.apiserver.registry.watchcache import CacheEvent, WatchCache
from sampan.store.base import Compacted, Event


async def read_history(feed: Feed, cache: WatchCache, revision: int) -> tuple[list[CacheEvent], int]:
    """The events of the resource after `revision`, up to where the ring begins, and that revision.

    The whole store is read, not the resource's prefix: every revision is some key's, so the end of the past is seen even where
    it holds nothing of this resource. Raises StatusError 410 for forgotten history.
    """
    until = cache.ring_start
    events: list[CacheEvent] = []
    watch = feed.store.watch(ROOT, revision, progress=True)
    try:
        async for batch in watch:
            events += [_converted(cache, event) for event in batch if event.key.startswith(cache.prefix)]
            if watch.revision >= until:
                return events, watch.revision
    except Compacted as error:
        raise expired(f"too old resource version: {revision} ({error.compacted})") from None
    finally:
        watch.close()
    return events, revision


def _converted(cache: WatchCache, event: Event) -> CacheEvent:
    before = event.previous
    previous = cache.shape.load(before.key, before.revision, before.value) if before is not None else None
    if event.value is not None:
        return CacheEvent(event.revision, cache.shape.load(event.key, event.revision, event.value), previous, False, 0.0)
    assert previous is not None, "a key that was deleted had a value"
    return CacheEvent(event.revision, previous.at(event.revision), previous, True, 0.0)
