"""A real API server on memory, the controller manager, and the hand that plays kubelet: everything but nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Container, Pod, PodCondition, PodIP, PodSpec, PodStatus, PodTemplateSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.codec import T
from sampan.client.rest import Client
from sampan.controllers.manager import ControllerManager, ControllerManagerOptions
from sampan.lib.clock import Clock, RealClock, rfc3339
from sampan.lib.tasks import Tasks
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api

DEADLINE_SECONDS = 10.0


class World:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.next_address = 1

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        """What the condition returns, once that is true."""
        last: Any = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    try:
                        last = await condition()
                    except StatusError as error:
                        if error.code != 404:
                            raise
                        last = error
                    else:
                        if last:
                            return last
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never came true; last: {last!r}") from None

    async def reached(self, condition: Callable[[], bool]) -> None:
        """Once it is so on our side."""

        async def holds() -> bool:
            return condition()

        await self.until(holds)

    async def gone(self, cls: type[T], name: str, namespace: str = "default") -> None:
        async def is_gone() -> bool:
            try:
                await self.client.get(cls, name, namespace)
            except StatusError as error:
                return error.code == 404
            return False

        await self.until(is_gone)

    async def pods(self, labels: str = "", namespace: str = "default") -> list[Pod]:
        found = (await self.client.list(Pod, namespace, labels=labels)).items
        return [pod for pod in found if not pod.metadata.deletionTimestamp]

    async def pods_number(self, count: int, labels: str = "") -> list[Pod]:
        """The pods, once there are just that many."""

        async def pods() -> list[Pod] | None:
            found = await self.pods(labels)
            return found if len(found) == count else None

        if count == 0:
            await self.until(lambda: self._none(labels))
            return []
        found: list[Pod] = await self.until(pods)
        return found

    async def _none(self, labels: str) -> bool:
        return not await self.pods(labels)

    async def set_ready(self, *pods: Pod, ready: bool = True) -> None:
        """As a kubelet would once the containers run."""
        for pod in pods:
            await self.client.patch(Pod, pod.metadata.name, pod.metadata.namespace, self._running(ready), subresource="status")

    def _running(self, ready: bool) -> dict[str, Any]:
        self.next_address += 1
        ip = f"10.244.0.{self.next_address}"
        condition = PodCondition(
            type="Ready", status="True" if ready else "False", lastTransitionTime=rfc3339(self.client.clock.now())
        )
        status = PodStatus(phase="Running", podIP=ip, podIPs=[PodIP(ip=ip)], conditions=[condition])
        return {"status": msgspec.to_builtins(status)}

    async def keep_ready(self) -> None:
        """A kubelet for every pod: they get ready as they come and end when they are deleted; until cancelled."""
        while True:
            for pod in (await self.client.list(Pod)).items:
                try:
                    if pod.metadata.deletionTimestamp:
                        await self.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, grace_seconds=0)
                    elif pod.status.phase in ("", "Pending"):
                        await self.set_ready(pod)
                except StatusError as error:
                    if error.code not in (404, 409):
                        raise
            await asyncio.sleep(0.02)


@asynccontextmanager
async def world(
    api: Api, *, clock: Clock | None = None, options: ControllerManagerOptions | None = None, kubelet: bool = False
) -> AsyncIterator[World]:
    """`kubelet`: pods become ready by themselves."""
    clock = clock or RealClock()
    async with api.serve(clock, MemoryStore(clock)) as served, Tasks() as tasks:
        made = World(served.client)
        transport = served.connect("system:kube-controller-manager")  # with the rights it has in a cluster, and no more
        ca_pem, key_pem = served.credentials.ca.cert_pem, served.credentials.config.service_account_key_pem
        options = options or ControllerManagerOptions(ca_pem=ca_pem, service_account_key_pem=key_pem)
        tasks.start(ControllerManager(Client(transport, clock), options=options).run(), "manager")
        if kubelet:
            tasks.start(made.keep_ready(), "kubelet")
        yield made


def template(**labels: str) -> PodTemplateSpec:
    return PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[Container(name="main", image="busybox")])
    )  # fmt: skip
