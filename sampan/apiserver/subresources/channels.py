"""exec and attach for WebSocket clients: their channels become SPDY streams towards the kubelet.

The protocols are upstream's (apimachinery's httpstream/wsstream, client-go's remotecommand): the first byte of a message is
the channel, in the base64 variants a digit before the encoded rest. v4 and v5 end with a `metav1.Status` on the error
channel, older ones with bare text; v5 adds a message that closes stdin.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sampan.lib.http import Duplex
from sampan.lib.spdy import Session, Stream
from sampan.lib.tasks import Tasks
from sampan.lib.websocket import INTERNAL_ERROR, WebSocket

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


@dataclass(frozen=True, slots=True)
class ChannelProtocol:
    name: str
    is_base64: bool = False
    has_status: bool = False
    can_close: bool = False


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        ChannelProtocol("v5.channel.k8s.io", has_status=True, can_close=True),
        ChannelProtocol("v4.channel.k8s.io", has_status=True),
        ChannelProtocol("v4.base64.channel.k8s.io", is_base64=True, has_status=True),
        ChannelProtocol("channel.k8s.io"),
        ChannelProtocol("base64.channel.k8s.io", is_base64=True),
    )
}


_DIGITS = "0123456789"


def choose_protocol(offered: Sequence[str]) -> ChannelProtocol | None:
    """The first of the client's that is known; a client that names none speaks the first version."""
    if not offered:
        return ChannelProtocol("")
    return next((PROTOCOLS[name] for name in offered if name in PROTOCOLS), None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams a request asks for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class Channels:
    """Messages of a WebSocket, each of one channel."""

    def __init__(self, socket: WebSocket, protocol: ChannelProtocol) -> None:
        self._socket = socket
        self.protocol = protocol

    async def receive(self) -> tuple[int, bytes] | None:
        """Channel and payload; None at the end. What is malformed is skipped."""
        while True:
            message = await self._socket.receive()
            if message is None:
                return None
            if not message:
                continue
            if self.protocol.is_base64:
                text = message if isinstance(message, str) else message.decode("latin-1")
                if text[0] in _DIGITS and (payload := _decoded(text[1:])) is not None:
                    return int(text[0]), payload
            else:
                data = message if isinstance(message, bytes) else message.encode()
                return data[0], data[1:]

    def send(self, channel: int, payload: bytes) -> None:
        if self.protocol.is_base64:
            self._socket.send(f"{channel}{base64.b64encode(payload).decode()}")
        else:
            self._socket.send(bytes((channel,)) + payload)

    async def drain(self) -> None:
        await self._socket.drain()

    def close(self, code: int = 1000) -> None:
        self._socket.close(code)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text)
    except ValueError:  # also binascii's
        return None


async def bridge(client: Duplex, protocol: ChannelProtocol, kubelet: Duplex, wanted: Wanted) -> None:
    """Until the command ends or either side goes; the client's connection is its owner's to close."""
    channels = Channels(WebSocket(client), protocol)
    session = Session(kubelet, server=False)
    try:
        async with Tasks() as tasks:
            tasks.start(session.run(), "exec-session")
            await _Bridge(channels, session, wanted).run(tasks)
    except* (ConnectionError, TimeoutError):
        channels.close(INTERNAL_ERROR)
    finally:
        session.close()


class _Bridge:
    def __init__(self, channels: Channels, session: Session, wanted: Wanted) -> None:
        self._channels = channels
        self._session = session
        self._wanted = wanted
        self._stdin: Stream | None = None
        self._resize: Stream | None = None

    async def run(self, tasks: Tasks) -> None:
        # The order in which client-go opens them.
        error = await self._session.open({"streamtype": "error"})
        if self._wanted.stdin:
            self._stdin = await self._session.open({"streamtype": "stdin"})
        outputs: list[tuple[int, Stream]] = []
        if self._wanted.stdout:
            outputs.append((STDOUT, await self._session.open({"streamtype": "stdout"})))
        if self._wanted.stderr and not self._wanted.tty:
            outputs.append((STDERR, await self._session.open({"streamtype": "stderr"})))
        if self._wanted.tty:
            self._resize = await self._session.open({"streamtype": "resize"})
        # An empty message tells the client that the streams stand.
        self._channels.send(outputs[0][0] if outputs else ERROR, b"")
        input_ = tasks.start(self._take_input(), "exec-input")
        ended = tasks.start(self._give_output(outputs, error), "exec-output")
        await asyncio.wait((input_, ended), return_when=asyncio.FIRST_COMPLETED)

    async def _take_input(self) -> None:
        """Returns when the client has gone."""
        while (message := await self._channels.receive()) is not None:
            channel, payload = message
            if channel == STDIN and self._stdin is not None:
                await _pass_on(self._stdin, payload)
            elif channel == RESIZE and self._resize is not None:
                await _pass_on(self._resize, payload)
            elif channel == CLOSE and self._channels.protocol.can_close and payload[:1] == b"\0" and self._stdin is not None:
                self._stdin.close()

    async def _give_output(self, outputs: list[tuple[int, Stream]], error: Stream) -> None:
        """Returns when the command has ended and the client has been told how."""
        async with asyncio.TaskGroup() as group:
            for channel, stream in outputs:
                group.create_task(self._copy(channel, stream))
            verdict = group.create_task(error.read_all())
        status = verdict.result()
        if not status:
            # The kubelet or the runtime went away in the middle; the end of the output must not pass for success.
            self._channels.close(INTERNAL_ERROR)
            return
        told = status if self._channels.protocol.has_status else plain_error(status)
        if told:
            self._channels.send(ERROR, told)
        self._channels.close()
        await self._channels.drain()

    async def _copy(self, channel: int, stream: Stream) -> None:
        while data := await stream.read():
            self._channels.send(channel, data)
            await self._channels.drain()


async def _pass_on(stream: Stream, payload: bytes) -> None:
    """To a command that has closed its side, what is sent is lost, as in a broken pipe; the rest goes on."""
    try:
        stream.write(payload)
        await stream.drain()
    except ConnectionError:
        pass


def plain_error(status: bytes) -> bytes:
    """What clients of the first protocols get: nothing of a success, the message of a failure."""
    try:
        tree = json.loads(status)
    except ValueError:
        return status
    if not isinstance(tree, dict) or tree.get("status") == "Success":
        return b""
    return str(tree.get("message", "")).encode()
