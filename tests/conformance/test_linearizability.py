"""Random concurrent histories are linearizable and watches tell all of them, also while the store is killed."""

from __future__ import annotations

import ast
import asyncio
import math
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop

from sampan.lib.clock import ManualClock, RealClock
from sampan.store.base import Conflict, Event, KeyExists, Store, StoreUnavailable, Watch
from sampan.store.etcd import EtcdStore
from sampan.store.sqlite import SQLiteStore
from tests.conformance.conftest import OnStore
from tests.conformance.linearizability import Operation, explain, is_linearizable
from tests.etcdserver import BINARY, MISSING, EtcdServer

KEYS = [f"/a/{number}" for number in range(6)]


def op(
    verb: str, began: float, ended: float, value: bytes = b"", expected: int = 0, revision: int = 0, refused: bool = False
) -> Operation:
    return Operation(0, verb, "/a/x", began, ended, value, expected, revision, refused)


NEVER = math.inf


@pytest.mark.parametrize(
    ("holds", "history"),
    [
        (True, [op("create", 0, 1, b"1", revision=2), op("get", 2, 3, b"1", revision=2)]),
        (False, [op("create", 0, 1, b"1", revision=2), op("get", 2, 3)]),
        (True, [op("create", 0, 3, b"1", revision=2), op("get", 1, 2)]),
        (True, [op("create", 0, 3, b"1", revision=2), op("get", 1, 2, b"1", revision=2)]),
        (False, [op("create", 0, 9, b"1", revision=2), op("get", 1, 2, b"1", revision=2), op("get", 3, 4)]),
        (False, [op("get", 0, 1, b"1", revision=2), op("create", 2, 3, b"1", revision=2)]),
        (False, [op("create", 0, 1, b"1", revision=2), op("create", 0, 1, b"2", revision=3)]),
        (True, [op("create", 0, 1, b"1", revision=2), op("create", 0, 1, b"2", refused=True)]),
        (False, [op("create", 0, 1, b"2", refused=True)]),
        (True, [op("create", 0, 1, b"1", revision=2), op("update", 2, 3, b"2", 2, 3), op("get", 4, 5, b"2", revision=3)]),
        (False, [op("create", 0, 1, b"1", revision=2), op("update", 2, 3, b"2", 2, 3), op("get", 4, 5, b"1", revision=2)]),
        (False, [op("create", 0, 1, b"1", revision=2), op("update", 2, 3, b"2", 1, 3)]),
        (False, [op("create", 0, 1, b"1", revision=2), op("update", 2, 3, b"2", 2, 2, refused=True)]),
        (True, [op("create", 0, 1, b"1", revision=2), op("delete", 2, 3, expected=2, revision=3), op("get", 4, 5)]),
        (True, [op("create", 0, NEVER, b"1"), op("get", 1, 2)]),
        (True, [op("create", 0, NEVER, b"1"), op("get", 1, 2), op("get", 3, 4, b"1", revision=2)]),
        (False, [op("create", 0, NEVER, b"1"), op("get", 1, 2, b"1", revision=2), op("get", 3, 4)]),
        (False, [op("create", 0, NEVER, b"1"), op("get", 1, 2, b"2", revision=2)]),
        (True, [op("create", 0, NEVER, b"1"), op("get", 1, 2, b"1", revision=5), op("update", 3, 4, b"2", 5, 6)]),
        (False, [op("create", 0, NEVER, b"1"), op("get", 1, 2, b"1", revision=5), op("get", 3, 4, b"1", revision=6)]),
    ],
)
def test_the_checker_knows_a_history_that_holds_from_one_that_does_not(holds: bool, history: list[Operation]) -> None:
    assert is_linearizable(history) is holds


