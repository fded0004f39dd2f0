"""The stores the suite runs against. Another one joins by a row in `STORES`; the tests know only the contract."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import Clock, ManualClock
from sampan.store.base import Store
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SQLiteStore

STORES: dict[str, Callable[[Path, Clock], Store]] = {
    "memory": lambda directory, clock: MemoryStore(clock),
    "sqlite": lambda directory, clock: SQLiteStore(directory / "state.db", clock),
}

Scenario = Callable[[Store, ManualClock], Awaitable[None]]
OnStore = Callable[[Scenario], None]


@pytest.fixture(params=list(STORES))
def on_store(request: pytest.FixtureRequest, tmp_path: Path) -> OnStore:
    """Runs a scenario on a new, empty, open store; may be called more than once in a test."""
    count = itertools.count()

    def run(scenario: Scenario) -> None:
        directory = tmp_path / str(next(count))
        directory.mkdir()

        async def main() -> None:
            clock = ManualClock()
            store = STORES[request.param](directory, clock)
            await store.open()
            try:
                await scenario(store, clock)
            finally:
                await store.close()

        uvloop.run(main())

    return run


async def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits until the condition holds, letting everything else run; fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def until_gone(store: Store, key: str) -> None:
    async with asyncio.timeout(20):
        while await store.get(key) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0)
