"""One HTTP/1.1 connection of the client: one exchange at a time, then idle in the pool, or raw after an upgrade."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from sampan.lib.duplex import HIGH_WATER_BYTES, LOW_WATER_BYTES, Gate, TransportDuplex, probe_peer

_names: dict[bytes, str] = {}


class ClientConnection(asyncio.Protocol):
    """`begin`, then `head` and `read` until b"". `reusable` says afterwards whether another exchange may follow."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._gate = Gate()
        self._headers: dict[str, str] = {}
        self._chunks: deque[bytes] = deque()
        self._unread_bytes = 0
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._lost: ConnectionError | None = None
        self._is_head = False
        self._in_exchange = False
        self._head_done = False
        self._body_done = False
        self._until_close = False
        self._keep_alive = False
        self._duplex: TransportDuplex | None = None
        self._early = b""
        self.status = 0
        self.received_any = False
        """Whether a byte of the answer to the current request came: if not, the request may never have been seen."""
        self.uses = 0
        self.idle_since = 0.0

    # For the transport above.

    def begin(self, request: bytes, body: bytes, *, is_head: bool) -> None:
        """Send a request. Raises ConnectionError where the connection is known to be dead."""
        if self._lost is not None or self._transport.is_closing():
            raise self._lost or ConnectionResetError("the connection is closed")
        self._headers = {}
        self._head_done = self._body_done = self._until_close = self._keep_alive = self.received_any = False
        self._is_head = is_head
        self._in_exchange = True
        self.uses += 1
        if len(body) < 65536:
            self._transport.write(request + body)
        else:
            self._transport.write(request)
            self._transport.write(body)

    def send(self, data: bytes) -> None:
        """More of the request's body."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case, repeated values joined). Raises ConnectionError."""
        while not self._head_done:
            await self._wait()
        return self.status, self._headers

    async def read(self) -> bytes:
        """Some of the body; b"" at its end. Raises ConnectionError if it was cut."""
        while not self._chunks:
            if self._body_done:
                return b""
            await self._wait()
        data = self._chunks.popleft()
        self._unread_bytes -= len(data)
        if self._reading_paused and self._unread_bytes < LOW_WATER_BYTES and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
        return data

    async def read_all(self, most_bytes: int = 0) -> bytes:
        """`most_bytes`: more than so many are a ConnectionError; 0: whatever comes."""
        parts, size = [], 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > most_bytes > 0:
                raise ConnectionError(f"the answer has more than {most_bytes} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def drain(self) -> None:
        await self._gate.wait()

    def take_over(self) -> TransportDuplex:
        """After a 101: the raw connection."""
        duplex = self._duplex = TransportDuplex(self._transport, self._gate)
        duplex.feed(self._early)
        if self._lost is not None:
            duplex.feed_eof()
        return duplex

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the answer is over, and read to its end (a caller may have been cancelled
        between the two, and what it left must not be taken for the next answer)."""
        return (
            self._body_done
            and not self._chunks
            and self._keep_alive
            and self._lost is None
            and not self._transport.is_closing()
        )

    def close(self) -> None:
        # Not `close`: an answer nobody reads any more need not be waited for, and a TLS shutdown would wait for the peer.
        self._transport.abort()

    async def _wait(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The event loop's callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        probe_peer(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._duplex is not None:
            self._duplex.feed(data)
            return
        if not self._in_exchange:
            self._transport.abort()  # a server that speaks unasked cannot be understood
            return
        self.received_any = True
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._early += data[upgrade.args[0] :]
        except HttpParserError as error:
            self._fail(ConnectionError(f"malformed HTTP answer: {error}"))
            self._transport.abort()

    def eof_received(self) -> bool:
        if self._duplex is not None:
            self._duplex.feed_eof()
            return self._transport.can_write_eof()
        if self._head_done and self._until_close:
            self._finish()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._gate.lose()
        if self._duplex is not None:
            self._duplex.feed_eof()
        if self._head_done and self._until_close and error is None:
            self._finish()
        self._fail(ConnectionResetError(f"connection lost: {error}" if error else "the server closed the connection"))
        del self._parser  # it refers back, and what TLS holds for a connection is much to leave to the collector

    def _fail(self, error: ConnectionError) -> None:
        if self._lost is None:
            self._lost = error
        self._gate.lose()
        self._wake()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    # The parser's callbacks.

    def on_header(self, raw: bytes, value: bytes) -> None:
        name = _names.get(raw)
        if name is None:
            name = raw.decode("latin-1").lower()
            if len(_names) < 512:
                _names[raw] = name
        if self._head_done:
            return  # a trailer
        text = value.decode("latin-1")
        between = "\n" if name == "set-cookie" else ", "  # the one header that must not be joined
        self._headers[name] = f"{self._headers[name]}{between}{text}" if name in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 and status != 101:  # 100 and its like come before the answer
            self._headers = {}
            return
        self.status = status
        self._head_done = True
        self._keep_alive = self._parser.should_keep_alive()
        self._until_close = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        if self._is_head:
            # The parser would wait for the body that Content-Length announces; this connection is done for.
            self._keep_alive = False
            self._finish()
        self._wake()

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._unread_bytes += len(chunk)
        if self._unread_bytes > HIGH_WATER_BYTES and not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self._head_done:
            self._finish()

    def _finish(self) -> None:
        self._body_done = True
        self._in_exchange = False
        self._wake()
