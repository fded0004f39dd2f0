"""Nothing that a client made as long as it liked stays with the server."""

from __future__ import annotations

import asyncio
import gc
import ssl
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from sampan.apiserver.registry.objects import CachedObject
from sampan.client.config import ClientConfig
from sampan.client.connection import ClientConnection
from sampan.client.transport import Transport
from sampan.lib.clock import RealClock
from sampan.lib.httpconnection import Connection
from sampan.store.base import StoreUnavailable
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Served
from tests.component.streaming import Cluster, on_node, run_spdy
from tests.unit.fakeapi import until

TIMES, LONG = 10, 500_000

Ask = Callable[[Served, Transport, str], Awaitable[object]]


async def _path(server: Served, nobody: Transport, text: str) -> None:
    assert (await server.get(f"/{text}", by=nobody)).status == 403


async def _review(server: Served, nobody: Transport, text: str) -> None:
    spec = {"user": "bob", "resourceAttributes": {"verb": "get", "resource": text, "name": text}}
    answer = await server.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
    assert answer.status == 201


async def _label(server: Served, nobody: Transport, text: str) -> None:
    assert (await server.create("configmaps", {"metadata": {"name": "a", "labels": {"a": text}}})).status == 422


async def _finalizer(server: Served, nobody: Transport, text: str) -> None:
    assert (await server.create("configmaps", {"metadata": {"name": "a", "finalizers": [f"a/{text}"]}})).status == 422


async def _container(server: Served, nobody: Transport, text: str) -> None:
    container = {"name": text, "image": text, "resources": {"limits": {text: "1"}}}
    template = {"metadata": {"name": "a"}, "template": {"spec": {"containers": [container]}}}
    assert (await server.create("podtemplates", template)).status == 422


async def _agent(server: Served, nobody: Transport, text: str) -> None:
    answer = await server.create("configmaps", {"metadata": {"name": "A"}}, headers=[("User-Agent", text)])
    assert answer.status == 422


async def _accept(server: Served, nobody: Transport, text: str) -> None:
    answer = await server.get("/api/v1/pods", by=nobody, accept=f"application/json;x={text}")
    assert answer.status == 403


@pytest.mark.parametrize("ask", [_path, _accept, _review, _label, _finalizer, _container, _agent])
def test_long_texts_are_not_remembered(api: Api, ask: Ask) -> None:
    async def scenario(server: Served) -> None:
        async def round_(number: int) -> int:
            for at in range(TIMES):
                await ask(server, nobody, f"x{number}-{at}-".ljust(LONG, "x"))
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        async with Transport(ClientConfig(server.server.url, server.admin.ca_pem)) as nobody:
            tracemalloc.start()
            try:
                before = await round_(0)
                assert await round_(1) - before < TIMES * LONG / 4
            finally:
                tracemalloc.stop()

    api(scenario)


class Failing(MemoryStore):
    """Takes no more writes once it is `full`."""

    full = False

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        if self.full:
            raise StoreUnavailable("database or disk is full")
        return await super().create(key, value, ttl_seconds=ttl_seconds)


def test_objects_that_could_not_be_stored_are_forgotten(api: Api) -> None:
    def objects() -> int:
        gc.collect()
        return sum(type(thing) is CachedObject for thing in gc.get_objects())

    async def main() -> None:
        store = Failing(clock := RealClock())
        async with asyncio.timeout(30), api.serve(clock, store) as server:
            assert (await server.create("configmaps", {"metadata": {"name": "first"}})).status == 201
            before = objects()
            store.full = True
            for _ in range(100):
                assert (await server.create("configmaps", {"metadata": {"generateName": "a-"}})).status == 503
            store.full = False
            assert objects() < before + 50, "what a server that has just begun writes itself"

    uvloop.run(main())


async def _create(client: Transport) -> None:
    assert (await client.request("POST", "/api/v1/namespaces", body=b'{"metadata": {"generateName": "a-"}}')).status == 201


async def _refuse(client: Transport) -> None:
    assert (await client.request("POST", "/api/v1/namespaces", body=b'{"metadata": {"name": "A"}}')).status == 422


async def _list(client: Transport) -> None:
    assert (await client.request("GET", "/api/v1/namespaces")).status == 200


async def _watch(client: Transport) -> None:
    async with client.stream("GET", "/api/v1/namespaces", query={"watch": "true"}) as events:
        assert await anext(aiter(events))


async def _watch_in_vain(client: Transport) -> None:
    async with client.stream("GET", "/api/v1/pods", query={"watch": "true"}) as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await events.read()


async def _break_off(client: Transport) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.request("GET", "/api/v1/pods", query={"watch": "true"})


async def _nothing_is_left_to_the_collector(connect: Callable[[], Awaitable[None]]) -> None:
    """When connections have come and gone, none of them is there any more, on neither side."""

    def there() -> int:
        return sum(isinstance(thing, (Connection, ClientConnection, ssl.SSLObject)) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = there()
        for _ in range(10):
            await connect()
        await until(lambda: there() <= before)  # the server hears of it a moment later
    finally:
        gc.enable()


@pytest.mark.parametrize("ask", [_create, _refuse, _list, _watch, _watch_in_vain, _break_off])
def test_a_connection_that_is_gone_holds_no_memory(api: Api, ask: Callable[[Transport], Awaitable[None]]) -> None:
    async def scenario(server: Served) -> None:
        async def connect() -> None:
            async with Transport(server.admin) as client:
                await ask(client)

        await connect()
        await _nothing_is_left_to_the_collector(connect)

    api(scenario)


def test_a_stream_that_is_over_holds_no_memory(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        async def connect() -> None:
            query = [("stdout", "true"), ("stderr", "true"), ("command", "echo")]
            async with cluster.spdy("pods/web/exec", query, "v4.channel.k8s.io") as session:
                await run_spdy(session)

        await cluster.add_pod("app")
        await connect()
        await _nothing_is_left_to_the_collector(connect)

    on_node(api, tmp_path, scenario)
