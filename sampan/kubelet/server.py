"""The node's HTTPS server (port 10250): logs, exec, attach, port-forward, pods, metrics, health. After the kubelet's server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Pod
from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.clock import Clock, parse_rfc3339
from sampan.lib.duplex import splice
from sampan.lib.http import Answer, Duplex, Request, Response, Sink, Stream, Upgrade
from sampan.lib.httpserver import HTTPServer
from sampan.lib.log import get_logger
from sampan.lib.metrics import CONTENT_TYPE, exposition
from sampan.lib.tls import server_context

from .access import Access, subresources_of
from .logs import LogOptions
from .streams import StreamFailure, Streams

log = get_logger("kubelet")

TEXT = "text/plain; charset=utf-8"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


class KubeletServer:
    """Serves `streams` to whom the API server's authorization lets in; `client` None: to system:masters alone."""

    def __init__(
        self,
        streams: Streams,
        *,
        client: Client | None,
        clock: Clock,
        node_name: str,
        cert_pem: bytes,
        key_pem: bytes,
        client_ca_pem: bytes,
        metrics: Callable[[], bytes] = exposition,
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._access = Access(client, node_name, clock)
        self._metrics = metrics
        self._http = HTTPServer(self._handle, tls=server_context(cert_pem, key_pem, client_ca_pem), clock=clock)

    async def start(self, host: str, port: int = 10250) -> int:
        """Returns the port. Raises OSError."""
        return await self._http.start(host, port)

    async def stop(self, grace_seconds: float = 1.0) -> None:
        await self._http.stop(grace_seconds)

    async def _handle(self, request: Request) -> Answer:
        try:
            refused = await self._refusal(request)
        except (StatusError, ConnectionError, TimeoutError) as error:
            log.warning("cannot authorize", path=request.path, error=str(error))
            return Response(500, f"Internal Server Error: {error}".encode(), TEXT)
        if refused is not None:
            return refused
        try:
            return await self._route(request)
        except StreamFailure as failure:
            return Response(failure.status, str(failure).encode(), TEXT)

    async def _refusal(self, request: Request) -> Response | None:
        caller = await self._access.authenticate(request)
        if caller is None:
            return Response(401, b"Unauthorized", TEXT)
        if await self._access.allows(caller, request):
            return None
        subresources = " ".join(subresources_of(request.path))
        verb = "create" if request.method == "POST" else request.method.lower()
        text = f"Forbidden (user={caller.name}, verb={verb}, resource=nodes, subresource(s)=[{subresources}])"
        return Response(403, text.encode(), TEXT)

    async def _route(self, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        reads = request.method in ("GET", "HEAD")
        match parts:
            case ["containerLogs", namespace, pod, container] if reads:
                return await self._logs(request, namespace, pod, container)
            case ["exec", namespace, pod, *_, container] if len(parts) in (4, 5):
                return await self._exec(request, namespace, pod, container)
            case ["attach", namespace, pod, *_, container] if len(parts) in (4, 5):
                return await self._attach(request, namespace, pod, container)
            case ["portForward", namespace, pod, *_] if len(parts) in (3, 4):
                return await self._port_forward(request, namespace, pod)
            case ["healthz", *_] if reads:
                return Response(200, b"ok", TEXT)
            case ["pods" | "runningpods"] if reads:
                return _pod_list(self._streams.pods(), running=parts == ["runningpods"])
            case ["metrics"] if reads:
                return Response(200, self._metrics(), CONTENT_TYPE)
        return Response(404, b"404 page not found\n", TEXT)

    async def _logs(self, request: Request, namespace: str, pod: str, container: str) -> Answer:
        parameters = request.parameters()
        previous = parameters.get("previous", "") in _TRUE
        options = log_options(parameters, self._clock.now())
        pieces = await self._streams.logs(namespace, pod, container, previous=previous, options=options)

        async def produce(sink: Sink) -> None:
            async for piece in pieces:
                sink.write(piece)
                await sink.drain()

        return Stream(produce, content_type="text/plain")

    async def _exec(self, request: Request, namespace: str, pod: str, container: str) -> Answer:
        wanted = wanted_streams(request)
        command = request.repeated("command")
        url = await self._streams.exec_url(namespace, pod, container, command, **wanted)
        return await join_url(request, url)

    async def _attach(self, request: Request, namespace: str, pod: str, container: str) -> Answer:
        wanted = wanted_streams(request)
        stdin, stdout, stderr = wanted["stdin"], wanted["stdout"], wanted["stderr"]
        return await join_url(
            request, await self._streams.attach_url(namespace, pod, container, stdin=stdin, stdout=stdout, stderr=stderr)
        )

    async def _port_forward(self, request: Request, namespace: str, pod: str) -> Answer:
        ports = [int(text) for value in request.repeated("port") for text in value.split(",") if text.isdigit()]
        return await join_url(request, await self._streams.port_forward_url(namespace, pod, ports))


def _pod_list(pods: Sequence[Pod], *, running: bool) -> Response:
    chosen = [pod for pod in pods if not running or pod.status.phase == "Running"]
    return Response(200, msgspec.json.encode({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": chosen}))


def wanted_streams(request: Request) -> dict[str, bool]:
    """The keyword arguments `tty`, `stdin`, `stdout`, `stderr`. Raises StreamFailure 400 where none is asked for."""
    parameters = request.parameters()
    names = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
    wanted = {ours: parameters.get(theirs) == "1" or parameters.get(ours, "") in _TRUE for ours, theirs in names.items()}
    if wanted["tty"]:
        wanted["stderr"] = False  # a terminal has one output
    if not (wanted["stdin"] or wanted["stdout"] or wanted["stderr"]):
        raise StreamFailure(400, "you must specify at least 1 of stdin, stdout, stderr")
    return wanted


def log_options(parameters: dict[str, str], now: float) -> LogOptions:
    """Raises StreamFailure 400 for numbers that are none."""

    def number(name: str) -> int | None:
        text = parameters.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise StreamFailure(400, f'invalid value for {name}: "{text}"') from None

    since = 0.0
    seconds = number("sinceSeconds")
    try:
        since = now - seconds if seconds is not None else parse_rfc3339(parameters.get("sinceTime", "1970-01-01T00:00:00Z"))
    except ValueError:
        raise StreamFailure(400, f'invalid value for sinceTime: "{parameters["sinceTime"]}"') from None
    stream = parameters.get("stream", "All")
    return LogOptions(
        follow=parameters.get("follow", "") in _TRUE,
        tail_lines=number("tailLines"),
        since=since,
        timestamps=parameters.get("timestamps", "") in _TRUE,
        limit_bytes=number("limitBytes"),
        stream="" if stream == "All" else stream.lower(),
    )


async def join_url(request: Request, url: str) -> Answer:
    """Join an upgrading client to the runtime's streaming server, whatever protocol the two agree on."""
    if "upgrade" not in request.headers:
        return Response(400, b"Upgrade request required", TEXT)
    parts = urlsplit(url)
    headers = [(name, value) for name in _FORWARDED for value in request.header_values(name)]
    transport = Transport(ClientConfig(f"{parts.scheme}://{parts.netloc}"))
    try:
        asked = await transport.upgrade(request.method, parts.path, query=parse_qsl(parts.query), headers=headers)
    except (ConnectionError, TimeoutError) as error:
        return Response(500, f"cannot reach the runtime's streaming server: {error}".encode(), TEXT)
    runtime = asked.duplex
    if runtime is None:
        return Response(asked.status, asked.body, asked.headers.get("content-type", TEXT))

    async def run(duplex: Duplex) -> None:
        await splice(duplex, runtime)

    return Upgrade(run, tuple((name, value) for name, value in asked.headers.items() if name in _RETURNED))


_FORWARDED = (
    "connection", "upgrade", "x-stream-protocol-version",
    "sec-websocket-version", "sec-websocket-key", "sec-websocket-protocol",
)  # fmt: skip
_RETURNED = ("connection", "upgrade", "x-stream-protocol-version", "sec-websocket-accept", "sec-websocket-protocol")
