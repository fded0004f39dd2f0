"""What `sampan datastore` does; each function returns the sentence to print. See `sampan.cmd.datastore`."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sampan.cmd import datastoreoptions
from sampan.cmd.cluster.shell import ClusterError
from sampan.lib.clock import RealClock, rfc3339
from sampan.store import backupfile, sqltables, transfer
from sampan.store.base import Compacted, Store, StoreUnavailable
from sampan.store.sqlite import SQLiteStore, lock
from sampan.store.sqlsnapshot import SQLiteSnapshot
from sampan.store.transfer import Pages, Tally, TransferError

_REVISION_STEP = 1_000_000_000
"""How far a restored SQLite store's revisions lie beyond the backup's: further than any that was told after it, so that clients
who remember those are told that they are too old. The step is etcd's, for its own restore."""

_FINE = "read back, nothing is missing"


async def told(work: Coroutine[None, None, str]) -> str:
    """Its sentence; failures as ClusterError."""
    try:
        return await work
    except (TransferError, StoreUnavailable, OSError) as error:
        raise ClusterError(str(error)) from None


async def backup(url: str, file: Path, force: bool) -> str:
    if _exists(file) and not force:
        raise ClusterError(f"{file} is there already: give --force to replace it")
    clock = RealClock()
    taken = rfc3339(clock.now())
    path = _sqlite_path(url)
    if path is not None:
        _want_there(path)
        snapshot = SQLiteSnapshot(path, clock)
        try:
            revision = snapshot.revision
            tally = await backupfile.write_file(file, revision, taken, snapshot.pages())
        finally:
            snapshot.close()
    else:
        async with _opened(url, "--datastore") as store:
            revision = await store.current_revision()
            try:
                tally = await backupfile.write_file(file, revision, taken, transfer.pages_of(store, revision))
            except Compacted:
                raise ClusterError("the datastore forgot the backup's revision meanwhile: try again") from None
    return f"backed up {_what(tally)} at revision {revision} to {file}\nsha256 {tally.sha256}"


async def restore(url: str, file: Path, force: bool) -> str:
    header = backupfile.read_header(file)
    async for _ in backupfile.read_file(file):  # all of it, before anything is touched: it may be damaged at its end
        pass
    tally = await _fill(url, "--datastore", backupfile.read_file(file), force, header.revision)
    return f"restored {_what(tally)} from {file}, of revision {header.revision}; {_FINE}\nsha256 {tally.sha256}"


async def migrate(source: str, target: str, force: bool) -> str:
    if (path := _sqlite_path(source)) is not None:
        _want_there(path)
    async with _opened(source, "--from") as store:
        await _want_no_servers(store, "--from")
        if not await transfer.count(store):
            # More likely a slip of the pen than a wish; with --force it would cost the target all it holds.
            raise ClusterError(f"--from: {source} holds nothing")
        revision = await store.current_revision()
        tally = await _fill(target, "--to", transfer.pages_of(store, revision), force, revision)
    return f"copied {_what(tally)} at revision {revision}; {_FINE}\nsha256 {tally.sha256}"


async def _fill(url: str, option: str, pages: Pages, force: bool, revision: int) -> Tally:
    path = _sqlite_path(url)
    if path is not None:
        return await _fill_file(path, option, pages, force, revision)
    async with _opened(url, option) as store:
        await _want_no_servers(store, option)
        _want_empty(await transfer.count(store), url, force)
        await transfer.clear(store)
        return await _copy(store, pages)


async def _fill_file(path: Path, option: str, pages: Pages, force: bool, revision: int) -> Tally:
    """A new file, which takes the old one's place once it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = lock(path)
    except OSError as error:
        raise ClusterError(f"{option}: cannot open {path}: {error}: stop the API server first") from None
    fresh = path.with_name(path.name + ".restoring")
    try:
        begin = max(revision, await _revision_to_replace(path, force)) + _REVISION_STEP
        _remove(fresh)
        sqltables.begin_after(fresh, begin)
        store = SQLiteStore(fresh)
        await store.open()
        try:
            tally = await _copy(store, pages)
        finally:
            await store.close()
        _remove(path)
        fresh.rename(path)
        return tally
    finally:
        _remove(fresh)
        fresh.with_name(fresh.name + ".lock").unlink(missing_ok=True)
        os.close(descriptor)


async def _revision_to_replace(path: Path, force: bool) -> int:
    """Of the store that is there; 0 where there is none. Raises ClusterError for one that must not be replaced."""
    if not _exists(path):
        return 0
    snapshot = SQLiteSnapshot(path, RealClock())
    try:
        held = 0
        async for page in snapshot.pages():
            held += len(page)
        _want_empty(held, str(path), force)
        return snapshot.revision
    finally:
        snapshot.close()


def _want_there(path: Path) -> None:
    """Opening it would make it."""
    if not _exists(path):
        raise ClusterError(f"there is no {path}")


def _exists(path: Path) -> bool:
    return path.exists()


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


async def _copy(store: Store, pages: Pages) -> Tally:
    began = time.monotonic()
    tally = Tally()
    await transfer.write(store, transfer.counted(pages, tally))
    await transfer.compare(store, tally, time.monotonic() - began)
    return tally


def _want_empty(held: int, where: str, force: bool) -> None:
    if held and not force:
        raise ClusterError(f"{where} holds {held} entries already: give --force to replace them")


async def _want_no_servers(store: Store, option: str) -> None:
    running = await transfer.servers(store)
    if running:
        raise ClusterError(
            f"{option}: an API server runs on it, at {', '.join(running)}: stop it, and try again after 15 seconds at most"
        )


@asynccontextmanager
async def _opened(url: str, option: str) -> AsyncIterator[Store]:
    store = datastoreoptions.make(url, option, RealClock())
    try:
        await store.open()
    except StoreUnavailable as error:
        hint = ": stop the API server first" if "another process" in str(error) else ""
        raise ClusterError(f"{option}: {error}{hint}") from None
    try:
        yield store
    finally:
        await store.close()


def _sqlite_path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1 else None


def _what(tally: Tally) -> str:
    ending = f", {tally.ending} of which live for a time only" if tally.ending else ""
    return f"{tally.entries} entries{ending}"
