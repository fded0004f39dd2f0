"""`pods/exec`, `pods/attach`, `pods/portforward`: from whatever the client speaks to the kubelet's SPDY.

A SPDY client is joined to the kubelet byte for byte. A WebSocket client's channels are translated (`channels.py`,
`portchannels.py`), or, for port-forward, its messages carry SPDY itself and are only unwrapped. The kubelet is asked first:
what it refuses is answered before the client's connection becomes anything else than HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sampan.api.errors import StatusError, bad_request
from sampan.apiserver.requestinfo import RequestInfo, is_true
from sampan.apiserver.subresources.channels import ChannelProtocol, Wanted, bridge, choose_protocol
from sampan.apiserver.subresources.portchannels import bridge_ports, parse_ports
from sampan.apiserver.subresources.target import Nodes
from sampan.client.transport import Transport, Upgraded
from sampan.lib.duplex import splice
from sampan.lib.http import Answer, Duplex, Request, Response, Upgrade
from sampan.lib.websocket import MessageDuplex, WebSocket, accept_headers, is_websocket, offered_protocols

SPDY = "SPDY/3.1"
VERSIONS = "X-Stream-Protocol-Version"
CHANNELS_TO_KUBELET = "v4.channel.k8s.io"
PORT_FORWARD = "portforward.k8s.io"
TUNNEL_PREFIX = "SPDY/3.1+"

Query = list[tuple[str, str]]


async def serve_exec(request: Request, info: RequestInfo, nodes: Nodes) -> Answer:
    """Raises StatusError."""
    return await _serve_command(request, info, nodes, "exec", [("command", word) for word in request.repeated("command")])


async def serve_attach(request: Request, info: RequestInfo, nodes: Nodes) -> Answer:
    """Raises StatusError."""
    return await _serve_command(request, info, nodes, "attach", [])


async def _serve_command(request: Request, info: RequestInfo, nodes: Nodes, verb: str, command: Query) -> Answer:
    parameters = request.parameters()
    target = nodes.target(info, parameters.get("container", ""))
    kubelet = nodes.kubelet_for_streams(target.pod, target.name)
    wanted = _wanted(parameters)
    path = f"/{verb}/{target.namespace}/{target.name}/{target.container}"
    query = _kubelet_query(wanted) + command
    if not is_websocket(request.headers):
        return await _tunnel_spdy(request, kubelet, path, query)
    protocol = _protocol(request)
    headers = _websocket_headers(request, protocol.name)

    def joined(duplex: Duplex, upstream: Duplex) -> Awaitable[None]:
        return bridge(duplex, protocol, upstream, wanted)

    return await _bridge(kubelet, path, query, CHANNELS_TO_KUBELET, headers, joined)


async def serve_portforward(request: Request, info: RequestInfo, nodes: Nodes) -> Answer:
    """Raises StatusError."""
    pod = nodes.get_pod(info.namespace, info.name)
    kubelet = nodes.kubelet_for_streams(pod, info.name)
    path = f"/portForward/{info.namespace}/{info.name}"
    if not is_websocket(request.headers):
        return await _tunnel_spdy(request, kubelet, path, [])
    offered = offered_protocols(request.headers)
    tunnelled = next((name for name in offered if name.startswith(TUNNEL_PREFIX)), "")
    if tunnelled:
        headers = _websocket_headers(request, tunnelled)

        def unwrapped(duplex: Duplex, upstream: Duplex) -> Awaitable[None]:
            return splice(MessageDuplex(WebSocket(duplex)), upstream)

        return await _bridge(kubelet, path, [], tunnelled.removeprefix(TUNNEL_PREFIX), headers, unwrapped)
    protocol = _protocol(request)
    ports = parse_ports(request.repeated("ports"))
    headers = _websocket_headers(request, protocol.name)

    def joined(duplex: Duplex, upstream: Duplex) -> Awaitable[None]:
        return bridge_ports(duplex, protocol, upstream, ports)

    return await _bridge(kubelet, path, [], PORT_FORWARD, headers, joined)


def _wanted(parameters: dict[str, str]) -> Wanted:
    def asked(name: str) -> bool:
        return name in parameters and is_true(parameters[name])

    # What is not said is not wanted, except for output, as in PodExecOptions' defaults.
    stdout = asked("stdout") if "stdout" in parameters else True
    stderr = asked("stderr") if "stderr" in parameters else True
    return Wanted(asked("stdin"), stdout, stderr, asked("tty"))


def _kubelet_query(wanted: Wanted) -> Query:
    flags = (
        ("input", wanted.stdin),
        ("output", wanted.stdout),
        ("error", wanted.stderr and not wanted.tty),
        ("tty", wanted.tty),
    )
    return [(name, "1") for name, on in flags if on]


def _protocol(request: Request) -> ChannelProtocol:
    offered = offered_protocols(request.headers)
    protocol = choose_protocol(offered)
    if protocol is None:
        raise bad_request(f"unable to upgrade: none of the subprotocols is supported: [{' '.join(offered)}]")
    return protocol


def _websocket_headers(request: Request, protocol: str) -> tuple[tuple[str, str], ...]:
    try:
        return accept_headers(request.headers, protocol)
    except ValueError as error:
        raise bad_request(str(error)) from None


async def _ask(kubelet: Transport, path: str, query: Query, versions: list[str]) -> Upgraded:
    headers = [("Connection", "Upgrade"), ("Upgrade", SPDY), *((VERSIONS, version) for version in versions)]
    try:
        return await kubelet.upgrade("POST", path, query=query, headers=headers)
    except (ConnectionError, TimeoutError) as error:
        raise StatusError(500, "", f"error dialing backend: {error}") from error


async def _tunnel_spdy(request: Request, kubelet: Transport, path: str, query: Query) -> Answer:
    if request.headers.get("upgrade", "").lower() != SPDY.lower():
        raise bad_request("Upgrade request required")
    asked = await _ask(kubelet, path, query, request.header_values(VERSIONS.lower()))
    upstream = asked.duplex
    if upstream is None:
        return _refusal(asked)
    headers = [("Connection", "Upgrade"), ("Upgrade", SPDY)]
    if VERSIONS.lower() in asked.headers:
        headers.append((VERSIONS, asked.headers[VERSIONS.lower()]))

    async def run(duplex: Duplex) -> None:
        await splice(duplex, upstream)

    return Upgrade(run, tuple(headers))


async def _bridge(
    kubelet: Transport,
    path: str,
    query: Query,
    version: str,
    headers: tuple[tuple[str, str], ...],
    join: Callable[[Duplex, Duplex], Awaitable[None]],
) -> Answer:
    asked = await _ask(kubelet, path, query, [version])
    upstream = asked.duplex
    if upstream is None:
        return _refusal(asked)

    async def run(duplex: Duplex) -> None:
        try:
            await join(duplex, upstream)
        finally:
            upstream.close()

    return Upgrade(run, headers)


def _refusal(asked: Upgraded) -> Response:
    """The kubelet's own answer, which clients show: `unable to upgrade connection: container not found ("web")`."""
    return Response(asked.status, asked.body, asked.headers.get("content-type", "text/plain; charset=utf-8"))
