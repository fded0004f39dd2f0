from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.api.types.coordination_v1 import Lease, LeaseSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.leader import RENEW_DEADLINE_SECONDS, RETRY_SECONDS, LeaderElector, LeadershipLost
from sampan.client.rest import Client
from sampan.client.transport import HTTPResponse
from sampan.lib.clock import ManualClock, rfc3339_micro
from sampan.lib.tasks import Tasks
from tests.component.conftest import Api, Served
from tests.unit.fakeapi import until


class Worker:
    """Work that notes that it is done, and ends when told to."""

    def __init__(self, served: Served, clock: ManualClock, name: str) -> None:
        self.running = False
        self.end = asyncio.Event()
        self.elector = LeaderElector(Client(served.transport, clock), "test", identity=name)

    async def run(self) -> None:
        await self.elector.run(self._work)

    async def run_until_lost(self) -> None:
        with pytest.raises(LeadershipLost):
            await self.run()

    async def _work(self) -> None:
        self.running = True
        try:
            await self.end.wait()
        finally:
            self.running = False


def test_one_leads_and_another_follows_when_it_is_done(api: Api) -> None:
    async def scenario(served: Served) -> None:
        clock = ManualClock()
        first, second = Worker(served, clock, "first"), Worker(served, clock, "second")
        async with Tasks() as tasks:
            leading = tasks.start(first.run(), "first")
            await until(lambda: first.running)
            tasks.start(second.run(), "second")
            await turn(clock, 60)
            assert first.running
            assert not second.running
            first.end.set()
            await leading
            await turn_until(clock, second)
            lease = await served.client.get(Lease, "test", "kube-system")
            assert (lease.spec.holderIdentity, lease.spec.leaseTransitions) == ("second", 0)
            second.end.set()

    api(scenario)


def test_a_leader_that_is_stopped_leaves_the_lease_to_the_next(api: Api) -> None:
    async def scenario(served: Served) -> None:
        clock = ManualClock()
        first, second = Worker(served, clock, "first"), Worker(served, clock, "second")
        async with Tasks() as tasks:
            leading = tasks.start(first.run(), "first")
            await until(lambda: first.running)
            leading.cancel()
            await until(leading.done)
            tasks.start(second.run(), "second")
            await until(lambda: second.running)
            second.end.set()

    api(scenario)


def test_a_leader_that_fell_silent_is_followed_after_its_lease(api: Api) -> None:
    async def scenario(served: Served) -> None:
        clock = ManualClock()
        silent = LeaseSpec(holderIdentity="first", leaseDurationSeconds=15, renewTime=rfc3339_micro(clock.now()))
        await served.client.create(Lease(metadata=ObjectMeta(name="test", namespace="kube-system"), spec=silent))
        second = Worker(served, clock, "second")
        async with Tasks() as tasks:
            tasks.start(second.run(), "second")
            await turn(clock, 10)
            assert not second.running
            await turn_until(clock, second)
            lease = await served.client.get(Lease, "test", "kube-system")
            assert (lease.spec.holderIdentity, lease.spec.leaseTransitions) == ("second", 1)
            second.end.set()

    api(scenario)


def test_a_leader_whose_lease_was_taken_stops_its_work(api: Api) -> None:
    async def scenario(served: Served) -> None:
        clock = ManualClock()
        worker = Worker(served, clock, "first")
        async with Tasks() as tasks:
            leading = tasks.start(worker.run_until_lost(), "first")
            await until(lambda: worker.running)
            await served.client.patch(Lease, "test", "kube-system", {"spec": {"holderIdentity": "usurper"}})
            while not leading.done():
                await turn(clock, 2)
            assert not worker.running

    api(scenario)


def test_a_leader_that_gets_no_answer_stops_before_another_may_take_over(api: Api) -> None:
    async def scenario(served: Served) -> None:
        clock = ManualClock()
        worker = Worker(served, clock, "first")
        async with Tasks() as tasks:
            leading = tasks.start(worker.run_until_lost(), "first")
            await until(lambda: worker.running)
            hung = Hung()
            served.transport.request = hung.request  # type: ignore[method-assign]
            await turn(clock, 3)
            assert hung.asked
            assert worker.running
            await turn(clock, RENEW_DEADLINE_SECONDS)
            assert not worker.running
            await clock.advance(RETRY_SECONDS)
            await until(leading.done)

    api(scenario)


class Hung:
    """A network that takes requests and brings no answers."""

    asked = 0

    async def request(self, method: str, path: str, **options: Any) -> HTTPResponse:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError


async def turn(clock: ManualClock, seconds: float) -> None:
    """Let time pass second by second, giving answers of the server the real time they take."""
    for _ in range(int(seconds)):
        await clock.advance(1)
        await asyncio.sleep(0.005)


async def turn_until(clock: ManualClock, worker: Worker) -> None:
    for _ in range(60):
        if worker.running:
            return
        await turn(clock, 1)
    raise AssertionError("nobody leads")
