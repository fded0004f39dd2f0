"""The feed's own promises to those who wait for it."""

from __future__ import annotations

import asyncio

import pytest

from sampan.apiserver.registry.feed import Feed
from sampan.lib.clock import ManualClock
from sampan.store.base import StoreUnavailable
from sampan.store.memory import MemoryStore
from tests.unit.fakeapi import run, until


class Restorable(MemoryStore):
    """Stands at an earlier revision when told so."""

    restored = 0

    async def current_revision(self) -> int:
        return self.restored or await super().current_revision()


def test_who_waits_is_told_when_the_store_is_set_back() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        store = Restorable(clock)
        await store.open()
        for name in "abc":
            await store.create(f"/registry/configmaps/default/{name}", b"{}")
        feed = Feed(store, clock)
        await feed.fill()
        reached = feed.revision
        asked = [asyncio.ensure_future(wait(reached + 5)) for wait in (feed.reach, feed.reach_requested)]
        await until(lambda: clock.sleeps > 0)
        store.restored = reached - 1
        await feed.fill()
        assert feed.revision == reached - 1
        for each in asked:
            with pytest.raises(StoreUnavailable, match="it was set back"):
                await each
        await store.close()

    run(scenario())
