"""Talking to an HTTP server byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import select
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sampan.lib.http import Answer, Request, Response
from sampan.lib.httpserver import HTTPServer
from tests.unit.fakeapi import run


async def echo(request: Request) -> Response:
    return answer_now(request)


def answer_now(request: Request) -> Response:
    seen = {"method": request.method, "path": request.path, "query": request.query, "body": request.body.decode("latin-1")}
    return Response(200, json.dumps({**seen, "headers": dict(request.headers)}).encode())


class Talk:
    """A raw client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(lines[0].split()[1]), {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        return status, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def ended(self) -> bytes:
        return await self.reader.read()


def is_full(sender: asyncio.Transport, receiver: asyncio.Transport) -> bool:
    """Whether nothing more goes from one to the other before that one reads again: the buffers between them are full."""
    _, writable, _ = select.select([], [_fileno(sender)], [], 0)
    return sender.get_write_buffer_size() > 0 and not writable and not receiver.is_reading()


def has_arrived(sender: asyncio.Transport, receiver: asyncio.Transport) -> bool:
    """Whether all that one sent has been given to the other."""
    unread = fcntl.ioctl(_fileno(receiver), termios.FIONREAD, bytes(4))
    return sender.get_write_buffer_size() == 0 and unread == bytes(4)


def _fileno(transport: asyncio.Transport) -> int:
    number: int = transport.get_extra_info("socket").fileno()
    return number


def transports(server: HTTPServer, talk: Talk) -> tuple[asyncio.Transport, asyncio.Transport]:
    """Of a server with one connection and of its client."""
    (connection,) = server.connections
    return connection._transport, talk.writer.transport


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[[Request], Answer | Awaitable[Answer]], **options: Any
) -> AsyncIterator[tuple[HTTPServer, Callable[[], Awaitable[Talk]]]]:
    server = HTTPServer(handler, tls=None, **options)
    port = await server.start("127.0.0.1", 0)
    talks: list[Talk] = []

    async def connect() -> Talk:
        talks.append(Talk(*await asyncio.open_connection("127.0.0.1", port)))
        return talks[-1]

    try:
        yield server, connect
    finally:
        for talk in talks:
            talk.writer.close()
        await server.stop(0)


def exchange(sent: bytes, **options: Any) -> tuple[int, dict[str, str], bytes]:
    found: list[tuple[int, dict[str, str], bytes]] = []

    async def work() -> None:
        async with serving(answer_now, **options) as (_, connect):
            talk = await connect()
            talk.send(sent)
            found.append(await talk.answer())

    run(work())
    return found[0]
