"""Raw bytes both ways over an asyncio transport: what a connection becomes after an upgrade, on either side of it."""

from __future__ import annotations

import asyncio
import socket
from collections import deque

from sampan.lib.http import Duplex

HIGH_WATER_BYTES = 256 * 1024
LOW_WATER_BYTES = 64 * 1024


class Gate:
    """Open while the transport takes more; shut by its `pause_writing`, opened by `resume_writing`."""

    __slots__ = ("_lost", "_paused", "_waiters")

    def __init__(self) -> None:
        self._paused = False
        self._lost = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def paused(self) -> bool:
        return self._paused

    def shut(self) -> None:
        self._paused = True

    def open(self) -> None:
        self._paused = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def lose(self) -> None:
        """The connection is gone: whoever waits, or will, gets ConnectionResetError."""
        self._lost = True
        self.open()

    async def wait(self) -> None:
        if self._paused and not self._lost:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._lost:
            raise ConnectionResetError("the connection is closed")


class Inflow:
    """What a peer sends, for a reader; the protocol that owns the transport feeds it.

    Reading is paused while more than `HIGH_WATER_BYTES` wait unread, so a slow reader slows the peer.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._chunks: deque[bytes] = deque()
        self._unread_bytes = 0
        self._reading_paused = False
        self._ended = False
        self._error: ConnectionError | None = None
        self._reader: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        if not data:
            return
        self._chunks.append(data)
        self._unread_bytes += len(data)
        if self._unread_bytes > HIGH_WATER_BYTES and not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def feed_eof(self, error: ConnectionError | None = None) -> None:
        """The end; with an error it is none, and whoever has read what came hears of it."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        while not self._chunks:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = self._chunks.popleft()
        self._unread_bytes -= len(data)
        if self._reading_paused and self._unread_bytes < LOW_WATER_BYTES and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()
        return data


class TransportDuplex(Inflow):
    """A `Duplex` over `transport`."""

    def __init__(self, transport: asyncio.Transport, gate: Gate) -> None:
        super().__init__(transport)
        self._gate = gate

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        await self._gate.wait()

    def write_eof(self) -> None:
        """Half-close; TLS has no half of a connection to close, so there it closes all of it after what was written."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self.close()

    def close(self) -> None:
        self._transport.close()
        self.feed_eof()


async def pump(source: Duplex, target: Duplex) -> None:
    """Copy until the source ends, at the pace of the target."""
    while data := await source.read():
        target.write(data)
        await target.drain()


async def splice(one: Duplex, other: Duplex) -> None:
    """Join two connections until either ends; then close both."""
    try:
        async with asyncio.TaskGroup() as group:
            ways = [group.create_task(pump(one, other)), group.create_task(pump(other, one))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
    except* ConnectionError:
        pass  # one side went away while the other still wrote: an end like any other
    finally:
        one.close()
        other.close()


def probe_peer(sock: socket.socket) -> None:
    """Notice within two minutes that the other machine vanished, also on a connection that only listens (a watch)."""
    if sock.family == socket.AF_UNIX:
        return  # both ends are of this machine
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