class Client:
    """Calls a store at random, as one that learns from what it is told, and writes down what it did."""

    def __init__(self, number: int, chance: random.Random, history: list[Operation]) -> None:
        self._number = number
        self._chance = chance
        self._history = history
        self._known: dict[str, int] = {}
        self._writes = 0

    async def step(self, store: Store) -> None:
        key, verb = self._chance.choice(KEYS), self._chance.choice(("create", "get", "update", "update", "delete"))
        expected = self._known.get(key, 0) if verb in ("update", "delete") else 0
        if verb in ("update", "delete") and not expected:
            verb = "get"
        self._writes += 1
        value = f"{self._number}.{self._writes}".encode() if verb in ("create", "update") else b""
        call = Operation(self._number, verb, key, time.monotonic(), math.inf, value, expected)
        try:
            outcome = await self._perform(store, call)
        except StoreUnavailable:
            if verb != "get":  # which tells nothing
                self._history.append(call)
            return
        self._known[key] = outcome.revision if verb != "delete" or outcome.refused else 0
        self._history.append(outcome._replace(ended=time.monotonic()))

    async def _perform(self, store: Store, call: Operation) -> Operation:
        try:
            if call.verb == "get":
                entry = await store.get(call.key)
                return call._replace(revision=entry.revision, value=entry.value) if entry else call
            if call.verb == "create":
                return call._replace(revision=await store.create(call.key, call.value))
            if call.verb == "update":
                return call._replace(revision=await store.update(call.key, call.value, call.expected))
            return call._replace(revision=await store.delete(call.key, call.expected))
        except KeyExists:
            return call._replace(refused=True)
        except Conflict as conflict:
            current = conflict.current
            return call._replace(
                refused=True, revision=current.revision if current else 0, value=current.value if current else b""
            )


async def play(store: Store, seed: int, steps: int, clients: int = 8) -> list[Operation]:
    history: list[Operation] = []

    async def run(client: Client) -> None:
        for _ in range(steps):
            await client.step(store)

    await asyncio.gather(*(run(Client(number, random.Random(seed * 100 + number), history)) for number in range(clients)))
    return history


async def collect(watch: Watch, until: int) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(30):
        while watch.revision < until:
            events += await anext(watch)
    return events


def check_watch(history: Sequence[Operation], events: Sequence[Event]) -> None:
    """Every acknowledged write is told once, in order, each event following from the one before it; nothing else is told but
    what an unacknowledged write may have done."""
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions))
    told = {event.revision: event for event in events}
    untold = {(call.verb, call.key, call.value) for call in history if call.unknown}
    for call in history:
        if call.verb != "get" and not call.refused and not call.unknown:
            event = told.pop(call.revision)
            assert (event.key, event.value) == (call.key, None if call.verb == "delete" else call.value)
    for event in told.values():
        verbs = ("delete",) if event.value is None else ("create", "update")
        assert any((verb, event.key, event.value or b"") in untold for verb in verbs), event
    held: dict[str, bytes | None] = {}
    for event in events:
        assert (event.previous.value if event.previous else None) == held.get(event.key)
        held[event.key] = event.value


@pytest.mark.parametrize("seed", range(4))
def test_random_concurrent_histories_are_linearizable_and_watched_whole(on_store: OnStore, seed: int) -> None:
    async def scenario(store: Store, _: ManualClock) -> None:
        watch = store.watch("/a/", store.revision)
        late = store.watch("/a/", store.revision)
        follower = asyncio.ensure_future(anext(watch))  # one that runs from the start
        history = await play(store, seed, 40)
        assert explain(history) == ""
        last = await store.create("/a/last", b"")
        events = [*await follower, *await collect(watch, last)]
        assert events == await collect(late, last)
        check_watch([*history, Operation(0, "create", "/a/last", 0, 0, b"", revision=last)], events)

    on_store(scenario)


