"""Whole stores, entry by entry: read at one revision, written into another store, compared with what was read.

Revisions do not go along: a store gives its own. What lives for a time only goes on for as long as it had left.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from sampan.store.base import Conflict, Entry, KeyExists, Store

ROOT = "/registry/"
"""What is taken along. What stands elsewhere in an etcd is not the API server's, or is about that etcd."""
SERVERS = f"{ROOT}masterleases/"
"""Which API servers are alive is not taken along."""
PAGE_ENTRIES = 500
_TTL_STEP_SECONDS = 10
"""Times to live are rounded up to this, lest each of some thousand Events needs an etcd lease of its own."""
_MARGIN_SECONDS = 5.0


class TransferError(Exception):
    """A sentence for whoever asked for the transfer."""


class Kept(NamedTuple):
    key: str
    value: bytes
    seconds_left: float
    """How long it lives on; infinity for most."""

    @property
    def lasts(self) -> bool:
        return self.seconds_left == math.inf


Pages = AsyncIterator[Sequence[Kept]]
"""In the order of the keys."""


class Tally:
    """How many entries there were, and the SHA-256 of the keys and values of those that last."""

    def __init__(self) -> None:
        self.entries = 0
        self._ends: list[float] = []
        self._digest = hashlib.sha256()

    def add(self, kept: Kept) -> None:
        self.entries += 1
        if not kept.lasts:
            self._ends.append(kept.seconds_left)
            return
        for part in (kept.key.encode(), kept.value):
            self._digest.update(len(part).to_bytes(8, "big"))
            self._digest.update(part)

    @property
    def lasting(self) -> int:
        return self.entries - len(self._ends)

    @property
    def ending(self) -> int:
        """How many live for a time only."""
        return len(self._ends)

    def ending_after(self, seconds: float) -> int:
        return sum(left > seconds for left in self._ends)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def kept(entries: Sequence[Entry], left: dict[str, float]) -> list[Kept]:
    """Without what is due and whose deletion is only waited for, and without the servers' leases."""
    return [
        Kept(entry.key, entry.value, seconds)
        for entry in entries
        if (seconds := left.get(entry.key, math.inf)) > 0 and not entry.key.startswith(SERVERS)
    ]


async def pages_of(store: Store, revision: int = 0) -> Pages:
    """Everything under ROOT as it stood at `revision` (0: now). Raises StoreUnavailable, Compacted."""
    start = ""
    while True:
        page = await store.list(ROOT, start=start, limit=PAGE_ENTRIES, revision=revision)
        revision = page.revision
        yield kept(page.entries, await store.seconds_left(page))
        if not page.remaining:
            return
        start = page.entries[-1].key + "\0"


async def counted(pages: Pages, tally: Tally) -> Pages:
    async for page in pages:
        for entry in page:
            tally.add(entry)
        yield page


async def write(store: Store, pages: Pages) -> None:
    """Into a store that holds none of these keys. Raises TransferError, StoreUnavailable."""
    async for page in pages:
        try:
            await asyncio.gather(*(store.create(entry.key, entry.value, ttl_seconds=_ttl(entry)) for entry in page))
        except KeyExists as error:
            raise TransferError(f"somebody else writes to the datastore: {error} is there already") from None


def _ttl(entry: Kept) -> int:
    return 0 if entry.lasts else math.ceil(entry.seconds_left / _TTL_STEP_SECONDS) * _TTL_STEP_SECONDS


async def compare(store: Store, wanted: Tally, elapsed_seconds: float) -> None:
    """Read `store` back, so long after the reading that gave `wanted`. Raises TransferError if anything is not as it was."""
    found = Tally()
    async for page in pages_of(store):
        for entry in page:
            found.add(entry)
    if found.lasting != wanted.lasting:
        raise TransferError(f"{wanted.lasting} entries were to be there and {found.lasting} are: the copy is not whole")
    if found.sha256 != wanted.sha256:
        raise TransferError(f"the copy differs: its SHA-256 is {found.sha256} instead of {wanted.sha256}")
    due = wanted.ending_after(elapsed_seconds + _MARGIN_SECONDS)
    if not due <= found.ending <= wanted.ending:
        raise TransferError(f"of {wanted.ending} entries that live for a time {found.ending} are there: the copy is not whole")


async def count(store: Store) -> int:
    """How many entries there are under ROOT."""
    page = await store.list(ROOT, limit=1)
    return len(page.entries) + page.remaining


async def servers(store: Store) -> list[str]:
    """The addresses of the API servers that run on the store."""
    return [entry.key.removeprefix(SERVERS) for entry in (await store.list(SERVERS)).entries]


async def clear(store: Store) -> None:
    """Delete everything under ROOT. Raises TransferError, StoreUnavailable."""
    while (page := await store.list(ROOT, limit=PAGE_ENTRIES)).entries:
        try:
            await asyncio.gather(*(store.delete(entry.key, entry.revision) for entry in page.entries))
        except Conflict as error:
            raise TransferError(f"somebody else writes to the datastore: {error} has changed") from None
