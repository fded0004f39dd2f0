"""The client's transport against the real server, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sampan.client.config import ClientConfig
from sampan.client.transport import Transport
from sampan.lib.http import Answer, Duplex, Handler, Request, Response, Sink, Stream, Upgrade
from sampan.lib.httpserver import HTTPServer
from sampan.lib.tls import server_context
from sampan.pki.certificates import CA, CLIENT, SERVER, subject_of


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    uvloop.run(bounded())


@cache
def authority() -> CA:
    return CA.create("test")


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[tuple[HTTPServer, Transport]]:
    ca = authority()
    cert, key = ca.issue("server", ips=("127.0.0.1",), usages=(SERVER,))
    server = HTTPServer(handler, tls=server_context(cert, key, ca.cert_pem))
    port = await server.start("127.0.0.1", 0)
    client_cert, client_key = ca.issue("someone", ("group",), usages=(CLIENT,))
    options = {"ca_pem": ca.cert_pem, "cert_pem": client_cert, "key_pem": client_key, **options}
    transport = Transport(ClientConfig(f"https://127.0.0.1:{port}", **options))
    try:
        yield server, transport
    finally:
        await transport.close()
        await server.stop(0)


@contextlib.asynccontextmanager
async def raw_server(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Transport]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    transport = Transport(ClientConfig(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    try:
        yield transport
    finally:
        await transport.close()
        server.close()


def test_a_request_arrives_with_its_query_body_and_the_clients_certificate() -> None:
    seen: list[Request] = []

    def handler(request: Request) -> Response:
        seen.append(request)
        return Response(201, b"made", headers=(("X-A", "1"), ("X-A", "2")))

    async def work() -> None:
        async with serving(handler) as (_, transport):
            answer = await transport.request("POST", "/api/a b", query={"x": "1 2", "y": "ü"}, body=b"{}")
            assert (answer.status, answer.body, answer.headers["x-a"]) == (201, b"made", "1, 2")

    run(work())
    request = seen[0]
    assert (request.method, request.path, request.parameters(), request.body) == (
        "POST",
        "/api/a b",
        {"x": "1 2", "y": "ü"},
        b"{}",
    )
    assert request.headers["content-type"] == "application/json"
    assert request.peer.certificate is not None
    assert subject_of(request.peer.certificate).common_name == "someone"


def test_one_connection_serves_request_after_request() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, request.body)) as (server, transport):
            for number in range(10):
                assert (await transport.request("PUT", "/", body=b"%d" % number)).body == b"%d" % number
            assert len(server.connections) == 1

    run(work())


def test_many_requests_at_once_each_get_their_own_answer() -> None:
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0.001)
        return Response(200, request.body)

    async def work() -> None:
        async with serving(handler) as (_, transport):
            bodies = [b"%d" % number * 1000 for number in range(1, 60)]
            answers = await asyncio.gather(*(transport.request("PUT", "/", body=body) for body in bodies))
            assert [answer.body for answer in answers] == bodies

    run(work())


def test_a_large_body_goes_both_ways() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, request.body)) as (_, transport):
            body = bytes(range(256)) * 10_000
            assert (await transport.request("PUT", "/", body=body)).body == body

    run(work())


def test_a_stream_is_read_as_it_comes_and_leaving_it_ends_it_at_the_server() -> None:
    async def work() -> None:
        ended = asyncio.Event()

        async def produce(sink: Sink) -> None:
            try:
                sink.write(b"one")
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with serving(lambda request: Stream(produce)) as (_, transport):
            async with transport.stream("GET", "/") as stream:
                assert stream.status == 200
                async for chunk in stream:
                    assert chunk == b"one"
                    break
            await ended.wait()

    run(work())


def test_a_stream_read_to_its_end_leaves_the_connection_for_others() -> None:
    async def produce(sink: Sink) -> None:
        sink.write(b"x" * 1_000_000)
        await sink.drain()
        sink.write(b"y")

    async def work() -> None:
        async with serving(lambda request: Stream(produce)) as (server, transport):
            for _ in range(3):
                async with transport.stream("GET", "/") as stream:
                    assert len(await stream.read_all()) == 1_000_001
            assert len(server.connections) == 1

    run(work())


def test_an_answer_that_nobody_read_is_never_taken_for_the_next_one() -> None:
    async def scenario() -> None:
        async with serving(lambda request: Response(200, request.path.encode())) as (_, transport):
            for turn in range(5):
                async with transport.stream("GET", f"/unread/{turn}") as stream:
                    assert stream.status == 200  # head and body came in one packet; the body stays where it is
                assert (await transport.request("GET", f"/read/{turn}")).body == f"/read/{turn}".encode()

    run(scenario())


def test_a_stream_that_is_cut_is_a_connection_error() -> None:
    async def produce(sink: Sink) -> None:
        sink.write(b"some")
        await sink.drain()
        raise RuntimeError("boom")

    async def work() -> None:
        async with serving(lambda request: Stream(produce)) as (_, transport), transport.stream("GET", "/") as stream:
            with pytest.raises(ConnectionError):
                await stream.read_all()

    run(work())


def test_an_upgrade_gives_a_duplex_and_a_refusal_its_body() -> None:
    async def shout(duplex: Duplex) -> None:
        while data := await duplex.read():
            duplex.write(data.upper())

    def handler(request: Request) -> Answer:
        if request.path == "/no":
            return Response(403, b"no")
        return Upgrade(shout, (("Connection", "Upgrade"), ("Upgrade", "raw"), ("X-Chosen", "v4")))

    async def work() -> None:
        async with serving(handler) as (_, transport):
            wanted = (("Connection", "Upgrade"), ("Upgrade", "raw"))
            refused = await transport.upgrade("POST", "/no", headers=wanted)
            assert (refused.status, refused.duplex, refused.body) == (403, None, b"no")
            upgraded = await transport.upgrade("POST", "/yes", headers=wanted)
            assert (upgraded.status, upgraded.headers["x-chosen"]) == (101, "v4")
            assert upgraded.duplex is not None
            upgraded.duplex.write(b"hello")
            assert await upgraded.duplex.read() == b"HELLO"
            upgraded.duplex.close()

    run(work())


def test_a_kept_connection_that_died_is_replaced_for_a_get() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.readuntil(b"\r\n\r\n")  # and dies with the second request unanswered

    async def work() -> None:
        async with raw_server(once) as transport:
            for _ in range(3):
                assert (await transport.request("GET", "/")).body == b"ok"

    run(work())


def test_a_post_that_may_have_been_carried_out_is_not_sent_again() -> None:
    requests = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        requests.append(await reader.readuntil(b"\r\n\r\n"))

    async def work() -> None:
        async with raw_server(once) as transport:
            await transport.request("GET", "/")
            with pytest.raises(ConnectionError):
                await transport.request("POST", "/")

    run(work())
    assert len(requests) == 2


def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async def work() -> None:
        async with raw_server(old) as transport:
            assert (await transport.request("GET", "/")).body == b"all of it"
            assert (await transport.request("GET", "/")).body == b"all of it"

    run(work())


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"220 mail.example ESMTP\r\n"])
def test_a_server_that_answers_nonsense_is_a_connection_error(said: bytes) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async def work() -> None:
        async with raw_server(broken) as transport:
            with pytest.raises(ConnectionError):
                await transport.request("GET", "/")

    run(work())


def test_a_server_that_never_answers_is_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def work() -> None:
        async with raw_server(silent) as transport:
            with pytest.raises(TimeoutError, match="no answer within"):
                await transport.request("GET", "/", deadline_seconds=0.05)

    run(work())


def test_an_answer_without_end_is_given_up() -> None:
    async def produce(sink: Sink) -> None:
        while True:
            sink.write(b"x" * 10_000)
            await sink.drain()

    async def work() -> None:
        async with serving(lambda request: Stream(produce)) as (_, transport):
            with pytest.raises(ConnectionError, match="the answer has more than 100000 bytes"):
                await transport.request("GET", "/", most_bytes=100_000)

    run(work())


def test_a_port_nobody_listens_on_is_a_connection_error() -> None:
    async def work() -> None:
        async with Transport(ClientConfig("https://127.0.0.1:1", insecure=True)) as transport:
            with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
                await transport.request("GET", "/")

    run(work())


def test_a_server_of_another_authority_is_refused() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200), ca_pem=CA.create("other").cert_pem) as (_, transport):
            with pytest.raises(ConnectionError, match="certificate"):
                await transport.request("GET", "/")

    run(work())


def test_a_client_certificate_of_another_authority_is_refused() -> None:
    cert, key = CA.create("other").issue("intruder", usages=(CLIENT,))

    async def work() -> None:
        async with serving(lambda request: Response(200), cert_pem=cert, key_pem=key) as (_, transport):
            with pytest.raises(ConnectionError):
                await transport.request("GET", "/")

    run(work())


def test_the_token_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n")

    async def work() -> None:
        def handler(request: Request) -> Response:
            return Response(200, request.headers["authorization"].encode())

        async with serving(handler, token_file=str(file), cert_pem=b"", key_pem=b"") as (_, transport):
            assert (await transport.request("GET", "/")).body == b"Bearer secret"
            for written, expected in (("", b"Bearer secret"), ("fresh", b"Bearer fresh")):
                file.write_text(written)
                transport._token_read = float("-inf")  # as if ten seconds had passed
                assert (await transport.request("GET", "/")).body == expected

    run(work())


def test_what_a_server_says_before_its_answer_is_not_the_answer() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def work() -> None:
        async with raw_server(behave) as transport:
            answer = await transport.request("GET", "/")
            assert (answer.status, answer.body, "x-early" in answer.headers) == (200, b"ok", False)

    run(work())


def test_a_transport_that_is_closed_while_it_connects_sends_nothing() -> None:
    async def work() -> None:
        seen: list[Request] = []

        def handler(request: Request) -> Response:
            seen.append(request)
            return Response(200)

        async with serving(handler) as (_, transport):
            asking = asyncio.ensure_future(transport.request("GET", "/"))
            await asyncio.sleep(0)
            await transport.close()
            with pytest.raises(ConnectionError, match="closed"):
                await asking
            assert seen == []

    run(work())


def test_a_head_request_has_no_body_to_wait_for() -> None:
    async def work() -> None:
        async with serving(lambda request: Response(200, b"body")) as (_, transport):
            answer = await transport.request("HEAD", "/")
            assert (answer.status, answer.headers["content-length"], answer.body) == (200, "4", b"")

    run(work())
