"""Background tasks with an owner.

The idea is structured concurrency (Trio's nurseries): a task is started through a `Tasks` scope, and leaving the scope ends
every task it started and waits for them. A task that fails cancels the scope, so no failure goes unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Tasks:
    """An `asyncio.TaskGroup` whose tasks are background work: leaving the block cancels what still runs.

    Raises on exit, as a TaskGroup does, an ExceptionGroup of the failures of its tasks.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()
        await self._group.__aexit__(kind, error, traceback)

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = self._group.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()
