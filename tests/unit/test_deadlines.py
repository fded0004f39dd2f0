"""Limits on how long work may take."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sampan.lib.deadlines import Deadlines
from tests.unit.fakeapi import run

LONG_SECONDS = 60.0
SHORT_SECONDS = 0.01


async def never() -> None:
    await asyncio.Event().wait()


def test_work_that_ends_in_time_is_returned() -> None:
    async def scenario() -> None:
        assert await Deadlines().bound(asyncio.sleep(0, 7), LONG_SECONDS) == 7

    run(scenario())


def test_work_that_does_not_end_is_cancelled() -> None:
    async def scenario() -> None:
        cancelled = asyncio.Event()

        async def work() -> None:
            try:
                await never()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        with pytest.raises(TimeoutError):
            await Deadlines().bound(work(), SHORT_SECONDS)
        assert cancelled.is_set()
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()

    run(scenario())


@pytest.mark.parametrize("fails", [False, True])
def test_work_that_ends_otherwise_than_it_was_told_to_leaves_no_cancellation_behind(fails: bool) -> None:
    async def scenario() -> None:
        async def work() -> None:
            try:
                await never()
            except asyncio.CancelledError:
                if fails:
                    raise ValueError from None

        with contextlib.suppress(ValueError):
            await Deadlines().bound(work(), SHORT_SECONDS)
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()

    run(scenario())


def test_a_limit_that_is_over_already_still_lets_work_begin() -> None:
    async def scenario() -> None:
        begun = asyncio.Event()

        async def work() -> None:
            begun.set()
            await never()

        with pytest.raises(TimeoutError):
            await Deadlines().bound(work(), -1.0)
        assert begun.is_set()

    run(scenario())


def test_each_task_has_its_own_limit() -> None:
    async def scenario() -> None:
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
                    await deadlines.bound(never(), seconds)
            assert not long.done()
            go.set()
        assert long.result() == "done"

    run(scenario())


def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def scenario() -> None:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(Deadlines().bound(never(), LONG_SECONDS))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(scenario())


def test_a_failure_of_the_work_is_its_own() -> None:
    async def scenario() -> None:
        async def work() -> None:
            raise KeyError("x")

        deadlines = Deadlines()
        for _ in range(2):
            with pytest.raises(KeyError):
                await deadlines.bound(work(), LONG_SECONDS)

    run(scenario())
