"""Asking upstream servers about names outside the cluster, as raw messages."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import cast

Server = tuple[str, int]

TRY_SECONDS = 2.0


def servers_of(resolv_conf: str, *, exclude: Sequence[str] = ()) -> list[Server]:
    """The nameservers a resolv.conf text names, without loopback ones (another network namespace's) and `exclude`."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            ip = words[1]
            if not ip.startswith("127.") and ":" not in ip and ip not in exclude:
                found.append((ip, 53))
    return found


class Forwarder:
    """Sends queries to the first upstream server that answers. `forward` returns None when none does."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = list(servers)
        self._links: dict[Server, _Link] = {}
        self._linking = asyncio.Lock()

    async def forward(self, query: bytes, *, tcp: bool) -> bytes | None:
        for server in self._servers:
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    return await (self._ask_tcp(server, query) if tcp else self._ask_udp(server, query))
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                continue
        return None

    async def _ask_udp(self, server: Server, query: bytes) -> bytes:
        link = self._links.get(server)
        if link is None or link.transport.is_closing():
            link = await self._link(server)
        return await link.ask(query)

    async def _link(self, server: Server) -> _Link:
        """One socket a server, also when many ask for the first one at once."""
        async with self._linking:
            link = self._links.get(server)
            if link is None or link.transport.is_closing():
                _, link = await asyncio.get_running_loop().create_datagram_endpoint(_Link, remote_addr=server)
                self._links[server] = link
            return link

    async def _ask_tcp(self, server: Server, query: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*server)
        try:
            writer.write(struct.pack("!H", len(query)) + query)
            [length] = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        finally:
            writer.close()

    def close(self) -> None:
        for link in self._links.values():
            link.transport.close()


class _Link(asyncio.DatagramProtocol):
    """A socket connected to one server. Ids are drawn anew, so that two clients with one id do not meet."""

    transport: asyncio.DatagramTransport

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[bytes, asyncio.Future[bytes]]] = {}
        """Question and answer by id."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    async def ask(self, query: bytes) -> bytes:
        identifier = secrets.token_bytes(2)
        while identifier in self._waiting:
            identifier = secrets.token_bytes(2)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = (_question_of(query), future)
        try:
            self.transport.sendto(identifier + query[2:])
            return query[:2] + (await future)[2:]
        finally:
            del self._waiting[identifier]

    def datagram_received(self, data: bytes, addr: object) -> None:
        waiting = self._waiting.get(data[:2])
        # Guessing sixteen bits is easy, the question in addition is not: an answer has to repeat it.
        if waiting and not waiting[1].done() and data[12:].lower().startswith(waiting[0].lower()):
            waiting[1].set_result(data)

    def error_received(self, exc: Exception) -> None:
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(exc)


def _question_of(query: bytes) -> bytes:
    """The bytes of a query's one question, whose name is never compressed, as nothing comes before it."""
    end = 12
    while end < len(query) and query[end]:
        end += query[end] + 1
    return query[12 : end + 5]
