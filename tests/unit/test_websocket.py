"""WebSocket messages over the real HTTP server and transport, and handshakes by table."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.lib import websocket
from sampan.lib.http import Answer, Duplex, Request, Response, Upgrade
from sampan.lib.httpserver import HTTPServer
from sampan.lib.websocket import MessageDuplex, WebSocket


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    uvloop.run(bounded())


async def echo(socket: WebSocket) -> None:
    while (message := await socket.receive()) is not None:
        socket.send(message)
        await socket.drain()


def talking(work: Callable[[Duplex], Awaitable[None]], serve: Callable[[WebSocket], Awaitable[None]] = echo) -> None:
    async def accepted(duplex: Duplex) -> None:
        await serve(WebSocket(duplex, max_message_bytes=200_000))

    def handler(request: Request) -> Answer:
        if not websocket.is_websocket(request.headers):
            return Response(400)
        return Upgrade(accepted, websocket.accept_headers(request.headers, websocket.offered_protocols(request.headers)[1]))

    async def both() -> None:
        server = HTTPServer(handler, tls=None)
        port = await server.start("127.0.0.1", 0)
        async with Transport(ClientConfig(f"http://127.0.0.1:{port}")) as transport:
            key = websocket.new_key()
            upgraded = await transport.upgrade("GET", "/exec", headers=websocket.offer_headers(key, ["v5", "v4"]))
            assert websocket.accepted(key, upgraded.headers)
            assert upgraded.headers["sec-websocket-protocol"] == "v4"
            assert upgraded.duplex is not None
            try:
                await work(upgraded.duplex)
            finally:
                upgraded.duplex.close()
                await server.stop(0)

    run(both())


def test_the_accept_key_is_the_standards_example() -> None:
    headers = {"sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in websocket.accept_headers(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-websocket-version": "8", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="},
        {"sec-websocket-version": "13", "sec-websocket-key": "short"},
        {"sec-websocket-version": "13", "sec-websocket-key": "ü"},
    ],
)
def test_what_is_no_handshake_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="WebSocket"):
        websocket.accept_headers(headers)


def test_messages_go_both_ways_whole() -> None:
    async def work(duplex: Duplex) -> None:
        socket = WebSocket(duplex, client=True)
        for message in ("text ü", b"binary", b"", b"x" * 150_000):
            socket.send(message)
            assert await socket.receive() == message
        socket.close()
        assert await socket.receive() is None

    talking(work)


def test_a_fragmented_message_is_joined_and_a_ping_between_answered() -> None:
    def frame(opcode: int, payload: bytes, fin: bool) -> bytes:
        return bytes([opcode | (0x80 if fin else 0), 0x80 | len(payload)]) + bytes(4) + payload

    async def work(duplex: Duplex) -> None:
        duplex.write(frame(2, b"one ", False) + frame(9, b"?", True) + frame(0, b"two", True))
        got = b""
        while len(got) < 3 + 9:
            got += await duplex.read()
        assert got == b"\x8a\x01?" + b"\x82\x07one two"

    talking(work)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x82\xff" + (300_000).to_bytes(8, "big") + bytes(4) + b"x" * 300_000, websocket.TOO_BIG),
        (b"\x83\x80" + bytes(4), websocket.PROTOCOL_ERROR),
        (b"\x82\x01x", websocket.PROTOCOL_ERROR),
    ],
)
def test_a_bad_frame_closes_with_its_code(sent: bytes, code: int) -> None:
    async def work(duplex: Duplex) -> None:
        duplex.write(sent)
        got = await duplex.read()
        assert got[0] == 0x88
        assert struct.unpack(">H", got[2:4])[0] == code
        assert await duplex.read() == b""

    talking(work)


def test_a_close_is_answered_with_a_close() -> None:
    async def work(duplex: Duplex) -> None:
        duplex.write(b"\x88\x82" + bytes(4) + struct.pack(">H", 1000))
        assert await duplex.read() == b"\x88\x02" + struct.pack(">H", 1000)
        assert await duplex.read() == b""

    talking(work)


def test_a_tunnel_carries_bytes_in_messages() -> None:
    async def serve(socket: WebSocket) -> None:
        tunnel = MessageDuplex(socket)
        while data := await tunnel.read():
            tunnel.write(data.upper())

    async def work(duplex: Duplex) -> None:
        tunnel = MessageDuplex(WebSocket(duplex, client=True))
        tunnel.write(b"abc")
        tunnel.write(b"def")
        got = b""
        while len(got) < 6:
            got += await tunnel.read()
        assert got == b"ABCDEF"
        tunnel.close()
        assert await tunnel.read() == b""

    talking(work, serve)
