"""What a store promises of single writes and reads: revisions, comparisons, pages, history, compaction, time to live."""

from __future__ import annotations

import asyncio

import pytest

from sampan.lib.clock import ManualClock
from sampan.store.base import Compacted, Conflict, Entry, FutureRevision, KeyExists, Store, StoreUnavailable
from tests.conformance.conftest import OnStore, until_gone

BYTES = bytes(range(256))


def test_a_created_key_is_read_back_with_its_revision(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", BYTES)
        assert await store.get("/a/x") == Entry("/a/x", BYTES, revision, revision)
        assert await store.get("/a/y") is None

    on_store(scenario)


def test_an_empty_value_is_a_value(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"")
        assert await store.get("/a/x") == Entry("/a/x", b"", revision, revision)
        await store.update("/a/x", b"", revision)
        assert (await store.list("/a/")).entries[0].value == b""

    on_store(scenario)


def test_the_revision_of_a_new_store_is_not_zero(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        assert store.revision == await store.current_revision() >= 1
        assert (await store.list("/a/")).revision == store.revision

    on_store(scenario)


def test_every_write_moves_the_revision_by_one(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        first = await store.create("/a/x", b"1")
        second = await store.update("/a/x", b"2", first)
        third = await store.create("/b/y", b"1")
        fourth = await store.delete("/a/x", second)
        assert [first, second, third, fourth] == [start + 1, start + 2, start + 3, start + 4]
        assert store.revision == await store.current_revision() == fourth

    on_store(scenario)


def test_a_refused_write_does_not_move_the_revision(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"1")
        with pytest.raises(KeyExists):
            await store.create("/a/x", b"2")
        with pytest.raises(Conflict):
            await store.update("/a/x", b"2", revision - 1)
        with pytest.raises(Conflict):
            await store.delete("/a/x", revision + 1)
        assert await store.current_revision() == revision
        assert await store.get("/a/x") == Entry("/a/x", b"1", revision, revision)

    on_store(scenario)


def test_a_conflict_tells_what_the_key_holds(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"1")
        newer = await store.update("/a/x", b"2", revision)
        with pytest.raises(Conflict) as stale:
            await store.update("/a/x", b"3", revision)
        assert stale.value.current == Entry("/a/x", b"2", newer, revision)
        gone = await store.delete("/a/x", newer)
        for expected in (newer, gone, 0):
            with pytest.raises(Conflict) as missing:
                await store.update("/a/x", b"3", expected)
            assert missing.value.current is None

    on_store(scenario)


def test_a_key_created_again_begins_a_new_life(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        first = await store.create("/a/x", b"1")
        await store.delete("/a/x", first)
        again = await store.create("/a/x", b"2")
        newer = await store.update("/a/x", b"3", again)
        assert await store.get("/a/x") == Entry("/a/x", b"3", newer, again)

    on_store(scenario)


def test_of_writers_who_expect_the_same_revision_one_wins(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"0")
        writes = (store.update("/a/x", str(i).encode(), revision) for i in range(20))
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        won = [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert won == [revision + 1]
        assert all(isinstance(outcome, Conflict) for outcome in outcomes if not isinstance(outcome, int))

    on_store(scenario)


def test_of_writers_who_create_the_same_key_one_wins(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        outcomes = await asyncio.gather(*(store.create("/a/x", b"") for _ in range(20)), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["KeyExists"] * 19 + ["int"]

    on_store(scenario)


def test_a_list_is_in_key_order_and_keeps_to_its_prefix(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        for key in ("/r/pods/b/x", "/r/pods/a/y", "/r/pods/a-b/x", "/r/pods/a/x", "/r/podsets/a", "/r/pod"):
            await store.create(key, key.encode())
        page = await store.list("/r/pods/")
        assert [entry.key for entry in page.entries] == ["/r/pods/a-b/x", "/r/pods/a/x", "/r/pods/a/y", "/r/pods/b/x"]
        assert [entry.value for entry in page.entries] == [entry.key.encode() for entry in page.entries]
        assert page.revision == store.revision
        assert page.remaining == 0
        assert [entry.key for entry in (await store.list("/r/pods")).entries][-1] == "/r/podsets/a"
        assert len((await store.list("")).entries) == 6

    on_store(scenario)


def test_a_list_in_pages_at_one_revision_misses_and_repeats_nothing(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revisions = {f"/a/{i:04}": await store.create(f"/a/{i:04}", b"old") for i in range(1100)}
        await store.delete("/a/0003", revisions["/a/0003"])
        first = await store.list("/a/", limit=500)
        assert first.remaining == 599
        await store.delete("/a/0700", revisions["/a/0700"])
        await store.update("/a/0800", b"new", revisions["/a/0800"])
        await store.create("/a/0900x", b"new")
        seen = list(first.entries)
        while True:
            page = await store.list("/a/", start=seen[-1].key + "\0", limit=500, revision=first.revision)
            assert page.revision == first.revision
            seen += page.entries
            if not page.remaining:
                break
        assert [entry.key for entry in seen] == [key for key in sorted(revisions) if key != "/a/0003"]
        assert {entry.value for entry in seen} == {b"old"}

    on_store(scenario)


def test_a_read_in_the_past_answers_as_the_map_stood_then(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        before = store.revision
        first = await store.create("/a/x", b"1")
        second = await store.update("/a/x", b"2", first)
        gone = await store.delete("/a/x", second)
        again = await store.create("/a/x", b"3")
        held = [await store.get("/a/x", revision) for revision in (before, first, second, gone, again)]
        assert [entry and entry.value for entry in held] == [None, b"1", b"2", None, b"3"]
        assert held[2] == Entry("/a/x", b"2", second, first)
        assert (await store.list("/a/", revision=second)).entries == [Entry("/a/x", b"2", second, first)]
        assert list((await store.list("/a/", revision=gone)).entries) == []

    on_store(scenario)


def test_a_revision_that_has_not_happened_cannot_be_read(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"1")
        with pytest.raises(FutureRevision) as failure:
            await store.get("/a/x", revision + 1)
        assert failure.value.current == revision
        with pytest.raises(FutureRevision):
            await store.list("/a/", revision=revision + 1)
        with pytest.raises(FutureRevision):
            await store.compact(revision + 1)

    on_store(scenario)


def test_compaction_forgets_history_and_keeps_what_is_current(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        first = await store.create("/a/x", b"1")
        kept = await store.create("/a/kept", b"1")
        gone = await store.create("/a/gone", b"1")
        await store.delete("/a/gone", gone)
        at = await store.update("/a/x", b"2", first)
        after = await store.update("/a/x", b"3", at)
        await store.compact(at)
        for revision in (first, kept, at - 1):
            with pytest.raises(Compacted) as failure:
                await store.get("/a/x", revision)
            assert failure.value.compacted == at
            with pytest.raises(Compacted):
                await store.list("/a/", revision=revision)
        assert [e.value for e in (await store.list("/a/", revision=at)).entries] == [b"1", b"2"]
        assert (await store.list("/a/")).entries == [
            Entry("/a/kept", b"1", kept, kept),
            Entry("/a/x", b"3", after, first),
        ]

    on_store(scenario)


def test_compaction_does_not_move_the_revision(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"1")
        gone = await store.delete("/a/x", revision)
        await store.compact(gone)
        await store.compact(gone)
        assert store.revision == await store.current_revision() == gone
        assert await store.create("/a/x", b"2") == gone + 1

    on_store(scenario)


def test_compaction_in_many_steps_leaves_every_current_entry(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        keys = [f"/a/{i:03}" for i in range(50)]
        revisions = dict(zip(keys, await asyncio.gather(*(store.create(key, b"") for key in keys)), strict=True))
        for turn in range(60):
            updates = (store.update(key, f"{key}{turn}".encode(), revisions[key]) for key in keys)
            revisions = dict(zip(keys, await asyncio.gather(*updates), strict=True))
            if turn in (3, 30):
                await store.compact(store.revision - 7)
        grown = await store.size_bytes()
        await store.compact(store.revision)
        assert [entry.value.decode() for entry in (await store.list("/a/")).entries] == [f"{key}59" for key in keys]
        assert await store.size_bytes() <= grown

    on_store(scenario)


def test_a_key_with_a_time_to_live_is_deleted_when_it_is_over(on_local_store: OnStore) -> None:
    async def scenario(store: Store, clock: ManualClock) -> None:
        revision = await store.create("/events/x", b"1", ttl_seconds=3600)
        await clock.advance(3599)
        assert await store.get("/events/x") is not None
        watch = store.watch("/events/", revision)
        await clock.advance(2)
        await until_gone(store, "/events/x")
        (event,) = await anext(watch)
        assert (event.key, event.value, event.revision) == ("/events/x", None, revision + 1)
        watch.close()

    on_local_store(scenario)


def test_writing_a_key_again_begins_its_time_anew(on_local_store: OnStore) -> None:
    async def scenario(store: Store, clock: ManualClock) -> None:
        renewed = await store.create("/events/renewed", b"1", ttl_seconds=60)
        kept = await store.create("/events/kept", b"1", ttl_seconds=60)
        await store.create("/events/short", b"1", ttl_seconds=61)
        await clock.advance(30)
        await store.update("/events/renewed", b"2", renewed, ttl_seconds=60)
        await store.update("/events/kept", b"2", kept)
        await clock.advance(32)
        await until_gone(store, "/events/short")
        assert [entry.key for entry in (await store.list("/events/")).entries] == ["/events/kept", "/events/renewed"]
        await clock.advance(30)
        await until_gone(store, "/events/renewed")
        assert [entry.key for entry in (await store.list("/events/")).entries] == ["/events/kept"]

    on_local_store(scenario)


def test_a_shorter_time_to_live_does_not_wait_for_a_longer_one(on_local_store: OnStore) -> None:
    async def scenario(store: Store, clock: ManualClock) -> None:
        await store.create("/events/long", b"1", ttl_seconds=3600)
        await store.create("/events/short", b"1", ttl_seconds=5)
        await clock.advance(6)
        await until_gone(store, "/events/short")
        assert await store.get("/events/long") is not None

    on_local_store(scenario)


def test_a_closed_store_is_unavailable(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        revision = await store.create("/a/x", b"1")
        await store.close()
        for call in (
            store.get("/a/x"),
            store.list("/a/"),
            store.create("/a/y", b""),
            store.update("/a/x", b"", revision),
            store.delete("/a/x", revision),
            store.compact(revision),
        ):
            with pytest.raises(StoreUnavailable):
                await call

    on_store(scenario)
