"""Listening for queries over UDP and TCP.

An answer about the cluster is kept, as bytes, until anything it could depend on changes: a busy pod asks for the same few
names all day, and parsing each message anew costs fifty times what a look-up does. Answers with several records are not
kept, since clients rely on their order changing.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import cast

from sampan.client.informer import InformerFactory
from sampan.client.rest import Client
from sampan.dns import wire
from sampan.dns.directory import InformerDirectory
from sampan.dns.forward import Forwarder, Server
from sampan.dns.zone import Zone
from sampan.lib.log import get_logger

FREE_PORT_TRIES = 20
CACHE_ENTRIES = 10_000
CACHED_QUERY_BYTES = 512
"""Longer queries are nobody's habit; as keys of the cache they would only fill memory."""
MAX_CONNECTIONS = 1_000
MAX_FORWARDS = 1_000
"""Queries that wait for upstream at one time; more are refused, so a dead upstream cannot pile them up."""
TCP_IDLE_SECONDS = 10.0

log = get_logger("dns")


class DNSServer:
    """Serves the cluster's zone at each address of `bind` until cancelled."""

    def __init__(
        self,
        client: Client,
        *,
        bind: Sequence[Server],
        cluster_domain: str = "cluster.local",
        upstream: Sequence[Server] = (),
        informers: InformerFactory | None = None,
    ) -> None:
        self._own_informers = informers is None
        self._informers = informers or InformerFactory(client)
        self._directory = InformerDirectory(self._informers, self._forget)
        self._zone = Zone(cluster_domain, self._directory)
        self._bind = bind
        self._forwarder = Forwarder(upstream)
        self._cache: dict[bytes, bytes] = {}
        self._forwards: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._synced = False
        self.connections: set[asyncio.StreamWriter] = set()
        """Clients over TCP."""
        self.ready = asyncio.Event()
        """Set once every address is bound and the zone is known."""
        self.addresses: list[Server] = []
        """What was bound, with the real port where `bind` says 0."""

    async def run(self) -> None:
        async with AsyncExitStack() as sockets, asyncio.TaskGroup() as self._tasks:
            sockets.callback(self._forwarder.close)
            sockets.callback(self._hang_up)
            if self._own_informers:
                self._tasks.create_task(self._informers.run(), name="dns-informers")
            await self._listen(sockets)
            await self._directory.wait_synced()
            self._synced = True
            self.ready.set()
            log.info("serving", addresses=[f"{ip}:{port}" for ip, port in self.addresses])
            await asyncio.Event().wait()

    async def _listen(self, sockets: AsyncExitStack) -> None:
        for ip, port in self._bind:
            for tries in range(FREE_PORT_TRIES):
                try:
                    self.addresses.append(await self._bind_both(sockets, ip, port))
                    break
                except OSError:
                    # A port that is free for one protocol may be taken for the other; "any" means one free for both.
                    if port or tries == FREE_PORT_TRIES - 1:
                        raise

    async def _bind_both(self, sockets: AsyncExitStack, ip: str, port: int) -> Server:
        """UDP and TCP on one port."""
        loop = asyncio.get_running_loop()
        listener = await asyncio.start_server(self._serve_tcp, ip, port)
        sockets.callback(listener.close)
        bound: Server = listener.sockets[0].getsockname()[:2]
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=bound)
        sockets.callback(transport.close)
        return bound

    def _forget(self) -> None:
        self._cache.clear()

    def _hang_up(self) -> None:
        for writer in self.connections:
            writer.transport.abort()

    def respond(self, query: bytes, *, tcp: bool) -> bytes | wire.Question:
        """The answer's bytes, or the question where another server has to be asked."""
        key = query[2:] if not tcp else b"tcp" + query[2:]
        cached = self._cache.get(key)
        if cached is not None:
            return query[:2] + cached
        try:
            question = wire.parse(query)
        except wire.NotAQuestion as error:
            return error.reply
        if not self._synced:
            return wire.failure(question, tcp=tcp)
        if self._zone.holds(question.name):
            answer = self._zone.resolve(question.name, question.type_)
        elif question.name.endswith(".in-addr.arpa") and (found := self._zone.reverse(question.name)):
            answer = found
        else:
            return question
        data = wire.reply(question, answer, self._zone, tcp=tcp)
        if len(answer.records) < 2 and len(query) <= CACHED_QUERY_BYTES:
            if len(self._cache) >= CACHE_ENTRIES:
                self._cache.clear()
            self._cache[key] = data[2:]
        return data

    async def ask_upstream(self, question: wire.Question, query: bytes, *, tcp: bool) -> bytes:
        if len(self._forwards) >= MAX_FORWARDS:
            return wire.failure(question, tcp=tcp)
        return await self._forwarder.forward(query, tcp=tcp) or wire.failure(question, tcp=tcp)

    def answer_datagram(self, transport: asyncio.DatagramTransport, query: bytes, sender: Server) -> None:
        answer = self.respond(query, tcp=False)
        if isinstance(answer, bytes):
            if answer:
                transport.sendto(answer, sender)
            return

        async def forward(question: wire.Question) -> None:
            transport.sendto(await self.ask_upstream(question, query, tcp=False), sender)

        assert self._tasks is not None
        task = self._tasks.create_task(forward(answer), name="dns-forward")
        self._forwards.add(task)
        task.add_done_callback(self._forwards.discard)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.connections) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self.connections.add(writer)
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_SECONDS):
                    [length] = struct.unpack("!H", await reader.readexactly(2))
                    query = await reader.readexactly(length)
                answer = self.respond(query, tcp=True)
                if not isinstance(answer, bytes):
                    answer = await self.ask_upstream(answer, query, tcp=True)
                if not answer:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                async with asyncio.timeout(TCP_IDLE_SECONDS):
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            # The client left, fell silent, or takes no answers: nothing is owed to it, nor kept for it.
            writer.transport.abort()
        finally:
            self.connections.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DNSServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: asyncio's own datagram transport is no subclass of DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._server.answer_datagram(self._transport, data, addr)
