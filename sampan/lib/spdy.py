"""SPDY/3.1 sessions over a duplex, as server or client: many streams on one connection.

async with Tasks() as tasks:
    session = Session(duplex, server=False)
    tasks.start(session.run(), "spdy")
    stream = await session.open({"streamtype": "stdout"})
    while chunk := await stream.read(): ...

Kubernetes' own peers neither send nor obey WINDOW_UPDATE, so windows bind only once a peer has shown that it knows them
(by SETTINGS or WINDOW_UPDATE). Towards the others a slow reader slows the whole connection, by TCP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from sampan.lib import spdyframes as frames
from sampan.lib.http import Duplex

MAX_UNREAD_BYTES = 1024 * 1024
MAX_STREAMS = 4096
_FRAME_BYTES = 32 * 1024


class StreamReset(ConnectionError):
    """The peer refused or reset a stream."""


class Stream:
    """One of a session's streams: bytes both ways, each way closed on its own."""

    def __init__(self, session: Session, number: int, headers: Mapping[str, str], window_bytes: int) -> None:
        self.number = number
        self.headers = headers
        self.was_reset = False
        self.is_counted = True
        """Whether what it holds unread makes the session read slower."""
        self._session = session
        self._chunks: deque[bytes] = deque()
        self._unread_bytes = 0
        self._consumed_bytes = 0
        self._window_bytes = window_bytes
        self._unsent: deque[bytes] = deque()
        self._read_done = False
        self._write_done = False
        self._fin_due = False
        self._changed = asyncio.Event()
        self._accepted = False
        """Whether the peer replied; a reset that follows at once, as after a short command, is no refusal."""
        self._replied = asyncio.Event()

    async def read(self) -> bytes:
        """Some bytes; b"" when the peer closed its side, reset the stream, or the session ended."""
        while not self._chunks:
            if self._read_done:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = self._chunks.popleft()
        self._unread_bytes -= len(data)
        self._session._consumed(self, len(data))
        return data

    async def read_all(self, limit_bytes: int = MAX_UNREAD_BYTES) -> bytes:
        """To the end; what exceeds the limit is dropped."""
        found = b""
        while data := await self.read():
            found = (found + data)[:limit_bytes]
        return found

    def write(self, data: bytes) -> None:
        """Nothing happens once the stream is closed for writing."""
        if self._write_done or self._fin_due:
            return
        for at in range(0, len(data), _FRAME_BYTES):
            self._unsent.append(data[at : at + _FRAME_BYTES])
        self._send()

    async def drain(self) -> None:
        """Wait while the peer's window is full or the connection is slow. Raises ConnectionError."""
        while self._unsent and not self._write_done:
            self._changed.clear()
            await self._changed.wait()
        if self._write_done and self._unsent:
            raise StreamReset("the stream was closed by its other end")
        await self._session.duplex.drain()

    def close(self) -> None:
        """No more will be written; reading goes on."""
        if not self._write_done and not self._fin_due:
            self._fin_due = True
            self._send()

    def reset(self, status: int = frames.CANCEL) -> None:
        self._session.duplex.write(frames.rst_stream(self.number, status))
        self._end()
        self._session._forget(self)
        self._chunks.clear()

    def reply(self, headers: Mapping[str, str] | None = None) -> None:
        """Accept a stream that the peer opened."""
        self._session.duplex.write(self._session._encoder.syn_reply(self.number, headers or {}))

    def _send(self) -> None:
        session = self._session
        while self._unsent:
            allowed = session._allowed(self)
            if allowed <= 0:
                return
            data = self._unsent.popleft()
            if len(data) > allowed:
                self._unsent.appendleft(data[allowed:])
                data = data[:allowed]
            session._spent(self, len(data))
            session.duplex.write(frames.data(self.number, data))
        if self._fin_due and not self._write_done:
            session.duplex.write(frames.data(self.number, b"", fin=True))
            self._write_done = True
            session._forget_if_done(self)
        self._changed.set()

    def _receive(self, data: bytes, fin: bool) -> None:
        if data and not self._read_done:
            self._chunks.append(data)
            self._unread_bytes += len(data)
        if fin:
            self._read_done = True
            self._session._forget_if_done(self)
        self._changed.set()

    def _end(self) -> None:
        self._read_done = self._write_done = True
        self._changed.set()
        self._replied.set()


