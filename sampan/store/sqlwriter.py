"""The one thread that writes to a store's SQLite file.

Whatever is queued when it looks becomes one transaction, so that the price of making a commit durable is shared by all
writes that wait for it. Then one call into the event loop settles them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sampan.lib.log import get_logger
from sampan.store import sqltables
from sampan.store.base import Conflict, Entry, Event, Expected, Handed, KeyExists, StoreUnavailable, revision_of
from sampan.store.sqltables import Newest, Row

MAX_BATCH = 256

log = get_logger("store")


class Write(NamedTuple):
    key: str
    value: bytes | None
    """None: delete."""
    expected: Expected | None
    """How the key must stand; None: it must not be there."""
    expires: float | None
    future: asyncio.Future[int]
    handed: Handed | None = None


class Job(NamedTuple):
    """Other work on the writing connection, such as a step of compaction; it makes its own transactions."""

    work: Callable[[sqlite3.Connection], None]
    future: asyncio.Future[None]


class Committed(NamedTuple):
    """A batch as the event loop is told of it. `outcomes` are (future, result or failure)."""

    events: Sequence[Event]
    expiries: Sequence[tuple[str, int, float]]
    outcomes: Sequence[tuple[asyncio.Future[int], int | Exception]]


class Writer:
    """`committed` is called on the loop, in order of commit, before any of the batch's writers goes on."""

    def __init__(self, connection: sqlite3.Connection, revision: int, committed: Callable[[Committed], None]) -> None:
        self._connection = connection
        self._revision = revision
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Write | Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._stopped: asyncio.Future[None] = self._loop.create_future()

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Write | Job) -> None:
        self._queue.put(item)

    async def stop(self) -> None:
        """Finish what is queued, then close the connection."""
        self._queue.put(None)
        await self._stopped
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch = self._next_batch()
            if batch[-1] is None:
                going = False
            writes = [item for item in batch if isinstance(item, Write)]
            if writes:
                self._commit(writes)
            for item in batch:
                if isinstance(item, Job):
                    self._do(item)
        self._connection.close()
        self._loop.call_soon_threadsafe(self._stopped.set_result, None)

    def _next_batch(self) -> list[Write | Job | None]:
        batch = [self._queue.get()]
        while len(batch) < MAX_BATCH and batch[-1] is not None:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, writes: list[Write]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            newest = sqltables.newest_of(self._connection, {write.key for write in writes})
            rows, committed = plan(writes, newest, self._revision)
            sqltables.insert(self._connection, rows)
            self._connection.execute("COMMIT")
            self._revision += len(rows)
        except Exception as error:  # the boundary of the thread's loop: whatever went wrong, nothing was committed
            committed = Committed((), (), [(write.future, StoreUnavailable(str(error))) for write in writes])
            for write in writes:
                if write.handed is not None:
                    write.handed.revision = 0
            self._roll_back()
            note("cannot write", error=str(error), writes=len(writes))
        self._loop.call_soon_threadsafe(self._committed, committed)

    def _do(self, job: Job) -> None:
        failure: Exception | None = None
        try:
            job.work(self._connection)
        except Exception as error:
            failure = StoreUnavailable(str(error))
            self._roll_back()
            note("cannot compact", error=str(error))
        self._loop.call_soon_threadsafe(settle, job.future, failure)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:  # then the next BEGIN fails, and says so to whoever writes
            note("cannot roll back", error=str(error))


def note(message: str, **values: object) -> None:
    """To the log, if it can be written: it may well be on the disk that is full, and writers wait for this thread."""
    with contextlib.suppress(OSError, ValueError):
        log.error(message, **values)


def plan(writes: Sequence[Write], newest: dict[str, Newest], revision: int) -> tuple[list[Row], Committed]:
    """Which of the writes come about, in their order, given what their keys hold: the rows to insert and what to tell."""
    rows: list[Row] = []
    events: list[Event] = []
    expiries: list[tuple[str, int, float]] = []
    outcomes: list[tuple[asyncio.Future[int], int | Exception]] = []
    for write in writes:
        row = newest.get(write.key)
        current = Entry(write.key, row.value, row.revision, row.created) if row and row.value is not None else None
        refusal = _refusal(write, current)
        if refusal is not None:
            outcomes.append((write.future, refusal))
            continue
        revision += 1
        created = current.create_revision if current else revision
        newest[write.key] = Newest(revision, created, write.value)
        if write.handed is not None:
            write.handed.revision = revision
        rows.append((revision, write.key, row.revision if row else 0, created, write.expires, write.value))
        events.append(Event(write.key, revision, write.value, created, current))
        outcomes.append((write.future, revision))
        if write.expires is not None:
            expiries.append((write.key, revision, write.expires))
    return rows, Committed(events, expiries, outcomes)


def _refusal(write: Write, current: Entry | None) -> Exception | None:
    if write.expected is None:
        return None if current is None else KeyExists(write.key)
    if current is None or current.revision != revision_of(write.expected):
        return Conflict(write.key, current)
    return None


def settle(future: asyncio.Future[None], failure: Exception | None) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
