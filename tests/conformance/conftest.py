"""The stores the suite runs against. Another one joins by a row in `STORES`; the tests know only the contract."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import Clock, ManualClock, RealClock
from sampan.store.base import Store
from sampan.store.etcd import EtcdStore
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SQLiteStore
from tests.etcdserver import BINARY, MISSING, EtcdServer

IN_PROCESS: dict[str, Callable[[Path, Clock], Store]] = {
    "memory": lambda directory, clock: MemoryStore(clock),
    "sqlite": lambda directory, clock: SQLiteStore(directory / "state.db", clock),
}
STORES = (*IN_PROCESS, "etcd")

Scenario = Callable[[Store, ManualClock], Awaitable[None]]
OnStore = Callable[[Scenario], None]


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One for all tests: to empty it is cheaper than to start another."""
    if not BINARY.exists():
        pytest.skip(MISSING)
    server = EtcdServer(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=STORES)
def on_store(request: pytest.FixtureRequest, tmp_path: Path) -> OnStore:
    """Runs a scenario on an empty, open store; may be called more than once in a test."""
    if request.param == "etcd":
        return on_etcd(request.getfixturevalue("etcd"))
    return runner(IN_PROCESS[request.param], tmp_path)


@pytest.fixture(params=list(IN_PROCESS))
def on_local_store(request: pytest.FixtureRequest, tmp_path: Path) -> OnStore:
    """As `on_store`, of the stores that live in this process: they keep the scenario's time, and more is known of watches."""
    return runner(IN_PROCESS[request.param], tmp_path)


def on_etcd(server: EtcdServer) -> OnStore:
    def make(directory: Path, clock: Clock) -> Store:
        # A failed call or a broken watch is tried again after a while, which is not the scenario's to count.
        return EtcdStore([server.endpoint], clock=RealClock())

    return runner(make, server.directory, clear)


async def clear(store: Store) -> None:
    """Empty it; its revisions go on from where they are."""
    for entry in (await store.list("")).entries:
        await store.delete(entry.key, entry.revision)


def runner(
    make: Callable[[Path, Clock], Store], parent: Path, prepare: Callable[[Store], Awaitable[None]] | None = None
) -> OnStore:
    count = itertools.count()

    def run(scenario: Scenario) -> None:
        directory = parent / str(next(count))
        directory.mkdir(exist_ok=True)

        async def main() -> None:
            clock = ManualClock()
            store = make(directory, clock)
            await store.open()
            if prepare is not None:
                await prepare(store)
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
