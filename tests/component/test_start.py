"""Starting and stopping a server as a whole."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from sampan.api.quota.charging import Limited
from sampan.api.types.core_v1 import ConfigMap
from sampan.apiserver.admission.configuration import AdmissionSettings
from sampan.apiserver.server import APIServer
from sampan.client.informer import Informer
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.clock import RealClock
from sampan.pki.certificates import CA
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SQLiteStore
from tests.component.conftest import Api, Credentials, Served, core
from tests.unit.fakeapi import until


def test_a_server_that_cannot_start_lets_go_of_what_it_had_taken(credentials: Credentials, tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            bind = (("127.0.0.1", 0), taken.getsockname()[:2])
            store = SQLiteStore(tmp_path / "state.db")
            with pytest.raises(OSError, match="is taken"):
                await APIServer(store, config=replace(credentials.config, bind=bind)).start()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        again = APIServer(SQLiteStore(tmp_path / "state.db"), config=credentials.config)
        await again.start()
        await again.stop(0)

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    uvloop.run(bounded())


def test_informers_find_the_state_of_a_server_whose_store_was_set_back(api: Api) -> None:
    async def scenario() -> None:
        clock = RealClock()
        async with api.serve(clock, MemoryStore(clock)) as first:
            port = first.server.port
            client = Client(Transport(api.credentials.client(first.server.url, "admin", "system:masters")))
            informer = Informer(client, ConfigMap, namespace="default")
            running = asyncio.ensure_future(informer.run())
            for number in range(40):
                await first.create("configmaps", {"metadata": {"name": f"before-{number}"}})
            await until(lambda: informer.get("before-39", "default"))
        async with api.serve(clock, MemoryStore(clock), bind=(("127.0.0.1", port),)) as second:
            await second.create("configmaps", {"metadata": {"name": "after"}})
            await until(
                lambda: [o.metadata.name for o in informer.list() if o.metadata.name != "kube-root-ca.crt"] == ["after"]
            )
            future = await second.get(core("pods"), query={"watch": "1", "resourceVersion": "1000000", "timeoutSeconds": "1"})
            assert (future.status, future.tree["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")
            running.cancel()
            await client.transport.close()

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    uvloop.run(bounded())


def test_authorities_of_all_servers_of_a_store_are_published_until_they_expire(api: Api) -> None:
    """As when a cluster is begun anew, with other keys, over a datastore that was kept."""
    now = RealClock().now()
    other, over = CA.create("other"), CA.create("over", days=1, now=now - 2 * 86400)
    mine = api.credentials.config.client_ca_pem

    async def published(served: Served) -> str:
        found = await served.get(core("configmaps", "kube-system", "extension-apiserver-authentication"))
        text: str = found.tree["data"]["client-ca-file"]
        return text

    async def scenario() -> None:
        clock = RealClock()
        store = MemoryStore(clock)
        async with api.serve(clock, store, client_ca_pem=mine + over.cert_pem) as first:
            assert await published(first) == (mine + over.cert_pem).decode()
            async with api.serve(clock, store, client_ca_pem=other.cert_pem + mine) as second:
                assert await published(second) == (mine + other.cert_pem).decode()
                async with api.serve(clock, store) as third:
                    assert await published(third) == (mine + other.cert_pem).decode()

    uvloop.run(scenario())


def test_a_server_whose_own_quota_refuses_what_it_publishes_starts_and_publishes_it_later(api: Api) -> None:
    authorities = core("configmaps", "kube-system", "extension-apiserver-authentication")
    hard = {"count/configmaps": "10"}

    async def scenario(server: Served) -> None:
        assert (await server.get(authorities)).status == 404
        refused = await server.create("configmaps", {"metadata": {"name": "mine"}})
        assert (refused.status, refused.tree["reason"]) == (403, "Forbidden")
        made = await server.create("resourcequotas", {"metadata": {"name": "some"}, "spec": {"hard": hard}}, "kube-system")
        status = {"hard": hard, "used": {"count/configmaps": "0"}}
        assert (await server.update("resourcequotas", made.tree | {"status": status}, "kube-system", "status")).status == 200
        async with asyncio.timeout(20):
            while (await server.get(authorities)).status == 404:  # noqa: ASYNC110 - the server retries in its own time
                await asyncio.sleep(0.05)

    api(scenario, admission=AdmissionSettings(limited=(Limited("", "configmaps", ("count/",)),)))
