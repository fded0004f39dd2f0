"""What controllers make of a server that is away for a while, or not wholly back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sampan.api.types.core_v1 import ConfigMap
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from sampan.client.informer import InformerFactory
from sampan.client.rest import Client
from sampan.client.transport import HTTPResponse, HTTPStream, Transport
from sampan.controllers.garbage_collector import GarbageCollector
from sampan.controllers.resourcequota import ResourceQuotaController
from sampan.lib.clock import RealClock
from sampan.lib.tasks import Tasks
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api
from tests.component.controllers.test_garbage_collector import sent
from tests.component.controllers.test_quotas import make_quota, make_secret, used
from tests.component.controllers.world import World
from tests.component.definitions import DEFINITIONS, GROUP, crd, cron, crons
from tests.unit.fakeapi import run

TABS = f"/apis/{GROUP}/v1/crontabs"


class Faltering(Transport):
    """A server that cannot be reached at some of its paths."""

    lost: frozenset[str] = frozenset()
    refused = 0
    asked = 0
    """For single CronTabs."""

    async def request(self, method: str, path: str, **options: Any) -> HTTPResponse:
        self._reach(path)
        self.asked += method == "GET" and path.startswith(crons())
        return await super().request(method, path, **options)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[HTTPStream]:
        self._reach(path)
        async with super().stream(method, path, **options) as answer:
            yield answer

    def lose(self, *paths: str) -> None:
        """As when it dies, and is not wholly back at once."""
        self.lost = frozenset(paths)
        for connection in list(self._active):
            connection.close()

    def recover(self) -> None:
        self.lost = frozenset()

    def _reach(self, path: str) -> None:
        if path in self.lost:
            self.refused += 1
            raise ConnectionRefusedError(f"{path} is lost")


@asynccontextmanager
async def controlled(
    api: Api, controller: Callable[[InformerFactory], GarbageCollector | ResourceQuotaController]
) -> AsyncIterator[tuple[World, Faltering]]:
    """A server, and one controller that reaches it through a transport that may falter."""
    clock = RealClock()
    async with api.serve(clock, MemoryStore(clock)) as served:
        config = served.credentials.client(served.server.url, "system:kube-controller-manager")
        async with Faltering(config) as transport, Tasks() as tasks:
            factory = InformerFactory(Client(transport, clock))
            tasks.start(controller(factory).run(), "controller")
            tasks.start(factory.run(), "informers")
            yield World(served.client), transport


async def tab(it: World, name: str) -> OwnerReference:
    made = await sent(it, "POST", crons(), cron(name))
    return OwnerReference(apiVersion=f"{GROUP}/v1", kind="CronTab", name=name, uid=made["metadata"]["uid"])


async def make_owned(it: World, owner: OwnerReference) -> None:
    await it.client.create(ConfigMap(metadata=ObjectMeta(name="owned", namespace="default", ownerReferences=[owner])))


def test_a_quota_is_not_counted_by_what_was_known_before_an_outage(api: Api) -> None:
    async def scenario() -> None:
        async with controlled(api, ResourceQuotaController) as (it, transport):
            await it.client.create(ConfigMap(metadata=ObjectMeta(name="old", namespace="default")))
            await make_quota(it, "few", hard={"count/secrets": "2", "count/configmaps": "9"})
            await used(it, "few", count__secrets="0", count__configmaps="1")
            transport.lose("/api/v1/secrets")
            assert await make_secret(it, "unseen")
            await it.client.delete(ConfigMap, "old", "default")
            await it.reached(lambda: transport.refused > 4)
            await used(it, "few", count__secrets="1", count__configmaps="1")
            transport.recover()
            await used(it, "few", count__secrets="1", count__configmaps="0")

    run(scenario())


def test_a_kind_that_came_before_an_outage_is_found_right_after_it(api: Api) -> None:
    async def scenario() -> None:
        async with controlled(api, GarbageCollector) as (it, transport):
            await make_owned(it, OwnerReference(apiVersion="v1", kind="ConfigMap", name="ghost", uid="0000"))
            await it.gone(ConfigMap, "owned")  # so discovery has been read
            transport.lose("/apis")
            await sent(it, "POST", DEFINITIONS, crd())
            await it.reached(lambda: transport.refused > 0)
            transport.recover()
            await make_owned(it, await tab(it, "owner"))
            await sent(it, "DELETE", crons(name="owner"))
            await it.gone(ConfigMap, "owned")

    run(scenario())


def test_dependents_go_with_an_owner_that_was_never_seen_in_a_watch(api: Api) -> None:
    async def scenario() -> None:
        async with controlled(api, GarbageCollector) as (it, transport):
            transport.lose(TABS)
            await sent(it, "POST", DEFINITIONS, crd())
            await make_owned(it, await tab(it, "owner"))
            await it.reached(lambda: transport.asked > 0)
            await sent(it, "DELETE", crons(name="owner"))
            transport.recover()
            await it.gone(ConfigMap, "owned")

    run(scenario())
