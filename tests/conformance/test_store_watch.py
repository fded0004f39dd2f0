"""What a store promises of watches: every event once, in order, whenever the watch began and however many write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from sampan.lib.clock import ManualClock
from sampan.lib.tasks import Tasks
from sampan.store.base import Compacted, Conflict, Entry, Event, Store, StoreUnavailable, Watch
from tests.conformance.conftest import OnStore, eventually


async def collect(watch: Watch, until: int) -> list[Event]:
    """Events up to the one with revision `until`, which must come."""
    events: list[Event] = []
    async with asyncio.timeout(20):
        while not events or events[-1].revision < until:
            events += await anext(watch)
    return events


async def churn(store: Store, seed: int, writes: int) -> int:
    """Random writes to a few keys by a writer that learns from its conflicts; returns its last revision."""
    chance = random.Random(seed)
    held: dict[str, int] = {}
    last = 0
    for _ in range(writes):
        key = f"/{chance.choice('ab')}/{chance.randrange(8)}"
        expected = held.get(key)
        try:
            if expected is None:
                held[key] = last = await store.create(key, str(chance.random()).encode())
            elif chance.random() < 0.3:
                last = await store.delete(key, expected)
                del held[key]
            else:
                held[key] = last = await store.update(key, str(chance.random()).encode(), expected)
        except Conflict as conflict:
            held.pop(key)
            if conflict.current is not None:
                held[key] = conflict.current.revision
        except Exception:
            current = await store.get(key)
            if current is not None:
                held[key] = current.revision
    return last


def check_chain(events: Sequence[Event]) -> None:
    """Every event follows from the one before it of the same key."""
    held: dict[str, Entry] = {}
    for event in events:
        assert event.previous == held.get(event.key)
        if event.value is None:
            assert event.key in held
            assert event.create_revision == held.pop(event.key).create_revision
        else:
            created = held[event.key].create_revision if event.key in held else event.revision
            assert event.create_revision == created
            held[event.key] = Entry(event.key, event.value, event.revision, created)


def test_a_watch_tells_creates_updates_and_deletes_with_what_they_replaced(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        watch = store.watch("/a/", store.revision)
        first = await store.create("/a/x", b"1")
        await store.create("/b/x", b"1")
        second = await store.update("/a/x", b"2", first)
        gone = await store.delete("/a/x", second)
        assert await collect(watch, gone) == [
            Event("/a/x", first, b"1", first, None),
            Event("/a/x", second, b"2", first, Entry("/a/x", b"1", first, first)),
            Event("/a/x", gone, None, first, Entry("/a/x", b"2", second, first)),
        ]
        watch.close()

    on_store(scenario)


def test_a_watch_from_an_old_revision_replays_and_goes_on(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        live = store.watch("/", start)
        middle = await churn(store, 1, 300) - 100
        from_start, from_middle = store.watch("/", start), store.watch("/", middle)
        last = await churn(store, 2, 300)
        expected = await collect(live, last)
        check_chain(expected)
        assert await collect(from_start, last) == expected
        assert await collect(from_middle, last) == [event for event in expected if event.revision > middle]

    on_store(scenario)


def test_a_long_history_is_replayed_whole(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        await asyncio.gather(*(store.create(f"/a/{i}", b"") for i in range(2500)))
        await store.create("/b/last", b"")
        last = await store.create("/a/last", b"")
        events = await collect(store.watch("/a/", start), last)
        assert [event.revision for event in events] == [*range(start + 1, start + 2501), last]

    on_store(scenario)


def test_watches_see_one_order_without_gap_or_repeat_while_many_write(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        collected: dict[int, list[Event]] = {}

        async def watch_late(number: int, prefix: str) -> None:
            await eventually(lambda: store.revision >= start + number * 40)
            collected[number] = []
            async for batch in store.watch(prefix, start):
                collected[number] += batch

        async with Tasks() as tasks:
            for number in range(6):
                tasks.start(watch_late(number, ("/", "/a/", "/b/")[number % 3]), f"watch {number}")
            await asyncio.gather(*(churn(store, seed, 80) for seed in range(10)))
            end = {prefix: await store.create(f"{prefix}end", b"") for prefix in ("/a/", "/b/")}
            ends = (end["/b/"], end["/a/"], end["/b/"]) * 2
            await eventually(
                lambda: len(collected) == 6 and all(collected[n] and collected[n][-1].revision == ends[n] for n in range(6))
            )
        everything = collected[0]
        assert [event.revision for event in everything] == list(range(start + 1, store.revision + 1))
        check_chain(everything)
        for number, prefix in enumerate(("/", "/a/", "/b/") * 2):
            assert collected[number] == [event for event in everything if event.key.startswith(prefix)]

    on_store(scenario)


def test_a_waiting_watch_has_the_event_before_the_writer_goes_on(on_local_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        seen: list[int] = []

        async def follow(watch: Watch) -> None:
            async for batch in watch:
                seen.extend(event.revision for event in batch)

        async with Tasks() as tasks:
            watch = store.watch("/a/", store.revision)
            tasks.start(follow(watch), "follower")
            await asyncio.sleep(0)
            revision = await store.create("/a/x", b"")
            assert seen == [revision]
            for _turn in range(50):
                revision = await store.update("/a/x", b"", revision)
                assert seen[-1] == revision
            watch.close()

    on_local_store(scenario)


def test_a_watch_may_begin_in_the_future(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        watch = store.watch("/a/", store.revision + 2)
        for name in "xyz":
            last = await store.create(f"/a/{name}", b"")
        assert [event.key for event in await collect(watch, last)] == ["/a/z"]

    on_store(scenario)


def test_a_watch_of_a_single_key_prefix_sees_all_that_begin_with_it(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        watch = store.watch("/a/x", store.revision)
        for key in ("/a/w", "/a/x", "/a/xy", "/a/x/z", "/a/y", "/a/x9"):
            last = await store.create(key, b"")
        assert [event.key for event in await collect(watch, last)] == ["/a/x", "/a/xy", "/a/x/z", "/a/x9"]

    on_store(scenario)


def test_a_watch_from_compacted_history_fails(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        first = await store.create("/a/x", b"1")
        second = await store.update("/a/x", b"2", first)
        third = await store.update("/a/x", b"3", second)
        await store.compact(second)
        with pytest.raises(Compacted) as failure:
            await anext(store.watch("/a/", start))
        assert failure.value.compacted == second
        assert await collect(store.watch("/a/", second), third) == [
            Event("/a/x", third, b"3", first, Entry("/a/x", b"2", second, first))
        ]

    on_store(scenario)


def test_compaction_takes_nothing_from_a_running_watch(on_local_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        start = store.revision
        watch = store.watch("/a/", start)
        first = await store.create("/a/x", b"1")
        last = await store.delete("/a/x", first)
        await store.compact(last)
        assert [event.revision for event in await collect(watch, last)] == [first, last]

    on_local_store(scenario)


def test_a_closed_watch_ends(on_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        idle, waiting = store.watch("/a/", store.revision), store.watch("/a/", store.revision)
        idle.close()
        assert [batch async for batch in idle] == []

        async def close_soon() -> None:
            await asyncio.sleep(0)
            waiting.close()

        async with asyncio.timeout(10), Tasks() as tasks:
            tasks.start(close_soon(), "closer")
            assert [batch async for batch in waiting] == []

    on_store(scenario)


def test_closing_the_store_fails_its_watches_after_what_they_hold(on_local_store: OnStore) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        watch = store.watch("/a/", store.revision)
        await store.create("/a/x", b"")
        await store.close()
        assert [event.key for event in await anext(watch)] == ["/a/x"]
        with pytest.raises(StoreUnavailable):
            await anext(watch)

    on_local_store(scenario)
