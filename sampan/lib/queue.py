"""A work queue for level-based loops, with the semantics of client-go's `workqueue`.

A key that is added several times before it is handed out is handed out once; a key added while it is being worked on is
handed out again only after `done`. So a key is never in two hands, and no change is missed:

    queue: WorkQueue[str] = WorkQueue()
    key = await queue.get()
    try:
        await work(key)
        queue.forget(key)
    except RetryLater:
        queue.add_rate_limited(key)
    finally:
        queue.done(key)

Delays are kept by whoever waits in `get`, so the queue has no task of its own to start or to stop.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from typing import Generic, TypeVar

from sampan.lib.clock import Clock, RealClock
from sampan.lib.tasks import Tasks

K = TypeVar("K")

FIRST_RETRY_SECONDS = 0.005
LONGEST_RETRY_SECONDS = 1000.0


class QueueShutDown(Exception):
    """`get` on a queue that was shut down and is empty."""


class WorkQueue(Generic[K]):
    def __init__(
        self,
        clock: Clock | None = None,
        *,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
        longest_retry_seconds: float = LONGEST_RETRY_SECONDS,
    ) -> None:
        self._clock = clock or RealClock()
        self._first_retry = first_retry_seconds
        self._longest_retry = longest_retry_seconds
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._count = 0
        self._failures: dict[K, int] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._shut_down = False

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing ready and nothing in hand; delayed keys do not count."""
        return not self._ready and not self._processing

    def add(self, key: K) -> None:
        if self._shut_down or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """Add `key` when `seconds` have passed; of several delays of one key the earliest counts."""
        if self._shut_down:
            return
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._delayed, (due, self._count, key))
        if self._delayed[0][2] == key:
            self._wake_all()

    def add_rate_limited(self, key: K) -> None:
        """Add `key` after its exponential back-off.

        Where it is to be added sooner anyhow the failure does not count: a burst of changes in between would make the back-off
        grow without that any time has passed (client-go's does).
        """
        failures = self._failures.get(key, 0)
        seconds = min(self._first_retry * 2 ** min(failures, 60), self._longest_retry)
        if key not in self._due or self._due[key] > self._clock.monotonic() + seconds:
            self._failures[key] = failures + 1
            self.add_after(key, seconds)

    def forget(self, key: K) -> None:
        """Its next failure backs off from the start."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; the caller owes a `done`. Raises QueueShutDown."""
        while True:
            self._promote_due()
            if self._ready:
                key = self._ready.popleft()
                self._dirty.discard(key)
                self._processing.add(key)
                return key
            if self._shut_down:
                raise QueueShutDown
            await self._wait()

    def done(self, key: K) -> None:
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._wake_one()

    def shut_down(self) -> None:
        """Take no more keys; those that are ready are still handed out."""
        self._shut_down = True
        self._delayed.clear()
        self._due.clear()
        self._wake_all()

    def _promote_due(self) -> None:
        if not self._delayed:
            return
        now = self._clock.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:  # else a shorter delay came after it and has been served
                del self._due[key]
                self.add(key)

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            if self._delayed:
                async with Tasks() as tasks:
                    tasks.start(self._alarm(self._delayed[0][0], waiter), "queue-alarm")
                    await waiter
            else:
                await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and self._ready:
                self._wake_one()  # the key we were woken for needs another taker
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def _alarm(self, due: float, waiter: asyncio.Future[None]) -> None:
        await self._clock.sleep(due - self._clock.monotonic())
        if not waiter.done():
            waiter.set_result(None)

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
