"""The HTTP server through raw sockets: what goes in as bytes, and what comes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from sampan.lib.clock import ManualClock
from sampan.lib.http import Answer, Duplex, Request, Response, Sink, Stream, Upgrade
from sampan.lib.httpserver import HTTPServer


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


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    uvloop.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (what is waited for has no event)
        await asyncio.sleep(0.005)


def exchange(sent: bytes, **options: Any) -> tuple[int, dict[str, str], bytes]:
    found: list[tuple[int, dict[str, str], bytes]] = []

    async def work() -> None:
        async with serving(answer_now, **options) as (_, connect):
            talk = await connect()
            talk.send(sent)
            found.append(await talk.answer())

    run(work())
    return found[0]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", {"method": "GET", "path": "/a", "query": "", "body": ""}),
        (b"GET /a%20b/%C3%BC?x=%20 HTTP/1.1\r\nHost: x\r\n\r\n", {"path": "/a b/ü", "query": "x=%20"}),
        (b"GET http://host/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", {"path": "/a", "query": "b=c"}),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", {"method": "PUT", "body": "abc"}),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            {"method": "POST", "body": "abcde"},
        ),
    ],
)
def test_a_request_arrives_as_it_was_sent(sent: bytes, expected: dict[str, str]) -> None:
    status, _, body = exchange(sent)
    seen = json.loads(body)
    assert status == 200
    assert {key: seen[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, b"400 Bad Request"),
        (b"NONSENSE\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET /a HTTP/1.1\r\n\r\n", 400, b"400 Bad Request: missing required Host header"),
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"400 Bad Request"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: tea\r\n\r\n", 417, b"417 Expectation Failed"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 5000, 431, b"431 Request Header Fields Too Large"),
    ],
)
def test_what_is_no_request_is_refused(sent: bytes, status: int, said: bytes) -> None:
    code, headers, body = exchange(sent, max_header_bytes=4096)
    assert (code, body, headers["connection"]) == (status, said, "close")


@pytest.mark.parametrize(
    "sent",
    [
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3145729\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 4,
    ],
)
def test_a_body_over_the_limit_is_answered_with_a_status(sent: bytes) -> None:
    code, _, body = exchange(sent)
    status = json.loads(body)
    assert code == 413
    assert status["message"] == "Request entity too large: limit is 3145728"
    assert (status["reason"], status["code"]) == ("RequestEntityTooLarge", 413)


def test_a_client_that_expects_100_sends_its_body_after_it() -> None:
    async def work() -> None:
        async with serving(answer_now) as (_, connect):
            talk = await connect()
            talk.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            assert (await talk.head())[0] == 100
            talk.send(b"abc")
            assert json.loads((await talk.answer())[2])["body"] == "abc"

    run(work())


def test_pipelined_requests_are_answered_in_order_though_the_first_takes_longest() -> None:
    async def work() -> None:
        release = asyncio.Event()

        async def slow(request: Request) -> Response:
            await release.wait()
            return answer_now(request)

        def handler(request: Request) -> Answer | Awaitable[Answer]:
            return slow(request) if request.path == "/0" else answer_now(request)

        async with serving(handler) as (_, connect):
            talk = await connect()
            for number in range(100):
                talk.send(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await talk.writer.drain()
            release.set()
            paths = [json.loads((await talk.answer())[2])["path"] for _ in range(100)]
            assert paths == [f"/{number}" for number in range(100)]

    run(work())


def test_a_request_cut_into_single_bytes_is_understood() -> None:
    async def work() -> None:
        async with serving(answer_now) as (_, connect):
            talk = await connect()
            for byte in b"PUT /some/path?q HTTP/1.1\r\nHost: x\r\nX-Some: value\r\nContent-Length: 2\r\n\r\nab":
                talk.send(bytes([byte]))
                await asyncio.sleep(0)
            seen = json.loads((await talk.answer())[2])
            assert (seen["path"], seen["body"], seen["headers"]["x-some"]) == ("/some/path", "ab", "value")

    run(work())


def test_repeated_headers_are_joined_and_kept_apart() -> None:
    async def work() -> None:
        values: list[list[str]] = []

        def handler(request: Request) -> Response:
            values.append(request.header_values("impersonate-group"))
            return answer_now(request)

        async with serving(handler) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\nImpersonate-Group: a,b\r\nImpersonate-Group: c\r\n\r\n")
            assert json.loads((await talk.answer())[2])["headers"]["impersonate-group"] == "a,b, c"
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\nImpersonate-Group: d\r\n\r\n")
            await talk.answer()
            assert values == [["a,b", "c"], ["d"]]

    run(work())


def test_a_trailer_is_no_header_of_the_next_request_either() -> None:
    async def work() -> None:
        async with serving(answer_now) as (_, connect):
            talk = await connect()
            head = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            talk.send(head + b"0\r\nImpersonate-User: root\r\nImpersonate-User: root\r\n\r\n")
            await talk.answer()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert json.loads((await talk.answer())[2])["headers"] == {"host": "x"}

    run(work())


def test_trailers_have_the_limit_of_headers() -> None:
    async def work() -> None:
        async with serving(answer_now, max_header_bytes=4096) as (_, connect):
            talk = await connect()
            talk.send(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
            for number in range(10):
                talk.send(b"X-%d: %b\r\n" % (number, b"y" * 1000))
            assert (await talk.head())[0] == 431

    run(work())


def test_many_values_of_one_header_are_kept_apart_and_joined_once() -> None:
    """Joined one by one as they come they would take the square of their number, and the loop with it."""
    heard: list[str] = []

    def handler(request: Request) -> Response:
        heard.append(request.headers["a"])
        assert request.header_values("a") == ["value"] * 14_000
        return Response(200)

    async def work() -> None:
        async with serving(handler) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: value\r\n" * 14_000 + b"\r\n")
            assert (await talk.answer())[0] == 200
        assert heard == [", ".join(["value"] * 14_000)]

    run(work())


def test_a_stream_that_is_asked_for_by_head_lets_go_of_what_it_holds() -> None:
    released: list[bool] = []

    async def produce(sink: Sink) -> None:
        try:
            sink.write(b"never seen")
            await asyncio.Event().wait()
        finally:
            released.append(True)

    async def work() -> None:
        async with serving(lambda request: Stream(produce) if request.method == "HEAD" else Response(200, b"next")) as (
            _,
            connect,
        ):
            talk = await connect()
            talk.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await talk.head())[0] == 200
            assert (await talk.answer())[2] == b"next"
            assert released == [True]

    run(work())


def test_a_trailer_is_no_header() -> None:
    body = b"1\r\na\r\n0\r\nX-Remote-User: root\r\n\r\n"
    _, _, answer = exchange(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Remote-User\r\n\r\n" + body)
    assert "x-remote-user" not in json.loads(answer)["headers"]


def test_head_has_the_length_and_no_body() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, b"12345", headers=(("X-A", "b"),))) as (_, connect):
            talk = await connect()
            talk.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status, headers = await talk.head()
            assert (status, headers["content-length"], headers["x-a"]) == (200, "5", "b")
            assert (await talk.answer())[2] == b"12345"
            assert await talk.ended() == b""

    run(work())


def test_an_http_1_0_client_gets_a_stream_without_chunks_and_a_closed_connection() -> None:
    async def produce(sink: Sink) -> None:
        sink.write(b"one")
        await sink.drain()
        sink.write(b"two")

    async def work() -> None:
        async with serving(lambda request: Stream(produce)) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await talk.head())[0] == 200
            assert await talk.ended() == b"onetwo"

    run(work())


def test_what_a_handler_raises_is_a_500_and_the_connection_goes_on() -> None:
    def handler(request: Request) -> Answer | Awaitable[Answer]:
        if request.path == "/now":
            raise RuntimeError("boom")
        return broken() if request.path == "/later" else answer_now(request)

    async def broken() -> Response:
        raise RuntimeError("boom")

    async def work() -> None:
        async with serving(handler) as (_, connect):
            talk = await connect()
            for path, status in (("/now", 500), ("/later", 500), ("/good", 200)):
                talk.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert (await talk.answer())[0] == status

    run(work())


def test_writes_of_one_turn_are_one_chunk_and_the_stream_ends() -> None:
    async def produce(sink: Sink) -> None:
        sink.write(b"a")
        sink.write(b"b")
        await asyncio.sleep(0.01)
        sink.write(b"c")

    async def work() -> None:
        async with serving(lambda request: Stream(produce)) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await talk.head())[1]["transfer-encoding"] == "chunked"
            assert await talk.reader.readuntil(b"0\r\n\r\n") == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"

    run(work())


def test_a_stream_waits_for_a_slow_reader_and_is_cancelled_when_it_leaves() -> None:
    async def work() -> None:
        wrote, ended = [0], asyncio.Event()

        async def produce(sink: Sink) -> None:
            try:
                while True:
                    sink.write(b"x" * 65536)
                    wrote[0] += 65536
                    await sink.drain()
            finally:
                ended.set()

        async with serving(lambda request: Stream(produce)) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await talk.head()
            before = -1
            while before != wrote[0]:
                before = wrote[0]
                await asyncio.sleep(0.05)
            assert wrote[0] < 16 * 1024 * 1024
            talk.writer.transport.abort()
            await ended.wait()

    run(work())


def test_answers_wait_while_the_client_takes_none() -> None:
    async def work() -> None:
        served = [0]

        def handler(request: Request) -> Response:
            served[0] += 1
            return Response(200, b"x" * 200_000)

        async with serving(handler) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
            before = -1
            while before != served[0]:
                before = served[0]
                await asyncio.sleep(0.05)
            assert served[0] < 100
            for _ in range(500):
                assert len((await talk.answer())[2]) == 200_000

    run(work())


def test_an_upgraded_connection_is_raw_both_ways_including_what_came_early() -> None:
    async def shout(duplex: Duplex) -> None:
        while data := await duplex.read():
            duplex.write(data.upper())
            await duplex.drain()

    async def handler(request: Request) -> Answer:
        return Upgrade(shout, (("Connection", "Upgrade"), ("Upgrade", "raw")))

    async def work() -> None:
        async with serving(handler) as (_, connect):
            talk = await connect()
            talk.send(b"POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nearly ")
            assert (await talk.head())[0] == 101
            talk.send(b"late")
            assert await talk.reader.readexactly(10) == b"EARLY LATE"
            talk.writer.write_eof()
            assert await talk.ended() == b""

    run(work())


def test_a_refused_upgrade_closes_the_connection() -> None:
    _, headers, _ = exchange(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
    assert headers["connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "seconds", "said"),
    [
        (b"", 91, b""),
        (b"GET / HTTP/1.1\r\nHo", 33, b"408"),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", 61, b"408"),
    ],
)
def test_a_slow_client_is_let_go(sent: bytes, seconds: int, said: bytes) -> None:
    async def work() -> None:
        clock = ManualClock()
        async with serving(answer_now, clock=clock) as (server, connect):
            talk = await connect()
            talk.send(sent)
            await until(lambda: bool(server.connections))
            await asyncio.sleep(0.02)
            await clock.advance(seconds - 2)
            assert server.connections
            await clock.advance(4)
            assert said in await talk.ended()

    run(work())


def test_stopping_ends_streams_and_idle_connections_and_lets_a_request_finish() -> None:
    async def work() -> None:
        release, begun = asyncio.Event(), asyncio.Event()

        async def slow() -> Response:
            begun.set()
            await release.wait()
            return Response(200, b"done")

        async def forever(sink: Sink) -> None:
            sink.write(b"x")
            await asyncio.Event().wait()

        def handler(request: Request) -> Answer | Awaitable[Answer]:
            return slow() if request.path == "/slow" else Stream(forever)

        async with serving(handler) as (server, connect):
            idle, slow_one, watcher = await connect(), await connect(), await connect()
            slow_one.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            watcher.send(b"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
            await watcher.head()
            await begun.wait()
            stopping = asyncio.ensure_future(server.stop(10))
            assert await idle.ended() == b""
            assert (await watcher.ended()).endswith(b"0\r\n\r\n")
            release.set()
            status, headers, body = await slow_one.answer()
            assert (status, headers["connection"], body) == (200, "close", b"done")
            await stopping

    run(work())


def test_a_line_break_cannot_be_smuggled_into_an_answer() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, b"", headers=(("X", "a\r\nSet-Cookie: b"),))) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Set-Cookie" not in await talk.ended()

    run(work())


def test_a_stream_whose_client_left_before_it_began_still_lets_go_of_what_it_holds() -> None:
    async def work() -> None:
        released, left = asyncio.Event(), asyncio.Event()

        async def produce(sink: Sink) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                released.set()

        async def handler(request: Request) -> Answer:
            await left.wait()
            return Stream(produce)

        async with serving(handler) as (server, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await talk.writer.drain()
            await until(lambda: any(connection.is_answering for connection in server.connections))
            linger_not = struct.pack("ii", 1, 0)
            talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
            talk.writer.transport.abort()
            await until(lambda: not server.connections)
            left.set()
            await released.wait()

    run(work())


def test_random_bytes_on_many_connections_leave_the_server_answering() -> None:
    chance = random.Random(7)
    good = b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"

    def spoiled() -> bytes:
        data = bytearray(good * chance.randint(1, 4))
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)

    async def work() -> None:
        async with serving(answer_now) as (_, connect):
            for _ in range(300):
                talk = await connect()
                talk.send(spoiled())
                talk.writer.write_eof()
            whole = await connect()
            whole.send(b"GET /still HTTP/1.1\r\nHost: x\r\n\r\n")
            assert json.loads((await whole.answer())[2])["path"] == "/still"

    run(work())
