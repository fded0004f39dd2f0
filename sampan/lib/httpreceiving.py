"""The half of an HTTP/1.1 connection that reads: what the parser finds becomes requests, or is refused."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from time import monotonic
from typing import TYPE_CHECKING

from httptools import HttpRequestParser

from sampan.lib.http import Peer, Request
from sampan.lib.httpbody import CONTINUE, IncomingBody
from sampan.lib.httpmessage import HOSTS, NAMES, header_name, host_refusal, read_request, status_body

if TYPE_CHECKING:
    from sampan.lib.httpserver import HTTPServer


_MAX_PARTS = 4096
"""Of a body, before they are joined: chunks of a few bytes would take twenty times their size."""


class Receiving(asyncio.Protocol):
    """See the module. `_parser`, `_transport` and `peer` are there once the connection is made."""

    __slots__ = (
        "_body", "_body_bytes", "_busy", "_discarding", "_head_bytes", "_headers", "_in_body", "_incoming", "_is_old",
        "_keep_alive", "_limits", "_parser", "_repeated", "_request_headers", "_server", "_since", "_transport", "_upgrading",
        "_url", "peer",
    )  # fmt: skip

    _parser: HttpRequestParser
    _transport: asyncio.Transport
    peer: Peer

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._limits = server.limits
        self._since = server.tick
        self._url = b""
        self._headers: dict[str, str] = {}
        self._request_headers: dict[str, str] = self._headers
        self._repeated: dict[str, list[str]] | None = None
        self._body: list[bytes] | None = None
        self._body_bytes = 0
        self._incoming: IncomingBody | None = None
        """The body that is being received, if its request was handed over without it."""
        self._head_bytes = 0
        self._in_body = False
        self._busy = False
        """An answer is not finished, or the peer takes none: what arrives meanwhile waits in the queue."""
        self._keep_alive = True
        self._discarding = False
        self._is_old = False
        """The peer speaks HTTP/1.0: no chunks, one request a connection."""
        self._upgrading = False

    @abstractmethod
    def _received(self, request: Request, keep_alive: bool) -> None:
        """A request is here, with its body unless that is incoming."""

    @abstractmethod
    def _refuse(self, status: int, text: str | bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        """Answer what never became a request, and close."""

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
        if "content-length" in headers or "transfer-encoding" in headers:
            self._announced(headers)
        elif "expect" in headers:
            self._expect(headers["expect"])

    def _announced(self, headers: dict[str, str]) -> None:
        """There will be a body."""
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self._refuse(501, "Unsupported transfer encoding")
            return
        length = headers.get("content-length")
        passes_on = self._server.passes_on
        if passes_on is not None and length != "0" and "upgrade" not in headers and passes_on(self._url):
            self._hand_over(None if length is None else int(length), headers.get("expect", ""))
        elif length is not None and int(length) > self._limits.body_bytes:
            self._refuse_body()
        elif "expect" in headers:
            self._expect(headers["expect"])

    def _hand_over(self, length: int | None, expectation: str) -> None:
        """The request goes ahead of its body, once what came with its head is parsed."""
        if expectation and expectation.lower() != "100-continue":
            self._expect(expectation)
            return
        request = self._take(b"")
        if request is not None:
            incoming = IncomingBody(self._transport, length, is_awaited=bool(expectation))
            self._incoming = request.incoming = incoming
            self._received(request, self._keep_alive)

    def on_body(self, chunk: bytes) -> None:
        if self._incoming is not None:
            self._incoming.feed(chunk)
            return
        if self._body is None:
            self._body = [chunk]
            self._body_bytes = len(chunk)
            return
        self._body.append(chunk)
        self._body_bytes += len(chunk)
        if self._body_bytes > self._limits.body_bytes:
            self._refuse_body()
        elif len(self._body) > _MAX_PARTS:
            self._body = [b"".join(self._body)]

    def on_message_complete(self) -> None:
        if self._discarding:
            return
        if self._incoming is not None:
            self._incoming.feed_eof()
            self._incoming = request = None
        else:
            request = self._take(b"".join(self._body) if self._body else b"")
            if request is None:
                return
        self._url = b""
        self._body = None
        self._head_bytes = 0
        self._in_body = False
        self._headers = {}  # what trailers left is not the next request's headers either
        if request is not None:
            self._received(request, self._keep_alive)

    def _take(self, body: bytes) -> Request | None:
        """The request whose head was read, and in `_keep_alive` whether another may follow; None where it was refused."""
        headers = self._request_headers
        try:
            request = read_request(self._parser.get_method(), self._url, headers, body, self.peer)
        except ValueError:
            self._refuse(400, "400 Bad Request")
            return None
        request.received = monotonic()
        if self._repeated is not None:
            request.repeated_headers, self._repeated = self._repeated, None
        keep_alive = self._parser.should_keep_alive()
        host = headers.get("host")
        if host not in HOSTS or not keep_alive or "connection" in headers:
            version = self._parser.get_http_version()
            refusal = host_refusal(host, request.repeated_headers, version)
            if refusal is not None:
                self._refuse(*refusal)
                return None
            if version == "1.0":
                self._is_old = True
                keep_alive = False
        if "upgrade" in headers and self._parser.should_upgrade():
            self._upgrading = True
            keep_alive = False
        self._keep_alive = keep_alive
        return request

    def _repeat(self, name: str, value: str) -> None:
        if self._repeated is None:
            self._repeated = {}
        self._repeated.setdefault(name, [self._headers[name]]).append(value)

    def _expect(self, expectation: str) -> None:
        if expectation.lower() != "100-continue":
            self._refuse(417, "417 Expectation Failed")
        elif not self._busy:
            self._transport.write(CONTINUE)

    def _refuse_body(self) -> None:
        message = f"Request entity too large: limit is {self._limits.body_bytes}"
        self._refuse(413, status_body(413, "RequestEntityTooLarge", message), "application/json")
