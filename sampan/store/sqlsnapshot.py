"""A SQLite store read beside the process that has it open, as it stands at one moment."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sampan.lib.clock import Clock
from sampan.store import sqltables
from sampan.store.base import Entry, StoreUnavailable
from sampan.store.transfer import PAGE_ENTRIES, ROOT, Kept, kept
from sampan.store.watching import after_prefix


class SQLiteSnapshot:
    """One reading transaction, until `close`: what is written meanwhile does not show, and the log file grows by it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises StoreUnavailable."""
        self._clock = clock
        try:
            # For writing, though nothing is written: beside a process that runs, SQLite's readers write to its shared memory.
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA busy_timeout=10000")
            self._connection.execute("PRAGMA query_only=1")
            self._connection.execute("BEGIN")
            self.revision = sqltables.marks(self._connection).revision
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {path}: {error}") from error

    def close(self) -> None:
        self._connection.close()

    async def pages(self) -> AsyncIterator[Sequence[Kept]]:
        """Everything under ROOT. Raises StoreUnavailable."""
        low, high = ROOT, after_prefix(ROOT)
        while True:
            entries, deadlines = await asyncio.to_thread(self._read, low, high)
            now = self._clock.now()
            yield kept(entries, {key: deadline - now for key, deadline in deadlines.items()})
            if len(entries) < PAGE_ENTRIES:
                return
            low = entries[-1].key + "\0"

    def _read(self, low: str, high: str) -> tuple[list[Entry], dict[str, float]]:
        try:
            entries = sqltables.list_range(self._connection, low, high, self.revision, PAGE_ENTRIES)
            return entries, sqltables.deadlines(self._connection, [entry.revision for entry in entries])
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error
