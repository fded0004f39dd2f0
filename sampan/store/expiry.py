"""Keys with a time to live: a heap of deadlines and the task that deletes what is due, through the store's own `delete`."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable

from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks
from sampan.store.base import Conflict, StoreUnavailable

RETRY_SECONDS = 5.0
"""How long after a failed delete (disk full) expiry tries again."""

log = get_logger("store")


class Expiry:
    """Deletes each added key at its deadline, provided it still stands at the revision it was added with.

    A key that is written again keeps its old heap entry, which is found stale (Conflict) when it comes up.
    """

    def __init__(self, clock: Clock, delete: Callable[[str, int], Awaitable[int]]) -> None:
        self._clock = clock
        self._delete = delete
        self._heap: list[tuple[float, int, str]] = []
        self._next_wake = float("inf")
        self._wake = asyncio.Event()
        self._tasks = Tasks()

    async def open(self) -> None:
        await self._tasks.__aenter__()
        self._tasks.start(self._run(), "store expiry")

    async def close(self) -> None:
        await self._tasks.__aexit__(None, None, None)

    def add(self, key: str, revision: int, expires: float) -> None:
        """`expires` in seconds since the epoch. Call on the store's event loop."""
        heapq.heappush(self._heap, (expires, revision, key))
        if expires < self._next_wake:
            self._wake_at(expires)

    def deadlines(self) -> dict[tuple[str, int], float]:
        """When each added key ends, in seconds since the epoch, by key and the revision it was added with."""
        return {(key, revision): expires for expires, revision, key in self._heap}

    def _wake_at(self, deadline: float) -> None:
        self._next_wake = deadline
        self._tasks.start(self._sleep(deadline), "store expiry sleep")

    async def _sleep(self, deadline: float) -> None:
        await self._clock.sleep(deadline - self._clock.now())
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._delete_due()
            if self._heap:
                self._wake_at(self._heap[0][0])
            else:
                self._next_wake = float("inf")

    async def _delete_due(self) -> None:
        due: list[tuple[float, int, str]] = []
        while self._heap and self._heap[0][0] <= self._clock.now():
            due.append(heapq.heappop(self._heap))
        outcomes = await asyncio.gather(*(self._delete(key, revision) for _, revision, key in due), return_exceptions=True)
        for (_, revision, key), outcome in zip(due, outcomes, strict=True):
            if isinstance(outcome, StoreUnavailable):
                heapq.heappush(self._heap, (self._clock.now() + RETRY_SECONDS, revision, key))
            elif isinstance(outcome, Exception) and not isinstance(outcome, Conflict):
                log.error("cannot expire a key", key=key, error=repr(outcome))
