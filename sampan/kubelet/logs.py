"""Reads a container's CRI log: the last lines, since a time, followed across rotation until the container ends.

After the kubelet's kuberuntime/logs. Reading is from a local file in small pieces, so it stays on the event loop.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from sampan.lib.clock import Clock, parse_rfc3339

from .logformat import parse_line

BLOCK_BYTES = 64 * 1024
MIN_POLL_SECONDS = 0.05
MAX_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LogOptions:
    follow: bool = False
    tail_lines: int | None = None
    since: float = 0.0
    """Seconds since the epoch; 0.0 for all."""
    timestamps: bool = False
    limit_bytes: int | None = None
    stream: str = ""
    """"stdout", "stderr" or "" for both."""


class KeptLog(Protocol):
    """A log in memory, in lines of the CRI format. The oldest `dropped` of all that were written are gone."""

    @property
    def lines(self) -> Sequence[bytes]: ...

    @property
    def dropped(self) -> int: ...

    async def more(self, seen: int) -> bool:
        """Wait until more than `seen` lines were written; False where there will never be."""
        ...


@runtime_checkable
class LogKeeper(Protocol):
    """A runtime that keeps its containers' logs itself, and writes no files."""

    def log_of(self, container_id: str) -> KeptLog:
        """Raises RuntimeFailure."""
        ...


class _Formatter:
    """Raw lines in, what the client sees out."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._wanted_stream = options.stream.encode()
        self._since = options.since
        self._at_line_start = True
        self._left = options.limit_bytes

    @property
    def full(self) -> bool:
        return self._left is not None and self._left <= 0

    def format(self, raw: bytes) -> bytes:
        line = parse_line(raw)
        if line is None:
            return b""
        if self._since:
            try:
                if parse_rfc3339(line.stamp.decode()) < self._since:
                    return b""
            except ValueError:
                return b""
            self._since = 0.0  # lines are in the order of time: all that follow are later
        if self._wanted_stream and line.stream != self._wanted_stream:
            return b""
        text = line.text
        if self._options.timestamps and self._at_line_start:
            text = line.stamp + b" " + text
        self._at_line_start = not line.partial
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text


async def read_log(
    path: Path, options: LogOptions, is_running: Callable[[], Awaitable[bool]], clock: Clock
) -> AsyncIterator[bytes]:
    """Pieces of the log. Raises FileNotFoundError (OSError) before the first. Following ends when the container has."""
    file = _open(path, options)
    try:
        formatter = _Formatter(options)
        rest = b""
        delay = MIN_POLL_SECONDS
        was_running = options.follow
        while not formatter.full:
            block = file.read(BLOCK_BYTES)
            if block:
                delay = MIN_POLL_SECONDS
                *lines, rest = (rest + block).split(b"\n")
                shown = b"".join([formatter.format(line + b"\n") for line in lines])
                if shown:
                    yield shown
            elif _rotated(path, file):
                file.close()
                file, rest = path.open("rb"), b""
            elif not was_running:
                if rest and (shown := formatter.format(rest)):
                    yield shown
                return
            else:
                await clock.sleep(delay)
                delay = min(delay * 1.5, MAX_POLL_SECONDS)
                # Asked before the next read, so that what a container writes last is still read.
                was_running = delay < MAX_POLL_SECONDS or await is_running()
    finally:
        file.close()


async def read_kept(log: KeptLog, options: LogOptions) -> AsyncIterator[bytes]:
    """As `read_log`, of a log in memory."""
    formatter = _Formatter(options)
    seen = 0 if options.tail_lines is None else max(0, log.dropped + len(log.lines) - options.tail_lines)
    while not formatter.full:
        shown = b"".join([formatter.format(line) for line in log.lines[max(0, seen - log.dropped) :]])
        seen = log.dropped + len(log.lines)
        if shown:
            yield shown
        if not options.follow or not await log.more(seen):
            return


def _open(path: Path, options: LogOptions) -> BinaryIO:
    file = path.open("rb")
    if options.tail_lines is not None:
        file.seek(_tail_offset(file, options.tail_lines))
    return file


def _tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin, found from the end."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    at, found = end, 0
    while at > 0:
        start = max(0, at - BLOCK_BYTES)
        file.seek(start)
        block = file.read(at - start)
        if at == end:
            block = block.removesuffix(b"\n")  # ends the last line; begins none
        position = len(block)
        while (position := block.rfind(b"\n", 0, position)) >= 0:
            found += 1
            if found == lines:
                return start + position + 1
        at = start
    return 0


def _rotated(path: Path, file: BinaryIO) -> bool:
    """Whether the path is another file now, or the file was cut."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False  # moved away, and the runtime has not made the new one yet
    held = os.fstat(file.fileno())
    return (now.st_ino, now.st_dev) != (held.st_ino, held.st_dev) or now.st_size < file.tell()