def test_two_clients_of_one_etcd_make_one_linearizable_history(etcd: EtcdServer) -> None:
    async def main() -> None:
        stores = [EtcdStore([etcd.endpoint]) for _ in range(2)]
        for store in stores:
            await store.open()
        for entry in (await stores[0].list("/a/")).entries:
            await stores[0].delete(entry.key, entry.revision)
        start = await stores[0].current_revision()
        histories = await asyncio.gather(*(play(store, seed, 60, 4) for seed, store in enumerate(stores, 20)))
        history = [call._replace(client=call.client + 10 * n) for n, calls in enumerate(histories) for call in calls]
        assert explain(history) == ""
        newest = await stores[1].current_revision()
        # Values of both stores' clients may be alike, so the watch is held to what it tells of itself.
        for store in stores:
            events = await collect(store.watch("/a/", start, progress=True), newest)
            assert [event.revision for event in events] == list(range(start + 1, newest + 1))
            await store.close()

    uvloop.run(main())


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_etcd_keeps_every_acknowledged_write_and_its_watches_go_on(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not BINARY.exists():
        pytest.skip(MISSING)
    monkeypatch.setattr("sampan.store.etcdclient.CALL_SECONDS", 1.0)
    server = EtcdServer(tmp_path)
    server.start()

    async def main() -> None:
        store = EtcdStore([server.endpoint], clock=RealClock())
        await store.open()
        watch = store.watch("/a/", 1)
        chance = random.Random(seed)
        history: list[Operation] = []
        events: list[Event] = []

        async def follow() -> None:
            async for batch in watch:
                events.extend(batch)

        follower = asyncio.ensure_future(follow())
        for round_ in range(3):
            playing = asyncio.ensure_future(play(store, seed * 10 + round_, 120))
            for _ in range(chance.randrange(20, 400)):  # at a random moment of the game
                await asyncio.sleep(0)
            server.kill()
            await asyncio.to_thread(server.start)
            history += [call._replace(client=call.client + 10 * round_) for call in await playing]
        while True:
            try:
                last = await store.create("/a/last", b"")
                break
            except StoreUnavailable:
                continue
        async with asyncio.timeout(20):
            while watch.revision < last:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        watch.close()
        await follower
        assert any(call.unknown for call in history), "the kill must have hit something"
        assert explain(history) == ""
        check_watch([*history, Operation(0, "create", "/a/last", 0, 0, b"", revision=last)], events)
        await store.close()

    try:
        uvloop.run(main())
    finally:
        server.stop()


PLAYER = """
import asyncio, random, sys, uvloop
from sampan.store.sqlite import SQLiteStore
from tests.conformance.test_linearizability import Client

class Loud(list):
    def append(self, call):
        print(repr(tuple(call)), flush=True)

class Announced:
    # Tells of each write before it is made: one that is not acknowledged may have been made all the same.
    def __init__(self, store): self.store = store
    def get(self, key): return self.store.get(key)
    def create(self, key, value):
        print(repr(("begun", "create", key, value)), flush=True)
        return self.store.create(key, value)
    def update(self, key, value, expected):
        print(repr(("begun", "update", key, value)), flush=True)
        return self.store.update(key, value, expected)
    def delete(self, key, expected):
        print(repr(("begun", "delete", key, b"")), flush=True)
        return self.store.delete(key, expected)

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.open()
    seed = int(sys.argv[2])
    async def run(client):
        while True:
            await client.step(Announced(store))
    await asyncio.gather(*(run(Client(seed * 10 + n, random.Random(seed * 100 + n), Loud())) for n in range(8)))

uvloop.run(main())
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_writer_leaves_a_file_with_every_acknowledged_write(tmp_path: Path, seed: int) -> None:
    path, chance = tmp_path / "state.db", random.Random(seed)
    history: list[Operation] = []
    begun: set[tuple[str, str, bytes]] = set()
    for life in range(3):
        arguments = [sys.executable, "-c", PLAYER, str(path), str(seed * 10 + life)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(chance.randrange(1, 2000))]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        for line in lines:
            if line.startswith("('begun'"):
                begun.add(ast.literal_eval(line)[1:])
            elif line.endswith("\n"):
                history.append(Operation(*ast.literal_eval(line)))

    async def reopen() -> list[Event]:
        store = SQLiteStore(path)
        await store.open()
        events: list[Event] = []
        watch = store.watch("/a/", 1)
        while watch.revision < store.revision:
            events += await anext(watch)
        await store.close()
        return events

    events = uvloop.run(reopen())
    acknowledged = {call.value for call in history if call.verb in ("create", "update") and not call.refused}
    lost = [
        Operation(0, verb, key, -math.inf, math.inf, value)
        for verb, key, value in begun
        if verb == "delete" or value not in acknowledged
    ]
    assert [event.revision for event in events] == list(range(2, 2 + len(events)))
    check_watch([*history, *lost], events)
