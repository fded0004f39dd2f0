"""The SQLite file of a store: its tables, how a connection to it is made, and the queries that read it.

One table, `log`, has a row for every write, whose revision is its rowid: history and current state in one, as in kine
(https://github.com/k3s-io/kine). A row names the revision of the same key that it replaces, 0 if there is none; that pair is
unique, so two writes that both believe to follow the same state cannot both be in the database, whoever makes them. A key's
newest row is its current one; a row without a value is a delete.

Queries answer with all their rows packed into one JSON array. Python's sqlite3 lets go of the interpreter lock for every
row it steps over, and under a busy event loop waits up to 5 ms each time to get it back; one row costs one such wait.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from sampan.store.base import Entry, Event

NEWEST = 2**62
FIRST_REVISION = 1
"""What an empty store stands at, as etcd does: 0 means "any" in the API."""
CHUNK_ROWS = 500
SWEEP_REVISIONS = 150
"""How much of the log a step of compaction takes: a few milliseconds' work, for which a write may have to wait."""
VACUUM_PAGES = 300
"""How many freed pages go back to the file system in one step."""
SPARE_PAGES = 64
"""How many freed pages the file keeps, to be written anew."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires REAL,
    value BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS log_key ON log (key, previous);
CREATE INDEX IF NOT EXISTS log_expires ON log (revision) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO mark VALUES ('compacted', 0), ('swept', 0);
"""

_MARKS = """SELECT coalesce((SELECT max(revision) FROM log), 0),
    (SELECT revision FROM mark WHERE name = 'compacted'), (SELECT revision FROM mark WHERE name = 'swept')"""

_NEWEST_OF_KEYS = """SELECT json_group_array(
        json_array(log.key, log.revision, log.created, hex(log.value), log.value IS NULL))
    FROM json_each(?) AS wanted CROSS JOIN log
    ON log.revision = (SELECT revision FROM log WHERE key = wanted.value ORDER BY previous DESC LIMIT 1)"""

_GET = """SELECT key, revision, created, value FROM log
    WHERE key = ? AND previous < ?2 AND revision <= ?2 ORDER BY previous DESC LIMIT 1"""

_NEWEST_IN_RANGE = (
    "SELECT max(revision) FROM log WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key LIMIT ?"
)

_LIST = f"""SELECT json_group_array(json_array(key, revision, created, hex(value), value IS NULL))
    FROM log WHERE revision IN ({_NEWEST_IN_RANGE})"""

_COUNT = f"SELECT count(*) FROM log WHERE value IS NOT NULL AND revision IN ({_NEWEST_IN_RANGE})"

_HISTORY = """SELECT json_group_array(json_array(
        l.key, l.revision, l.created, hex(l.value), l.value IS NULL,
        coalesce(p.revision, 0), coalesce(p.created, 0), hex(p.value)))
    FROM log AS l LEFT JOIN log AS p ON p.revision = l.previous AND p.value IS NOT NULL
    WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ?"""

_EXPIRING = "SELECT json_group_array(json_array(key, revision, expires)) FROM log WHERE expires IS NOT NULL"

_DEADLINES = """SELECT json_group_array(json_array(key, revision, expires))
    FROM log WHERE expires IS NOT NULL AND revision IN (SELECT value FROM json_each(?))"""

_SWEEP = """BEGIN IMMEDIATE;
DELETE FROM log WHERE revision IN
    (SELECT previous FROM log WHERE revision > {after} AND revision <= {until} AND previous > 0);
DELETE FROM log WHERE revision > {after} AND revision <= {until} AND value IS NULL;
UPDATE mark SET revision = {until} WHERE name = 'swept';
PRAGMA incremental_vacuum({pages});
COMMIT;"""

_INSERT = "INSERT INTO log (revision, key, previous, created, expires, value) VALUES "

Row = tuple[int, str, int, int, float | None, bytes | None]
"""revision, key, previous, created, expires, value"""

_entries = msgspec.json.Decoder(list[tuple[str, int, int, str, int]])
_events = msgspec.json.Decoder(list[tuple[str, int, int, str, int, int, int, str]])
_deadlines = msgspec.json.Decoder(list[tuple[str, int, float]])


class Newest(msgspec.Struct, frozen=True):
    """A key's newest row: `value` is None where it is a delete."""

    revision: int
    created: int
    value: bytes | None


class Marks(msgspec.Struct, frozen=True):
    """`revision`: the newest. `compacted`: history before it is gone. `swept`: its rows are really deleted up to there."""

    revision: int
    compacted: int
    swept: int


