"""A server that lives as long as a module's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import structlog
import uvloop

from sampan.lib.clock import RealClock
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Credentials, credentials
from tests.fuzz.arena import Arena

__all__ = ["credentials"]


@pytest.fixture(scope="module")
def arena(credentials: Credentials) -> Iterator[Arena]:
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        served = runner.run(stack.enter_async_context(Api(credentials).serve(RealClock(), MemoryStore(RealClock()))))
        found = Arena(runner, served)
        found.run(served.create("serviceaccounts", {"metadata": {"name": "default"}}))
        yield found
        found.run(found.is_well())
        runner.run(stack.aclose())
    structlog.reset_defaults()
