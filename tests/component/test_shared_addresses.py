"""Two API servers over one store: no cluster IP is given twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import uvloop

from sampan.apiserver.server import APIServer
from sampan.lib.clock import RealClock
from sampan.store.memory import MemoryStore
from tests.component.conftest import Credentials, Served, core
from tests.component.test_addresses_api import ADDRESSES, until

Tree = dict[str, Any]


class Shared(MemoryStore):
    """One that others write to, as etcd is; it outlives the servers."""

    in_process = False

    async def close(self) -> None:
        return None


async def make(server: Served, name: str, **spec: Any) -> Any:
    return await server.create("services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]} | spec})


def test_servers_of_one_store_never_give_the_same_address(credentials: Credentials) -> None:
    async def scenario() -> None:
        clock = RealClock()
        store = Shared(clock)
        # Of 14 addresses the `kubernetes` Service has one; random picks from so few meet often.
        config = replace(credentials.config, service_cidr="10.8.0.0/28")
        servers = [APIServer(store, config=config, clock=clock) for _ in range(2)]
        for server in servers:
            await server.start()
        served = [Served(server, credentials, clock, store) for server in servers]
        try:
            async with asyncio.timeout(30):
                made = await asyncio.gather(*(make(served[i % 2], f"s{i}") for i in range(13)))
                assert [answer.status for answer in made] == [201] * 13
                assert len({answer.tree["spec"]["clusterIP"] for answer in made}) == 13
                await until(lambda: counts(served[0], 14))
                chosen = made[0].tree["spec"]["clusterIP"]
                await served[1].delete(core("services", "default", "s0"))
                both = await asyncio.gather(*(make(each, f"heir{i}", clusterIP=chosen) for i, each in enumerate(served)))
                assert sorted(answer.status for answer in both) == [201, 422]
                [loser] = [answer for answer in both if answer.status == 422]
                assert loser.message.endswith(f"failed to allocate IP {chosen}: provided IP is already allocated")
                await until(lambda: counts(served[1], 14))
        finally:
            for each, server in zip(served, servers, strict=True):
                await each.close()
                await server.stop(grace_seconds=1)

    async def counts(server: Served, wanted: int) -> bool:
        return len((await server.get(ADDRESSES)).tree["items"]) == wanted

    uvloop.run(scenario())
