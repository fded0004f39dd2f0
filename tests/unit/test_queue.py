from __future__ import annotations

import asyncio

import pytest

from sampan.lib.clock import ManualClock
from sampan.lib.queue import QueueShutDown, WorkQueue
from sampan.lib.tasks import Tasks
from tests.unit.fakeapi import run


def test_a_key_added_twice_is_handed_out_once() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue(ManualClock())
        for key in "abab":
            queue.add(key)
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        assert len(queue) == 0

    run(work())


def test_a_key_added_while_in_hand_comes_back_only_after_done() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue(ManualClock())
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        assert len(queue) == 0
        assert not queue.idle
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert queue.idle

    run(work())


def test_a_delayed_key_is_handed_out_when_its_time_has_come() -> None:
    async def work() -> None:
        clock = ManualClock()
        queue: WorkQueue[str] = WorkQueue(clock)
        queue.add_after("late", 10)
        queue.add_after("early", 5)
        got: list[tuple[str, float]] = []

        async def take() -> None:
            while True:
                key = await queue.get()
                got.append((key, clock.monotonic()))
                queue.done(key)

        async with Tasks() as tasks:
            tasks.start(take(), "one")
            tasks.start(take(), "two")
            await clock.advance(0)
            await clock.advance(4)
            assert got == []
            queue.add_after("late", 2)
            await clock.advance(0)
            await clock.advance(20)
            assert got == [("early", 5.0), ("late", 6.0)]

    run(work())


def test_failures_back_off_exponentially_until_forgotten() -> None:
    async def work() -> None:
        clock = ManualClock()
        queue: WorkQueue[str] = WorkQueue(clock, first_retry_seconds=1, longest_retry_seconds=5)
        times: list[float] = []

        async def take() -> None:
            while True:
                key = await queue.get()
                times.append(clock.monotonic())
                queue.done(key)
                if len(times) == 5:
                    queue.forget(key)
                queue.add_rate_limited(key)

        async with Tasks() as tasks:
            tasks.start(take(), "taker")
            queue.add("a")
            await clock.advance(0)
            await clock.advance(13.5)
            assert times == [0, 1, 3, 7, 12, 13]

    run(work())


def test_failures_of_what_was_added_in_between_make_no_retry_later() -> None:
    async def work() -> None:
        clock = ManualClock()
        queue: WorkQueue[str] = WorkQueue(clock, first_retry_seconds=1, longest_retry_seconds=100)
        times: list[float] = []

        async def take() -> None:
            while True:
                key = await queue.get()
                times.append(clock.monotonic())
                queue.done(key)
                queue.add_rate_limited(key)

        async with Tasks() as tasks:
            tasks.start(take(), "taker")
            for _ in range(9):
                queue.add("a")
                await clock.advance(0)
            queue.add_after("a", 50)
            await clock.advance(8)
            assert times == [0] * 9 + [1, 3, 7]

    run(work())


def test_a_failure_is_tried_again_before_what_is_due_much_later() -> None:
    async def work() -> None:
        clock = ManualClock()
        queue: WorkQueue[str] = WorkQueue(clock, first_retry_seconds=1)
        queue.add_after("a", 50)
        queue.add_rate_limited("a")
        await clock.advance(1)
        assert await queue.get() == "a"

    run(work())


def test_a_taker_that_is_cancelled_leaves_its_key_to_another() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue(ManualClock())
        async with Tasks() as tasks:
            first = tasks.start(queue.get(), "first")
            second = tasks.start(queue.get(), "second")
            await asyncio.sleep(0)
            queue.add("a")
            first.cancel()
            assert await second == "a"

    run(work())


def test_shutting_down_drains_and_then_refuses() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue(ManualClock())
        queue.add("a")
        queue.add_after("b", 1)
        queue.shut_down()
        queue.add("c")
        assert await queue.get() == "a"
        with pytest.raises(QueueShutDown):
            await queue.get()

    run(work())