class Session:
    """`run` must be running for anything to arrive. The duplex is closed when it ends.

    `announce_window` sends SETTINGS, which tells a peer of our own kind that windows are kept.
    """

    def __init__(self, duplex: Duplex, *, server: bool, announce_window: bool = False) -> None:
        self.duplex = duplex
        self._server = server
        self._encoder = frames.Encoder()
        self._decoder = frames.Decoder()
        self._streams: dict[int, Stream] = {}
        self._next_number = 2 if server else 1
        self._last_received = 0
        self._incoming: deque[Stream] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._unread_bytes = 0
        self._consumed_bytes = 0
        self._peer_keeps_windows = False
        self._window_bytes = frames.INITIAL_WINDOW_BYTES
        self._initial_bytes = frames.INITIAL_WINDOW_BYTES
        self._gone = False
        if announce_window:
            duplex.write(frames.initial_window(frames.INITIAL_WINDOW_BYTES))

    async def run(self) -> None:
        """Until the peer ends, or breaks the protocol, or `close`. Then every stream is at its end."""
        try:
            while received := await self.duplex.read():
                for frame in self._decoder.feed(received):
                    self._handle(frame)
                while self._unread_bytes > MAX_UNREAD_BYTES and not self._gone:
                    self._room.clear()
                    await self._room.wait()
        except frames.ProtocolError:
            self.duplex.write(frames.goaway(self._last_received, frames.PROTOCOL_ERROR))
        except ConnectionError:
            pass
        finally:
            self._finish()

    async def open(self, headers: Mapping[str, str], *, deadline_seconds: float = 30.0) -> Stream:
        """A new stream, once the peer has replied. Raises StreamReset, ConnectionError, TimeoutError."""
        if self._gone:
            raise ConnectionResetError("the SPDY session is closed")
        number, self._next_number = self._next_number, self._next_number + 2
        stream = self._streams[number] = Stream(self, number, headers, self._initial_bytes)
        self.duplex.write(self._encoder.syn_stream(number, headers))
        try:
            async with asyncio.timeout(deadline_seconds):
                # Before its reply the runtimes throw away what comes on a stream.
                await stream._replied.wait()
        except (TimeoutError, asyncio.CancelledError):
            stream.reset()  # nobody would ever read it, and what nobody reads holds up the others
            raise
        if not stream._accepted:
            raise StreamReset("the stream was refused")
        return stream

    async def accept(self) -> Stream | None:
        """The next stream that the peer opened, to be answered with `reply` or `reset`; None when no more will come."""
        while not self._incoming:
            if self._gone:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._incoming.popleft()

    def close(self) -> None:
        """Say goodbye and close the connection behind what was written."""
        if not self._gone:
            self.duplex.write(frames.goaway(self._last_received))
            self._finish()

    def _finish(self) -> None:
        self._gone = True
        for stream in list(self._streams.values()):
            stream._end()
        self._streams.clear()
        self._arrived.set()
        self._room.set()
        self.duplex.close()

    def _handle(self, frame: frames.Data | frames.Control) -> None:
        if isinstance(frame, frames.Data):
            self._credit(len(frame.data))
            stream = self._streams.get(frame.stream)
            if stream is not None:
                self._unread_bytes += len(frame.data) if not stream._read_done else 0
                stream._receive(frame.data, frame.fin)
        elif frame.type == frames.SYN_STREAM:
            self._begin(frame)
        elif frame.type == frames.PING:
            if frame.number % 2 != self._next_number % 2:
                self.duplex.write(frames.ping(frame.number))
        elif frame.type == frames.SETTINGS:
            self._settle(frame.settings or {})
        elif frame.type == frames.WINDOW_UPDATE:
            self._widen(frame.stream, frame.number)
        elif frame.type in (frames.SYN_REPLY, frames.RST_STREAM, frames.HEADERS):
            self._handle_stream(frame)

    def _handle_stream(self, frame: frames.Control) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        if frame.type == frames.RST_STREAM:
            stream.was_reset = True
            stream._end()
            self._forget(stream)
            return
        if frame.type == frames.SYN_REPLY:
            stream._accepted = True
            stream._replied.set()
        if frame.fin:
            stream._receive(b"", True)

    def _begin(self, frame: frames.Control) -> None:
        if frame.stream <= self._last_received or frame.stream % 2 == self._next_number % 2:
            self.duplex.write(frames.rst_stream(frame.stream, frames.PROTOCOL_ERROR))
            return
        self._last_received = frame.stream
        # Streams that were reset at once are still handed to whoever accepts them: they count, too.
        if max(len(self._streams), len(self._incoming)) >= MAX_STREAMS:
            self.duplex.write(frames.rst_stream(frame.stream, frames.REFUSED_STREAM))
            return
        stream = self._streams[frame.stream] = Stream(self, frame.stream, frame.headers or {}, self._initial_bytes)
        if frame.fin:
            stream._receive(b"", True)
        self._incoming.append(stream)
        self._arrived.set()

    # Flow control.

    def _allowed(self, stream: Stream) -> int:
        return min(stream._window_bytes, self._window_bytes) if self._peer_keeps_windows else _FRAME_BYTES

    def _spent(self, stream: Stream, size: int) -> None:
        if self._peer_keeps_windows:
            stream._window_bytes -= size
            self._window_bytes -= size

    def _settle(self, settings: Mapping[int, int]) -> None:
        self._peer_keeps_windows = True
        size = settings.get(frames.INITIAL_WINDOW_SETTING)
        if size is not None:
            change, self._initial_bytes = size - self._initial_bytes, size
            for stream in list(self._streams.values()):
                stream._window_bytes += change
                stream._send()

    def _widen(self, number: int, delta: int) -> None:
        self._peer_keeps_windows = True
        if number == 0:
            self._window_bytes += delta
            for stream in list(self._streams.values()):
                stream._send()
        elif (stream_of := self._streams.get(number)) is not None:
            stream_of._window_bytes += delta
            stream_of._send()

    def _consumed(self, stream: Stream, size: int) -> None:
        if not stream.is_counted:
            return
        self._unread_bytes -= size
        if self._unread_bytes <= MAX_UNREAD_BYTES // 2:
            self._room.set()
        if not self._peer_keeps_windows or self._gone:
            return
        stream._consumed_bytes += size
        if stream._consumed_bytes >= frames.INITIAL_WINDOW_BYTES // 2:
            self.duplex.write(frames.window_update(stream.number, stream._consumed_bytes))
            stream._consumed_bytes = 0

    def _credit(self, size: int) -> None:
        """Of the session's window, give back what comes at once: a stream nobody reads must not hold up the others.

        What all streams together may hold is bounded by `run`, which stops reading.
        """
        if not self._peer_keeps_windows or self._gone:
            return
        self._consumed_bytes += size
        if self._consumed_bytes >= frames.INITIAL_WINDOW_BYTES // 2:
            self.duplex.write(frames.window_update(0, self._consumed_bytes))
            self._consumed_bytes = 0

    def _forget(self, stream: Stream) -> None:
        """A stream that was reset. What came before stays readable, but no longer counts against the connection."""
        self._streams.pop(stream.number, None)
        if stream.is_counted:
            self._unread_bytes -= stream._unread_bytes
            stream.is_counted = False
            self._room.set()

    def _forget_if_done(self, stream: Stream) -> None:
        if stream._read_done and stream._write_done:
            self._streams.pop(stream.number, None)
