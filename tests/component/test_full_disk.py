"""A disk that is really full: writes say so, reads go on, and all is well again once there is room."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import uvloop

from sampan.lib.clock import RealClock
from sampan.store.base import StoreUnavailable
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SQLiteStore
from tests.component.conftest import Api, core

SIZE_MIB = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", tmp_path], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {made.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def use_up(directory: Path) -> Path:
    """A file that leaves no room for another byte."""
    path = directory / "ballast"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"." * size)
            except OSError:
                continue
    return path


def test_writes_fail_until_there_is_room_again_and_lose_nothing(small_disk: Path) -> None:
    async def scenario() -> None:
        store = SQLiteStore(small_disk / "state.db")
        await store.open()
        written = {f"/a/{n:05}": await store.create(f"/a/{n:05}", b"." * 2000) for n in range(300)}
        ballast = use_up(small_disk)
        refusals: list[str] = []
        for number in range(1000, 6000):
            key = f"/a/{number:05}"
            try:
                written[key] = await store.create(key, b"." * 2000)
            except StoreUnavailable as error:
                refusals.append(str(error))
            if len(refusals) == 20:
                break
        assert set(refusals) == {"database or disk is full"} and len(refusals) == 20
        assert [entry.key for entry in (await store.list("/a/")).entries] == sorted(written)
        assert (await store.get("/a/00007")) is not None
        assert store.revision == max(written.values())
        ballast.unlink()
        written["/a/after"] = await store.create("/a/after", b"." * 2000)
        assert written["/a/after"] == max(revision for key, revision in written.items() if key != "/a/after") + 1
        await store.compact(store.revision)
        await store.close()
        again = SQLiteStore(small_disk / "state.db")
        await again.open()
        assert {entry.key: entry.revision for entry in (await again.list("/a/")).entries} == written
        await again.close()

    uvloop.run(scenario())


def test_clients_are_told_in_the_api_s_own_terms(small_disk: Path, api: Api) -> None:
    async def scenario() -> None:
        store = cast(MemoryStore, SQLiteStore(small_disk / "state.db"))
        async with api.serve(RealClock(), store) as server, asyncio.timeout(30):
            path = core("configmaps", "default", "a")
            tree = {"metadata": {"name": "a"}, "data": {"text": "." * 100_000}}
            written = (await server.create("configmaps", tree)).tree
            ballast = use_up(small_disk)
            number, answer = 0, await server.patch(path, {"metadata": {"labels": {"n": "0"}}})
            while answer.status == 200:
                number, written = number + 1, answer.tree
                answer = await server.patch(path, {"metadata": {"labels": {"n": str(number)}}})
            assert (answer.status, answer.tree["reason"]) == (503, "ServiceUnavailable")
            assert answer.message == "the store is unavailable: database or disk is full"
            assert (await server.get(path)).tree == written
            assert (await server.get(core("configmaps", "default"))).status == 200
            ballast.unlink()
            assert (await server.patch(path, {"metadata": {"labels": {"n": "after"}}})).status == 200

    uvloop.run(scenario())
