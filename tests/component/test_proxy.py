"""The proxy subresources: HTTP through the API server to pods, services and nodes, the pods behind their kubelet."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sampan.apiserver.webhooks.resolve import Place, ready_places
from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.lib.http import Answer, Duplex, Request, Response, Sink, Stream, Upgrade
from sampan.lib.httpbody import IncomingBody
from sampan.lib.httpserver import HTTPServer
from sampan.lib.tls import client_context
from tests.component.conftest import Api, Served
from tests.component.streaming import NAMESPACE, Cluster, on_node

PROXY = f"{NAMESPACE}/pods/web:8080/proxy"


_BEGUN, _CUT = asyncio.Event(), asyncio.Event()


def _streams(target: bytes) -> bool:
    return target in (b"/sum", b"/echo", b"/cut")


async def _sum(body: IncomingBody) -> Answer:
    size = 0
    while data := await body.read():
        size += len(data)
    return Response(200, str(size).encode())


def _echo(body: IncomingBody) -> Answer:
    async def produce(sink: Sink) -> None:
        while data := await body.read():
            sink.write(data)

    return Stream(produce)


async def _cut(request: Request) -> Answer:
    """Waits until the client is gone."""
    task = asyncio.current_task()
    assert task is not None
    request.peer.dependents.add(task)
    _BEGUN.set()
    try:
        await asyncio.Event().wait()
    finally:
        _CUT.set()
    return Response(200)


def _application(request: Request) -> Answer | Awaitable[Answer]:
    """What runs in the pod."""
    match request.path:
        case "/sum" if request.incoming is not None:
            return _sum(request.incoming)
        case "/echo" if request.incoming is not None:
            return _echo(request.incoming)
        case "/cut":
            return _cut(request)
        case "/away":
            return Response(302, b"", "", (("Location", "/else/where?x=1"),))
        case "/page":
            page = b"<a href=/next>" if request.method == "GET" else b""
            headers = (("Access-Control-Allow-Origin", "*"), ("X-Frame-Options", "deny"))
            return Response(200, page, "text/html; charset=utf-8", headers)
        case "/outside":
            return Response(302, b"", "", (("Location", "https://example.com/"),))
        case "/cookies":
            return Response(200, b"", "text/plain", (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2, 3")))
        case "/stream":
            return Stream(_count, content_type="text/event-stream")
        case "/upgrade":
            return Upgrade(_shout, (("Connection", "Upgrade"), ("Upgrade", "shouting")))
        case "/missing":
            return Response(404, b"nothing here", "text/plain")
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "query": request.query,
        "body": request.body.decode(),
        "headers": dict(request.headers),
    }
    return Response(200, msgspec.json.encode(seen), headers=(("X-Own", "yes"),))


async def _count(sink: Sink) -> None:
    for number in range(3):
        sink.write(f"data: {number}\n\n".encode())
        await sink.drain()


async def _shout(duplex: Duplex) -> None:
    while data := await duplex.read():
        duplex.write(data.upper())
        await duplex.drain()


@asynccontextmanager
async def _pod(cluster: Cluster, *, ports: tuple[int, ...] = (8080,)) -> AsyncIterator[None]:
    server = HTTPServer(_application, tls=None, passes_on=_streams)
    port = await server.start("127.0.0.1", 0)
    try:
        cluster.node.streaming.ports = dict.fromkeys(ports, ("127.0.0.1", port))
        await cluster.add_pod("main")
        status = {"podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}]}
        answer = await cluster.served.patch(f"{NAMESPACE}/pods/web/status", {"status": status})
        assert answer.status == 200, answer.body
        yield
    finally:
        await server.stop(0)


def _on_pod(api: Api, tmp_path: Path, scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def body(cluster: Cluster) -> None:
        async with _pod(cluster):
            await scenario(cluster)

    on_node(api, tmp_path, body)


def test_a_request_reaches_the_pod_as_it_was_sent(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        transport = cluster.served.transport
        answer = await transport.request(
            "PUT", f"{PROXY}/a/b c", query={"q": "1&2"}, body=b"hello", content_type="text/x-own",
            headers=[("X-Mine", "1"), ("Cookie", "k=v")], accept="text/*",
        )  # fmt: skip
        assert answer.status == 200 and answer.headers["x-own"] == "yes"
        seen = msgspec.json.decode(answer.body)
        assert (seen["method"], seen["path"], seen["query"], seen["body"]) == ("PUT", "/a/b%20c", "q=1%262", "hello")
        headers = seen["headers"]
        assert headers["x-mine"] == "1" and headers["cookie"] == "k=v" and headers["accept"] == "text/*"
        assert headers["content-type"] == "text/x-own" and headers["host"] == cluster.served.server.url.removeprefix("https://")
        assert "x-forwarded-host" not in headers
        assert headers["x-forwarded-uri"] == f"{PROXY}/a/b%20c" and headers["x-forwarded-for"] == "127.0.0.1"
        assert "authorization" not in headers

    _on_pod(api, tmp_path, scenario)


def test_answers_come_back_whole_whatever_they_are(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        transport = cluster.served.transport
        missing = await transport.request("GET", f"{PROXY}/missing")
        assert (missing.status, missing.body, missing.headers["content-type"]) == (404, b"nothing here", "text/plain")
        streamed = await transport.request("GET", f"{PROXY}/stream")
        assert streamed.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
        cookies = await transport.request("GET", f"{PROXY}/cookies")
        assert cookies.headers["set-cookie"] == "a=1\nb=2, 3"
        head = await transport.request("HEAD", f"{PROXY}/missing")
        assert head.status == 404 and not head.body
        upgraded = await transport.upgrade(
            "GET", f"{PROXY}/upgrade", headers=[("Connection", "Upgrade"), ("Upgrade", "shouting")]
        )
        assert upgraded.status == 101 and upgraded.headers["upgrade"] == "shouting" and upgraded.duplex is not None
        upgraded.duplex.write(b"quiet")
        assert await upgraded.duplex.read() == b"QUIET"
        upgraded.duplex.close()

    _on_pod(api, tmp_path, scenario)


def test_links_of_pages_stay_within_the_proxy(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        page = await cluster.served.transport.request("GET", f"{PROXY}/page")
        assert page.body == f'<a href="{PROXY}/next">'.encode()
        assert "access-control-allow-origin" not in page.headers and page.headers["x-frame-options"] == "deny"

    _on_pod(api, tmp_path, scenario)


def test_a_body_of_any_length_goes_through_as_it_comes(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        size, chunk = 8 * 1024 * 1024, bytes(64 * 1024)
        async with _raw(cluster, b"PUT", f"{PROXY}/sum", b"Content-Length: %d\r\nExpect: 100-continue\r\n" % size) as (
            reader,
            writer,
        ):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            for _ in range(size // len(chunk)):
                writer.write(chunk)
                await writer.drain()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(len(str(size))) == str(size).encode()
        async with _raw(cluster, b"POST", f"{PROXY}/echo", b"Transfer-Encoding: chunked\r\n") as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")  # the answer has begun
            for word in (b"one", b"three"):
                writer.write(b"%x\r\n%b\r\n" % (len(word), word))
                assert await reader.readuntil(word + b"\r\n")
            writer.write(b"0\r\n\r\n")
            assert (await reader.read()).endswith(b"0\r\n\r\n")

    _on_pod(api, tmp_path, scenario)


def test_what_is_passed_on_is_waited_for_when_the_server_stops(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with _raw(cluster, b"POST", f"{PROXY}/echo", b"Transfer-Encoding: chunked\r\n") as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"3\r\none\r\n")
            assert await reader.readuntil(b"one\r\n")
            stopping = asyncio.ensure_future(cluster.served.server.stop(10))
            while await _is_open(cluster.served.server.port):
                pass
            writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
            assert await reader.read() == b"3\r\ntwo\r\n0\r\n\r\n"
            await stopping

    _on_pod(api, tmp_path, scenario)


def test_what_a_client_breaks_off_is_broken_off_behind_the_proxy(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        async with _raw(cluster, b"PUT", f"{PROXY}/cut", b"Content-Length: 9\r\n") as (_, writer):
            writer.write(b"some")
            async with asyncio.timeout(10):
                await _BEGUN.wait()
        async with asyncio.timeout(10):
            await _CUT.wait()

    _on_pod(api, tmp_path, scenario)


async def _is_open(port: int) -> bool:
    try:
        (await asyncio.open_connection("127.0.0.1", port))[1].close()
    except ConnectionRefusedError:
        return False
    return True


@asynccontextmanager
async def _raw(
    cluster: Cluster, method: bytes, path: str, head: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = cluster.served.transport.config
    tls = client_context(config.ca_pem, config.cert_pem, config.key_pem)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", cluster.served.server.port, ssl=tls, server_hostname="localhost"
    )
    writer.write(b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (method, path.encode(), head))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def test_redirects_stay_within_the_proxy(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        transport = cluster.served.transport
        inside = await transport.request("GET", f"{PROXY}/away")
        assert (inside.status, inside.headers["location"]) == (302, f"{PROXY}/else/where?x=1")
        outside = await transport.request("GET", f"{PROXY}/outside")
        assert outside.headers["location"] == "https://example.com/"
        root = await transport.request("GET", PROXY, query={"x": "1"})
        assert (root.status, root.headers["location"]) == (301, f"{PROXY}/?x=1")

    _on_pod(api, tmp_path, scenario)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("pods/nope/proxy/", 404, 'pods "nope" not found'),
        ("pods/ftp:web:1/proxy/", 400, 'invalid pod request "ftp:web:1"'),
        ("pods/web:named/proxy/", 503, "unknown port"),
        ("services/nope/proxy/", 404, 'services "nope" not found'),
        ("services/front:99/proxy/", 503, 'no service port 99 found for service "front"'),
        ("services/front:other/proxy/", 503, 'no endpoints available for service "front"'),
    ],
)
def test_what_cannot_be_reached_is_said(api: Api, tmp_path: Path, name: str, status: int, message: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await _service(cluster)
        answer = await cluster.served.request("GET", f"{NAMESPACE}/{name}")
        assert answer.status == status and message in msgspec.json.decode(answer.body)["message"]

    _on_pod(api, tmp_path, scenario)


async def _service(cluster: Cluster) -> None:
    port: dict[str, Any] = {"name": "web", "port": 80, "targetPort": 8080}
    made = await cluster.served.create("services", {"metadata": {"name": "front"}, "spec": {"ports": [port]}})
    assert made.status == 201, made.body
    endpoint_slice = {
        "metadata": {"name": "front-1", "labels": {"kubernetes.io/service-name": "front"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.244.0.9"], "conditions": {"ready": False}},
            {"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}},
        ],
        "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
    }
    path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    made = await cluster.served.request("POST", path, endpoint_slice)
    assert made.status == 201, made.body


@pytest.mark.parametrize("name", ["front:web", "front:80", "http:front:web"])
def test_a_service_is_reached_at_a_ready_endpoint(api: Api, tmp_path: Path, name: str) -> None:
    async def scenario(cluster: Cluster) -> None:
        await _service(cluster)
        answer = await cluster.served.transport.request("GET", f"{NAMESPACE}/services/{name}/proxy/x")
        assert answer.status == 200 and msgspec.json.decode(answer.body)["path"] == "/x"

    _on_pod(api, tmp_path, scenario)


def test_a_node_is_its_kubelet(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        for name in ("node-1", f"node-1:{cluster.port}", f"https:node-1:{cluster.port}"):
            answer = await cluster.served.transport.request("GET", f"/api/v1/nodes/{name}/proxy/healthz")
            assert (answer.status, answer.body) == (200, b"ok"), name

    _on_pod(api, tmp_path, scenario)


def test_the_servers_own_machine_is_not_proxied_to(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        for address in ("127.0.0.1", "169.254.169.254", ""):
            await cluster.served.patch(f"{NAMESPACE}/pods/web/status", {"status": {"podIP": address, "podIPs": None}})
            answer = await cluster.served.request("GET", f"{PROXY}/")
            assert answer.status == 400, address
            assert msgspec.json.decode(answer.body)["message"] == "address not allowed"
        other_port = await cluster.served.request("GET", "/api/v1/nodes/node-1:1/proxy/")
        assert other_port.status == 400

    _on_pod(api, tmp_path, scenario)


def test_a_pod_whose_port_nobody_serves_is_a_503(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        sock = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        free = sock.sockets[0].getsockname()[1]
        sock.close()
        await sock.wait_closed()
        cluster.node.streaming.ports = {8080: ("127.0.0.1", free)}
        answer = await cluster.served.request("GET", f"{PROXY}/")
        assert answer.status == 503
        assert msgspec.json.decode(answer.body)["message"].startswith("error trying to reach service: ")

    _on_pod(api, tmp_path, scenario)


def test_nobody_is_named_to_what_stands_behind(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        headers = [("X-Remote-User", "forged"), ("X-Remote-Extra-A", "1"), ("X-Remote-Addr", "kept"),
                   ("Impersonate-User", "bob"), ("Impersonate-Group", "system:masters")]  # fmt: skip
        answer = await cluster.served.transport.request("GET", f"{PROXY}/x", headers=headers)
        assert answer.status == 200
        seen = msgspec.json.decode(answer.body)["headers"]
        assert [name for name in seen if name.startswith(("x-remote-", "impersonate-"))] == ["x-remote-addr"]

    _on_pod(api, tmp_path, scenario)


def test_a_slice_leads_into_no_pod_of_another_namespace(api: Api, tmp_path: Path) -> None:
    """Its address is anybody's to write; the pod's kubelet would also lead to what listens on the pod's loopback alone."""

    async def scenario(cluster: Cluster) -> None:
        served = cluster.served
        await served.request("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
        endpoint_slice = {
            "metadata": {"name": "front-1", "labels": {"kubernetes.io/service-name": "front"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.244.0.7"], "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}},
                {"addresses": ["10.244.0.8"], "targetRef": {"kind": "Pod", "namespace": "other", "name": "own"}},
            ],
            "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
        }
        path = "/apis/discovery.k8s.io/v1/namespaces/other/endpointslices"
        assert (await served.request("POST", path, endpoint_slice)).status == 201
        places = ready_places(served.server.registries, "other", "front", "web")
        assert places == [Place("10.244.0.7", 8080), Place("10.244.0.8", 8080, ("other", "own"))]

    _on_pod(api, tmp_path, scenario)


def test_a_token_among_websocket_protocols_is_for_this_server_alone(api: Api, tmp_path: Path) -> None:
    async def scenario(cluster: Cluster) -> None:
        served = cluster.served
        token = await _token_of_an_administrator(served)
        bearer = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
        async with Transport(ClientConfig(served.server.url, served.admin.ca_pem)) as transport:
            for said in ([bearer, "mine"], [f"mine, {bearer}"], ["mine", bearer]):
                headers = [("Sec-WebSocket-Protocol", value) for value in said]
                answer = await transport.request("GET", f"{PROXY}/x", headers=headers)
                assert answer.status == 200, answer.body
                assert msgspec.json.decode(answer.body)["headers"]["sec-websocket-protocol"] == "mine"

    _on_pod(api, tmp_path, scenario)


async def _token_of_an_administrator(served: Served) -> str:
    assert (await served.create("serviceaccounts", {"metadata": {"name": "robot"}})).status == 201
    binding = {
        "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
    }
    await served.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    made = await served.request("POST", f"{NAMESPACE}/serviceaccounts/robot/token", {"spec": {}})
    token: str = made.tree["status"]["token"]
    return token
