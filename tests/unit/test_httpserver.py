"""The HTTP server through raw sockets: what goes in as bytes, and what comes out."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable

import pytest

from sampan.lib.clock import ManualClock
from sampan.lib.http import Answer, Request, Response
from tests.unit.fakeapi import run, until
from tests.unit.httptalk import answer_now, exchange, has_arrived, serving, transports


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
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, b"400 Bad Request"),
        (b"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, b"400 Bad Request: malformed Host header"),
        (b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", 505, b"505 HTTP Version Not Supported: unsupported protocol version"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, b"400 Bad Request"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, b"Unsupported transfer encoding"),
        (b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, b"Unsupported transfer encoding"),
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
            await until(lambda: has_arrived(*reversed(transports(server, talk))))
            await clock.advance(seconds - 2)
            assert server.connections
            await clock.advance(4)
            assert said in await talk.ended()

    run(work())


def test_a_line_break_cannot_be_smuggled_into_an_answer() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, b"", headers=(("X", "a\r\nSet-Cookie: b"),))) as (_, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Set-Cookie" not in await talk.ended()

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
