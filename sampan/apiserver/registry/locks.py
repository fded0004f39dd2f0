"""Locks by key: writers of one object take turns instead of failing each other's optimistic writes.

The store's compare-and-set stays the truth (another server may write, too); the turns only spare the retries, which under
contention would grow with the square of the writers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class KeyLocks:
    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def hold(self, key: str) -> _Hold:
        return _Hold(self._waiting, key)


class _Hold:
    __slots__ = ("_ended", "_key", "_waiting")

    def __init__(self, waiting: dict[str, deque[asyncio.Future[None]]], key: str) -> None:
        self._waiting = waiting
        self._key = key
        self._ended = False

    async def __aenter__(self) -> Self:
        queue = self._waiting.get(self._key)
        if queue is None:
            self._waiting[self._key] = deque()
            return self
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Let the next have his turn, before the work under the lock is done: for who waits long for somebody else."""
        if self._ended:
            return
        self._ended = True
        queue = self._waiting[self._key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[self._key]
