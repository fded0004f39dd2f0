"""A webhook for tests: an HTTPS server on loopback, what it was asked, and the `clientConfig` that leads to it.

async with webhook(answer) as hook:
    await server.context.webhooks.call(hook.client_config(), {"kind": "Review"}, 5)
    assert hook.asked == [{"kind": "Review"}]
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from sampan.apiserver.registry.generic import Caller
from sampan.apiserver.server import APIServer
from sampan.lib.http import Request, Response
from sampan.lib.httpserver import HTTPServer
from sampan.lib.tls import server_context
from sampan.pki.certificates import CA, SERVER

Tree = dict[str, Any]
Said = Tree | Response
Reply = Callable[[Tree], Said | Awaitable[Said]]


@cache
def authority(name: str = "webhook-ca") -> CA:
    return CA.create(name)


class Hook:
    def __init__(self, port: int, ca: CA) -> None:
        self.port = port
        self.ca = ca
        self.asked: list[Tree] = []
        self.requests: list[Request] = []

    def client_config(self, path: str = "/convert", ca: CA | None = None) -> Tree:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": bundle(ca or self.ca)}


def bundle(ca: CA) -> str:
    return base64.b64encode(ca.cert_pem).decode()


@asynccontextmanager
async def webhook(reply: Reply, dns_names: tuple[str, ...] = ("localhost",)) -> AsyncIterator[Hook]:
    hook = Hook(0, authority())

    async def handle(request: Request) -> Response:
        hook.requests.append(request)
        hook.asked.append(json.loads(request.body))
        answer = reply(hook.asked[-1])
        if isinstance(answer, Awaitable):
            answer = await answer
        return answer if isinstance(answer, Response) else Response(200, json.dumps(answer).encode())

    cert, key = hook.ca.issue("webhook", dns_names=dns_names, ips=("127.0.0.1",), usages=(SERVER,))
    server = HTTPServer(handle, tls=server_context(cert, key))
    hook.port = await server.start("127.0.0.1", 0)
    try:
        yield hook
    finally:
        await server.stop(0)


async def put_service(server: APIServer, name: str, port: int, *, ready: bool = True) -> None:
    """A Service in `default` whose only endpoint is a port on loopback, which validation would not let anybody say."""
    registry = server.registry("", "services")
    ports = [{"name": "https", "port": 443, "protocol": "TCP"}]
    await registry.create({"metadata": {"name": name}, "spec": {"ports": ports}}, "default", Caller())
    slice_ = {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    key = server.registry("discovery.k8s.io", "endpointslices").cache.key("default", name)
    await server.feed.reach(await server.feed.store.create(key, json.dumps(slice_, separators=(",", ":")).encode()))
