"""Answers without an end: streams, upgrades, and what happens to them when one side leaves."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable

from sampan.lib.http import Answer, Duplex, Request, Response, Sink, Stream, Upgrade
from tests.unit.fakeapi import run, until
from tests.unit.httptalk import exchange, is_full, serving, transports


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


def test_writes_of_one_turn_are_one_chunk_and_the_stream_ends() -> None:
    async def produce(sink: Sink) -> None:
        sink.write(b"a")
        sink.write(b"b")
        await asyncio.sleep(0)
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

        async with serving(lambda request: Stream(produce)) as (server, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await talk.head()
            await until(lambda: is_full(*transports(server, talk)))
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

        async with serving(handler) as (server, connect):
            talk = await connect()
            talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
            await until(lambda: served[0] > 0 and is_full(*transports(server, talk)))
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
