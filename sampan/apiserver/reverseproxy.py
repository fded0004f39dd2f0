"""Passes a request on to another server and its answer back: what the `proxy` subresources and aggregation have in common.

After k8s.io/apimachinery/pkg/util/proxy: an upgraded connection is joined byte for byte, anything else is streamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from posixpath import normpath
from urllib.parse import urlsplit, urlunsplit

from sampan.apiserver.answers import text_answer
from sampan.apiserver.htmllinks import CODINGS, Recoded
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
_NOT_BACK = _HOP_BY_HOP | {
    "content-type", "content-length", "date", "access-control-allow-credentials", "access-control-allow-headers",
    "access-control-allow-methods", "access-control-allow-origin",
}  # fmt: skip
"""Headers of an answer that are not passed back: from which sites this server may be asked is not another's to say."""
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
    request: Request,
    transport: Transport,
    path: str,
    headers: Headers,
    relocate: Rewrite | None = None,
    *,
    host: str = "",
    head_seconds: float | None = HEAD_SECONDS,
) -> Answer:
    """`path` is percent-encoded. `relocate` rewrites a Location and links in HTML; None: no redirect is let through, for a
    client would take its credentials along. `host` is for the Host header, if not the transport's. Raises ConnectionError,
    TimeoutError, ValueError.
    """
    target = EscapedPath(f"{path}?{request.query}" if request.query else path)
    with _while_wanted(request):
        if is_upgrade(request):
            return await _upgrade(request, transport, target, headers, relocate, host)
        async with AsyncExitStack() as stack:
            stream = await stack.enter_async_context(
                transport.stream(
                    request.method,
                    target,
                    body=request.incoming or request.body,
                    content_type=request.headers.get("content-type", ""),
                    accept=request.headers.get("accept", ""),
                    headers=headers,
                    host=host,
                    deadline_seconds=head_seconds,
                )
            )
            return _passed_back(request, stream, stack, relocate)


@contextmanager
def _while_wanted(request: Request) -> Iterator[None]:
    """Nobody but this client has a use for the work."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("requests are passed on by tasks")
    request.peer.dependents.add(task)
    try:
        yield
    finally:
        request.peer.dependents.discard(task)


def _passed_back(request: Request, stream: HTTPStream, stack: AsyncExitStack, relocate: Rewrite | None) -> Answer:
    """The stack is kept for as long as the answer lasts, if it does."""
    status, headers = stream.status, stream.headers
    if relocate is None and _redirects(status, headers):
        return text_answer(_NO_REDIRECTS, 502)
    content_type = headers.get("content-type", "")
    answered = tuple(_answered(headers, relocate))
    if status in (204, 304):
        return Response(status, b"", content_type, answered)
    length = headers.get("content-length", "")
    known = int(length) if length.isascii() and length.isdigit() else None
    whole = request.attributes.verb != "watch"
    if relocate is None or not _has_links(content_type, headers):
        return Stream(_copy(stack.pop_all(), stream), status, content_type, answered, known, whole)
    if request.method == "HEAD":
        return Response(status, b"", content_type, answered)
    links = Recoded(relocate, headers.get("content-encoding", ""))
    return Stream(_copy_html(stack.pop_all(), stream, links), status, content_type, answered, whole=whole)


def _has_links(content_type: str, headers: Mapping[str, str]) -> bool:
    is_html = content_type.partition(";")[0].strip() == "text/html"
    return is_html and not headers.get("location") and headers.get("content-encoding", "") in CODINGS


def _copy(held: AsyncExitStack, stream: HTTPStream) -> Callable[[Sink], Awaitable[None]]:
    async def produce(sink: Sink) -> None:
        async with held:
            async for chunk in stream:
                sink.write(chunk)
                await sink.drain()

    return produce


def _copy_html(held: AsyncExitStack, stream: HTTPStream, links: Recoded) -> Callable[[Sink], Awaitable[None]]:
    async def produce(sink: Sink) -> None:
        async with held:
            try:
                async for chunk in stream:
                    for part in links.feed(chunk):
                        sink.write(part)
                        await sink.drain()
            except ValueError as error:  # it is not compressed as it says
                raise ConnectionResetError(str(error)) from error
            sink.write(links.finish())

    return produce


def _redirects(status: int, headers: Mapping[str, str]) -> bool:
    return 300 <= status <= 399 and bool(headers.get("location"))


def _answered(headers: Mapping[str, str], relocate: Rewrite | None) -> Headers:
    found: Headers = []
    for name, value in headers.items():
        if name in _NOT_BACK:
            continue
        if name == "location" and relocate is not None:
            value = relocate(value)
        found += [(name, part) for part in value.split("\n")]
    return found


async def _upgrade(
    request: Request, transport: Transport, target: EscapedPath, headers: Headers, relocate: Rewrite | None, host: str
) -> Answer:
    asked = [*headers, ("Connection", "Upgrade"), ("Upgrade", request.headers["upgrade"])]
    answer = await transport.upgrade(request.method, target, headers=asked, host=host)
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


def relocated(location: str, client_host: str, own_hosts: frozenset[str], prefix: str) -> str:
    """A URL of the backend's own, led through the proxy at `prefix`; another host's and relative ones stay."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if (parts.netloc and parts.netloc != client_host and parts.netloc not in own_hosts) or not parts.path.startswith("/"):
        return location
    scheme, host = (parts.scheme, parts.netloc) if parts.netloc == client_host else ("", "")
    path = parts.path
    if not path.startswith(prefix):
        path = normpath(f"{prefix}/{path}") + ("/" if path.endswith("/") else "")
    return urlunsplit((scheme, host, path, parts.query, parts.fragment))
