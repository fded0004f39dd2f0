"""One HTTP/1.1 connection of the server: dispatch, answer in order; then perhaps become a raw duplex.

A request whose handler answers at once never leaves `data_received`: no task, no future, one write. Everything else
(awaited answers, streams, upgrades, pipelined requests behind them) takes the slower road below it.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from sampan.lib.duplex import Gate, TransportDuplex
from sampan.lib.http import JSON_TYPE, Answer, Peer, Request, Response, Stream, Upgrade
from sampan.lib.httpmessage import Waiting, header_lines, status_body, uncommon
from sampan.lib.httpreceiving import Receiving
from sampan.lib.httpsink import ChunkedSink
from sampan.lib.log import get_logger

if TYPE_CHECKING:
    from sampan.lib.httpserver import HTTPServer

log = get_logger("http")

LINGER_SECONDS = 1.0
JOIN_BYTES = 128 * 1024
"""Above this a body is handed over uncopied, at the price of a TLS record for the head."""
_request_line = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ /[!-~]* HTTP/1\.[01]\r\n").match
MAX_QUEUED = 32  # pipelined requests held before reading stops
MAX_QUEUED_BYTES = 64 * 1024  # of their bodies
EARLY_BYTES = 64 * 1024


class Connection(Receiving):
    """See the module. Its owner is the server, whose `tick`, `heads` and `tasks` it uses."""

    __slots__ = (
        "_duplex", "_early", "_gate", "_handler", "_linger", "_queue", "_queued_bytes", "_sink", "_stalled_since",
        "_stream_is_whole", "_stream_task",
    )  # fmt: skip

    def __init__(self, server: HTTPServer) -> None:
        super().__init__(server)
        self._handler = server.handler
        self._early = b""
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
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
                self._misunderstood(data)
            return
        if self._url and (not self._in_body or self._headers):  # the head, or trailers behind the body
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.header_bytes:
                self._refuse(431, "431 Request Header Fields Too Large")

    def _misunderstood(self, data: bytes) -> None:
        if _request_line(data) and not self._url:  # the parser has a list of methods, HTTP has none
            message = "the server does not allow this method on the requested resource"
            self._refuse(405, status_body(405, "MethodNotAllowed", message), JSON_TYPE)
        else:
            self._refuse(400, "400 Bad Request")

    def eof_received(self) -> bool:
        """True keeps our half open: a client may half-close after its last request and still read the answer. Not with TLS."""
        if self._duplex is not None:
            self._duplex.feed_eof()
        elif not self._busy or self._stream_task is not None or self._incoming is not None:
            return False
        return self._transport.can_write_eof() and not self._transport.is_closing()

    def connection_lost(self, error: Exception | None) -> None:
        self._gate.lose()
        if self._duplex is not None:
            self._duplex.feed_eof()
        if self._incoming is not None:
            self._incoming.feed_eof(ConnectionResetError("the client went away within its body"))
        if self._stream_task is not None:
            self._stream_task.cancel()
        for task in self.peer.dependents:
            task.cancel()
        if self._linger is not None:
            self._linger.cancel()
        self._queue.clear()
        self._discarding = True
        del self._parser  # it refers back, and what TLS holds for a connection is much to leave to the collector
        self._server.lost(self)

    def pause_writing(self) -> None:
        self._gate.shut()
        self._stalled_since = self._server.tick

    def resume_writing(self) -> None:
        self._gate.open()
        if not self._busy:
            self._next()

    # Answering.

    def _received(self, request: Request, keep_alive: bool) -> None:
        if self._busy or self._gate.paused:
            self._enqueue(Waiting(request, keep_alive))
        else:
            self._dispatch(request, keep_alive)

    def _dispatch(self, request: Request, keep_alive: bool) -> None:
        if request.incoming is not None:  # what came of it with its head is still to be parsed
            self._busy = True
            self._server.tasks.start(self._finish(request, None, keep_alive), "http-answer")
            return
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
            self._transport.write(uncommon(response, head, is_head=request.method == "HEAD", keep_alive=keep_alive))
            if not keep_alive:
                self._close()
        elif len(body) < JOIN_BYTES:
            self._transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        else:
            self._transport.write(b"%b%d\r\n\r\n" % (head, len(body)))
            self._transport.write(body)
        self._since = server.tick

    async def _finish(self, request: Request, answer: Answer | Awaitable[Answer] | None, keep_alive: bool) -> None:
        """Everything that is not answered at once; the boundary of such a request. None: the handler was not asked yet."""
        try:
            if answer is None:
                answer = self._handler(request)
            if not isinstance(answer, (Response, Stream, Upgrade)):
                answer = await answer
        except Exception:
            answer = _failed(request)
        if self._transport.is_closing() and isinstance(answer, Response):
            return
        if request.incoming is not None and not request.incoming.arrived:
            keep_alive = False  # the answer came early, and what the client still sends is for nobody
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
            self._close()  # and busy it stays until what is written is sent

    async def _stream(self, request: Request, stream: Stream, keep_alive: bool) -> bool:
        """Returns whether the connection can be used on."""
        chunked = not self._is_old and stream.length is None
        head = self._server.head(stream.status, stream.content_type).rpartition(b"\r\n")[0] + b"\r\n"
        head += header_lines(stream.headers) + (b"Transfer-Encoding: chunked\r\n" if chunked else b"")
        if stream.length is not None:
            head += b"Content-Length: %d\r\n" % stream.length
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
            self._queued_bytes -= len(waiting.request.body)
            self._dispatch(waiting.request, waiting.keep_alive)
        if (
            len(queue) < MAX_QUEUED // 2
            and self._queued_bytes < MAX_QUEUED_BYTES
            and not self._transport.is_closing()
            and not self._upgrading
        ):
            self._transport.resume_reading()

    def _enqueue(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        self._queued_bytes += len(waiting.request.body)
        if len(self._queue) >= MAX_QUEUED or self._queued_bytes >= MAX_QUEUED_BYTES:
            self._transport.pause_reading()

    def _hold(self, data: bytes) -> None:
        """What follows an upgrade request: kept until the handler has answered."""
        if self._duplex is not None:
            self._duplex.feed(data)
            return
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self._transport.pause_reading()

    def _refuse(self, status: int, text: str | bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        """Answer what never became a request, and close."""
        if self._discarding:
            return
        self._discarding = True
        self._body = None
        body = text if isinstance(text, bytes) else text.encode()
        if not self._busy:
            head = self._server.head(status, content_type)
            self._transport.write(b"%b%d\r\nConnection: close\r\n\r\n%b" % (head, len(body), body))
            self._busy = True
        self._close_later()

    def _close(self) -> None:
        """Behind an answer."""
        if self._linger is not None:
            return
        if self._incoming is None or self._incoming.arrived:
            self._transport.close()
        else:
            self._discarding = True
            self._close_later()

    def _close_later(self) -> None:
        """Reading on for a while, and to no end: a reset because of what was not read would eat the answer."""
        if self._incoming is not None:
            self._incoming.feed_eof(ConnectionResetError("the rest of the body is not received"))
        if not self._transport.is_closing():
            self._transport.resume_reading()
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
