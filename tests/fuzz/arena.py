"""A server to try things on from plain functions, and how long a test goes on with that."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.component.conftest import Answer, Served
from tests.fuzz.oracles import judge
from tests.samples import sample

Result = TypeVar("Result")

SECONDS = float(os.environ.get("SAMPAN_FUZZ_SECONDS", "0"))
"""How long each test searches; 0: as many inputs as it says itself, and always the same."""
PATIENCE_SECONDS = 10.0
"""For the answer to one request, on a machine that has other things to do."""


TRIES = 50
KINDS = [resource for resource in builtin() if "create" in resource.verbs and not resource.virtual]
WATCHED_OVER = ("APIService", "CustomResourceDefinition", "FlowSchema", "ServiceCIDR", "ValidatingAdmissionPolicy")
"""Kinds whose objects the server writes to as soon as they are there."""
MERGE_PATCH = "application/merge-patch+json"


class Arena:
    """A server with a namespace to work in, driven from plain functions."""

    def __init__(self, runner: asyncio.Runner, served: Served) -> None:
        self._runner = runner
        self.served = served

    def run(self, waiting: Awaitable[Result]) -> Result:
        async def bounded() -> Result:
            async with asyncio.timeout(6 * PATIENCE_SECONDS):
                return await waiting

        return self._runner.run(bounded())

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """An answer that is as every answer must be."""
        answer = await self.served.request(method, path, body, deadline_seconds=PATIENCE_SECONDS, **options)
        judge(answer, (method, path, options, repr(body)[:500]))
        return answer

    async def is_well(self) -> None:
        answer = await self.served.get("/readyz")
        assert (answer.status, answer.body) == (200, b"ok")


def path_of(resource: Resource, name: str = "", subresource: str = "", namespace: str = "default") -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    space = f"namespaces/{namespace}" if resource.namespaced else ""
    return "/".join(part for part in (root, space, resource.plural, name, subresource) if part)


async def make(arena: Arena, resource: Resource, name: str) -> Answer:
    """A sample of the kind under a name, or under the one that its kind dictates."""
    answer = await arena.ask("POST", path_of(resource), sample(resource, name))
    if answer.status == 409:
        wanted = sample(resource, name)["metadata"]["name"]
        return await arena.ask("GET", path_of(resource, wanted))
    assert answer.status == 201, answer.body
    return answer


def explore(strategy: SearchStrategy[Any], examples: int, test: Callable[[Any], None]) -> None:
    """Try a test on so many values of the strategy, or on ever new ones as long as SAMPAN_FUZZ_SECONDS says."""
    end = time.monotonic() + SECONDS
    while True:
        found = settings(
            max_examples=examples,
            derandomize=not SECONDS,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(given(strategy)(test))
        found()
        if time.monotonic() >= end:
            return


async def put_again(arena: Arena, where: str, found: Answer) -> Answer:
    """What was read, once nobody comes between."""
    for _ in range(TRIES):
        again = await arena.ask("PUT", where, found.tree)
        if again.status != 409:
            break
        found = await arena.ask("GET", where)
    return again


async def remove(arena: Arena, resource: Resource, name: str) -> None:
    where = path_of(resource, name)
    await arena.ask("DELETE", where, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
    for _ in range(TRIES):
        found = await arena.ask("GET", where)
        if found.status == 404:
            return
        if resource.kind == "Namespace":
            await arena.ask("PUT", where + "/finalize", {**found.tree, "spec": {}})
        await arena.ask("PATCH", where, {"metadata": {"finalizers": None}}, content_type=MERGE_PATCH)
        await asyncio.sleep(0.001)  # for what the server itself takes down
    raise AssertionError(f"{where} does not go away")