def connect(path: Path, *, max_bytes: int = 0) -> sqlite3.Connection:
    """A connection in autocommit mode, for one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    for pragma in (
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "wal_autocheckpoint=1000",
        "journal_size_limit=16777216",
        "cache_size=-8000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if max_bytes:
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={max(max_bytes // page_bytes, 1)}")
    return connection


def create_file(path: Path) -> None:
    """The database's file with its tables, readable by its owner alone; SQLite gives its companions the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = connect(path)
    try:
        connection.executescript(_SCHEMA)
    finally:
        connection.close()


def marks(connection: sqlite3.Connection) -> Marks:
    newest, compacted, swept = connection.execute(_MARKS).fetchone()
    # Compaction may have removed the newest row of all, if that was a delete; the counter must not go back with it.
    return Marks(max(newest, compacted, FIRST_REVISION), compacted, swept)


def newest_of(connection: sqlite3.Connection, keys: set[str]) -> dict[str, Newest]:
    packed = connection.execute(_NEWEST_OF_KEYS, (msgspec.json.encode(list(keys)).decode(),)).fetchone()[0]
    return {
        key: Newest(revision, created, None if deleted else bytes.fromhex(value))
        for key, revision, created, value, deleted in _entries.decode(packed)
    }


def insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """All rows, in as few statements as their number has binary digits or so."""
    done = 0
    while done < len(rows):
        size = min(1 << ((len(rows) - done).bit_length() - 1), 128)
        statement = _INSERT + ",".join(["(?,?,?,?,?,?)"] * size)
        connection.execute(statement, [field for row in rows[done : done + size] for field in row])
        done += size


def get(connection: sqlite3.Connection, key: str, revision: int) -> Entry | None:
    row = connection.execute(_GET, (key, revision)).fetchone()
    return None if row is None or row[3] is None else Entry(row[0], row[3], row[1], row[2])


def list_range(connection: sqlite3.Connection, low: str, high: str, revision: int, limit: int) -> list[Entry]:
    """The entries with low <= key < high, at most `limit` (0: all), in key order."""
    found: list[Entry] = []
    while True:
        rows = _entries.decode(connection.execute(_LIST, (low, high, revision, CHUNK_ROWS)).fetchone()[0])
        rows.sort()
        for key, at, created, value, deleted in rows:
            if not deleted:
                found.append(Entry(key, bytes.fromhex(value), at, created))
                if limit and len(found) == limit:
                    return found
        if len(rows) < CHUNK_ROWS:
            return found
        low = rows[-1][0] + "\0"


def count_range(connection: sqlite3.Connection, low: str, high: str, revision: int) -> int:
    count: int = connection.execute(_COUNT, (low, high, revision, -1)).fetchone()[0]
    return count


def history(connection: sqlite3.Connection, low: str, high: str, after: int, until: int) -> list[Event]:
    """The events in (after, until] of keys in [low, high), in order of revision."""
    rows = _events.decode(connection.execute(_HISTORY, (after, until, low, high)).fetchone()[0])
    rows.sort(key=lambda row: row[1])
    return [
        Event(
            key,
            revision,
            None if deleted else bytes.fromhex(value),
            created,
            Entry(key, bytes.fromhex(old_value), old_revision, old_created) if old_revision else None,
        )
        for key, revision, created, value, deleted, old_revision, old_created, old_value in rows
    ]


def expiring(connection: sqlite3.Connection) -> list[tuple[str, int, float]]:
    """(key, revision, deadline) of every row written with a time to live, superseded ones too."""
    return _deadlines.decode(connection.execute(_EXPIRING).fetchone()[0])


def deadlines(connection: sqlite3.Connection, revisions: list[int]) -> dict[str, float]:
    """By key, when what was written at those revisions ends."""
    packed = connection.execute(_DEADLINES, (msgspec.json.encode(revisions).decode(),)).fetchone()[0]
    return {key: deadline for key, _, deadline in _deadlines.decode(packed)}


def sweep(connection: sqlite3.Connection, after: int, until: int) -> None:
    """Delete what writes in (after, until] replaced, and the deletes among them."""
    # Room is given back in every step: it takes SQLite long to do where much is free.
    connection.executescript(_SWEEP.format(after=int(after), until=int(until), pages=VACUUM_PAGES))


def free_pages(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return count


def give_back(connection: sqlite3.Connection) -> None:
    # A script, for the pragma gives back a page a step and has no columns: `execute` would stop after its first step.
    connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES});")


def begin_after(path: Path, revision: int) -> None:
    """Make a new file whose first write has a greater revision: what was known by the older ones is in the past."""
    create_file(path)
    connection = connect(path)
    try:
        for name in ("compacted", "swept"):
            set_mark(connection, name, revision)
    finally:
        connection.close()


def set_mark(connection: sqlite3.Connection, name: str, revision: int) -> None:
    connection.execute("UPDATE mark SET revision = ? WHERE name = ?", (revision, name))
