"""Limits on how long work may take, many on one timer.

`asyncio.timeout` sets a timer of the loop and takes it back for each piece of work, which for a request that is answered within
a millisecond is a good part of what it costs. Hardly any comes to its limit, so here one timer stands for the first that might.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlines:
    """Of the tasks of one event loop, by its own clock. A task has one limit at a time."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._wakes_at = math.inf

    async def bound(self, work: Awaitable[T], seconds: float) -> T:
        """What `work` returns. Raises TimeoutError if it has not by then; it is cancelled."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None and task not in self._due
        due = self._due[task] = loop.time() + seconds
        if due < self._wakes_at:
            self._wakes_at = due
            loop.call_at(due, self._wake, due)
        cancelled = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._due and task.cancelling() <= cancelled + 1:
                raise TimeoutError from None
            raise
        finally:
            if self._due.pop(task, None) is None:  # also of work that came to another end than it was told to
                task.uncancel()

    def _wake(self, at: float) -> None:
        if at != self._wakes_at:
            return  # an earlier one has taken its place
        loop = asyncio.get_running_loop()
        for task in [task for task, due in self._due.items() if due <= at]:
            del self._due[task]
            task.cancel()
        self._wakes_at = min(self._due.values(), default=math.inf)
        if self._due:
            loop.call_at(self._wakes_at, self._wake, self._wakes_at)
