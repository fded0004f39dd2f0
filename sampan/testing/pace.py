"""Turning a cluster's clock by hand: time stands still until everything that the last moment set off has come to rest."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from sampan.client.config import ClientConfig
from sampan.client.transport import HTTPResponse, Transport
from sampan.lib.clock import ManualClock

TURNS = 20
QUIET_LOOKS = 3
REST_SECONDS = 10.0
"""How long to wait at most for rest: a cluster that never rests must not keep the clock from turning."""
STEP_SECONDS = 0.05
"""Sleepers that wake within this of each other wake together."""


@dataclass(slots=True)
class Traffic:
    """The requests of all parts of a cluster."""

    begun: int = 0
    under_way: int = 0


class CountedTransport(Transport):
    def __init__(self, config: ClientConfig, traffic: Traffic) -> None:
        super().__init__(config)
        self._traffic = traffic

    async def _exchange(self, method: str, head: bytes, body: bytes, repeatable: bool, most_bytes: int) -> HTTPResponse:
        self._traffic.begun += 1
        self._traffic.under_way += 1
        try:
            return await super()._exchange(method, head, body, repeatable, most_bytes)
        finally:
            self._traffic.under_way -= 1


async def advance(clock: ManualClock, traffic: Traffic, seconds: float) -> None:
    """Move time forward from sleeper to sleeper, each time until what it does is done."""
    await _rest(clock, traffic)
    left = seconds
    while (wake := clock.next_wake) is not None and wake <= left and left > 0:
        step = min(left, max(wake, STEP_SECONDS))
        await clock.advance(step)
        left -= step
        await _rest(clock, traffic)
    await clock.advance(left)
    await _rest(clock, traffic)


async def _rest(clock: ManualClock, traffic: Traffic) -> None:
    """Server and clients share this loop, so that what one has sent the other gets within a few of its turns: nobody asks
    anything or goes to sleep for some turns, and all is done that will be done at this time."""
    deadline = time.monotonic() + REST_SECONDS
    quiet, before = 0, (-1, -1)
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        now = (traffic.begun, clock.sleeps)
        quiet = quiet + 1 if now == before and not traffic.under_way else 0
        before = now
