"""What a store on a disk promises: an acknowledged write survives the end of the process, however sudden."""

from __future__ import annotations

import asyncio
import errno
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import ManualClock
from sampan.store import sqlwriter
from sampan.store.base import Compacted, Entry, StoreUnavailable
from sampan.store.factory import make_store
from sampan.store.sqlite import SQLiteStore
from tests.conformance.conftest import until_gone

WRITER = """
import asyncio, sys, uvloop
from sampan.store.sqlite import SQLiteStore

async def write(store, number):
    for turn in range(1_000_000):
        key = f"/a/{number}/{turn % 50}"
        current = await store.get(key)
        value = f"{number}-{turn}".encode() + b"." * 2000
        if current is None:
            revision = await store.create(key, value)
        elif turn % 7 == 0:
            revision, value = await store.delete(key, current.revision), b""
        else:
            revision = await store.update(key, value, current.revision)
        print(revision, key, value.decode(), flush=True)

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.open()
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(write(store, number))

uvloop.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 300, 2000])
def test_no_acknowledged_write_is_lost_when_the_process_is_killed(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "state.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    written = [line.split(" ") for line in lines if line.endswith("\n")]
    newest: dict[str, tuple[int, str]] = {}
    for revision, key, value in written:
        newest[key] = max(newest.get(key, (0, "")), (int(revision), value.rstrip("\n")))

    async def reopen() -> None:
        store = SQLiteStore(path)
        await store.open()
        try:
            assert store.revision >= max(revision for revision, _ in newest.values())
            for key, (revision, value) in newest.items():
                entry = await store.get(key, revision)
                assert (entry.value.decode() if entry else "") == value
            events: list[int] = []
            watch = store.watch("/a/", 1)
            while len(events) < store.revision - 1:
                events += [event.revision for event in await anext(watch)]
            assert events == list(range(2, store.revision + 1))
        finally:
            await store.close()

    uvloop.run(reopen())


def test_everything_is_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        store = make_store(f"sqlite://{tmp_path}/deep/state.db", clock)
        await store.open()
        first = await store.create("/a/x", b"1")
        second = await store.update("/a/x", b"2", first)
        gone = await store.create("/a/gone", b"")
        await store.create("/a/brief", b"", ttl_seconds=60)
        await store.compact(second)
        last = await store.delete("/a/gone", gone)
        await store.close()

        await clock.advance(30)
        store = SQLiteStore(tmp_path / "deep" / "state.db", clock)
        await store.open()
        assert store.revision == last
        assert await store.get("/a/x") == Entry("/a/x", b"2", second, first)
        assert await store.get("/a/gone", gone) is not None
        with pytest.raises(Compacted):
            await store.get("/a/x", first)
        assert await store.get("/a/brief") is not None
        await clock.advance(31)
        await until_gone(store, "/a/brief")
        await store.close()

    uvloop.run(scenario())


def test_the_revision_does_not_go_back_when_the_newest_write_was_compacted_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db")
        await store.open()
        gone = await store.delete("/a/x", await store.create("/a/x", b""))
        await store.compact(gone)
        await store.close()
        await store.open()
        assert store.revision == gone
        assert (await store.list("/a/")).revision == gone
        assert await store.create("/a/x", b"") == gone + 1
        await store.close()

    uvloop.run(scenario())


def test_a_full_disk_refuses_writes_while_reads_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db", max_bytes=1 << 20)
        await store.open()
        written: dict[str, int] = {}

        async def fill() -> None:
            for number in range(10_000):
                written[f"/a/{number:05}"] = await store.create(f"/a/{number:05}", b"." * 5000)

        with pytest.raises(StoreUnavailable, match="full"):
            await fill()
        assert len(written) > 50
        assert [entry.key for entry in (await store.list("/a/")).entries] == list(written)
        assert await store.current_revision() == max(written.values())
        watch = store.watch("/a/", store.revision)
        await store.close()

        roomier = SQLiteStore(tmp_path / "state.db", max_bytes=4 << 20)
        await roomier.open()
        assert await roomier.create("/a/more", b"." * 5000) == max(written.values()) + 1
        await roomier.close()
        watch.close()

    uvloop.run(scenario())


def test_a_full_disk_is_told_to_writers_even_if_the_log_is_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullLog:
        def error(self, message: str, **values: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sqlwriter, "log", FullLog())

    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db", max_bytes=1 << 20)
        await store.open()
        async with asyncio.timeout(10):
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="full"):
                    await store.create("/a/big", b"." * (2 << 20))
            await store.create("/a/small", b".")
        await store.close()

    uvloop.run(scenario())


def test_compaction_gives_room_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db")
        await store.open()
        revisions = await asyncio.gather(*(store.create(f"/a/{i}", b"." * 2000) for i in range(2000)))
        grown = await store.size_bytes()
        await asyncio.gather(*(store.delete(f"/a/{i}", revision) for i, revision in enumerate(revisions)))
        await store.compact(store.revision)
        assert await store.size_bytes() < grown / 10
        await store.close()

    uvloop.run(scenario())


def test_the_files_do_not_grow_by_writing_the_same_again_and_again(tmp_path: Path) -> None:
    def files_bytes() -> int:
        return sum(file.stat().st_size for file in tmp_path.iterdir())

    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db")
        await store.open()
        revisions = await asyncio.gather(*(store.create(f"/a/{i}", b"." * 2000) for i in range(500)))
        sizes: list[int] = []
        for turn in range(12):
            updates = (store.update(f"/a/{i}", b"." * 2000, revision) for i, revision in enumerate(revisions))
            revisions = await asyncio.gather(*updates)
            await store.compact(store.revision)
            if turn > 3:
                sizes.append(files_bytes())
        assert max(sizes) < 16 << 20
        assert sizes[-1] < min(sizes) * 1.5
        await store.close()
        assert files_bytes() < 4 << 20

    uvloop.run(scenario())


def test_a_write_does_not_wait_for_the_whole_of_a_compaction(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state.db")
        await store.open()
        revision = await store.create("/a/x", b"")
        await asyncio.gather(*(store.create(f"/b/{i}", b"." * 2000) for i in range(4000)))
        compaction = asyncio.ensure_future(store.compact(store.revision))
        written = 0
        while not compaction.done():
            revision = await store.update("/a/x", b"", revision)
            written += 1
        await compaction
        assert written >= 10, "one for each step at least"
        await store.close()

    uvloop.run(scenario())


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "state" / "state.db")
        await store.open()
        await store.create("/a/x", b"")
        files = list((tmp_path / "state").iterdir())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert len(files) > 1
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        await store.close()

    uvloop.run(scenario())


def test_a_file_that_is_open_cannot_be_opened_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        first, second = SQLiteStore(tmp_path / "state.db"), SQLiteStore(tmp_path / "state.db")
        await first.open()
        with pytest.raises(StoreUnavailable, match="another process"):
            await second.open()
        await first.close()
        await second.open()
        await second.close()

    uvloop.run(scenario())


def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to be looked at " * 100)

    async def scenario() -> None:
        with pytest.raises(StoreUnavailable, match="not a database"):
            await SQLiteStore(tmp_path / "state.db").open()

    uvloop.run(scenario())


@pytest.mark.parametrize("url", ["sqlite://", "sqlite://relative/path", "postgres://db", "", "/var/lib/state.db"])
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a store"):
        make_store(url)
