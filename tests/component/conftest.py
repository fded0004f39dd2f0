"""A real API server on loopback TLS with a memory store, for tests that speak to it as clients do.

def test_a_name_can_be_taken_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.create("configmaps", {"metadata": {"name": "a"}})).status == 201
        assert (await server.create("configmaps", {"metadata": {"name": "a"}})).status == 409

    api(scenario)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
import uvloop

from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.server import APIServer
from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import HTTPResponse, Transport
from sampan.lib.clock import Clock, RealClock
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem
from sampan.store.memory import MemoryStore

Tree = dict[str, Any]
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    tree: Any
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def message(self) -> str:
        return str(self.tree["message"])


@dataclass(frozen=True)
class Credentials:
    ca: CA
    config: APIServerConfig

    def client(self, url: str, user: str, *groups: str) -> ClientConfig:
        cert, key = self.ca.issue(user, groups, usages=(CLIENT,))
        return ClientConfig(url, self.ca.cert_pem, cert_pem=cert, key_pem=key)


class Served:
    """A running server and an administrator's connections to it."""

    def __init__(self, server: APIServer, credentials: Credentials, clock: Clock, store: MemoryStore) -> None:
        self.server = server
        self.credentials = credentials
        self.clock = clock
        self.store = store
        self.admin = credentials.client(server.url, "kubernetes-admin", "system:masters")
        self.transport = Transport(self.admin)
        self.client = Client(self.transport, clock)
        self._transports = [self.transport]

    def connect(self, user: str, *groups: str) -> Transport:
        """A connection as somebody else."""
        self._transports.append(Transport(self.credentials.client(self.server.url, user, *groups)))
        return self._transports[-1]

    async def close(self) -> None:
        for transport in self._transports:
            await transport.close()

    async def request(self, method: str, path: str, body: Any = None, *, by: Transport | None = None, **options: Any) -> Answer:
        """`body`: a tree, bytes or nothing; `options` as Transport.request has them."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer: HTTPResponse = await (by or self.transport).request(method, path, body=raw, **options)
        try:
            tree = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            tree = None
        headers = answer.headers.items() if hasattr(answer.headers, "items") else answer.headers
        return Answer(answer.status, list(headers), tree, answer.body)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def create(self, plural: str, tree: Tree, namespace: str = "default", **options: Any) -> Answer:
        return await self.request("POST", core(plural, namespace), tree, **options)

    async def update(
        self, plural: str, tree: Tree, namespace: str = "default", subresource: str = "", **options: Any
    ) -> Answer:
        return await self.request("PUT", core(plural, namespace, tree["metadata"]["name"], subresource), tree, **options)

    async def patch(self, path: str, patch: Any, kind: str = "application/merge-patch+json", **options: Any) -> Answer:
        return await self.request("PATCH", path, patch, content_type=kind, **options)

    async def delete(self, path: str, options_body: Tree | None = None, **options: Any) -> Answer:
        return await self.request("DELETE", path, options_body, **options)

    @asynccontextmanager
    async def watch(self, path: str, query: dict[str, str] | None = None, **options: Any) -> AsyncIterator[Events]:
        async with self.transport.stream("GET", path, query={"watch": "true", **(query or {})}, **options) as stream:
            yield Events(stream.status, aiter(stream))


class Events:
    """The events of a watch, one by one."""

    def __init__(self, status: int, chunks: AsyncIterator[bytes]) -> None:
        self.status = status
        self._chunks = chunks
        self._rest = b""
        self._ready: list[Tree] = []

    async def next(self) -> tuple[str, Tree]:
        """The next event's type and object. Raises StopAsyncIteration at the end of the watch, TimeoutError."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._ready:
                self._rest += await anext(self._chunks)
                *lines, self._rest = self._rest.split(b"\n")
                self._ready += [json.loads(line) for line in lines]
        event = self._ready.pop(0)
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        """(type, name) of the next `count` events."""
        found = [await self.next() for _ in range(count)]
        return [(type_, tree["metadata"].get("name", "")) for type_, tree in found]

    async def rest(self) -> list[tuple[str, Tree]]:
        """Everything up to the end of the watch."""
        found: list[tuple[str, Tree]] = []
        while True:
            try:
                found.append(await self.next())
            except StopAsyncIteration:
                return found


def core(plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a core resource."""
    parts = ["/api/v1", *(("namespaces", namespace) if namespace else ()), plural, name, subresource]
    return "/".join(part for part in parts if part)


Scenario = Callable[[Served], Awaitable[None]]


class Api:
    """Runs a scenario against a server of its own. Keyword arguments change its configuration; `clock` its clock."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials

    def __call__(self, scenario: Scenario, *, clock: Clock | None = None, **config: Any) -> None:
        uvloop.run(self._run(scenario, clock or RealClock(), config))

    async def _run(self, scenario: Scenario, clock: Clock, config: dict[str, Any]) -> None:
        async with self.serve(clock, MemoryStore(clock), **config) as served, asyncio.timeout(60):
            await scenario(served)

    @asynccontextmanager
    async def serve(self, clock: Clock, store: MemoryStore, **config: Any) -> AsyncIterator[Served]:
        server = APIServer(store, config=replace(self.credentials.config, **config), clock=clock)
        await server.start()
        served = Served(server, self.credentials, clock, store)
        try:
            yield served
        finally:
            await served.close()
            await server.stop(grace_seconds=1)


@pytest.fixture(scope="session")
def credentials() -> Credentials:
    ca = CA.create("sampan-tests")
    cert, key = ca.issue("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",), usages=(SERVER,))
    config = APIServerConfig(
        tls_cert_pem=cert, tls_key_pem=key, client_ca_pem=ca.cert_pem, service_account_key_pem=new_key_pem()
    )
    return Credentials(ca, config)


@pytest.fixture
def api(credentials: Credentials) -> Api:
    return Api(credentials)
