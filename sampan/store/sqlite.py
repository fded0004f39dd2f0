"""A store in one SQLite file: the default. Tables and queries are in `sqltables.py`, the writing thread in `sqlwriter.py`.

Writes go to one thread that commits them in batches; reads of current state and history go to a few reader connections, each
seeing a snapshot (WAL), so that neither waits for the other nor for the event loop.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sampan.lib.clock import Clock, RealClock
from sampan.store import sqltables
from sampan.store.base import Compacted, Entry, Event, Expected, FutureRevision, Handed, Page, StoreUnavailable, Watch
from sampan.store.expiry import Expiry
from sampan.store.sqlwriter import Committed, Job, Write, Writer
from sampan.store.watching import WatchHub, after_prefix

READERS = 2
HISTORY_REVISIONS = 1000
"""How much of the log a watch's replay takes at a time."""

T = TypeVar("T")


class SQLiteStore:
    """See `sampan.store.base.Store`. One process at a time may have the file open.

    max_bytes: a limit on the file's size, at which writes answer StoreUnavailable (0: none).
    """

    in_process = True

    def __init__(self, path: str | os.PathLike[str], clock: Clock | None = None, *, max_bytes: int = 0) -> None:
        self._path = Path(path)
        self._clock: Clock = clock or RealClock()
        self._max_bytes = max_bytes
        self._hub = WatchHub()
        self._compacting = asyncio.Lock()
        self._lock_file = -1
        self._readers: list[sqlite3.Connection] = []
        self._executor: ThreadPoolExecutor | None = None
        self._writer: Writer | None = None
        self._unsettled = 0
        """Writes that were handed to the writer and not settled."""
        self._expiry: Expiry | None = None

    async def open(self) -> None:
        executor = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")
        loop = asyncio.get_running_loop()
        try:
            connection, marks, expiring = await loop.run_in_executor(executor, self._open_file)
        except (OSError, sqlite3.Error) as error:
            executor.shutdown(wait=False)
            self._unlock()
            raise StoreUnavailable(f"cannot open {self._path}: {error}") from error
        self._executor = executor
        self._hub.revision = marks.revision
        self._writer = Writer(connection, marks.revision, self._settle)
        self._writer.start()
        self._expiry = Expiry(self._clock, self.delete)
        await self._expiry.open()
        for key, revision, deadline in expiring:
            self._expiry.add(key, revision, deadline)

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        await writer.stop()
        self._hub.close()
        if self._expiry is not None:
            await self._expiry.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            await asyncio.to_thread(self._executor.shutdown)
            self._executor = None
        for connection in self._readers:
            connection.close()
        self._readers = []
        self._unlock()

    @property
    def revision(self) -> int:
        return self._hub.revision

    @property
    def next_revision(self) -> int:
        return self._hub.revision + self._unsettled + 1

    async def current_revision(self) -> int:
        self._opened()
        return self._hub.revision

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        def read(connection: sqlite3.Connection) -> Entry | None:
            _check(connection, revision)
            return sqltables.get(connection, key, revision or sqltables.NEWEST)

        return await self._read(read)

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        low, high = max(prefix, start), after_prefix(prefix)

        def read(connection: sqlite3.Connection) -> Page:
            at = _check(connection, revision)
            entries = sqltables.list_range(connection, low, high, at, limit)
            more = limit and len(entries) == limit
            remaining = sqltables.count_range(connection, entries[-1].key + "\0", high, at) if more else 0
            return Page(entries, at, remaining)

        return await self._read(read)

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        return await self._write(key, value, None, ttl_seconds)

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        return await self._write(key, value, expected, ttl_seconds, handed)

    async def delete(self, key: str, expected: Expected) -> int:
        return await self._write(key, None, expected, 0)

    def watch(self, prefix: str, after_revision: int, *, progress: bool = False, previous: bool = True) -> Watch:
        return self._hub.watch(prefix, after_revision, self._history, progress)

    async def compact(self, revision: int) -> None:
        """Marks the history as gone at once; its rows are deleted and their room given back in steps, between which writes go
        on."""
        self._opened()
        if revision > self._hub.revision:
            raise FutureRevision(self._hub.revision)
        async with self._compacting:
            marks = await self._read(sqltables.marks)
            if revision > marks.compacted:
                await self._job(lambda connection: sqltables.set_mark(connection, "compacted", revision))
            goal = max(revision, marks.compacted)
            for swept in range(marks.swept, goal, sqltables.SWEEP_REVISIONS):
                await self._job(_sweep(swept, min(swept + sqltables.SWEEP_REVISIONS, goal)))
            await self._give_back()

    async def _give_back(self) -> None:
        """What the file has more of than it keeps for new writes, in steps too."""
        steps = (await self._read(sqltables.free_pages) - sqltables.SPARE_PAGES) // sqltables.VACUUM_PAGES
        for _ in range(steps + 1 if steps >= 0 else 0):
            await self._job(sqltables.give_back)

    async def compact_in_turn(self, revision: int) -> None:
        await self.compact(revision)

    async def seconds_left(self, page: Page) -> dict[str, float]:
        def read(connection: sqlite3.Connection) -> dict[str, float]:
            return sqltables.deadlines(connection, [entry.revision for entry in page.entries])

        now = self._clock.now()
        return {key: deadline - now for key, deadline in (await self._read(read)).items()}

    async def size_bytes(self) -> int:
        def read(connection: sqlite3.Connection) -> int:
            pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
            page_bytes: int = connection.execute("PRAGMA page_size").fetchone()[0]
            return pages * page_bytes

        return await self._read(read)

    def _open_file(self) -> tuple[sqlite3.Connection, sqltables.Marks, Sequence[tuple[str, int, float]]]:
        sqltables.create_file(self._path)
        self._lock_file = lock(self._path)
        connection = sqltables.connect(self._path, max_bytes=self._max_bytes)
        self._readers = [sqltables.connect(self._path) for _ in range(READERS)]
        return connection, sqltables.marks(connection), sqltables.expiring(connection)

    def _unlock(self) -> None:
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _opened(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable("the store is closed")
        return self._writer

    async def _write(
        self, key: str, value: bytes | None, expected: Expected | None, ttl_seconds: int, handed: Handed | None = None
    ) -> int:
        writer = self._opened()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        expires = self._clock.now() + ttl_seconds if ttl_seconds else None
        self._unsettled += 1
        writer.put(Write(key, value, expected, expires, future, handed))
        return await future

    async def _job(self, work: Callable[[sqlite3.Connection], None]) -> None:
        writer = self._opened()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        writer.put(Job(work, future))
        await future

    def _settle(self, committed: Committed) -> None:
        self._hub.publish(committed.events)
        self._unsettled -= len(committed.outcomes)
        if self._expiry is not None:
            for key, revision, deadline in committed.expiries:
                self._expiry.add(key, revision, deadline)
        for future, outcome in committed.outcomes:
            if future.done():  # whoever waited was cancelled; the write stands
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._opened()
        if self._executor is None:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._in_snapshot, work)

    def _in_snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # As many connections as threads, and list.pop is atomic, so there is always one to take.
        connection = self._readers.pop()
        try:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error
        finally:
            self._readers.append(connection)

    async def _history(self, prefix: str, after: int, until: int) -> tuple[Sequence[Event], int]:
        upto = min(after + HISTORY_REVISIONS, until)

        def read(connection: sqlite3.Connection) -> Sequence[Event]:
            marks = sqltables.marks(connection)
            if after < marks.compacted:
                raise Compacted(marks.compacted)
            return sqltables.history(connection, prefix, after_prefix(prefix), after, upto)

        return await self._read(read), upto


def lock(path: Path) -> int:
    """A descriptor that keeps everybody else from opening the store until it is closed. Raises OSError.

    The kernel drops the lock with the process, so a crash leaves nothing to clean up.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError("another process has it open") from error
    return descriptor


def _check(connection: sqlite3.Connection, revision: int) -> int:
    """The revision to read at: the one asked for if it can be read, the newest for 0."""
    marks = sqltables.marks(connection)
    if revision > marks.revision:
        raise FutureRevision(marks.revision)
    if revision and revision < marks.compacted:
        raise Compacted(marks.compacted)
    return revision or marks.revision


def _sweep(after: int, until: int) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: sqltables.sweep(connection, after, until)
