"""The loop of the service proxy: watch Services and EndpointSlices, plan, hand the plan to the backend."""

from __future__ import annotations

import asyncio

from sampan.api.types.core_v1 import Service
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.client.informer import InformerFactory
from sampan.client.rest import Client
from sampan.lib.log import get_logger
from sampan.proxy.backends.base import Backend, BackendError
from sampan.proxy.conntrack import forget_stale_udp
from sampan.proxy.model import PortRules, plan

MIN_SYNC_SECONDS = 0.1
"""Changes that come closer together than this are made in one transaction."""
RETRY_SECONDS = 2.0

log = get_logger("proxy")


class Proxy:
    """Keeps the backend's rules equal to what the API says for this node, until cancelled."""

    def __init__(self, client: Client, *, node_name: str, backend: Backend, informers: InformerFactory | None = None) -> None:
        self._clock = client.clock
        self._node_name = node_name
        self._backend = backend
        self._own_informers = informers is None
        self._informers = informers or InformerFactory(client)
        self._services = self._informers.informer(Service)
        self._slices = self._informers.informer(EndpointSlice)
        self._changed = asyncio.Event()
        self._rules: dict[str, PortRules] = {}
        self.synced = asyncio.Event()
        """Set once the rules have been in force for the first time."""

    async def run(self) -> None:
        self._services.add_handler(lambda old, new: self._changed.set())
        self._slices.add_handler(lambda old, new: self._changed.set())
        async with asyncio.TaskGroup() as tasks:
            if self._own_informers:
                tasks.create_task(self._informers.run(), name="proxy-informers")
            await self._services.wait_synced()
            await self._slices.wait_synced()
            self._changed.set()
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._sync()
                await self._clock.sleep(MIN_SYNC_SECONDS)

    async def _sync(self) -> None:
        wanted = plan(self._services.list(), self._slices.list(), self._node_name)
        try:
            await self._backend.sync(wanted)
        except BackendError as error:
            log.error("sync failed, trying again", error=str(error))
            await self._clock.sleep(RETRY_SECONDS)
            self._changed.set()
            return
        before, self._rules = self._rules, wanted
        await forget_stale_udp(before, wanted)
        self.synced.set()
