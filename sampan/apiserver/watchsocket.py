"""Watches over a WebSocket, as browsers have them: each event is a message of text.

After HandleWS in k8s.io/apiserver/pkg/endpoints/handlers/watch.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from sampan.api.errors import bad_request
from sampan.lib.http import Answer, Duplex, Request, Stream, Upgrade
from sampan.lib.tasks import Tasks
from sampan.lib.websocket import WebSocket, accept_headers, offered_protocols


def watch_over_websocket(request: Request, watch: Stream | Awaitable[Stream]) -> Answer | Awaitable[Answer]:
    """Raises StatusError 400 for a handshake that is none."""
    return _upgrade(request, watch) if isinstance(watch, Stream) else _upgrade_later(request, watch)


async def _upgrade_later(request: Request, watch: Awaitable[Stream]) -> Answer:
    return _upgrade(request, await watch)


def _upgrade(request: Request, watch: Stream) -> Upgrade:
    protocols = offered_protocols(request.headers)
    if len(protocols) > 1:
        raise bad_request("a watch takes no more than one subprotocol")
    try:
        headers = accept_headers(request.headers, *protocols)
    except ValueError as error:
        raise bad_request(str(error)) from None

    async def run(duplex: Duplex) -> None:
        socket = WebSocket(duplex)
        sink = _MessageSink(socket)

        async def produce() -> None:
            await watch.produce(sink)

        async with Tasks() as tasks:
            ends = (tasks.start(sink.listen(), "the client of a watch"), tasks.start(produce(), "watch"))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        socket.close()

    return Upgrade(run, headers)


class _MessageSink:
    """What is written is lines; each becomes a message."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.buffered_bytes = 0
        """Since the peer was last known to keep up."""
        self.closed = False

    async def listen(self) -> None:
        """Until the client goes. What it says is of no interest."""
        while await self._socket.receive() is not None:
            pass
        self.closed = True

    def write(self, data: bytes) -> None:
        self.buffered_bytes += len(data)
        for line in data.splitlines(keepends=True):
            self._socket.send(line.decode())

    async def drain(self) -> None:
        await self._socket.drain()
        self.buffered_bytes = 0
