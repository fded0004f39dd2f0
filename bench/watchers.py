"""Counting watchers, in a process of their own: `python -m bench.watchers HOST PORT TOKEN PATH WATCHERS`.

Prints "ready" once every watch is open; at the end of its standard input, the number of events that all of them received.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import uvloop


class _Watcher(asyncio.Protocol):
    """Counts lines: each event is one, and no JSON string holds a bare newline. Chunk framing has "\\r\\n" of its own."""

    def __init__(self, request: bytes, opened: asyncio.Event) -> None:
        self._request = request
        self._opened = opened
        self.events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self._opened.is_set():
            assert data.startswith(b"HTTP/1.1 200"), data
            self._opened.set()
            data = data.partition(b"\r\n\r\n")[2]
        self.events += data.count(b"}\n")


async def main(host: str, port: str, token: str, path: str, count: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\r\n"
    loop = asyncio.get_running_loop()
    watchers = []
    for _ in range(int(count)):
        opened = asyncio.Event()
        _, watcher = await loop.create_connection(
            lambda opened=opened: _Watcher(request.encode(), opened), host, int(port), ssl=context
        )  # fmt: skip
        await asyncio.wait_for(opened.wait(), 30)
        watchers.append(watcher)
    print("ready", flush=True)
    before = sum(w.events for w in watchers)
    await loop.run_in_executor(None, sys.stdin.read)
    print(sum(w.events for w in watchers) - before, flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
