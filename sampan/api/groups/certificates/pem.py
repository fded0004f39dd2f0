"""PEM as Go's decoder reads it: blocks wherever they stand, whatever stands between them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


class Block(NamedTuple):
    type_: str
    headers: bool
    """Whether there are any."""
    der: bytes


def blocks(data: bytes) -> Iterator[Block]:
    """In one pass: what cannot be decoded is passed over with its end."""
    position = 0
    while (start := _line_starting_with(data, _BEGIN, position)) >= 0:
        line_end = data.find(b"\n", start)
        end = _line_starting_with(data, _END, line_end) if line_end >= 0 else -1
        if end < 0:
            return
        position = end + len(_END)
        line = data[start + len(_BEGIN) : line_end].rstrip()
        if line.endswith(_DASHES) and data.startswith(line, position):
            block = _decoded(line.removesuffix(_DASHES), data[line_end:end])
            if block is not None:
                yield block


def _line_starting_with(data: bytes, prefix: bytes, position: int) -> int:
    if position == 0 and data.startswith(prefix):
        return 0
    found = data.find(b"\n" + prefix, max(position, 0))
    return found + 1 if found >= 0 else -1


def _decoded(type_: bytes, body: bytes) -> Block | None:
    lines = [line.strip() for line in body.strip().split(b"\n")]
    text = 0
    while text < len(lines) and b":" in lines[text]:
        text += 1
    try:
        der = base64.b64decode(b"".join(b"".join(line.split()) for line in lines[text:]), validate=True)
    except binascii.Error:
        return None
    return Block(type_.decode(errors="replace"), text > 0, der)


def first(data: bytes) -> Block | None:
    return next(blocks(data), None)
