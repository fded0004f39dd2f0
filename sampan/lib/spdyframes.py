"""SPDY/3.1 frames as bytes, both ways, without I/O (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/).

Kubernetes kept SPDY for exec, attach and port-forward; its peers are kubectl and the container runtimes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
INITIAL_WINDOW_SETTING = 7
INITIAL_WINDOW_BYTES = 64 * 1024

_VERSION = 3
_CONTROL = 0x8000
_MAX_CONTROL_BYTES = 64 * 1024
_MAX_HEADER_BYTES = 64 * 1024

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
    "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
    "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
    "status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _sized(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


DICTIONARY = b"".join(_sized(word.replace("_", " ").encode()) for word in _WORDS.split()) + _TAIL.encode()
"""What both sides prime zlib with for header blocks; the standard prints it as one array."""


class ProtocolError(Exception):
    """The peer sent what is no SPDY/3.1; the session cannot go on, as the header compression is one stream for all of it."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; a large frame comes in pieces, the last of them with `fin`."""

    stream: int
    data: bytes
    fin: bool


@dataclass(frozen=True, slots=True)
class Control:
    """A control frame: `number` is the status of RST_STREAM and GOAWAY, the delta of WINDOW_UPDATE, the id of PING."""

    type: int
    stream: int = 0
    fin: bool = False
    headers: Mapping[str, str] | None = None
    number: int = 0
    settings: Mapping[int, int] | None = None


class Encoder:
    """Frames of one direction of a session, in the order they are sent."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)

    def syn_stream(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        return _control(SYN_STREAM, FIN if fin else 0, struct.pack(">IIBB", stream, 0, 0, 0) + self._block(headers))

    def syn_reply(self, stream: int, headers: Mapping[str, str]) -> bytes:
        return _control(SYN_REPLY, 0, struct.pack(">I", stream) + self._block(headers))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            parts += (_sized(name.lower().encode()), _sized(value.encode()))
        return self._zlib.compress(b"".join(parts)) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    return struct.pack(">II", stream, (FIN << 24 if fin else 0) | len(payload)) + payload


def rst_stream(stream: int, status: int) -> bytes:
    return _control(RST_STREAM, 0, struct.pack(">II", stream, status))


def initial_window(size_bytes: int) -> bytes:
    return _control(SETTINGS, 0, struct.pack(">III", 1, INITIAL_WINDOW_SETTING, size_bytes))


def ping(number: int) -> bytes:
    return _control(PING, 0, struct.pack(">I", number))


def goaway(last_stream: int, status: int = 0) -> bytes:
    return _control(GOAWAY, 0, struct.pack(">II", last_stream, status))


def window_update(stream: int, delta: int) -> bytes:
    return _control(WINDOW_UPDATE, 0, struct.pack(">II", stream, delta))


def _control(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, flags << 24 | len(body)) + body


class Decoder:
    """Bytes in any cut → frames. Raises ProtocolError."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()
        self._stream = 0
        self._remaining = 0
        """Bytes of the current data frame still to come."""
        self._fin = False

    def feed(self, received: bytes) -> Iterator[Data | Control]:
        self._buffer += received
        while self._buffer:
            if self._remaining:
                yield self._piece()
                continue
            if len(self._buffer) < 8:
                return
            first, second, tail = struct.unpack_from(">HHI", self._buffer)
            length, flags = tail & 0xFFFFFF, tail >> 24
            if first & _CONTROL:
                if length > _MAX_CONTROL_BYTES:
                    raise ProtocolError(f"control frame of {length} bytes")
                if len(self._buffer) < 8 + length:
                    return
                body = bytes(self._buffer[8 : 8 + length])
                del self._buffer[: 8 + length]
                frame = self._control(first & 0x7FFF, second, flags, body)
                if frame is not None:
                    yield frame
                continue
            del self._buffer[:8]
            self._stream, self._remaining, self._fin = (first << 16 | second) & 0x7FFFFFFF, length, bool(flags & FIN)
            if not length:
                yield Data(self._stream, b"", self._fin)

    def _piece(self) -> Data:
        piece = bytes(self._buffer[: self._remaining])
        del self._buffer[: self._remaining]
        self._remaining -= len(piece)
        return Data(self._stream, piece, self._fin and not self._remaining)

    def _control(self, version: int, kind: int, flags: int, body: bytes) -> Control | None:
        if version != _VERSION:
            raise ProtocolError(f"SPDY version {version}")
        try:
            return self._parse(kind, bool(flags & FIN), body)
        except struct.error:
            raise ProtocolError(f"control frame of type {kind} is too short") from None

    def _parse(self, kind: int, fin: bool, body: bytes) -> Control | None:
        if kind == SYN_STREAM:
            return Control(kind, _number(body), fin, self._headers(body[10:]))
        if kind in (SYN_REPLY, HEADERS):
            return Control(kind, _number(body), fin, self._headers(body[4:]))
        if kind in (RST_STREAM, WINDOW_UPDATE):
            return Control(kind, _number(body), number=_number(body, 4))
        if kind == PING:
            return Control(kind, number=struct.unpack_from(">I", body)[0])
        if kind == GOAWAY:
            return Control(kind, _number(body), number=_number(body, 4))
        if kind == SETTINGS:
            count = _number(body)
            entries = (struct.unpack_from(">II", body, 4 + 8 * i) for i in range(min(count, len(body))))
            return Control(kind, settings={key & 0xFFFFFF: value for key, value in entries})
        return None  # types of the future are to be ignored

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._zlib.decompress(block, _MAX_HEADER_BYTES)
        except zlib.error as error:
            raise ProtocolError(f"header block: {error}") from None
        if self._zlib.unconsumed_tail:
            raise ProtocolError("header block is too large")
        headers: dict[str, str] = {}
        at = 4
        for _ in range(min(_number(plain), len(plain))):
            name, at = _text(plain, at)
            value, at = _text(plain, at)
            headers[name] = value.replace("\0", ", ")
        return headers


def _number(body: bytes, at: int = 0) -> int:
    number: int = struct.unpack_from(">I", body, at)[0]
    return number & 0x7FFFFFFF


def _text(plain: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _number(plain, at)
    if end > len(plain):
        raise ProtocolError("header block is cut")
    return plain[at + 4 : end].decode("utf-8", "replace"), end
