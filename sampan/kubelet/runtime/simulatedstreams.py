"""The streaming server of a runtime that starts no process: exec, attach and port-forward over real SPDY to pretended ones.

It stands where containerd's streaming server stands: `*_url` makes a one-time URL on loopback, whoever upgrades it speaks
the protocols of remotecommand and portforward (v4.channel.k8s.io, portforward.k8s.io).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.lib.http import Answer, Duplex, Request, Response, Upgrade
from sampan.lib.httpserver import HTTPServer
from sampan.lib.spdy import Session, Stream
from sampan.lib.tasks import Tasks

VERSIONS = "x-stream-protocol-version"
COMMAND_VERSION = "v4.channel.k8s.io"
PORT_FORWARD_VERSION = "portforward.k8s.io"
STREAM_SECONDS = 30.0


@dataclass(slots=True)
class Process:
    """A pretended process: what it was started with, and its streams by name ("stdin", "stdout", "stderr", "resize")."""

    command: Sequence[str]
    tty: bool
    streams: Mapping[str, Stream] = field(default_factory=dict)

    def say(self, text: str | bytes, stream: str = "stdout") -> None:
        target = self.streams.get(stream) or self.streams.get("stdout")
        if target is not None:
            target.write(text.encode() if isinstance(text, str) else text)


Program = Callable[[Process], Awaitable[int]]
"""Runs a process; returns its exit code."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What a URL was made for; `streams` are those the client will open."""

    process: Process | None
    streams: frozenset[str] = frozenset()


class SimulatedStreaming:
    """Starts its server with the first URL. `program` pretends every process; `ports` says where forwarded ports lead, as
    port → (host, port), the others being echoed."""

    def __init__(self, program: Program | None = None, ports: Mapping[int, tuple[str, int]] | None = None) -> None:
        self._program = program or pretend
        self.ports = ports or {}
        self._tickets: dict[str, _Ticket] = {}
        self._http = HTTPServer(self._handle, tls=None)
        self._port = 0
        self._starting = asyncio.Lock()

    async def command_url(self, command: Sequence[str], *, tty: bool, stdin: bool, stdout: bool, stderr: bool) -> str:
        """For exec; for attach with the container's own command."""
        names = (("stdin", stdin), ("stdout", stdout), ("stderr", stderr and not tty), ("resize", tty), ("error", True))
        return await self._url("exec", _Ticket(Process(command, tty), frozenset(name for name, on in names if on)))

    async def port_forward_url(self) -> str:
        return await self._url("portforward", _Ticket(None))

    async def close(self) -> None:
        await self._http.stop(0)

    async def _url(self, verb: str, ticket: _Ticket) -> str:
        async with self._starting:
            if not self._port:
                self._port = await self._http.start("127.0.0.1", 0)
        token = secrets.token_urlsafe(8)
        self._tickets[token] = ticket
        return f"http://127.0.0.1:{self._port}/{verb}/{token}"

    def _handle(self, request: Request) -> Answer:
        ticket = self._tickets.pop(request.path.rpartition("/")[2], None)
        if ticket is None:
            return Response(404, b"404 page not found\n", "text/plain")
        if request.headers.get("upgrade", "").lower() != "spdy/3.1":
            return Response(400, b"unable to upgrade: missing upgrade headers in request", "text/plain")
        wanted = COMMAND_VERSION if ticket.process else PORT_FORWARD_VERSION
        offered = [name.strip() for value in request.header_values(VERSIONS) for name in value.split(",")]
        if wanted not in offered:
            return Response(403, f"unable to negotiate protocol: client supports {offered}".encode(), "text/plain")

        async def run(duplex: Duplex) -> None:
            session = Session(duplex, server=True)
            try:
                async with Tasks() as tasks:
                    ended = tasks.start(session.run(), "simulated-session")
                    served = tasks.start(self._serve(session, ticket, tasks), "simulated-process")
                    # A process whose client has gone is not kept for itself.
                    await asyncio.wait((ended, served), return_when=asyncio.FIRST_COMPLETED)
            except* (ConnectionError, TimeoutError):
                pass  # the client went away
            finally:
                session.close()

        headers = (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", wanted))
        return Upgrade(run, headers)

    async def _serve(self, session: Session, ticket: _Ticket, tasks: Tasks) -> None:
        process = ticket.process
        if process is None:
            await self._serve_ports(session, tasks)
            return
        streams: dict[str, Stream] = {}
        async with asyncio.timeout(STREAM_SECONDS):
            while len(streams) < len(ticket.streams):
                stream = await session.accept()
                if stream is None:
                    return
                stream.reply()
                streams[stream.headers.get("streamtype", "")] = stream
        process.streams = streams
        code = await self._program(process)
        streams["error"].write(_verdict(code))
        for stream in streams.values():
            stream.close()

    async def _serve_ports(self, session: Session, tasks: Tasks) -> None:
        """A connection's error stream is opened before its data stream, and ends with it."""
        errors: dict[str, Stream] = {}
        while (stream := await session.accept()) is not None:
            stream.reply()
            request = stream.headers.get("requestid", "")
            if stream.headers.get("streamtype") == "error":
                errors[request] = stream
                continue
            place = self.ports.get(int(stream.headers.get("port", "0")))
            error = errors.pop(request, None)
            tasks.start(_echo(stream, error) if place is None else _connect(stream, error, place), "simulated-port")


def _verdict(code: int) -> bytes:
    """The `metav1.Status` that ends a command."""
    if code == 0:
        return b'{"metadata":{},"status":"Success"}'
    status = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
    return json.dumps(status).encode()


async def pretend(process: Process) -> int:
    """A shell's simplest commands: echo, cat, sleep, true, false, `sh -c` of one of these, exit; anything else is not found."""
    words = list(process.command)
    if words[:2] in (["sh", "-c"], ["/bin/sh", "-c"]) and len(words) > 2:
        words = shlex.split(words[2])
    match words:
        case [] | ["cat"] | ["sh"] | ["/bin/sh"]:
            return await _copy_input(process)
        case ["echo", *rest]:
            process.say(" ".join(rest) + "\n")
        case ["sleep", seconds]:
            await asyncio.sleep(float(seconds))
        case ["exit", code]:
            return int(code)
        case ["true"]:
            return 0
        case ["false"]:
            return 1
        case _:
            process.say(f"{words[0]}: not found\n", "stderr")
            return 127
    return 0


async def _copy_input(process: Process) -> int:
    source = process.streams.get("stdin")
    while source is not None and (data := await source.read()):
        process.say(data)
        if process.tty and b"\x04" in data:
            break
    return 0


async def _echo(stream: Stream, error: Stream | None) -> None:
    while data := await stream.read():
        stream.write(data)
    stream.close()
    if error is not None:
        error.close()


async def _connect(stream: Stream, error: Stream | None, place: tuple[str, int]) -> None:
    """Join a forwarded connection to a server of this machine."""
    try:
        reader, writer = await asyncio.open_connection(*place)
    except OSError as failure:
        if error is not None:
            error.write(str(failure).encode())
            error.close()
        stream.close()
        return

    async def inward() -> None:
        while data := await stream.read():
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async with Tasks() as tasks:
        tasks.start(inward(), "simulated-port-input")
        while data := await reader.read(65536):
            stream.write(data)
            await stream.drain()
    writer.close()
    stream.close()
    if error is not None:
        error.close()
