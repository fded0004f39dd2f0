"""`sampan datastore`: nothing is lost on the way into a file, out of it, and from one store to another."""

from __future__ import annotations

import asyncio
import gzip
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sampan.cmd import main
from sampan.lib.clock import Clock, RealClock
from sampan.store.base import Compacted, Store
from sampan.store.factory import make_store
from sampan.store.sqlite import SQLiteStore
from sampan.store.transfer import pages_of
from tests.conformance.conftest import clear
from tests.etcdserver import EtcdServer

Contents = dict[str, tuple[bytes, float]]


def on(url: str, work: Callable[[Store], Awaitable[Any]], clock: Clock | None = None) -> Any:
    async def main() -> Any:
        store = make_store(url, clock or RealClock())
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return uvloop.run(main())


async def fill(store: Store) -> None:
    """1,300 entries, two of which live for a time, and a history."""
    creates = (store.create(f"/registry/pods/default/p{n:04}", json.dumps({"n": n}).encode() * 9) for n in range(1297))
    revisions = await asyncio.gather(*creates)
    await store.update("/registry/pods/default/p0000", '{"name":"ü"}'.encode(), revisions[0])
    await store.delete("/registry/pods/default/p0001", revisions[1])
    await store.create("/registry/secrets/default/binary", bytes(range(256)))
    await store.create("/registry/configmaps/default/empty", b"")
    await store.create("/registry/events/default/brief", b"{}", ttl_seconds=40)
    await store.create("/registry/events/default/long", b"{}", ttl_seconds=3600)
    await store.create("/registry/masterleases/10.0.0.1", b"{}", ttl_seconds=15)


async def contents(store: Store) -> Contents:
    return {kept.key: (kept.value, kept.seconds_left) async for page in pages_of(store) for kept in page}


def assert_same(found: Contents, wanted: Contents) -> None:
    assert {key: value for key, (value, _) in found.items()} == {key: value for key, (value, _) in wanted.items()}
    for key, (_, left) in wanted.items():
        # Leases are shared, and so end up to a twentieth later than they must.
        assert left - 15 <= found[key][1] <= left * 1.05 + 11, key


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/state.db"


@pytest.fixture
def etcd_url(etcd: EtcdServer) -> str:
    url = f"etcd://{etcd.endpoint}"
    on(url, clear)
    return url


