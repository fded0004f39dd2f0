"""Limits on how long work may take."""

from __future__ import annotations

import asyncio

import pytest

from sampan.lib.deadlines import Deadlines

LONG_SECONDS = 60.0
SHORT_SECONDS = 0.01


async def test_work_that_ends_in_time_is_returned() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await Deadlines().bound(work(), LONG_SECONDS) == 7


async def test_work_that_does_not_end_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        await Deadlines().bound(work(), SHORT_SECONDS)
    assert cancelled.is_set()
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()


async def test_a_limit_that_is_over_already_still_lets_work_begin() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await Deadlines().bound(work(), -1.0)
    assert begun.is_set()


async def test_each_task_has_its_own_limit() -> None:
    deadlines = Deadlines()
    go = asyncio.Event()

    async def late() -> str:
        await go.wait()
        return "done"

    async with asyncio.TaskGroup() as tasks:
        long = tasks.create_task(deadlines.bound(late(), LONG_SECONDS))
        await asyncio.sleep(0)
        for seconds in (SHORT_SECONDS, 2 * SHORT_SECONDS, SHORT_SECONDS):
            with pytest.raises(TimeoutError):
                await deadlines.bound(asyncio.Event().wait(), seconds)
        assert not long.done()
        go.set()
    assert long.result() == "done"


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    task = asyncio.create_task(Deadlines().bound(asyncio.Event().wait(), LONG_SECONDS))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_of_the_work_is_its_own() -> None:
    async def work() -> None:
        raise KeyError("x")

    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(KeyError):
            await deadlines.bound(work(), LONG_SECONDS)
