"""A real API server on memory and node agents on simulated runtimes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sampan.api.errors import ALREADY_EXISTS, NOT_FOUND, StatusError
from sampan.api.types.core_v1 import Container, Event, Namespace, Pod, PodSpec, ServiceAccount
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.rest import Client
from sampan.kubelet.agent import Agent
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.runtime.simulated import SimulatedRuntime
from sampan.lib.clock import Clock, RealClock
from sampan.lib.tasks import Tasks
from tests.component.conftest import Served

DEADLINE_SECONDS = 15.0


class Nodes:
    def __init__(self, client: Client, clock: Clock, tasks: Tasks) -> None:
        self.client = client
        self.clock = clock
        self._tasks = tasks
        self.running: dict[str, asyncio.Task[Any]] = {}
        self.runtimes: dict[str, SimulatedRuntime] = {}
        self.agents: dict[str, Agent] = {}

    def start(self, name: str = "node-1", **config: Any) -> Agent:
        """Start an agent, or start it again: its runtime lives on between."""
        runtime = self.runtimes.setdefault(name, SimulatedRuntime(self.clock))
        config.setdefault("node_ip", "10.0.0.1")
        agent = Agent(self.client, runtime, config=AgentConfig(node_name=name, **config))
        self.agents[name] = agent
        self.running[name] = self._tasks.start(agent.run(), f"agent {name}")
        return agent

    async def stop(self, name: str = "node-1") -> None:
        task = self.running.pop(name)
        task.cancel()
        await asyncio.wait({task})

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        last: Any = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    last = await condition()
                    if last:
                        return last
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came true; last: {last!r}") from None

    async def pod(self, name: str, spec: PodSpec | None = None, annotations: dict[str, str] | None = None) -> Pod:
        spec = spec or PodSpec(containers=[Container(name="c", image="app:1")])
        spec.nodeName = spec.nodeName or "node-1"
        spec.terminationGracePeriodSeconds = (
            1 if spec.terminationGracePeriodSeconds is None else spec.terminationGracePeriodSeconds
        )
        spec.automountServiceAccountToken = False
        meta = ObjectMeta(name=name, namespace="default", annotations=annotations or {})
        return await self.client.create(Pod(metadata=meta, spec=spec))

    async def get(self, name: str) -> Pod | None:
        try:
            return await self.client.get(Pod, name, "default")
        except StatusError as error:
            if error.reason == NOT_FOUND:
                return None
            raise

    async def when(self, name: str, holds: Callable[[Pod], Any]) -> Pod:
        """The pod, once it exists and the condition holds of it."""
        last: Pod | None = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    last = await self.get(name)
                    if last is not None and holds(last):
                        return last
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came true of {last.status if last else None!r}") from None

    async def phase(self, name: str, phase: str) -> Pod:
        return await self.when(name, lambda pod: pod.status.phase == phase)

    async def gone(self, name: str) -> None:
        async def is_gone() -> bool:
            return await self.get(name) is None

        await self.until(is_gone)

    async def event(self, name: str, reason: str, count: int = 1) -> str:
        """The message of an event about an object, once it is there."""

        async def find() -> str:
            events = (await self.client.list(Event, "default")).items
            found = [e for e in events if e.involvedObject and e.involvedObject.name == name and e.reason == reason]
            return found[-1].message if sum(e.count or 1 for e in found) >= count else ""

        message: str = await self.until(find)
        return message


@asynccontextmanager
async def nodes(served: Served) -> AsyncIterator[Nodes]:
    client = served.client
    account = ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    for wanted in (Namespace(metadata=ObjectMeta(name="kube-node-lease")), account):
        try:
            await client.create(wanted)
        except StatusError as error:
            if error.reason != ALREADY_EXISTS:
                raise
    async with Tasks() as tasks:
        yield Nodes(client, served.clock or RealClock(), tasks)
