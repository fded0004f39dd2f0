"""Streams that mean harm: what a client of exec sends that is none of its channels, and clients that vanish amid it."""

from __future__ import annotations

import asyncio
import base64
import struct
from pathlib import Path

import pytest

from sampan.lib.websocket import new_key, offer_headers
from tests.component.conftest import Api
from tests.component.streaming import NAMESPACE, Cluster, on_node

V4, V5, BASE64 = "v4.channel.k8s.io", "v5.channel.k8s.io", "base64.channel.k8s.io"
STREAMS = [("stdin", "true"), ("stdout", "true"), ("tty", "true"), ("command", "cat")]


def message(payload: bytes, opcode: int = 2, *, masked: bool = True, final: bool = True) -> bytes:
    """One frame of a client; a mask of zeros leaves the payload as it is."""
    size = len(payload)
    short = (
        bytes([size])
        if size < 126
        else b"\x7e" + struct.pack(">H", size)
        if size < 65536
        else b"\x7f" + struct.pack(">Q", size)
    )
    first = bytes([short[0] | (0x80 if masked else 0)])
    return bytes([opcode | (0x80 if final else 0)]) + first + short[1:] + (b"\0" * 4 if masked else b"") + payload


RESIZE = 4
CASES: dict[str, tuple[str, bytes, bool]] = {
    # subprotocol, what the client sends, whether the command lives on
    "a channel that does not exist": (V4, message(b"\x63hello"), True),
    "a channel of the server's": (V4, message(b"\x01hello") + message(b"\x03hello"), True),
    "a size that is garbage": (V4, message(bytes([RESIZE]) + b"{{{{") + message(bytes([RESIZE]) + b"\xff" * 5000), True),
    "a size without measure": (V4, message(bytes([RESIZE]) + b'{"Width":1e400,"Height":-5}'), True),
    "a size that is deep": (V4, message(bytes([RESIZE]) + b"[" * 60_000), True),
    "empty messages": (V4, message(b"") * 1000, True),
    "the end of a channel that does not exist": (V5, message(b"\xff\x63") + message(b"\xff"), True),
    "what is no base64": (BASE64, message("0é".encode(), 1) + message("²x".encode(), 1) + message(b"0=", 1), True),
    "a frame without a mask": (V4, message(b"\x00hello", masked=False), False),
    "an opcode that is none": (V4, message(b"hello", 0x0B), False),
    "text that is none": (V4, message(b"\xff\xff", 1), False),
    "a message without end": (
        V4, message(b"\x00" + b"x" * 60_000, final=False) + message(b"x" * 60_000, 0, final=False) * 100, False),
    "an announcement of exabytes": (V4, b"\x82\xff" + struct.pack(">Q", 1 << 62) + b"\0" * 4 + b"x" * 5_000_000, False),
    "a ping that is too long": (V4, message(b"x" * 200, 9), False),
    "what is no frame": (V4, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10, False),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_garbage_ends_at_most_its_own_stream(api: Api, tmp_path: Path, what: str) -> None:
    protocol, sent, lives_on = CASES[what]

    async def scenario(cluster: Cluster) -> None:
        await cluster.add_pod("app")
        headers = offer_headers(new_key(), (protocol,))
        upgraded = await cluster.served.transport.upgrade("GET", f"{NAMESPACE}/pods/web/exec", query=STREAMS, headers=headers)
        assert upgraded.duplex is not None, upgraded.body
        duplex = upgraded.duplex
        for start in range(0, min(len(sent), 64), 1):  # byte by byte, as far as that takes no time
            duplex.write(sent[start : start + 1])
            await asyncio.sleep(0)
        duplex.write(sent[64:])
        hello = base64.b64encode(b"hello").decode()
        duplex.write(message(b"\x00hello") if protocol != BASE64 else message(f"0{hello}".encode(), 1))
        wanted = hello.encode() if protocol == BASE64 else b"hello"
        heard = b""
        while wanted not in heard and (data := await duplex.read()):
            heard += data
        assert (wanted in heard) == lives_on, heard[-200:]
        duplex.close()
        assert (await cluster.served.get(f"{NAMESPACE}/pods/web")).status == 200

    on_node(api, tmp_path, scenario)
