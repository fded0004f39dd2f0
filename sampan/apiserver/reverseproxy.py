"""Passes a request on to another server and its answer back: what the `proxy` subresources and aggregation have in common.

After k8s.io/apimachinery/pkg/util/proxy: an upgraded connection is joined byte for byte, anything else is streamed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from urllib.parse import urlsplit, urlunsplit

from sampan.apiserver.answers import text_answer
from sampan.client.transport import EscapedPath, HTTPStream, Transport
from sampan.lib.duplex import splice
from sampan.lib.http import Answer, Duplex, Request, Response, Sink, Stream, Upgrade

Headers = list[tuple[str, str]]
Rewrite = Callable[[str], str]

HEAD_SECONDS = 60.0
_NO_REDIRECTS = "the backend attempted to redirect this request, which is not permitted"
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade")
)  # fmt: skip
_OURS = _HOP_BY_HOP | {
    "host", "content-length", "content-type", "accept", "authorization", "impersonate-user", "impersonate-uid",
    "impersonate-group", "x-remote-user", "x-remote-uid", "x-remote-group",
}  # fmt: skip
"""Headers of a request that are not passed on as they are. Who asks was for us to find out: the other server would believe a
client what it says, or let the one who is impersonated impersonate once more."""
_OUR_PREFIXES = ("impersonate-extra-", "x-remote-extra-")


def passed_on(request: Request, *, without: tuple[str, ...] = ()) -> Headers:
    """The request's headers for the other server; `without` names prefixes of such as are the caller's to say."""
    named = {name.strip().lower() for name in request.headers.get("connection", "").split(",")}
    found: Headers = []
    for name in request.headers:
        if name in _OURS or name in named or name.startswith(_OUR_PREFIXES + without):
            continue
        found += [(name, value) for value in request.header_values(name)]
    before = request.headers.get("x-forwarded-for", "")
    found = [(name, value) for name, value in found if name != "x-forwarded-for"]
    return [*found, ("x-forwarded-for", f"{before}, {request.peer.address}" if before else request.peer.address)]


def is_upgrade(request: Request) -> bool:
    tokens = request.headers.get("connection", "").lower().split(",")
    return "upgrade" in request.headers and any(token.strip() == "upgrade" for token in tokens)


async def forward(
    request: Request, transport: Transport, path: str, headers: Headers, relocate: Rewrite | None = None
) -> Answer:
    """`path` is percent-encoded. `relocate` rewrites a redirect's Location; None: none is let through, for a client would take
    its credentials along. Raises ConnectionError, TimeoutError."""
    target = EscapedPath(f"{path}?{request.query}" if request.query else path)
    if is_upgrade(request):
        return await _upgrade(request, transport, target, headers, relocate)
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(
            transport.stream(
                request.method,
                target,
                body=request.body,
                content_type=request.headers.get("content-type", "application/octet-stream"),
                accept=request.headers.get("accept", "*/*"),
                headers=headers,
                deadline_seconds=HEAD_SECONDS,
            )
        )
        if relocate is None and _redirects(stream.status, stream.headers):
            return text_answer(_NO_REDIRECTS, 502)
        held = stack.pop_all()
    content_type = stream.headers.get("content-type", "")
    answered = tuple(_answered(stream.headers, relocate))
    if request.method == "HEAD" or stream.status in (204, 304):
        async with held:
            return Response(stream.status, b"", content_type, answered)
    return Stream(_copy(held, stream), stream.status, content_type, answered)


def _copy(held: AsyncExitStack, stream: HTTPStream) -> Callable[[Sink], Awaitable[None]]:
    async def produce(sink: Sink) -> None:
        async with held:
            async for chunk in stream:
                sink.write(chunk)
                await sink.drain()

    return produce


def _redirects(status: int, headers: Mapping[str, str]) -> bool:
    return 300 <= status <= 399 and bool(headers.get("location"))


def _answered(headers: Mapping[str, str], relocate: Rewrite | None) -> Headers:
    found: Headers = []
    for name, value in headers.items():
        if name in _HOP_BY_HOP or name in ("content-type", "content-length", "date"):
            continue
        if name == "location" and relocate is not None:
            value = relocate(value)
        found += [(name, part) for part in value.split("\n")]
    return found


async def _upgrade(
    request: Request, transport: Transport, target: EscapedPath, headers: Headers, relocate: Rewrite | None
) -> Answer:
    asked = [*headers, ("Connection", "Upgrade"), ("Upgrade", request.headers["upgrade"])]
    answer = await transport.upgrade(request.method, target, headers=asked)
    upstream = answer.duplex
    if upstream is None:
        if relocate is None and _redirects(answer.status, answer.headers):
            return text_answer(_NO_REDIRECTS, 502)
        content_type = answer.headers.get("content-type", "text/plain; charset=utf-8")
        return Response(answer.status, answer.body, content_type, tuple(_answered(answer.headers, relocate)))

    async def run(duplex: Duplex) -> None:
        await splice(duplex, upstream)

    switched = [("Connection", "Upgrade"), ("Upgrade", answer.headers.get("upgrade", ""))]
    return Upgrade(run, (*_answered(answer.headers, None), *switched))


def relocated(location: str, own_hosts: frozenset[str], prefix: str) -> str:
    """A Location of the backend's own, led through the proxy at `prefix`; another host's and relative ones stay."""
    parts = urlsplit(location)
    if (parts.netloc and parts.netloc not in own_hosts) or not parts.path.startswith("/"):
        return location
    if parts.path.startswith(prefix):
        return location
    return urlunsplit(("", "", prefix.rstrip("/") + parts.path, parts.query, parts.fragment))
