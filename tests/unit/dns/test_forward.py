"""Asking upstream servers, and what a client may do to the listener, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.message
import dns.rrset
import pytest

from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.dns import server as dns_server
from sampan.dns.forward import Forwarder, Server
from sampan.dns.server import DNSServer
from tests.unit.fakeapi import run, until

Answering = Callable[[dns.message.Message], list[bytes]]


class Upstream(asyncio.DatagramProtocol):
    def __init__(self, answers: Answering) -> None:
        self._answers = answers
        self.sources: set[Server] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Server) -> None:
        self.sources.add(addr)
        for answer in self._answers(dns.message.from_wire(data)):
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def upstream(answers: Answering) -> AsyncIterator[tuple[Upstream, Forwarder]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Upstream(answers), local_addr=("127.0.0.1", 0))
    forwarder = Forwarder([transport.get_extra_info("sockname")])
    try:
        yield protocol, forwarder
    finally:
        forwarder.close()
        transport.close()


def answered(question: dns.message.Message, address: str, name: str = "") -> bytes:
    if name:
        other = dns.message.make_query(name, "A")
        other.id = question.id
        question = other
    reply = dns.message.make_response(question)
    reply.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "A", address))
    return reply.to_wire()


async def ask(forwarder: Forwarder, name: str) -> str:
    reply = await forwarder.forward(dns.message.make_query(name, "A").to_wire(), tcp=False)
    assert reply is not None
    return str(dns.message.from_wire(reply).answer[0][0])


def test_the_first_questions_share_one_socket_even_if_they_come_at_once() -> None:
    async def scenario() -> None:
        async with upstream(lambda question: [answered(question, "192.0.2.7")]) as (server, forwarder):
            found = await asyncio.gather(*(ask(forwarder, f"n{number}.example") for number in range(20)))
            assert found == ["192.0.2.7"] * 20
            assert len(server.sources) == 1

    run(scenario())


def test_an_answer_to_another_question_is_not_passed_on() -> None:
    async def scenario() -> None:
        def forged_first(question: dns.message.Message) -> list[bytes]:
            return [answered(question, "203.0.113.66", "bank.example"), b"\0\0", answered(question, "192.0.2.7")]

        async with upstream(forged_first) as (_, forwarder):
            assert await ask(forwarder, "shop.example") == "192.0.2.7"

    run(scenario())


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[DNSServer]:
    """A server whose zone is not known yet, which answers SERVFAIL."""
    transport = Transport(ClientConfig("http://127.0.0.1:1"))
    server = DNSServer(Client(transport), bind=[("127.0.0.1", 0)])
    task = asyncio.ensure_future(server.run())
    try:
        await until(lambda: server.addresses)
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()


def test_a_client_that_reads_no_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_server, "TCP_IDLE_SECONDS", 0.3)
    monkeypatch.setattr(DNSServer, "respond", lambda self, query, tcp: bytes(60_000))

    async def scenario() -> None:
        async with listening() as server:
            _, writer = await asyncio.open_connection(*server.addresses[0], limit=1)
            writer.write(b"\0\2??" * 1000)
            await until(lambda: server.connections)
            await until(lambda: not server.connections)
            writer.close()

    run(scenario())


def test_connections_end_with_the_server() -> None:
    async def scenario() -> None:
        async with listening() as server:
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            writer.write(b"\0")
            await until(lambda: server.connections)
        assert await reader.read() == b""
        await until(lambda: not server.connections)
        writer.close()

    run(scenario())
