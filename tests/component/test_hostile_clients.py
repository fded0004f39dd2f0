"""Clients that mean harm, on real connections to a real server: each is answered as net/http would or let go, costs little
memory, and keeps the server from nobody else."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.component.conftest import Credentials
from tests.component.siege import CONFIG_MAPS, KEPT, Siege, besieged

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
GET = b"GET /version HTTP/1.1\r\n" + HOST
POST = b"POST " + CONFIG_MAPS.encode() + b" HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
LISTED = b"GET " + CONFIG_MAPS.encode()
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def siege(credentials: Credentials, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    with besieged(credentials, tmp_path_factory.mktemp("siege")) as found:
        yield found


REQUESTS = {
    "one header of two megabytes": (GET + b"X: " + b"y" * (2 << 20) + b"\r\n" + CLOSE, 431),
    "headers without end": (GET + b"".join(b"X%d: y\r\n" % number for number in range(150_000)) + CLOSE, 431),
    "a target of two megabytes": (b"GET /version?" + b"a" * (2 << 20) + b" HTTP/1.1\r\n" + HOST + CLOSE, 431),
    "a target of 64 KiB": (b"GET /version?" + b"a" * (64 << 10) + b" HTTP/1.1\r\n" + HOST + CLOSE, 200),
    "a method of two megabytes": (b"G" * (2 << 20), 400),
    "empty lines before a request": (b"\r\n" * 1_000_000 + GET + CLOSE, 200),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef" + GET + CLOSE, 400),
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + CLOSE, 400),
    "a length below zero": (POST + b"Content-Length: -5\r\n" + CLOSE + b"abcde", 400),
    "a length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999\r\n" + CLOSE, 400),
    "a length beyond the limit": (POST + b"Content-Length: 9223372036854775807\r\n" + CLOSE, 413),
    "an encoding like chunked": (POST + b"Transfer-Encoding: xchunked\r\n" + CLOSE + b"0\r\n\r\n", 501),
    "another encoding before chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n" + CLOSE + b"0\r\n\r\n", 501),
    "a space before a colon": (POST + b"Transfer-Encoding : chunked\r\n" + CLOSE + b"0\r\n\r\n", 400),
    "a folded header": (GET + b"X: a\r\n b\r\n" + CLOSE, 400),
    "a bare line feed": (GET + b"X: a\nY: b\r\n" + CLOSE, 400),
    "a zero byte in a header": (GET + b"X: a\0b\r\n" + CLOSE, 400),
    "a chunk of less than nothing": (CHUNKED + CLOSE + b"-1\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk beyond 64 bits": (CHUNKED + CLOSE + b"fffffffffffffffff\r\n{}", 400),
    "chunks without end": (CHUNKED + CLOSE + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 100, 413),
    "a chunk extension of megabytes": (CHUNKED + CLOSE + b"2;" + b"a" * (3 << 20) + b"\r\n{}\r\n0\r\n\r\n", 422),
    "a body in chunks of two bytes": (CHUNKED + CLOSE + b"2\r\n  \r\n" * 1_000_000 + b"0\r\n\r\n", 400),
    "two hosts": (GET + HOST + CLOSE, 400),
    "a host that is none": (b"GET /version HTTP/1.1\r\nHost: a b\r\n" + CLOSE, 400),
    "no host": (b"GET /version HTTP/1.1\r\n" + CLOSE, 400),
    "HTTP/0.9": (b"GET /version\r\n\r\n", 400),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 50, 400),
    "HTTP/2 in words": (b"GET /version HTTP/2.0\r\n" + HOST + CLOSE, 505),
    "an expectation that is unknown": (POST + b"Content-Length: 2\r\nExpect: tea\r\n" + CLOSE, 417),
    "a body too large to ask for": (POST + b"Content-Length: 4000000\r\nExpect: 100-continue\r\n\r\n", 413),
    "an absolute target": (b"GET https://elsewhere/version HTTP/1.1\r\n" + HOST + CLOSE, 200),
    "a wrong escape": (b"GET /%zz HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "steps upwards": (b"GET /api/v1/../../version HTTP/1.1\r\n" + HOST + CLOSE, 404),
    "double slashes": (b"GET //version HTTP/1.1\r\n" + HOST + CLOSE, 404),
    "a parameter of the path": (b"GET /version;x=y HTTP/1.1\r\n" + HOST + CLOSE, 404),
    "10,000 parameters": (LISTED + b"?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\n" + HOST + CLOSE, 200),
    "an upgrade to HTTP/2": (GET + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("shape", REQUESTS)
def test_a_request_of_any_shape_is_answered_at_little_cost(siege: Siege, shape: str) -> None:
    sent, status = REQUESTS[shape]

    async def scenario() -> None:
        async with siege.bounded(24):
            answer = await siege.exchange(sent)
            assert int(answer.split()[1]) == status, answer[-300:]

    siege.run(scenario())


def test_plain_http_is_told_that_it_is_plain(siege: Siege) -> None:
    async def scenario() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", siege.port)
        writer.write(GET + CLOSE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        assert await reader.readline() == b"Client sent an HTTP request to an HTTPS server.\n"
        writer.write(b"and more of it")
        assert await reader.read() == b""
        writer.close()

    siege.run(scenario())


def test_pipelined_requests_wait_outside_while_one_is_answered(siege: Siege) -> None:
    """A watch, and behind it bodies of three megabytes each: no more than one of them is taken in."""
    watch = LISTED + b"?watch=true HTTP/1.1\r\n" + HOST + b"\r\n"
    large = POST + b"Content-Length: 3000000\r\n\r\n" + b" " * 3_000_000

    async def scenario() -> None:
        async with siege.bounded(24):
            _, writer = await siege.connect()
            writer.write(watch + large * 20)
            await siege.settled()
            writer.transport.abort()
        async with siege.bounded(24):
            reader, writer = await siege.connect()
            writer.write((GET + b"\r\n") * 9_999 + GET + CLOSE)
            assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 10_000

    siege.run(scenario())


def test_idle_and_half_open_connections_cost_little(siege: Siege) -> None:
    async def scenario() -> None:
        async with siege.bounded(70):
            idle = [await siege.connect() for _ in range(500)]
            half = [socket.create_connection(("127.0.0.1", siege.port)) for _ in range(500)]
            for each in half:
                each.sendall(b"\x16\x03\x01\x02\x00\x01")
            for _, writer in idle[:250]:
                writer.write(POST + b"Content-Length: 100\r\n\r\n{")
            for _, writer in idle[250:]:
                writer.write(GET + b"X: y")
            await siege.settled()
            for _, writer in idle:
                writer.transport.abort()
            for each in half:
                each.close()

    siege.run(scenario())


def test_connections_that_are_reset_at_any_moment_leave_nothing(siege: Siege) -> None:
    request = POST + b"Content-Length: 30\r\n\r\n" + b'{"metadata": {"name": "Reset"}}'[:30]
    linger_not = struct.pack("ii", 1, 0)

    async def scenario() -> None:
        async with siege.bounded(24):
            for end in range(0, len(request), 2):
                _, writer = await siege.connect()
                writer.write(request[:end])
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
                writer.transport.abort()

    siege.run(scenario())


@pytest.fixture(scope="module")
def large(siege: Siege) -> str:
    """A namespace with a collection of 40 MB."""

    async def make() -> None:
        await siege.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "large"}})
        body = {"data": {"x": "y" * 100_000}}
        for number in range(400):
            tree = {"metadata": {"name": f"a{number}"}, **body}
            assert (await siege.ask("POST", "/api/v1/namespaces/large/configmaps", tree)).status == 201

    siege.run(make())
    return "/api/v1/namespaces/large/configmaps"


INITIAL = "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("", "application/json"),
        ("?limit=399", "application/json"),
        ("", "application/yaml"),
        ("", "application/json;as=Table;v=v1;g=meta.k8s.io"),
        ("?watch=1", "application/json"),
        (INITIAL, "application/json"),
    ],
)
def test_a_large_answer_that_nobody_reads_is_not_made(siege: Siege, large: str, query: str, accept: str) -> None:
    async def scenario() -> None:
        request = f"GET {large}{query} HTTP/1.1\r\nAccept: {accept}\r\n".encode() + HOST + b"\r\n"
        async with siege.bounded(40):
            deaf = await siege.deaf(request, 10)
            await siege.settled()
            for each in deaf:
                each.close()

    siege.run(scenario())


def test_yaml_of_a_large_list_is_the_yaml_of_the_whole(siege: Siege, large: str) -> None:
    async def scenario() -> None:
        short = await siege.ask("GET", large, query={"limit": "2"}, accept="application/yaml")
        long = await siege.ask("GET", large, query={"limit": "30"}, accept="application/yaml")
        assert (short.headers["content-type"], long.headers["content-type"]) == ("application/yaml", "application/yaml")
        heads = [body.partition(b"\nkind: ConfigMapList\n") for body in (short.body, long.body)]
        assert heads[1][0].startswith(heads[0][0]) and heads[1][0].count(b"\n- ") == 30
        assert heads[1][2].startswith(b"metadata:\n  continue: ")

    siege.run(scenario())


def test_watches_that_nobody_reads_cost_what_others_do_not_notice(siege: Siege) -> None:
    """1,000 events of 10 KB for each of 30 deaf watchers, while one that reads hears of every one."""
    where = "/api/v1/namespaces/kube-public/configmaps"
    query = "?watch=1&fieldSelector=metadata.name%3Dbusy"
    request = f"GET {where}{query} HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    count = 1000

    async def scenario() -> None:
        made = await siege.ask("POST", where, {"metadata": {"name": "busy"}})
        assert made.status == 201, made.body
        async with siege.bounded(160):
            deaf = await siege.deaf(request, 30)
            reader, writer = await siege.connect()
            writer.write(request)
            for number in range(count):
                patch = {"data": {"n": f"<{number}>", "x": "y" * 10_000}}
                assert (await siege.ask("PATCH", f"{where}/busy", patch, MERGE)).status == 200
            found = await reader.readuntil(f"<{count - 1}>".encode())
            assert all(b"<%d>" % number in found for number in range(0, count, 100))
            writer.transport.abort()
            for each in deaf:
                each.close()

    siege.run(scenario())


def test_a_thousand_watches_come_and_go(siege: Siege) -> None:
    async def scenario() -> None:
        async with siege.bounded(100):
            for _ in range(4):
                watches = [await siege.connect() for _ in range(250)]
                for _, writer in watches:
                    writer.write(b"GET " + KEPT.encode() + b"?watch=1 HTTP/1.1\r\n" + HOST + b"\r\n")
                for reader, _ in watches[:125]:
                    await reader.readuntil(b'"kept"')
                for _, writer in watches:
                    writer.transport.abort()

    siege.run(scenario())


def test_a_watch_ends_where_its_client_closes_one_direction(siege: Siege) -> None:
    async def scenario() -> None:
        async with siege.bounded(24):
            [watch] = await siege.deaf(b"GET " + KEPT.encode() + b"?watch=1 HTTP/1.1\r\n" + HOST + b"\r\n", 1)
            head = await asyncio.to_thread(watch.recv, 4096)
            assert head.startswith(b"HTTP/1.1 200")
            socket.socket.shutdown(watch, socket.SHUT_WR)
            while await asyncio.to_thread(watch.recv, 4096):
                pass
            watch.close()

    siege.run(scenario())


def test_continue_tokens_of_others_are_refused(siege: Siege, large: str) -> None:
    async def scenario() -> None:
        page = json.loads((await siege.ask("GET", large, query={"limit": "1"})).body)
        token = page["metadata"]["continue"]
        for path in ("/api/v1/namespaces/default/secrets", "/api/v1/nodes", CONFIG_MAPS):
            answer = await siege.ask("GET", path, query={"limit": "1", "continue": token})
            assert answer.status in (200, 400), answer.body
            assert b"y" * 100 not in answer.body, "nothing of another namespace or kind is shown"

    siege.run(scenario())
