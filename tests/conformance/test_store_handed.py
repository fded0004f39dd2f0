"""Writes upon writes that the store was handed and has yet to make, of the stores that take such."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import ManualClock
from sampan.store.base import Conflict, Entry, Handed, Store, StoreUnavailable
from sampan.store.sqlite import SQLiteStore
from tests.conformance.conftest import OnStore

KEY = "/a/x"


def test_a_chain_of_writes_is_made_at_the_revisions_foretold(on_local_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        first = await store.create(KEY, b"1")
        second, third = Handed(), Handed()
        foretold = store.next_revision
        revisions = await asyncio.gather(
            store.update(KEY, b"2", first, handed=second),
            store.update(KEY, b"3", second, handed=third),
            store.delete(KEY, third),
        )
        assert revisions == [foretold, foretold + 1, foretold + 2] == [second.revision, third.revision, store.revision]
        assert await store.get(KEY) is None
        assert await store.get(KEY, third.revision) == Entry(KEY, b"3", third.revision, first)

    on_local_store(scenario)


def test_what_is_expected_may_long_be_made(on_local_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        handed = Handed()
        await store.update(KEY, b"2", await store.create(KEY, b"1"), handed=handed)
        await store.update(KEY, b"3", handed)
        with pytest.raises(Conflict):
            await store.update(KEY, b"4", handed)

    on_local_store(scenario)


def test_what_is_made_upon_a_refused_write_is_refused(on_local_store: OnStore) -> None:
    """Also where another write of the key has the revision that was foretold of it."""

    async def scenario(store: Store, _: ManualClock) -> None:
        first = await store.create(KEY, b"1")
        foretold, handed = store.next_revision, Handed()
        refused, made, upon, gone = await asyncio.gather(
            store.update(KEY, b"2", first - 1, handed=handed),
            store.update(KEY, b"other", first),
            store.update(KEY, b"3", handed),
            store.delete(KEY, handed),
            return_exceptions=True,
        )
        assert made == foretold == store.revision
        assert isinstance(refused, Conflict) and handed.revision == 0
        for outcome in (upon, gone):
            assert isinstance(outcome, Conflict) and outcome.current == Entry(KEY, b"other", foretold, first)
        assert store.next_revision == foretold + 1

    on_local_store(scenario)


def test_what_is_made_upon_a_write_that_found_no_room_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db", max_bytes=1 << 20)
        await store.open()
        first = await store.create(KEY, b"1")
        large, handed = b"." * (2 << 20), Handed()
        with pytest.raises(StoreUnavailable):
            await store.update(KEY, large, first, handed=handed)
        assert handed.revision == 0
        assert await store.update(KEY, b"2", first) == first + 1
        with pytest.raises(Conflict):
            await store.update(KEY, b"3", handed)
        await store.close()

    uvloop.run(scenario())
