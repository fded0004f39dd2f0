"""The HTTP/1.1 server: listeners, limits, timeouts and drain. What happens on one connection is in `httpconnection.py`.

server = HTTPServer(handler, tls=server_context(cert, key, client_ca))
port = await server.start("127.0.0.1", 0)
...
await server.stop(grace_seconds=5)
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate

from sampan.lib.clock import Clock, RealClock
from sampan.lib.duplex import probe_peer
from sampan.lib.http import Handler
from sampan.lib.httpconnection import Connection
from sampan.lib.httpmessage import REASONS, Limits
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

log = get_logger("http")

MAX_BODY_BYTES = 3 * 1024 * 1024
TICK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; the first two are kube-apiserver's."""

    idle: float = 90.0
    header: float = 32.0
    body: float = 60.0
    """From the first byte of a request to its last."""
    write: float = 60.0
    """How long a peer may take nothing of an answer. Streams and upgrades set their own."""
    handshake: float = 10.0


class HTTPServer:
    """Serves `handler` on any number of addresses. The handler never raises: what escapes is logged and answered with 500."""

    def __init__(
        self,
        handler: Handler,
        *,
        tls: ssl.SSLContext | None,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_header_bytes: int = 1024 * 1024,
        passes_on: Callable[[bytes], bool] | None = None,
        timeouts: Timeouts | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.handler = handler
        self.limits = Limits(max_body_bytes, max_header_bytes)
        self.passes_on = passes_on
        """Of a request's target: whether the handler reads the body itself, as it comes. Asked where there is one."""
        self.clock = clock or RealClock()
        self.connections: set[Connection] = set()
        self.draining = False
        self.tick = self.clock.monotonic()
        """A clock of one second's precision, which costs a request nothing."""
        self.heads: dict[tuple[int, str], bytes] = {}
        """Heads of answers up to the length, by status and content type; forgotten every second, as they hold the date."""
        self.tasks = Tasks()
        self._tls = tls
        self._timeouts = timeouts or Timeouts()
        self._listeners: list[asyncio.Server] = []
        self._started = False
        self._one_less = asyncio.Event()

    async def start(self, host: str = "", port: int = 0, *, sock: socket.socket | None = None) -> int:
        """Listen on an address (port 0: a free one) or an existing socket; returns the port. Raises OSError."""
        if not self._started:
            self._started = True
            # No task in the scope ever fails (each ends at its own boundary), so it may be left from another task than this.
            await self.tasks.__aenter__()
            self.tasks.start(self._sweep(), "http-sweep")
        sock = sock or _listening_socket(host, port)
        listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=sock,
            ssl=self._tls,
            backlog=1024,
            ssl_handshake_timeout=self._timeouts.handshake if self._tls else None,
        )
        self._listeners.append(listener)
        return int(sock.getsockname()[1])

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop listening, end streams, let requests in progress finish within the grace, then cut what is left."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self.connections):
            connection.wind_down()
        if any(connection.is_answering for connection in self.connections):
            await self._wait_for_answers(grace_seconds)
        for connection in list(self.connections):
            connection.abort()
        if self._started:
            self._started = False
            await self.tasks.__aexit__(None, None, None)

    async def _wait_for_answers(self, grace_seconds: float) -> None:
        self._one_less.clear()
        try:
            async with asyncio.timeout(grace_seconds):
                while any(connection.is_answering for connection in self.connections):
                    await self._one_less.wait()
                    self._one_less.clear()
        except TimeoutError:
            log.warning("requests cut at shutdown", connections=len(self.connections))

    def lost(self, connection: Connection) -> None:
        """A connection ended."""
        self.connections.discard(connection)
        self._one_less.set()

    def head(self, status: int, content_type: str) -> bytes:
        """The head of an answer up to and with "Content-Length: "."""
        reason = REASONS.get(status, "Unknown")
        date = formatdate(self.clock.now(), usegmt=True)
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        head = f"HTTP/1.1 {status} {reason}\r\nDate: {date}\r\n{kind}Content-Length: ".encode("latin-1")
        self.heads[status, content_type] = head
        return head

    async def _sweep(self) -> None:
        while True:
            await self.clock.sleep(TICK_SECONDS)
            self.tick = self.clock.monotonic()
            self.heads.clear()
            self._check()

    def _check(self) -> None:
        """In a frame of its own: the sweep would hold its last connection until the next."""
        limits = self._timeouts
        for connection in list(self.connections):
            connection.check(self.tick, limits.idle, limits.header, limits.body, limits.write)


def _listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe_peer(sock)  # accepted sockets inherit it
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"port {port} on {host} is taken") from None
        raise
    return sock
