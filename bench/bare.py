"""What the machine does when nothing but the libraries below us run: the measure of the ratios.

`python -m bench.bare tls BODY-BYTES CERT KEY` serves a fixed body; `sqlite_commits` commits rows.
"""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import sys
import tempfile
import time
from pathlib import Path

import httptools
import uvloop

BATCH = 32


def sqlite_commits(seconds: float, value_bytes: int) -> float:
    """Rows a second in durable transactions of 32 rows, the most that 32 clients can have waiting."""
    value = b"x" * value_bytes
    with tempfile.TemporaryDirectory(prefix="sampan-bench-") as directory:
        database = sqlite3.connect(str(Path(directory) / "bare.db"), isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, key TEXT, value BLOB)")
        rows, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            database.execute("BEGIN")
            batch = [(f"/k/{rows + i}", value) for i in range(BATCH)]
            database.executemany("INSERT INTO row (key, value) VALUES (?, ?)", batch)
            database.execute("COMMIT")
            rows += BATCH
        elapsed = time.perf_counter() - start
        database.close()
    return rows / elapsed


class _Bare(asyncio.Protocol):
    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(self.answer)  # type: ignore[attr-defined]


async def _serve(body_bytes: int, cert: str, key: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    _Bare.answer = head % body_bytes + b"x" * body_bytes
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[2]), sys.argv[3], sys.argv[4]))
