"""The end of an API server that is a process: told to stop, it says so, finishes what it was asked, and ends cleanly."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from sampan.client.transport import Transport
from tests.component.conftest import Credentials, core

CONFIG_MAPS = core("configmaps", "default")


class Running:
    def __init__(self, process: asyncio.subprocess.Process, port: int, credentials: Credentials, directory: Path) -> None:
        self.process = process
        self.port = port
        self.client = credentials.client(f"https://127.0.0.1:{port}", "admin", "system:masters")
        self.transport = Transport(self.client)
        self._directory = directory

    async def status(self, path: str) -> tuple[int, bytes]:
        """On a connection of its own."""
        transport = Transport(self.client)
        try:
            answer = await transport.request("GET", path)
        finally:
            await transport.close()
        return answer.status, answer.body

    async def write(self, name: str, size: int = 1) -> None:
        tree = {"metadata": {"name": name}, "data": {"x": "y" * size}}
        answer = await self.transport.request("POST", CONFIG_MAPS, body=msgspec.json.encode(tree))
        assert answer.status == 201

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw connection."""
        context = ssl.create_default_context(cadata=self.client.ca_pem.decode())
        certificate = self._directory / "client.pem"
        certificate.write_bytes(self.client.cert_pem + self.client.key_pem)
        context.load_cert_chain(certificate)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, limit=4096)


@asynccontextmanager
async def running(credentials: Credentials, directory: Path, *flags: str) -> AsyncIterator[Running]:
    config = credentials.config
    files = {
        "tls-cert-file": config.tls_cert_pem,
        "tls-private-key-file": config.tls_key_pem,
        "client-ca-file": config.client_ca_pem,
        "service-account-signing-key-file": config.service_account_key_pem,
    }
    for name, text in files.items():
        (directory / name).write_bytes(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sampan.cmd.main", "apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}",
        f"--datastore=sqlite://{directory}/state.db", *(f"--{name}={directory / name}" for name in files), *flags,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    found = Running(process, port, credentials, directory)
    try:
        await _until(found, lambda status: status == 200)
        yield found
    finally:
        await found.transport.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until(server: Running, holds: Callable[[int], bool]) -> None:
    """Bounded by the scenario's deadline."""
    while not holds(await _readiness(server)):
        assert server.process.returncode is None
        await asyncio.sleep(0.01)


async def _readiness(server: Running) -> int:
    try:
        return (await server.status("/readyz"))[0]
    except OSError:
        return 0


def bounded(work: Coroutine[Any, Any, None]) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(40):
            await work

    uvloop.run(scenario())


def test_it_serves_on_unready_and_then_ends_watches_as_if_they_were_over(credentials: Credentials, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(credentials, tmp_path, "--shutdown-delay-duration=1s") as server:
            query = {"watch": "1", "allowWatchBookmarks": "1"}
            async with server.transport.stream("GET", CONFIG_MAPS, query=query) as watch:
                await server.write("a")
                chunks = aiter(watch)
                assert b'"name":"a"' in await anext(chunks)
                server.process.send_signal(signal.SIGTERM)
                await _until(server, lambda status: status != 200)
                status, body = await server.status("/readyz")
                assert (status, b"[-]shutdown failed: reason withheld\n" in body) == (500, True)
                assert body.endswith(b"readyz check failed\n")
                assert (await server.status("/livez"))[0] == 200
                assert (await server.status("/readyz/shutdown")) == (500, b"internal server error: process is shutting down\n")
                await server.write("b")
                rest = b"".join([chunk async for chunk in chunks])
            assert b'"name":"b"' in rest and rest.rstrip().endswith(b"}}}"), "the body came to its end, and no event was cut"
            assert b'"type":"BOOKMARK"' in rest.splitlines()[-1]
            assert await server.process.wait() == 0
            assert await _readiness(server) == 0, "nobody listens any more"

    bounded(scenario())


def test_what_is_being_answered_is_answered_to_its_end(credentials: Credentials, tmp_path: Path) -> None:
    count = 700

    async def scenario() -> None:
        async with running(credentials, tmp_path) as server:
            for start in range(0, count, 50):
                await asyncio.gather(*(server.write(f"c{index:03}", 20_000) for index in range(start, start + 50)))
            reader, writer = await server.connect()
            writer.write(f"GET {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Transfer-Encoding: chunked" in head
            idle_reader, idle_writer = await server.connect()
            server.process.send_signal(signal.SIGTERM)
            assert await idle_reader.read() == b"", "an idle connection is closed"
            idle_writer.close()
            body = bytearray()
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            names = [
                item["metadata"]["name"] for item in msgspec.json.decode(body)["items"] if item["metadata"]["name"][0] == "c"
            ]
            assert names == [f"c{index:03}" for index in range(count)]
            writer.close()
            assert await server.process.wait() == 0

    bounded(scenario())