def test_a_backup_of_a_running_store_is_restored_whole(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.gz"

    async def back_up_meanwhile(store: Store) -> Contents:
        await fill(store)
        before = await contents(store)
        stop = asyncio.Event()

        async def go_on() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await store.create(f"/registry/pods/default/later{number}", b"{}")

        async with asyncio.TaskGroup() as group:
            group.create_task(go_on())
            assert await asyncio.to_thread(main.main, ["datastore", "backup", "--datastore", sqlite_url, str(file)]) == 0
            stop.set()
        return before

    before = on(sqlite_url, back_up_meanwhile)
    said = capsys.readouterr().out
    assert "entries, 2 of which live for a time only at revision" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    other = f"sqlite://{tmp_path}/restored/state.db"
    assert main.main(["datastore", "restore", "--datastore", other, str(file)]) == 0
    assert "read back, nothing is missing" in capsys.readouterr().out
    found = on(other, contents)
    later = sorted(int(key.rpartition("later")[2]) for key in found if "later" in key)
    assert later == list(range(1, len(later) + 1)), "one moment, to which no later write belongs without those before it"
    assert_same({key: entry for key, entry in found.items() if "later" not in key}, before)


def test_a_restored_store_stands_beyond_every_revision_that_was_told(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.gz"

    async def go_on(store: Store) -> int:
        return await store.create("/registry/pods/default/after-the-backup", b"{}")

    on(sqlite_url, fill)
    assert main.main(["datastore", "backup", "--datastore", sqlite_url, str(file)]) == 0
    told = on(sqlite_url, go_on)
    assert main.main(["datastore", "restore", "--datastore", sqlite_url, "--force", str(file)]) == 0

    async def look(store: Store) -> None:
        assert store.revision > told
        with pytest.raises(Compacted):
            await anext(store.watch("/registry/", told))
        assert await store.get("/registry/pods/default/after-the-backup") is None

    on(sqlite_url, look)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.gz", "state.db", "state.db.lock"]


def test_a_cluster_moves_to_etcd_and_back(
    sqlite_url: str, etcd_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(sqlite_url, fill)
    wanted = on(sqlite_url, contents)
    assert main.main(["datastore", "migrate", "--from", sqlite_url, "--to", etcd_url]) == 1
    assert "an API server runs on it, at 10.0.0.1: stop it" in capsys.readouterr().err

    async def end_lease(store: Store) -> None:
        lease = await store.get("/registry/masterleases/10.0.0.1")
        assert lease is not None
        await store.delete(lease.key, lease.revision)

    on(sqlite_url, end_lease)
    assert main.main(["datastore", "migrate", "--from", sqlite_url, "--to", etcd_url]) == 0
    said = capsys.readouterr().out
    assert said.startswith("copied 1300 entries, 2 of which live for a time only at revision ")
    assert_same(on(etcd_url, contents), wanted)
    back = f"sqlite://{tmp_path}/back.db"
    assert main.main(["datastore", "migrate", "--from", etcd_url, "--to", back]) == 0
    assert capsys.readouterr().out.splitlines()[1] == said.splitlines()[1], "the same SHA-256"
    assert_same(on(back, contents), wanted)


def test_an_etcd_is_backed_up_and_restored(etcd_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "backup.gz")

    async def prepare(store: Store) -> Contents:
        await fill(store)
        await store.create("another/application", b"its own")
        return await contents(store)

    wanted = on(etcd_url, prepare)
    assert main.main(["datastore", "backup", "--datastore", etcd_url, file]) == 0
    assert main.main(["datastore", "restore", "--datastore", etcd_url, file]) == 1
    assert "an API server runs on it" in capsys.readouterr().err

    async def lose(store: Store) -> None:
        for entry in (await store.list("/registry/masterleases/")).entries + (
            await store.list("/registry/pods/", limit=9)
        ).entries:
            await store.delete(entry.key, entry.revision)

    on(etcd_url, lose)
    assert main.main(["datastore", "restore", "--datastore", etcd_url, file]) == 1
    assert "holds 1291 entries already: give --force to replace them" in capsys.readouterr().err
    assert main.main(["datastore", "restore", "--datastore", etcd_url, "--force", file]) == 0

    async def look(store: Store) -> Contents:
        assert await store.get("another/application") is not None
        return await contents(store)

    assert_same(on(etcd_url, look), wanted)


def test_a_store_that_is_in_use_or_holds_something_is_not_replaced(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "backup.gz")
    on(sqlite_url, fill)
    assert main.main(["datastore", "backup", "--datastore", sqlite_url, file]) == 0
    assert main.main(["datastore", "backup", "--datastore", sqlite_url, file]) == 1
    assert capsys.readouterr().err == f"sampan: {file} is there already: give --force to replace it\n"
    assert main.main(["datastore", "restore", "--datastore", sqlite_url, file]) == 1
    assert "state.db holds 1300 entries already: give --force to replace them" in capsys.readouterr().err

    async def restore_meanwhile(_: Store) -> None:
        assert await asyncio.to_thread(main.main, ["datastore", "restore", "--datastore", sqlite_url, "--force", file]) == 1

    on(sqlite_url, restore_meanwhile)
    assert "another process has it open: stop the API server first" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["memory://", "sqlite://{}/typo.db"])
def test_a_source_that_holds_nothing_replaces_nothing(
    source: str, sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on(sqlite_url, fill)
    before = on(sqlite_url, contents)
    source = source.format(tmp_path)
    assert main.main(["datastore", "migrate", "--force", "--from", source, "--to", sqlite_url]) == 1
    assert capsys.readouterr().err in (f"sampan: --from: {source} holds nothing\n", f"sampan: there is no {tmp_path}/typo.db\n")
    assert_same(on(sqlite_url, contents), before)
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda data: b"no gzip", "is not a backup"),
        (lambda data: gzip.compress(b'{"some":"json"}\n'), "is not a backup"),
        (lambda data: gzip.compress(b"".join(gzip.decompress(data).splitlines(True)[:-1])), "is cut off after"),
        (
            lambda data: gzip.compress(
                b"".join(gzip.decompress(data).splitlines(True)[:5] + gzip.decompress(data).splitlines(True)[6:])
            ),
            "is damaged",
        ),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'\\"n\\": 7}', b'\\"n\\": 8}')), "is damaged"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'"version":1', b'"version":2')), "backup of version 2"),
    ],
)
def test_a_damaged_backup_touches_nothing(
    damage: Callable[[bytes], bytes], said: str, sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.gz"
    on(sqlite_url, fill)
    assert main.main(["datastore", "backup", "--datastore", sqlite_url, str(file)]) == 0
    file.write_bytes(damage(file.read_bytes()))
    before = on(sqlite_url, contents)
    assert main.main(["datastore", "restore", "--datastore", sqlite_url, "--force", str(file)]) == 1
    assert said in capsys.readouterr().err
    assert_same(on(sqlite_url, contents), before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "--datastore", "etcd://127.0.0.1:1", "FILE"], "--datastore: etcd: "),
        (["backup", "--datastore", "sqlite:///nowhere/state.db", "FILE"], "there is no /nowhere/state.db"),
        (["backup", "--datastore", "postgres://x", "FILE"], "is not a store: want sqlite:///PATH"),
        (["backup", "--datastore", "etcd://h?cert=a", "FILE"], "names cert and key both or neither"),
        (["backup", "--datastore", "etcd://h?user=a", "FILE"], "has no parameter 'user'"),
        (["backup", "--datastore", "etcd://h:1?ca=/nowhere", "FILE"], "cannot read the certificates for etcd"),
        (["backup", "--datastore", "sqlite:///x", "--datastore-cafile", "/ca", "FILE"], "certificates are for etcd://"),
        (["restore", "--datastore", "memory://", "FILE"], "No such file or directory"),
        (["migrate", "--from", "sqlite:///nowhere/state.db", "--to", "memory://"], "there is no /nowhere/state.db"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sampan.store.etcdclient.CALL_SECONDS", 0.2)
    arguments = [str(tmp_path / "backup.gz") if argument == "FILE" else argument for argument in arguments]
    assert main.main(["datastore", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sampan: ") and error.count("\n") == 1
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_is_not_whole_is_found_out(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "backup.gz")
    on(sqlite_url, fill)
    assert main.main(["datastore", "backup", "--datastore", sqlite_url, file]) == 0
    create = SQLiteStore.create

    async def forgetful(self: SQLiteStore, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        return 0 if key.endswith("p0500") else await create(self, key, value, ttl_seconds=ttl_seconds)

    monkeypatch.setattr(SQLiteStore, "create", forgetful)
    assert main.main(["datastore", "restore", "--datastore", sqlite_url, "--force", file]) == 1
    assert capsys.readouterr().err == "sampan: 1298 entries were to be there and 1297 are: the copy is not whole\n"
    monkeypatch.undo()
    assert len(on(sqlite_url, contents)) == 1300, "what was there before"
