"""Requests at a fixed pace, in a process of its own: `python -m bench.paced HOST PORT TOKEN PATH VERB BODY PODS RATE SECONDS`.

A request has its moment, and its latency is counted from there: one that waits for a connection because the server is slow is a
slow request, not a late question. Prints {"per_second": …, "p99_ms": …}.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
import time
from collections import deque

import uvloop

CONNECTIONS = 32


class _Connection(asyncio.Protocol):
    """Sends one request at a time; answers have a Content-Length."""

    def __init__(self, idle: deque[_Connection], waiting: deque[tuple[float, bytes]], latencies: list[float]) -> None:
        self._idle = idle
        self._waiting = waiting
        self._latencies = latencies
        self._buffer = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._idle.append(self)

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        if len(body) < length:
            return
        self._buffer = b""
        if head[9:12] not in (b"200", b"201"):
            raise SystemExit(f"refused: {head[:200]!r} {body[:300]!r}")
        self._latencies.append(time.perf_counter() - self._due)
        if self._waiting:
            self.send(*self._waiting.popleft())
        else:
            self._idle.append(self)


def _request(host: str, token: str, path: str, verb: str, body: str, number: int, pods: int) -> bytes:
    common = f"Host: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
    if verb == "get":
        return f"GET {path}/full-{random.randrange(pods)} HTTP/1.1\r\n{common}\r\n".encode()
    tree = json.loads(body)
    tree["metadata"]["name"] = f"paced-{number}"
    text = json.dumps(tree)
    return (
        f"POST {path} HTTP/1.1\r\n{common}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    )


async def main(
    host: str, port: str, token: str, path: str, verb: str, body: str, pods: str, rate: str, seconds: str
) -> None:  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    count, pace = int(rate) * int(seconds), 1 / int(rate)
    requests = [_request(host, token, path, verb, body, number, int(pods)) for number in range(count)]
    idle: deque[_Connection] = deque()
    waiting: deque[tuple[float, bytes]] = deque()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Connection(idle, waiting, latencies), host, int(port), ssl=context)
    start = time.perf_counter()
    for number, request in enumerate(requests):
        due = start + number * pace
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        if idle:
            idle.popleft().send(due, request)
        else:
            waiting.append((due, request))
    while len(latencies) < count:  # noqa: ASYNC110 - the last answers are on their way
        await asyncio.sleep(0.01)
    latencies.sort()
    elapsed = time.perf_counter() - start
    print(json.dumps({"per_second": count / elapsed, "p99_ms": latencies[int(count * 0.99)] * 1000}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
