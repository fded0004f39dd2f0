"""What the server serves, asked anew soon after a definition or an APIService changed, and now and then in any case."""

from __future__ import annotations

import asyncio

from sampan.api.errors import StatusError
from sampan.api.types.base import API
from sampan.client.discovery import Served, discover
from sampan.client.informer import InformerFactory
from sampan.controllers.ownergraph import slim
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

log = get_logger("discovery")

LONGEST_SECONDS = 30.0
RETRY_SECONDS = 0.5
SETTLE_SECONDS = 0.5
"""After a change, for what comes with it: a definition's conditions, others of the same manifest."""
_DEFINING = (
    API("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
    API("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False),
)


class Rediscovery:
    """`served = await rediscovery.ask()`, and again after each `await rediscovery.due()`."""

    def __init__(self, factory: InformerFactory) -> None:
        self._client = factory.client
        self._clock = factory.client.clock
        self._outdated = asyncio.Event()
        for api in _DEFINING:
            informer = factory.of_resource(api) or factory.informer(slim(api))
            informer.add_handler(self._changed)

    async def ask(self) -> list[Served]:
        """Until the server answers: what changed while it was away would go unseen for long."""
        while True:
            try:
                return await discover(self._client)
            except (StatusError, OSError, TimeoutError, EOFError) as error:
                log.warning("discovery failed", error=str(error))
                await self._clock.sleep(RETRY_SECONDS)

    async def due(self) -> None:
        """Returns when it is time to ask."""
        async with Tasks() as tasks:
            tasks.start(self._some_time(), "rediscovery")
            await self._outdated.wait()
        await self._clock.sleep(SETTLE_SECONDS)
        self._outdated.clear()

    async def _some_time(self) -> None:
        await self._clock.sleep(LONGEST_SECONDS - SETTLE_SECONDS)
        self._outdated.set()

    def _changed(self, old: object, new: object) -> None:
        self._outdated.set()
