"""One HTTP/1.1 connection of the server: parse, dispatch, answer in order; then perhaps become a raw duplex.

A request whose handler answers at once never leaves `data_received`: no task, no future, one write. Everything else
(awaited answers, streams, upgrades, pipelined requests behind them) takes the slower road below it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from time import monotonic
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from sampan.lib.duplex import Gate, TransportDuplex
from sampan.lib.http import Answer, Peer, Request, Response, Stream, Upgrade
from sampan.lib.httpmessage import NAMES, Waiting, header_lines, header_name, read_request, status_body
from sampan.lib.httpsink import ChunkedSink
from sampan.lib.log import get_logger

if TYPE_CHECKING:
    from sampan.lib.httpserver import HTTPServer

log = get_logger("http")

LINGER_SECONDS = 1.0
JOIN_BYTES = 128 * 1024
"""Above this a body is handed over uncopied, at the price of a TLS record for the head."""
MAX_QUEUED = 32  # pipelined requests held before reading stops
EARLY_BYTES = 64 * 1024


class Connection(asyncio.Protocol):
    """See the module. Its owner is the server, whose `tick`, `heads` and `tasks` it uses."""

    __slots__ = (
        "_body", "_body_bytes", "_busy", "_discarding", "_duplex", "_early", "_gate", "_handler", "_head_bytes", "_headers",
        "_in_body", "_is_old", "_limits", "_linger", "_parser", "_queue", "_repeated", "_request_headers", "_server",
        "_since", "_sink", "_stalled_since", "_stream_is_whole", "_stream_task", "_transport", "_upgrading", "_url", "peer",
    )  # fmt: skip

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._handler = server.handler
        self._limits = server.limits
        self._since = server.tick
        self._url = b""
        self._headers: dict[str, str] = {}
        self._request_headers: dict[str, str] = self._headers
        self._repeated: dict[str, list[str]] | None = None
        self._body: list[bytes] | None = None
        self._body_bytes = 0
        self._head_bytes = 0
        self._in_body = False
        self._busy = False
        """An answer is not finished, or the peer takes none: what arrives meanwhile waits in the queue."""
        self._discarding = False
        self._is_old = False
        """The peer speaks HTTP/1.0: no chunks, one request a connection."""
        self._upgrading = False
        self._early = b""
        self._queue: deque[Waiting] = deque()
        self._gate = Gate()
        self._duplex: TransportDuplex | None = None
        self._sink: ChunkedSink | None = None
        self._stream_task: asyncio.Task[None] | None = None
        self._stream_is_whole = False
        self._linger: asyncio.TimerHandle | None = None
        self._stalled_since = 0.0

    # The transport's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        name = transport.get_extra_info("peername")
        self.peer = Peer(name[0] if isinstance(name, tuple) else "", certificate)
        self._parser = HttpRequestParser(self)
        self._server.connections.add(self)
        if self._server.draining:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._upgrading:
            self._hold(data)
            return
        if self._discarding:
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._hold(data[upgrade.args[0] :])
            return
        except HttpParserError:
            if not self._discarding:
                self._refuse(400, "400 Bad Request")
            return
        if self._url and (not self._in_body or self._headers):  # the head, or trailers behind the body
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.header_bytes:
                self._refuse(431, "431 Request Header Fields Too Large")

    def eof_received(self) -> bool:
        """True keeps our half open: a client may half-close after its last request and still read the answer. Not with TLS."""
        if self._duplex is not None:
            self._duplex.feed_eof()
        elif not self._busy or self._stream_task is not None:
            return False
        return self._transport.can_write_eof() and not self._transport.is_closing()

    def connection_lost(self, error: Exception | None) -> None:
        self._gate.lose()
        if self._duplex is not None:
            self._duplex.feed_eof()
        if self._stream_task is not None:
            self._stream_task.cancel()
        if self._linger is not None:
            self._linger.cancel()
        self._queue.clear()
        self._discarding = True
        self._server.lost(self)

    def pause_writing(self) -> None:
        self._gate.shut()
        self._stalled_since = self._server.tick

    def resume_writing(self) -> None:
        self._gate.open()
        if not self._busy:
            self._next()

    # The parser's callbacks.

    def on_url(self, url: bytes) -> None:
        if self._url:
            self._url += url
        else:
            self._url = url
            self._since = self._server.tick

    def on_header(self, raw: bytes, value: bytes) -> None:
        name = NAMES.get(raw) or header_name(raw)
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        if name not in self._headers:
            self._headers[name] = text
        elif not self._in_body:
            self._repeat(name, text)

    def on_headers_complete(self) -> None:
        self._in_body = True
        headers = self._request_headers = self._headers
        for name, values in (self._repeated or {}).items():
            headers[name] = ", ".join(values)
        # Trailers come through on_header, too, and must never pass for headers: let them fall into a dict nobody reads.
        self._headers = {}
        length = headers.get("content-length")
        if length is not None and int(length) > self._limits.body_bytes:
            self._refuse_body()
        elif "expect" in headers:
            self._expect(headers["expect"])

    def on_body(self, chunk: bytes) -> None:
        if self._body is None:
            self._body = [chunk]
            self._body_bytes = len(chunk)
            return
        self._body.append(chunk)
        self._body_bytes += len(chunk)
        if self._body_bytes > self._limits.body_bytes:
            self._refuse_body()

    def on_message_complete(self) -> None:
        if self._discarding:
            return
        headers = self._request_headers
        body = self._body
        try:
            request = read_request(self._parser.get_method(), self._url, headers, b"".join(body) if body else b"", self.peer)
        except ValueError:
            self._refuse(400, "400 Bad Request")
            return
        request.received = monotonic()
        if self._repeated is not None:
            request.repeated_headers, self._repeated = self._repeated, None
        keep_alive = self._parser.should_keep_alive()
        if "host" not in headers or not keep_alive or "connection" in headers:
            if self._parser.get_http_version() == "1.0":
                self._is_old = True
                keep_alive = False
            elif "host" not in headers:
                self._refuse(400, "400 Bad Request: missing required Host header")
                return
        self._url = b""
        self._body = None
        self._head_bytes = 0
        self._in_body = False
        self._headers = {}  # what trailers left is not the next request's headers either
        if "upgrade" in headers and self._parser.should_upgrade():
            self._upgrading = True
            keep_alive = False
        if self._busy or self._gate.paused:
            self._enqueue(Waiting(request, keep_alive))
        else:
            self._dispatch(request, keep_alive)

    # Answering.

    def _dispatch(self, request: Request, keep_alive: bool) -> None:
        try:
            answer = self._handler(request)
        except Exception:
            answer = _failed(request)
        if type(answer) is Response:
            self._respond(request, answer, keep_alive)
        else:
            self._busy = True
            self._server.tasks.start(self._finish(request, answer, keep_alive), "http-answer")

    def _respond(self, request: Request, response: Response, keep_alive: bool) -> None:
        status, body = response.status, response.body
        server = self._server
        head = server.heads.get((status, response.content_type)) or server.head(status, response.content_type)
        if response.headers or not keep_alive or server.draining or status == 204 or status == 304 or request.method == "HEAD":
            keep_alive = keep_alive and not server.draining
            self._respond_otherwise(request, response, head, keep_alive)
        elif len(body) < JOIN_BYTES:
            self._transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        else:
            self._transport.write(b"%b%d\r\n\r\n" % (head, len(body)))
            self._transport.write(body)
        self._since = server.tick

    def _respond_otherwise(self, request: Request, response: Response, head: bytes, keep_alive: bool) -> None:
        extra = header_lines(response.headers)
        if not keep_alive:
            extra += b"Connection: close\r\n"
        body = response.body
        if response.status in (204, 304):
            self._transport.write(b"%b\r\n%b\r\n" % (head.rpartition(b"\r\n")[0], extra))
        elif request.method == "HEAD":
            self._transport.write(b"%b%d\r\n%b\r\n" % (head, len(body), extra))
        else:
            self._transport.write(b"%b%d\r\n%b\r\n%b" % (head, len(body), extra, body))
        if not keep_alive:
            self._transport.close()

    async def _finish(self, request: Request, answer: Answer | Awaitable[Answer], keep_alive: bool) -> None:
        """Everything that is not answered at once; the boundary of such a request."""
        try:
            if not isinstance(answer, (Response, Stream, Upgrade)):
                answer = await answer
        except Exception:
            answer = _failed(request)
        if self._transport.is_closing() and isinstance(answer, Response):
            return
        try:
            if isinstance(answer, Response):
                self._respond(request, answer, keep_alive)
            elif isinstance(answer, Stream):
                keep_alive = await self._stream(request, answer, keep_alive)
            else:
                keep_alive = False
                await self._upgrade(answer)
        except (ConnectionError, asyncio.CancelledError):
            self._transport.close()
        except Exception:
            log.exception("answer broke off", method=request.method, path=request.path)
            self._transport.abort()
        if keep_alive and not self._server.draining:
            self._busy = False
            self._next()
        else:
            self._transport.close()  # and busy it stays until what is written is sent

    async def _stream(self, request: Request, stream: Stream, keep_alive: bool) -> bool:
        """Returns whether the connection can be used on."""
        chunked = not self._is_old
        head = self._server.head(stream.status, stream.content_type).rpartition(b"\r\n")[0] + b"\r\n"
        head += header_lines(stream.headers) + (b"Transfer-Encoding: chunked\r\n" if chunked else b"")
        if not self._transport.is_closing():
            self._transport.write(head + (b"\r\n" if keep_alive else b"Connection: close\r\n\r\n"))
        is_head = request.method == "HEAD"
        sink = self._sink = ChunkedSink(self._transport, self._gate, chunked, silent=is_head)
        task = self._stream_task = asyncio.current_task()
        self._stream_is_whole = stream.whole
        if task is not None and (is_head or self._transport.is_closing()):
            task.cancel()  # it is run up to its first wait all the same, so that it lets go of what it holds
        try:
            await stream.produce(sink)
        except asyncio.CancelledError:
            # The peer is gone, or the server drains: then the stream ends as if complete, as upstream's watches do.
            keep_alive = keep_alive and is_head
        finally:
            self._stream_task = None
            self._sink = None
        sink.finish()
        return keep_alive

    async def _upgrade(self, upgrade: Upgrade) -> None:
        duplex = self._duplex = TransportDuplex(self._transport, self._gate)
        duplex.write(b"HTTP/1.1 101 Switching Protocols\r\n" + header_lines(upgrade.headers) + b"\r\n")
        if self._transport.is_closing():
            duplex.feed_eof()  # the peer has gone already; what `run` holds for it must be let go
        elif self._early:
            duplex.feed(self._early)
            self._early = b""
            self._transport.resume_reading()
        await upgrade.run(duplex)
        duplex.close()

    # The rest of a connection's life.

    def _next(self) -> None:
        """Take up the requests that waited, until one has to be waited for itself."""
        queue = self._queue
        while queue and not self._busy and not self._gate.paused and not self._transport.is_closing():
            waiting = queue.popleft()
            self._dispatch(waiting.request, waiting.keep_alive)
        if len(queue) < MAX_QUEUED // 2 and not self._transport.is_closing() and not self._upgrading:
            self._transport.resume_reading()

    def _enqueue(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        if len(self._queue) >= MAX_QUEUED:
            self._transport.pause_reading()

    def _hold(self, data: bytes) -> None:
        """What follows an upgrade request: kept until the handler has answered."""
        if self._duplex is not None:
            self._duplex.feed(data)
            return
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self._transport.pause_reading()

    def _repeat(self, name: str, value: str) -> None:
        if self._repeated is None:
            self._repeated = {}
        self._repeated.setdefault(name, [self._headers[name]]).append(value)

    def _expect(self, expectation: str) -> None:
        if expectation.lower() != "100-continue":
            self._refuse(417, "417 Expectation Failed")
        elif not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse_body(self) -> None:
        message = f"Request entity too large: limit is {self._limits.body_bytes}"
        self._refuse(413, status_body(413, "RequestEntityTooLarge", message), "application/json")

    def _refuse(self, status: int, text: str | bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        """Answer what never became a request, and close; reading on a while, as a reset would eat the answer."""
        if self._discarding:
            return
        self._discarding = True
        self._body = None
        body = text if isinstance(text, bytes) else text.encode()
        if not self._busy:
            head = self._server.head(status, content_type)
            self._transport.write(b"%b%d\r\nConnection: close\r\n\r\n%b" % (head, len(body), body))
            self._busy = True
        self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    @property
    def is_answering(self) -> bool:
        return (self._busy or self._gate.paused) and self._duplex is None and not self._discarding

    def wind_down(self) -> None:
        """The server drains: end streams, close what is idle; answers in progress close the connection behind them."""
        if self._stream_task is not None and not self._stream_is_whole:
            self._stream_task.cancel()
        elif not self._busy and not self._url:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def check(self, tick: float, idle: float, header: float, body: float, write: float) -> None:
        """Called every second: is the peer too slow?"""
        if self._busy or self._gate.paused:
            if self._gate.paused and self._duplex is None and self._sink is None and tick - self._stalled_since > write:
                self._transport.abort()
            return
        age = tick - self._since
        if not self._url:
            if age > idle:
                self._transport.close()
        elif age > (body if self._in_body else header):
            self._refuse(408, "408 Request Timeout")


def _failed(request: Request) -> Response:
    log.exception("handler failed", method=request.method, path=request.path)
    return Response(500, status_body(500, "InternalError", "Internal error occurred"))
