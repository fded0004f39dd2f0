"""WebSocket messages (RFC 6455) over a duplex, as server or client; wsproto does the frames, the handshake is HTTP's.

Server: answer the request with `Upgrade(run, accept_headers(request.headers, chosen))`, and `WebSocket(duplex)` in `run`.
Client: upgrade with `offer_headers(key, protocols)`, check the answer with `accepted`, then `WebSocket(duplex, client=True)`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import deque
from collections.abc import Mapping, Sequence

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from sampan.lib.http import Duplex

NORMAL, PROTOCOL_ERROR, TOO_BIG, INTERNAL_ERROR = 1000, 1002, 1009, 1011
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Headers = tuple[tuple[str, str], ...]


def is_websocket(headers: Mapping[str, str]) -> bool:
    tokens = [token.strip() for token in headers.get("connection", "").lower().split(",")]
    return "upgrade" in tokens and headers.get("upgrade", "").lower() == "websocket"


def offered_protocols(headers: Mapping[str, str]) -> list[str]:
    """The client's subprotocols, in its order of preference."""
    return [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip()]


def accept_headers(headers: Mapping[str, str], protocol: str = "") -> Headers:
    """The 101's headers. Raises ValueError where the request is no WebSocket handshake."""
    key = headers.get("sec-websocket-key", "")
    if headers.get("sec-websocket-version") != "13":
        raise ValueError("unsupported WebSocket version")
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise ValueError("the WebSocket key is not 16 bytes")
    except ValueError:
        raise ValueError("invalid Sec-WebSocket-Key") from None
    accepted_key: Headers = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", _answer(key)))
    return (*accepted_key, ("Sec-WebSocket-Protocol", protocol)) if protocol else accepted_key


def new_key() -> str:
    return base64.b64encode(os.urandom(16)).decode()


def offer_headers(key: str, protocols: Sequence[str] = ()) -> Headers:
    """What a client asks with."""
    offer: Headers = (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    )
    return (*offer, ("Sec-WebSocket-Protocol", ", ".join(protocols))) if protocols else offer


def accepted(key: str, headers: Mapping[str, str]) -> bool:
    """Whether a 101 answers our handshake."""
    return headers.get("sec-websocket-accept") == _answer(key)


def _answer(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


class WebSocket:
    """Whole messages both ways; pings are answered, fragments joined."""

    def __init__(self, duplex: Duplex, *, client: bool = False, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._duplex = duplex
        self._frames = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
        self._limit = max_message_bytes
        self._ready: deque[str | bytes] = deque()
        self._parts: list[str | bytes] = []
        self._size = 0
        self._ended = False

    async def receive(self) -> str | bytes | None:
        """The next message, text as str and binary as bytes; None when the other side closed or broke off."""
        while not self._ready:
            if self._ended:
                return None
            data = await self._duplex.read()
            if not data:
                self._ended = True
                return None
            self._feed(data)
        return self._ready.popleft()

    def _feed(self, data: bytes) -> None:
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, (TextMessage, BytesMessage)):
                    self._gather(event)
                elif isinstance(event, Ping):
                    self._duplex.write(self._frames.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._closed_by(event)
        except (RemoteProtocolError, LocalProtocolError):
            self.close(PROTOCOL_ERROR)

    def _closed_by(self, event: CloseConnection) -> None:
        """The peer's close, to be answered; or, while the connection is open, wsproto's verdict on a bad frame."""
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            self._duplex.write(self._frames.send(event.response()))
        elif self._frames.state is ConnectionState.OPEN:
            self.close(event.code, event.reason or "")
        self._ended = True

    def _gather(self, event: TextMessage | BytesMessage) -> None:
        part = event.data if isinstance(event, TextMessage) else bytes(event.data)
        self._size += len(part)
        if self._size > self._limit:
            self.close(TOO_BIG)
            return
        self._parts.append(part)
        if event.message_finished:
            text = isinstance(event, TextMessage)
            whole = "".join(map(str, self._parts)) if text else b"".join(p for p in self._parts if isinstance(p, bytes))
            self._parts.clear()
            self._size = 0
            self._ready.append(whole)

    def send(self, message: str | bytes) -> None:
        """Nothing is sent once either side has closed."""
        if self._frames.state is not ConnectionState.OPEN:
            return
        event = TextMessage(message) if isinstance(message, str) else BytesMessage(message)
        self._duplex.write(self._frames.send(event))

    async def drain(self) -> None:
        await self._duplex.drain()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say why and end; the duplex stays its owner's to close."""
        self._ended = True
        if self._frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            # A close frame holds 123 bytes of reason.
            self._duplex.write(self._frames.send(CloseConnection(code, reason.encode()[:123].decode("utf-8", "ignore"))))


class MessageDuplex:
    """A duplex whose bytes travel in binary messages of a WebSocket, cut anywhere: a protocol tunnelled in another."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while True:
            message = await self._socket.receive()
            if message is None:
                return b""
            if message:
                return message if isinstance(message, bytes) else message.encode()

    def write(self, data: bytes) -> None:
        if data:
            self._socket.send(data)

    async def drain(self) -> None:
        await self._socket.drain()

    def write_eof(self) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
