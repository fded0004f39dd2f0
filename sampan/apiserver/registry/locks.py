"""Locks by key: writers of one object take turns instead of failing each other's optimistic writes.

The store's compare-and-set stays the truth (another server may write, too); the turns only spare the retries, which under
contention would grow with the square of the writers. Nor need a turn last until the store has made its write durable: the next
writer may build upon what is on its way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from sampan.apiserver.registry.objects import CachedObject
from sampan.store.base import Handed


class Underway:
    """A write that the store was handed: `object` is what will stand, at the revision it will have if all goes well.

    all_: those that are not settled, the newest of each key. There is one of each form that the objects are kept in, for who
    handles another can do nothing with `object`."""

    __slots__ = ("_all", "_made", "handed", "object")

    def __init__(self, all_: dict[str, Underway], obj: CachedObject) -> None:
        self._all = all_
        self._made: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.handed = Handed()
        self.object = obj
        all_[obj.key] = self

    def settle(self, *, made: bool) -> None:
        self._made.set_result(made)
        if self._all.get(self.object.key) is self:
            del self._all[self.object.key]

    async def made(self) -> bool:
        """Whether it came about as foretold, once that is known. False also where it cannot be known."""
        return await asyncio.shield(self._made)


class KeyLocks:
    def __init__(self) -> None:
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def hold(self, key: str) -> Turn:
        return Turn(self, key)


class Turn:
    __slots__ = ("_ended", "_key", "_locks")

    def __init__(self, locks: KeyLocks, key: str) -> None:
        self._locks = locks
        self._key = key
        self._ended = True

    async def __aenter__(self) -> Self:
        queue = self._locks.waiting.get(self._key)
        if queue is None:
            self._locks.waiting[self._key] = deque()
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._ended = False
                    self.end()
                raise
        self._ended = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    async def again(self) -> bool:
        """Stand in line anew, if the turn has ended. Returns whether it had."""
        ended = self._ended
        if ended:
            await self.__aenter__()
        return ended

    @property
    def is_awaited(self) -> bool:
        return not self._ended and bool(self._locks.waiting[self._key])

    async def leave(self) -> None:
        self.end()

    def end(self) -> None:
        """Let the next have his turn, before the work under the lock is done: for who waits long for somebody else."""
        if self._ended:
            return
        self._ended = True
        queue = self._locks.waiting[self._key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._locks.waiting[self._key]
