"""A server under siege: a process of its own, whose memory is watched, and which another client goes on asking meanwhile."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

from sampan.client.transport import HTTPResponse, Transport
from sampan.lib.tls import client_context
from tests.component.conftest import Credentials, core
from tests.component.test_drain import Running, running

Result = TypeVar("Result")

CONFIG_MAPS = core("configmaps", "default")
KEPT = core("configmaps", "default", "kept")
_DEADLINE_SECONDS = 30.0
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Siege:
    """A server and those who ask it; everything is driven from plain functions."""

    def __init__(self, runner: asyncio.Runner, server: Running) -> None:
        self.port = server.port
        self.process = server.process
        self._runner = runner
        self._tls = client_context(server.client.ca_pem, server.client.cert_pem, server.client.key_pem)
        self._attacker = Transport(server.client)
        self._other = Transport(server.client)

    def run(self, waiting: Awaitable[Result]) -> Result:
        async def bounded() -> Result:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                return await waiting

        return self._runner.run(bounded())

    async def ask(
        self, method: str, path: str, body: Any = None, media: str = "application/json", **options: Any
    ) -> HTTPResponse:
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return await self._attacker.request(method, path, body=raw, content_type=media, **options)

    @asynccontextmanager
    async def bounded(self, mebibytes: int) -> AsyncIterator[None]:
        """What is done within takes the server no more memory than that, keeps it from answering nobody else, and changes
        nothing of what was there."""
        before, resident = await self._state(), self._memory("VmRSS")
        self._forget_peak()
        over = asyncio.Event()

        async def others() -> None:
            while not over.is_set():
                assert (await self._other.request("GET", KEPT)).status == 200
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(others())
            try:
                yield
            finally:
                over.set()
        assert await self._state() == before
        grown = self._memory("VmHWM") - resident
        assert grown <= mebibytes, f"the server took {grown:.0f} MiB"

    async def meanwhile(self, attack: Coroutine[Any, Any, HTTPResponse]) -> tuple[HTTPResponse, int]:
        """What comes of it, and how many requests of somebody else were answered, one after the other, until it did."""
        answered = 0
        async with asyncio.TaskGroup() as group:
            attacking = group.create_task(attack)
            while not attacking.done():
                assert (await self._other.request("GET", KEPT)).status == 200
                answered += 1
        return attacking.result(), answered

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self._tls, server_hostname="localhost", limit=1 << 24)

    async def exchange(self, sent: bytes) -> bytes:
        """All that comes back until the server closes, or has said all that it announced."""
        reader, writer = await self.connect()
        try:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return head + (await reader.readexactly(int(length)) if length else await reader.read())
        finally:
            writer.transport.abort()

    async def deaf(self, sent: bytes, count: int) -> list[ssl.SSLSocket]:
        """Connections that ask and never read. They are the caller's to close."""
        return list(await asyncio.gather(*(asyncio.to_thread(self._deaf, sent) for _ in range(count))))

    def _deaf(self, sent: bytes) -> ssl.SSLSocket:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(_DEADLINE_SECONDS)
        plain.connect(("127.0.0.1", self.port))
        connected = self._tls.wrap_socket(plain, server_hostname="localhost")
        connected.sendall(sent)
        return connected

    async def settled(self) -> None:
        """Once the server answers others and its memory does not grow: what it was asked for is under way as far as it goes."""
        peak = -1.0
        while peak != self._memory("VmHWM"):
            peak = self._memory("VmHWM")
            for _ in range(100):
                assert (await self._other.request("GET", KEPT)).status == 200

    async def close(self) -> None:
        await self._attacker.close()
        await self._other.close()

    async def _state(self) -> list[tuple[str, str]]:
        listed = await self._other.request("GET", CONFIG_MAPS, accept=_METADATA)
        metadata = [item["metadata"] for item in msgspec.json.decode(listed.body)["items"]]
        return [(found["name"], found["resourceVersion"]) for found in metadata]

    def _memory(self, field: str) -> float:
        """In MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [kibibytes] = (line.split()[1] for line in status.splitlines() if line.startswith(field + ":"))
        return int(kibibytes) / 1024

    def _forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@contextmanager
def besieged(credentials: Credentials, directory: Path) -> Iterator[Siege]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        serving = running(credentials, directory)
        server = runner.run(serving.__aenter__())
        siege = Siege(runner, server)
        try:
            for plural, name in (("configmaps", "kept"), ("serviceaccounts", "default")):
                made = siege.run(siege.ask("POST", core(plural, "default"), {"metadata": {"name": name}}))
                assert made.status == 201, made.body
            yield siege
            assert server.process.returncode is None
        finally:
            runner.run(siege.close())
            runner.run(serving.__aexit__(None, None, None))
