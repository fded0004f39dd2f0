"""Which pod is next, on a clock turned by hand."""

from __future__ import annotations

import asyncio

from sampan.lib.clock import ManualClock
from sampan.scheduler.podinfo import PodInfo, pod_info
from sampan.scheduler.queue import SchedulingQueue
from tests.unit.scheduler.build import pod


def info(name: str, priority: int = 0) -> PodInfo:
    return pod_info(pod(name, priority=priority))


def take(queue: SchedulingQueue):
    return asyncio.run(asyncio.wait_for(queue.pop(), 1))


def waiting(queue: SchedulingQueue) -> dict[str, int]:
    return {place: count for place, count in queue.pending().items() if count}


def test_higher_priority_comes_first_and_then_age():
    queue = SchedulingQueue(ManualClock())
    for each in (info("old"), info("young"), info("vip", 1000)):
        queue.add(each)
    assert [take(queue).info.pod.metadata.name for _ in range(3)] == ["vip", "old", "young"]


def test_a_pod_that_fits_nowhere_waits_for_a_change_and_its_back_off():
    async def scenario():
        clock = ManualClock()
        queue = SchedulingQueue(clock)
        queue.add(info("p"))
        queue.park(await queue.pop())
        assert waiting(queue) == {"unschedulable": 1}
        queue.move()
        assert waiting(queue) == {"backoff": 1}
        await clock.advance(0.9)
        queue.flush()
        assert waiting(queue) == {"backoff": 1}
        await clock.advance(0.2)
        queue.flush()
        assert waiting(queue) == {"active": 1}

    asyncio.run(scenario())


def test_the_back_off_doubles_up_to_ten_seconds():
    queue = SchedulingQueue(ManualClock())
    queue.add(info("p"))
    entry = take(queue)
    seen = []
    for entry.attempts in range(1, 7):
        seen.append(entry.backoff_seconds())
    assert seen == [1, 2, 4, 8, 10, 10]


def test_a_change_during_an_attempt_is_not_missed():
    queue = SchedulingQueue(ManualClock())
    queue.add(info("p"))
    entry = take(queue)
    queue.move()
    queue.park(entry)
    assert waiting(queue) == {"backoff": 1}


def test_a_change_moves_only_the_pods_it_concerns():
    queue = SchedulingQueue(ManualClock())
    for name in ("a", "b"):
        queue.add(info(name))
        queue.park(take(queue))
    queue.move(lambda waiting: waiting.key == "default/a")
    assert waiting(queue) == {"unschedulable": 1, "backoff": 1}


def test_a_pod_that_waited_five_minutes_is_tried_without_a_change():
    async def scenario():
        clock = ManualClock()
        queue = SchedulingQueue(clock)
        queue.add(info("p"))
        queue.park(await queue.pop())
        await clock.advance(301)
        queue.flush()
        assert waiting(queue) == {"active": 1}

    asyncio.run(scenario())


def test_a_removed_pod_is_not_handed_out():
    queue = SchedulingQueue(ManualClock())
    queue.add(info("gone"))
    queue.add(info("here"))
    queue.remove("uid-gone")
    assert take(queue).info.pod.metadata.name == "here"
    assert len(queue) == 1
