"""Requests to one server: a pool of kept-alive TLS connections, streams, upgrades, credentials, deadlines.

transport = Transport(config)
answer = await transport.request("GET", "/api/v1/namespaces", query={"limit": "500"})
async with transport.stream("GET", "/api/v1/pods", query={"watch": "1"}) as stream:
    async for chunk in stream: ...

No method raises for a status. What the network does wrong is ConnectionError or TimeoutError.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode, urlsplit

from sampan.client.config import ClientConfig
from sampan.client.connection import ClientConnection
from sampan.lib.http import JSON_TYPE, Duplex
from sampan.lib.httpbody import IncomingBody
from sampan.lib.tasks import Tasks
from sampan.lib.tls import client_context

Query = Mapping[str, str] | Sequence[tuple[str, str]]
Headers = Sequence[tuple[str, str]]
Dial = Callable[[], Awaitable[tuple[str, int] | socket.socket]]
"""Says for each new connection where to connect to, or brings it; the server's name and certificate stay those of the URL."""

MAX_IDLE = 32
IDLE_SECONDS = 60.0
"""Less than the server's 90, so that it is rarely the server that ends an idle connection, in the moment of its use."""
TOKEN_SECONDS = 10.0
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~:@=,+-]*").fullmatch


class EscapedPath(str):
    """A path that is percent-encoded already, to be sent as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`duplex` is None where the server did not switch protocols; then `body` is what it answered."""

    status: int
    headers: Mapping[str, str]
    duplex: Duplex | None
    body: bytes


class ConnectFailed(ConnectionError):
    """There is no connection; the cause is what the network or TLS said."""

    def __init__(self, address: str, port: int, error: OSError) -> None:
        super().__init__(f"connect to {address}:{port}: {error}")
        self.address = address
        self.port = port


class HTTPStream:
    """An answer whose body is read as it comes: `async for chunk in stream`."""

    def __init__(self, status: int, headers: Mapping[str, str], connection: ClientConnection) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._connection.read():
            yield data

    async def read(self) -> bytes:
        """Some bytes; b"" at the end."""
        return await self._connection.read()

    async def read_all(self) -> bytes:
        return await self._connection.read_all()


