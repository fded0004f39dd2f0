"""A read that serves everybody who asked for it before it began, so that its cost does not grow with those who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sampan.lib.tasks import Tasks
from sampan.store.base import StoreUnavailable


class SharedRead:
    """`read` may fail with StoreUnavailable, which all who wait for it get to see."""

    def __init__(self, read: Callable[[], Awaitable[int]]) -> None:
        self._read = read
        self._tasks: Tasks | None = None
        self._reading = False
        self._waiting: list[asyncio.Future[int]] = []

    def open(self, tasks: Tasks) -> None:
        """`tasks` owns the reads from now on."""
        self._tasks = tasks
        self._reading = False

    async def result(self) -> int:
        """Of a read that begins after this call."""
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if not self._reading:
            if self._tasks is None:
                raise StoreUnavailable("the store is closed")
            self._reading = True
            self._tasks.start(self._serve(), "shared read")
        return await waiter

    async def _serve(self) -> None:
        waiters: list[asyncio.Future[int]] = []
        try:
            while self._waiting:
                waiters, self._waiting = self._waiting, []
                try:
                    result = await self._read()
                except StoreUnavailable as error:
                    _settle(waiters, error)
                else:
                    _settle(waiters, result)
        finally:  # also where the store was closed meanwhile
            self._reading = False
            _settle(waiters + self._waiting, StoreUnavailable("the store is closed"))
            self._waiting = []


def _settle(waiters: list[asyncio.Future[int]], outcome: int | StoreUnavailable) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if isinstance(outcome, StoreUnavailable):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
