"""Upstream's API server and Sampan's side by side, for all tests of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import uvloop

from sampan.lib.clock import RealClock
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Credentials, credentials
from tests.upstream.pair import Account, Pair
from tests.upstream.reference import MISSING, Reference, is_missing

__all__ = ["credentials"]

ACCOUNT = Account()


@pytest.fixture(scope="session")
def reference(credentials: Credentials) -> Iterator[Reference]:
    if is_missing():
        pytest.skip(MISSING)
    with TemporaryDirectory() as directory:
        reference = Reference(Path(directory), credentials)
        try:
            reference.start()
            yield reference
        finally:
            reference.stop()


@pytest.fixture(scope="session")
def servers(credentials: Credentials, reference: Reference) -> Iterator[Pair]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        served = runner.run(stack.enter_async_context(Api(credentials).serve(RealClock(), MemoryStore(RealClock()))))
        pair = Pair(runner, reference.url, served, ACCOUNT)
        pair.both("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        yield pair
        runner.run(pair.close())
        runner.run(stack.aclose())


@pytest.fixture
def pair(servers: Pair) -> Pair:
    servers.theirs.kept.clear()
    servers.ours.kept.clear()
    servers.theirs.beta = None
    return servers


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if ACCOUNT.requests:
        explained = sum(ACCOUNT.explained.values())
        terminalreporter.write_line(
            f"{ACCOUNT.requests} requests compared: {explained} differences explained, {len(ACCOUNT.left)} not"
        )
        for reason, count in sorted(ACCOUNT.explained.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"  {count:6} {reason}")
