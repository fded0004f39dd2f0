"""The chunked body of a stream: writes of one turn of the event loop leave as one chunk, one TLS record, one system call."""

from __future__ import annotations

import asyncio

from sampan.lib.duplex import Gate

FLUSH_BYTES = 64 * 1024


class ChunkedSink:
    """A `Sink` over a transport; `chunked` False (HTTP/1.0) writes bare bytes until the connection closes.

    `silent` (HEAD) writes nothing.
    """

    __slots__ = ("_chunked", "_gate", "_loop", "_parts", "_pending_bytes", "_scheduled", "_silent", "_transport")

    def __init__(self, transport: asyncio.Transport, gate: Gate, chunked: bool, *, silent: bool = False) -> None:
        self._transport = transport
        self._gate = gate
        self._chunked = chunked and not silent
        self._silent = silent
        self._parts: list[bytes] = []
        self._pending_bytes = 0
        self._scheduled = False
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        if not data or self._silent:
            return  # an empty chunk would end the body
        self._parts.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._flush()

    def _flush(self) -> None:
        if not self._parts:
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._pending_bytes = 0
        if not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body)

    async def drain(self) -> None:
        self._flush()
        await self._gate.wait()

    @property
    def buffered_bytes(self) -> int:
        return self._pending_bytes + self._transport.get_write_buffer_size()

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    def finish(self) -> None:
        self._flush()
        if self._chunked and not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")
