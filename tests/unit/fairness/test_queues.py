"""Seats and queues of one priority level."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sampan.apiserver.fairness.queues import NO_SEAT, QUEUE_FULL, WAITED_TOO_LONG, Dropped, Level, Seat
from sampan.lib.clock import ManualClock
from tests.unit.fakeapi import run

_LONG = 30.0


def _level(limit: int, *, queues: int = 8, hand: int = 1, length: int = 50) -> Level:
    level = Level("test", ManualClock())
    response: dict[str, Any] = {"type": "Reject"}
    if queues:
        queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": length}
        response = {"type": "Queue", "queuing": queuing}
    level.configure({"type": "Limited", "limited": {"limitResponse": response}})
    level.resize(limit)
    return level


async def _started(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    return task


def test_seats_run_out_and_come_back() -> None:
    level = _level(2)
    first, _ = level.enter(1), level.enter(1)
    assert not level.is_free(1)
    level.leave(first)
    assert level.is_free(1) and not level.is_free(2)


def test_a_request_wider_than_the_level_runs_when_it_is_alone() -> None:
    level = _level(2)
    assert level.is_free(5)
    seat = level.enter(5)
    assert not level.is_free(1)
    level.leave(seat)
    assert level.is_free(1)


def test_an_exempt_level_never_waits() -> None:
    level = Level("exempt", ManualClock())
    level.configure({"type": "Exempt", "exempt": {}})
    level.resize(0)
    for _ in range(100):
        assert level.is_free(10)
        level.enter(10)


def test_without_queues_a_request_is_dropped_at_once() -> None:
    async def body() -> None:
        level = _level(1, queues=0)
        level.enter(1)
        with pytest.raises(Dropped) as dropped:
            await level.wait(1, 1, _LONG)
        assert dropped.value.reason == NO_SEAT

    run(body())


def test_a_full_queue_takes_no_more() -> None:
    async def body() -> None:
        level = _level(1, queues=1, length=2)
        seat = level.enter(1)
        waiting = [await _started(level.wait(1, 1, _LONG)) for _ in range(2)]
        with pytest.raises(Dropped) as dropped:
            await level.wait(1, 1, _LONG)
        assert dropped.value.reason == QUEUE_FULL
        for task in waiting:
            level.leave(seat)
            seat = await task

    run(body())


def test_who_waits_too_long_is_dropped_and_leaves_no_trace() -> None:
    async def body() -> None:
        level = _level(1)
        seat = level.enter(1)
        with pytest.raises(Dropped) as dropped:
            await level.wait(1, 1, 0.01)
        assert dropped.value.reason == WAITED_TOO_LONG
        assert level.waiting == 0
        level.leave(seat)
        assert level.is_free(1)

    run(body())


def test_a_client_that_goes_away_gives_its_turn_to_the_next() -> None:
    async def body() -> None:
        level = _level(1, queues=1)
        seat = level.enter(1)
        first, second = [await _started(level.wait(1, 1, _LONG)) for _ in range(2)]
        level.leave(seat)  # the turn is the first's, who is cancelled before he hears of it
        first.cancel()
        await level_gets(second)
        assert level.in_use == 1

    async def level_gets(task: asyncio.Task[Seat]) -> None:
        await asyncio.wait_for(task, 10)

    run(body())


def test_a_busy_flow_does_not_keep_a_quiet_one_waiting() -> None:
    """Ten requests of one flow stand in its queue; a later request of another flow is next or next but one."""

    async def body() -> list[str]:
        level = _level(1, queues=2)
        seat = level.enter(1)
        order: list[str] = []

        async def one(name: str, entropy: int) -> None:
            mine = await level.wait(entropy, 1, _LONG)
            order.append(name)
            await asyncio.sleep(0)
            level.leave(mine)

        tasks = [await _started(one("flood", 0)) for _ in range(10)]
        tasks.append(await _started(one("quiet", 1)))
        level.leave(seat)
        await asyncio.gather(*tasks)
        return order

    assert "quiet" in run(body())[:2]


def test_a_flow_pays_for_the_time_its_requests_take() -> None:
    """Of two flows that always wait, the one whose requests take ten times as long gets its turn a tenth as often."""

    async def body() -> dict[str, int]:
        clock = ManualClock()
        level = Level("test", clock)
        queuing = {"queues": 2, "handSize": 1, "queueLengthLimit": 500}
        level.configure({"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}})
        level.resize(1)
        seat = level.enter(1)
        turns = {"slow": 0, "fast": 0}
        running: asyncio.Queue[tuple[str, Seat]] = asyncio.Queue()

        async def one(name: str, entropy: int) -> None:
            running.put_nowait((name, await level.wait(entropy, 1, _LONG)))

        tasks = [await _started(one("slow", 0)) for _ in range(200)] + [await _started(one("fast", 1)) for _ in range(200)]
        level.leave(seat)
        for _ in range(110):
            name, mine = await running.get()
            turns[name] += 1
            await clock.advance(10.0 if name == "slow" else 1.0)
            level.leave(mine)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return turns

    turns = run(body())
    assert 8 * turns["slow"] <= turns["fast"] <= 12 * turns["slow"]


def test_more_seats_let_those_in_who_wait() -> None:
    async def body() -> None:
        level = _level(1)
        level.enter(1)
        tasks = [await _started(level.wait(entropy, 1, _LONG)) for entropy in range(3)]
        level.resize(4)
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert level.in_use == 4 and not level.waiting

    run(body())


def test_demand_is_the_most_that_was_wanted_since_it_was_asked_for() -> None:
    level = _level(10)
    seats = [level.enter(1) for _ in range(4)]
    for seat in seats[1:]:
        level.leave(seat)
    assert level.demand() == 4
    assert level.demand() == 1
