"""Bodies that a handler reads as they come."""

from __future__ import annotations

import asyncio
import random
import socket
import struct

import pytest

from sampan.lib.http import Request, Response
from sampan.lib.httpbody import BodyTooLarge
from tests.unit.fakeapi import run, until
from tests.unit.httptalk import answer_now, is_full, serving, transports


def _passes_on(target: bytes) -> bool:
    return target.startswith(b"/through")


async def _handler(request: Request) -> Response:
    if request.incoming is None:
        return answer_now(request)
    if request.path == "/through/early":
        return Response(403, b"no")
    parts = []
    try:
        while data := await request.incoming.read():
            parts.append(data)
    except ConnectionError:
        return Response(500, b"cut")
    return Response(200, b"".join(parts))


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (b"Content-Length: 5\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (b"Content-Length: 5\r\nExpect: 100-continue\r\n", b"hello"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_a_body_arrives_whole_and_the_connection_serves_on(head: bytes, sent: bytes, at_once: bool) -> None:
    async def work() -> None:
        async with serving(_handler, passes_on=_passes_on) as (_, connect):
            talk = await connect()
            before = b"PUT /through HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n"
            after = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
            if at_once:
                talk.send(before + sent + after)
            else:
                talk.send(before)
                if b"Expect" in head:
                    assert (await talk.head())[0] == 100
                for byte in sent + after:
                    talk.send(bytes((byte,)))
                    await talk.writer.drain()
            status, headers, body = await talk.answer()
            assert (status, body) == (200, b"hello") and "connection" not in headers
            assert (await talk.answer())[0] == 200

    run(work())


def test_a_body_is_read_at_the_pace_of_its_reader_whatever_its_length() -> None:
    async def work() -> None:
        begin, size = asyncio.Event(), 0

        async def handler(request: Request) -> Response:
            nonlocal size
            assert request.incoming is not None and request.incoming.length == 1 << 25
            await begin.wait()
            while data := await request.incoming.read():
                size += len(data)
            return Response(200, b"ok")

        async with serving(handler, passes_on=_passes_on) as (server, connect):
            talk = await connect()
            talk.send(b"PUT /through HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (1 << 25))
            talk.send(bytes(1 << 25))
            await until(lambda: server.connections and is_full(*reversed(transports(server, talk))))
            assert talk.writer.transport.get_write_buffer_size() > 1 << 23  # most of it is still the client's to keep
            begin.set()
            assert (await talk.answer())[0] == 200
            assert size == 1 << 25

    run(work())


@pytest.mark.parametrize("expects", [b"", b"Expect: 100-continue\r\n"])
def test_an_answer_may_come_before_the_body_and_ends_the_connection(expects: bytes) -> None:
    async def work() -> None:
        async with serving(_handler, passes_on=_passes_on) as (_, connect):
            talk = await connect()
            talk.send(b"PUT /through/early HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n" + expects + b"\r\n")
            if not expects:
                talk.send(bytes(4_000_000))
            status, headers, body = await talk.answer()
            assert (status, headers["connection"], body) == (403, "close", b"no")
            assert await talk.ended() == b""

    run(work())


@pytest.mark.parametrize("end", [b"", b"zz\r\n"], ids=["gone", "malformed"])
def test_a_body_that_breaks_off_is_an_error_to_its_reader(end: bytes) -> None:
    async def work() -> None:
        said: list[str] = []

        async def handler(request: Request) -> Response:
            assert request.incoming is not None
            try:
                while await request.incoming.read():
                    pass
            except ConnectionError as error:
                said.append(str(error))
            return Response(200, b"")

        async with serving(handler, passes_on=_passes_on) as (_, connect):
            talk = await connect()
            talk.send(b"PUT /through HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + end)
            if not end:
                await talk.writer.drain()
                talk.writer.transport.abort()
            await until(lambda: bool(said))
            assert said[0] in ("the client went away within its body", "the rest of the body is not received")

    run(work())


def test_a_reader_may_take_a_body_whole_up_to_a_limit() -> None:
    async def handler(request: Request) -> Response:
        assert request.incoming is not None
        try:
            return Response(200, await request.incoming.whole(5))
        except BodyTooLarge:
            return Response(413, b"")

    async def work() -> None:
        async with serving(handler, passes_on=_passes_on) as (_, connect):
            for sent, status in ((b"hello", 200), (b"hello!", 413)):
                talk = await connect()
                talk.send(b"PUT /through HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(sent), sent))
                assert (await talk.answer())[0] == status

    run(work())


def test_work_that_depends_on_its_client_ends_with_the_connection() -> None:
    async def work() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            task = asyncio.current_task()
            assert task is not None
            request.peer.dependents.add(task)
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return Response(200)

        async with serving(handler) as (_, connect):
            talk = await connect()
            talk.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            await begun.wait()
            reset = struct.pack("ii", 1, 0)
            talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            talk.writer.transport.abort()
            await ended.wait()

    run(work())


@pytest.mark.parametrize("seed", range(8))
def test_requests_of_both_kinds_follow_each_other_however_they_are_cut(seed: int) -> None:
    dice = random.Random(seed)

    async def work() -> None:
        sent, expected = b"", []
        for _ in range(60):
            body = dice.randbytes(dice.choice((0, 1, 10, 3000)))
            path = dice.choice((b"/through", b"/a"))
            head = b"PUT %b HTTP/1.1\r\nHost: x\r\n" % path
            if dice.random() < 0.5:
                sent += head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            else:
                sent += head + b"Transfer-Encoding: chunked\r\n\r\n"
                middle = dice.randint(0, len(body))
                sent += b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
                sent += b"0\r\n\r\n"
            expected.append(body)
        async with serving(_whole, passes_on=_passes_on) as (_, connect):
            talk = await connect()
            at = 0
            while at < len(sent):
                step = dice.choice((1, 7, 100, 5000))
                talk.send(sent[at : at + step])
                at += step
                if dice.random() < 0.2:
                    await talk.writer.drain()
                    await asyncio.sleep(0)
            for body in expected:
                status, _, found = await talk.answer()
                assert (status, found) == (200, body)

    run(work())


async def _whole(request: Request) -> Response:
    return Response(200, request.body if request.incoming is None else await request.incoming.whole(10_000))
