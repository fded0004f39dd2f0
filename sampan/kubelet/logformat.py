"""The lines of a CRI log file: `TIMESTAMP STREAM TAG CONTENT`, the tag P for a part of a line and F for its end."""

from __future__ import annotations

from typing import NamedTuple


class LogLine(NamedTuple):
    stamp: bytes
    """RFC 3339 with nanoseconds, as written."""
    stream: bytes
    """b"stdout" or b"stderr"."""
    text: bytes
    """With its line feed, but for a part of a line."""
    partial: bool


def parse_line(raw: bytes) -> LogLine | None:
    """None for what is not a line of the format."""
    parts = raw.split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    partial = parts[2].split(b":", 1)[0] == b"P"
    text = parts[3]
    if partial:
        text = text.removesuffix(b"\n")
    elif not text.endswith(b"\n"):
        text += b"\n"
    return LogLine(parts[0], parts[1], text, partial)
