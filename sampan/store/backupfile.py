"""The file of a backup: gzip over lines of JSON, to be read by a person with zcat and by any program.

    {"backup":"sampan datastore","version":1,"revision":4711,"taken":"2025-01-31T12:00:00Z"}
    {"key":"/registry/pods/default/web-0","value":"{\\"kind\\":\\"Pod\\",…}"}
    {"key":"/registry/events/default/web-0.17","value":"…","secondsLeft":1799.5}
    {"entries":2,"sha256":"…"}

A value that is not text stands in "base64". The last line tells a whole file from one that was cut off.
"""

from __future__ import annotations

import base64
import gzip
import math
import os
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec

from sampan.store.transfer import PAGE_ENTRIES, Kept, Pages, Tally, TransferError

_KIND = "sampan datastore"
_VERSION = 1


class Header(msgspec.Struct):
    backup: str
    version: int
    revision: int
    taken: str


class _Line(msgspec.Struct, omit_defaults=True):
    """An entry, or the end."""

    key: str = ""
    value: str | None = None
    base64: str | None = None
    secondsLeft: float | None = None
    entries: int | None = None
    sha256: str | None = None


_headers = msgspec.json.Decoder(Header)
_lines = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


async def write_file(path: Path, revision: int, taken: str, pages: Pages) -> Tally:
    """The file appears when it is whole, readable by its owner alone: it holds Secrets. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    tally = Tally()
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, filename="", mtime=0) as file:
                file.write(_encoder.encode(Header(_KIND, _VERSION, revision, taken)) + b"\n")
                async for page in pages:
                    for entry in page:
                        tally.add(entry)
                    file.write(b"".join([_encoder.encode(_line(entry)) + b"\n" for entry in page]))
                file.write(_encoder.encode(_Line(entries=tally.entries, sha256=tally.sha256)) + b"\n")
            raw.flush()
            os.fsync(raw.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return tally


def _line(entry: Kept) -> _Line:
    left = None if entry.lasts else round(entry.seconds_left, 3)
    try:
        return _Line(key=entry.key, value=entry.value.decode(), secondsLeft=left)
    except UnicodeDecodeError:
        return _Line(key=entry.key, base64=base64.b64encode(entry.value).decode(), secondsLeft=left)


def read_header(path: Path) -> Header:
    """Raises TransferError, OSError."""
    try:
        with gzip.open(path) as file:
            header = _headers.decode(file.readline())
    except (msgspec.DecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TransferError(f"{path} is not a backup: {error}") from None
    if header.backup != _KIND:
        raise TransferError(f"{path} is not a backup of a datastore")
    if header.version != _VERSION:
        raise TransferError(f"{path} is a backup of version {header.version}, which this version of sampan does not know")
    return header


async def read_file(path: Path) -> AsyncIterator[Sequence[Kept]]:
    """The entries; what is wrong with the file may be found only at its end. Raises TransferError, OSError."""
    page: list[Kept] = []
    try:
        for entry in _read(path):
            page.append(entry)
            if len(page) == PAGE_ENTRIES:
                yield page
                page = []
    except (msgspec.DecodeError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise TransferError(f"{path} is damaged: {error}") from None
    yield page


def _read(path: Path) -> Iterator[Kept]:
    tally = Tally()
    with gzip.open(path) as file:
        file.readline()
        for text in file:
            line = _lines.decode(text)
            if line.entries is not None:
                if (line.entries, line.sha256) != (tally.entries, tally.sha256):
                    raise TransferError(
                        f"{path} is damaged: {tally.entries} entries with SHA-256 {tally.sha256}, "
                        f"though it says {line.entries} with {line.sha256}"
                    )
                return
            value = base64.b64decode(line.base64) if line.base64 is not None else (line.value or "").encode()
            entry = Kept(line.key, value, math.inf if line.secondsLeft is None else line.secondsLeft)
            tally.add(entry)
            yield entry
    raise TransferError(f"{path} is cut off after {tally.entries} entries")
