"""For tests of aggregation: an extension API server behind a Service, its pod behind a kubelet, joined by an APIService."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from sampan.lib.http import Answer, Request, Response, Sink, Stream
from sampan.lib.httpserver import HTTPServer
from sampan.lib.tls import server_context
from sampan.pki.certificates import CA, CLIENT, SERVER
from tests.component.conftest import Api, Served
from tests.component.streaming import Cluster, on_node

APIS = "/apis/metrics.example.com/v1beta1"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1beta1.metrics.example.com"
HOST = "adapter.default.svc"

Tree = dict[str, Any]


class Extension:
    """Serves one group-version, and remembers whom it was asked for."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.healthy = True
        self.instead: dict[str, Answer] = {}
        """By path, what is answered there and not what should be."""

    @property
    def asked(self) -> list[Request]:
        """What it was asked of its resources, without what its availability is judged by."""
        return [request for request in self.seen if request.path.startswith(f"{APIS}/")]

    def handle(self, request: Request) -> Answer:
        self.seen.append(request)
        if request.path in self.instead:
            return self.instead[request.path]
        if not self.healthy:
            return Response(500, b"out of order", "text/plain")
        match request.path:
            case "/apis/metrics.example.com/v1beta1":
                resource = {"name": "rates", "singularName": "rate", "namespaced": True, "kind": "Rate", "verbs": ["get"],
                            "shortNames": ["rt"]}  # fmt: skip
                return json_answer(
                    {"kind": "APIResourceList", "groupVersion": "metrics.example.com/v1beta1", "resources": [resource]}
                )
            case "/openapi/v3":
                url = "/openapi/v3/apis/metrics.example.com/v1beta1?hash=ABC"
                return json_answer({"paths": {"apis/metrics.example.com/v1beta1": {"serverRelativeURL": url}}})
            case "/openapi/v3/apis/metrics.example.com/v1beta1":
                return json_answer({"openapi": "3.0.0", "paths": {}})
            case "/openapi/v2":
                paths: Tree = {f"{APIS}/rates": {"get": {}}, "/version/": {}}
                return json_answer({"swagger": "2.0", "paths": paths, "definitions": {"com.example.Rate": {"type": "object"}}})
        if request.path.startswith(APIS + "/"):
            if "watch" in request.query:
                return Stream(_events)
            return json_answer({"kind": "Rate", "method": request.method, "path": request.raw_path, "query": request.query})
        return Response(404, b"{}")


def json_answer(tree: Tree) -> Response:
    return Response(200, msgspec.json.encode(tree))


async def _events(sink: Sink) -> None:
    for number in range(2):
        sink.write(b'{"type":"ADDED","object":{"n":%d}}\n' % number)
        await sink.drain()


class Joined:
    def __init__(self, cluster: Cluster, extension: Extension, proxies: CA) -> None:
        self.cluster = cluster
        self.served: Served = cluster.served
        self.extension = extension
        self.proxies = proxies

    async def tree(self, path: str, **options: Any) -> Tree:
        answer = await self.served.transport.request("GET", path, **options)
        assert answer.status == 200, answer.body
        tree: Tree = msgspec.json.decode(answer.body)
        return tree

    async def condition(self) -> Tree:
        tree = await self.tree(f"{SERVICES}/{NAME}")
        found: Tree = next((each for each in tree.get("status", {}).get("conditions", ()) if each["type"] == "Available"), {})
        return found

    async def becomes(self, status: str, reason: str) -> Tree:
        async with asyncio.timeout(10):
            while (found := await self.condition()).get("reason") != reason:  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.01)
        assert found["status"] == status
        return found


def with_extension(
    api: Api, tmp_path: Path, scenario: Callable[[Joined], Awaitable[None]], *, ca_bundle: bytes | None = None
) -> None:
    """`ca_bundle` None: the one that signed the extension server's certificate."""
    proxies, authority = CA.create("front-proxy-ca"), CA.create("extension-ca")
    proxy_cert, proxy_key = proxies.issue("front-proxy-client", usages=(CLIENT,))

    async def body(cluster: Cluster) -> None:
        extension = Extension()
        async with _serving(cluster, extension, authority, proxies):
            spec = {
                "group": "metrics.example.com", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 10,
                "caBundle": base64.b64encode(ca_bundle or authority.cert_pem).decode(),
                "service": {"namespace": "default", "name": "adapter"},
            }  # fmt: skip
            made = await cluster.served.request("POST", SERVICES, {"metadata": {"name": NAME}, "spec": spec})
            assert made.status == 201, made.body
            await scenario(Joined(cluster, extension, proxies))

    on_node(
        api,
        tmp_path,
        body,
        requestheader_client_ca_pem=proxies.cert_pem,
        requestheader_allowed_names=("front-proxy-client",),
        proxy_client_cert_pem=proxy_cert,
        proxy_client_key_pem=proxy_key,
    )


@asynccontextmanager
async def _serving(cluster: Cluster, extension: Extension, authority: CA, proxies: CA) -> AsyncIterator[None]:
    cert, key = authority.issue(HOST, dns_names=(HOST,), usages=(SERVER,))
    server = HTTPServer(extension.handle, tls=server_context(cert, key, proxies.cert_pem, require_client=True))
    port = await server.start("127.0.0.1", 0)
    try:
        cluster.node.streaming.ports = {8443: ("127.0.0.1", port)}
        await cluster.add_pod("main")
        ports = [{"name": "https", "port": 443, "targetPort": 8443}]
        made = await cluster.served.create("services", {"metadata": {"name": "adapter"}, "spec": {"ports": ports}})
        assert made.status == 201, made.body
        await _endpoints(cluster.served)
        yield
    finally:
        await server.stop(0)


async def _endpoints(served: Served) -> None:
    tree = {
        "metadata": {"name": "adapter-1", "labels": {"kubernetes.io/service-name": "adapter"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}}],
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
    }
    made = await served.request("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", tree)
    assert made.status == 201, made.body