class Transport:
    """Safe for any number of concurrent requests; connections are made as needed and kept for a minute."""

    def __init__(self, config: ClientConfig, *, dial: Dial | None = None) -> None:
        self.config = config
        self._dial = dial
        parts = urlsplit(config.server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{config.server!r} is not the URL of a server")
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = parts.path.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            self._tls = client_context(config.ca_pem, config.cert_pem, config.key_pem, insecure=config.insecure)
        self._own_host = parts.netloc.rpartition("@")[2]
        self._common = f"User-Agent: {config.user_agent}\r\n" if config.user_agent else ""
        self._idle: list[ClientConnection] = []
        self._max_idle = MAX_IDLE
        self._active: set[ClientConnection] = set()
        self._closed = False
        self._token = config.token
        self._token_read = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes = b"",
        content_type: str = JSON_TYPE,
        headers: Headers = (),
        accept: str = JSON_TYPE,
        host: str = "",
        deadline_seconds: float = 30.0,
        repeatable: bool = False,
        most_bytes: int = 0,
    ) -> HTTPResponse:
        """The whole answer. `path` is unescaped, `host` for the Host header, if that is not the URL's. `repeatable`: getting it
        twice does no harm, whatever the method. `most_bytes`: of its
        body, from a server that is not trusted to end; a longer one is a ConnectionError.
        """
        head = self._head(method, path, query, body, content_type, headers, accept, host)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._exchange(method, head, body, repeatable, most_bytes)
        except TimeoutError:
            raise TimeoutError(f"{method} {path}: no answer within {deadline_seconds:g} s") from None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes | IncomingBody = b"",
        content_type: str = JSON_TYPE,
        headers: Headers = (),
        accept: str = JSON_TYPE,
        host: str = "",
        deadline_seconds: float | None = 30.0,
    ) -> AsyncIterator[HTTPStream]:
        """An answer to be read piece by piece; the deadline is for its head. Leaving the block early drops the connection.

        `host` is for the Host header, if it is not the URL's. A body that is incoming is sent as it comes, also while the
        answer is read.
        """
        head = self._head(method, path, query, body, content_type, headers, accept, host)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(deadline_seconds):
                    if isinstance(body, bytes):
                        connection, status, answered = await self._send(method, head, body)
                        stack.callback(self._release, connection)
                    else:
                        connection = await stack.enter_async_context(self._feeding(method, head, body))
                        status, answered = await connection.head()
            except TimeoutError:
                raise TimeoutError(f"{method} {path}: no answer within {deadline_seconds or 0:g} s") from None
            yield HTTPStream(status, answered, connection)

    @asynccontextmanager
    async def _feeding(self, method: str, head: bytes, body: IncomingBody) -> AsyncIterator[ClientConnection]:
        """A connection of its own, as what was read of the body cannot be sent again if a kept one proves dead."""
        connection = await self._connect()
        self._active.add(connection)
        try:
            connection.begin(head, b"", is_head=method == "HEAD")
            async with Tasks() as tasks:
                feeding = tasks.start(_feed(connection, body), "request body")
                yield connection
                if not feeding.done():
                    connection.close()  # the answer is over, and what is left of the body would pass for another request
        except BaseExceptionGroup as group:  # of one: feeding does not fail
            raise group.exceptions[0] from None
        finally:
            self._release(connection)

    async def upgrade(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        headers: Headers = (),
        host: str = "",
        deadline_seconds: float = 30.0,
    ) -> Upgraded:
        """Ask for another protocol; `headers` has Connection and Upgrade. A duplex is the caller's to close."""
        head = self._head(method, path, query, b"", "", headers, "*/*", host)
        try:
            async with asyncio.timeout(deadline_seconds):
                connection = await self._connect()
                self._active.add(connection)
                try:
                    connection.begin(head, b"", is_head=False)
                    status, answered = await connection.head()
                    if status == 101:
                        self._active.discard(connection)
                        return Upgraded(status, answered, connection.take_over(), b"")
                    return Upgraded(status, answered, None, await connection.read_all())
                finally:
                    if connection in self._active:
                        self._active.discard(connection)
                        connection.close()
        except TimeoutError:
            raise TimeoutError(f"{method} {path}: no answer within {deadline_seconds:g} s") from None

    async def close(self) -> None:
        """Drop every connection, those in use, too."""
        self._closed = True
        for connection in [*self._idle, *self._active]:
            connection.close()
        self._idle.clear()

    def retire(self) -> None:
        """Keep no connection from now on; requests in progress go on."""
        self._max_idle = 0
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _exchange(self, method: str, head: bytes, body: bytes, repeatable: bool, most_bytes: int) -> HTTPResponse:
        connection, status, headers = await self._send(method, head, body, repeatable)
        try:
            return HTTPResponse(status, headers, await connection.read_all(most_bytes))
        finally:
            self._release(connection)

    async def _send(
        self, method: str, head: bytes, body: bytes, repeatable: bool = False
    ) -> tuple[ClientConnection, int, dict[str, str]]:
        """Returns with the answer's head; the connection is then the caller's to release."""
        repeatable = repeatable or method in _REPEATABLE
        while True:
            connection = self._pooled() or await self._connect()
            self._active.add(connection)
            try:
                connection.begin(head, body, is_head=method == "HEAD")
                status, headers = await connection.head()
                return connection, status, headers
            except ConnectionError:
                self._release(connection)
                # A kept connection may have died in the moment of its use. What may have been carried out, and does not bear
                # being done twice, is for the caller to judge.
                if self._closed or connection.uses < 2 or connection.received_any or not repeatable:
                    raise
            except BaseException:
                self._release(connection)
                raise

    def _pooled(self) -> ClientConnection | None:
        oldest = time.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def _release(self, connection: ClientConnection) -> None:
        self._active.discard(connection)
        if connection.reusable and len(self._idle) < self._max_idle and not self._closed:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> ClientConnection:
        if self._closed:
            raise ConnectionError("the transport is closed")
        loop = asyncio.get_running_loop()
        place = await self._dial() if self._dial else (self._host, self._port)
        host, port = (self._host, self._port) if isinstance(place, socket.socket) else place
        name = self._host if self._tls else None
        try:
            if isinstance(place, socket.socket):
                _, connection = await loop.create_connection(ClientConnection, sock=place, ssl=self._tls, server_hostname=name)
            else:
                _, connection = await loop.create_connection(ClientConnection, host, port, ssl=self._tls, server_hostname=name)
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectFailed(host, port, error) from error
        if self._closed:  # while the connection was made
            connection.close()
            raise ConnectionError("the transport is closed")
        return connection

    def _head(
        self,
        method: str,
        path: str,
        query: Query,
        body: bytes | IncomingBody,
        content_type: str,
        headers: Headers,
        accept: str,
        host: str = "",
    ) -> bytes:
        plain = isinstance(path, EscapedPath) or _PLAIN_PATH(path)
        target = self._prefix + (path if plain else quote(path, safe="/:@=,+~"))
        if query:
            target += "?" + urlencode(list(query.items()) if isinstance(query, Mapping) else query)
        lines = [f"{method} {target or '/'} HTTP/1.1\r\nHost: {host or self._own_host}\r\n", self._common]
        if accept:
            lines.append(f"Accept: {accept}\r\n")
        if body and content_type:
            lines.append(f"Content-Type: {content_type}\r\n")
        if isinstance(body, IncomingBody):
            lines.append("Transfer-Encoding: chunked\r\n" if body.length is None else f"Content-Length: {body.length}\r\n")
        elif body:
            lines.append(f"Content-Length: {len(body)}\r\n")
        elif method in ("POST", "PUT", "PATCH"):
            lines.append("Content-Length: 0\r\n")
        token = self._bearer()
        if token:
            lines.append(f"Authorization: Bearer {token}\r\n")
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        text = "".join(lines)
        if text.count("\n") != text.count("\r\n") or "\r\n\r\n" in text:
            raise ValueError("line break in a header")
        return (text + "\r\n").encode()

    def _bearer(self) -> str:
        if self.config.token_file and time.monotonic() - self._token_read > TOKEN_SECONDS:
            self._token_read = time.monotonic()
            try:
                # An empty file is one that is being replaced: the token before is the better one.
                self._token = Path(self.config.token_file).read_text().strip() or self._token
            except OSError as error:
                if not self._token:
                    raise ConnectionError(f"token file: {error}") from error
        return self._token


async def _feed(connection: ClientConnection, body: IncomingBody) -> None:
    """Send the body as it comes. Who reads the answer hears what becomes of it."""
    is_chunked = body.length is None
    while True:
        try:
            data = await body.read()
        except ConnectionError:
            connection.close()  # a body that broke off must not look like a whole one
            return
        if not data and not is_chunked:
            return
        try:
            connection.send(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)
            await connection.drain()
        except ConnectionError:
            return  # the server may have answered before
        if not data:
            return
