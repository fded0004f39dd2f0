"""Writers of one object begin with what the one before has yet to store, and nobody is told what then is not stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sampan.apiserver.registry.generic import Registry
from sampan.lib.clock import RealClock
from sampan.store.base import Expected, Handed, StoreUnavailable
from sampan.store.sqlite import SQLiteStore
from tests.component.admission import configure, entry, respond
from tests.component.conftest import Answer, Api, Served, core
from tests.component.definitions import GROUP, crd, cron, crons, define
from tests.component.test_custom_versions import answer as converted
from tests.component.test_custom_versions import both, conversion, spec_of
from tests.component.webhooks import webhook
from tests.unit.fakeapi import until

A = core("configmaps", "default", "a")
JSON_PATCH = "application/json-patch+json"
Tree = dict[str, Any]
Request = Callable[[Served], Awaitable[Answer]]


class FalteringStore(SQLiteStore):
    """Holds back what says "opens" until it is let go, and does not make the first writes of what says "doomed"."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opened = asyncio.Event()
        self.failures = 0
        """So many writes are answered as by a full disk."""
        self.defeats = 0
        """After these, so many lose against another server's."""
        self.held_back = 0
        """So many writes upon others are made together."""
        self._waiting = 0
        self._let_go = asyncio.Event()

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        if b'"opens"' in value:
            await self.opened.wait()
        if self._waiting < self.held_back and (isinstance(expected, Handed) or b'"doomed"' in value):
            self._waiting += 1
            if self._waiting == self.held_back:
                asyncio.get_running_loop().call_soon(self._let_go.set)  # in their order
            await self._let_go.wait()
        if b'"doomed"' in value and self.failures:
            self.failures -= 1
            raise StoreUnavailable("database or disk is full")
        if b'"doomed"' in value and self.defeats:
            self.defeats -= 1
            expected = 1
        return await super().update(key, value, expected, ttl_seconds=ttl_seconds, handed=handed)


def merge(patch: Tree, **query: str) -> Request:
    return lambda served: served.patch(A, patch, query=query)


def set_data(**data: str) -> Request:
    return merge({"data": data})


def replace_data(**data: str) -> Request:
    """Says no more of the object than it has to."""
    return lambda served: served.update("configmaps", {"metadata": {"name": "a"}, "data": {"first": "opens", **data}})


def if_data(key: str, value: str) -> Request:
    """A patch that goes by what it finds."""
    operations = [{"op": "test", "path": f"/data/{key}", "value": value}, {"op": "add", "path": "/data/m", "value": "1"}]
    return lambda served: served.patch(A, operations, JSON_PATCH)


def run(api: Api, path: Path, scenario: Callable[[Served, FalteringStore], Awaitable[None]]) -> None:
    async def serve() -> None:
        store = FalteringStore(path / "state.db")
        async with api.serve(RealClock(), store, kubelet_ca_pem=b"") as served, asyncio.timeout(60):
            await scenario(served, store)

    uvloop.run(serve())


async def in_turn(served: Served, store: FalteringStore, *requests: Request) -> list[Answer]:
    """The answers to requests that stand in line, in this order, when the object's first update is stored."""
    await served.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "v"}})
    first = set_data(first="opens")
    return await _in_turn(served, store, served.server.registry("", "configmaps"), first, *requests)


async def _in_turn(
    served: Served, store: FalteringStore, registry: Registry, first: Request, *requests: Request
) -> list[Answer]:
    """`first` is held up by the store."""
    waiting, key = registry.locks.waiting, registry.cache.key("default", "a")
    async with asyncio.TaskGroup() as tasks:
        sent = [tasks.create_task(_answer(first, served))]
        await until(lambda: key in waiting)
        for number, request in enumerate(requests, 1):
            sent.append(tasks.create_task(_answer(request, served)))
            await until(lambda number=number: len(waiting[key]) == number)  # type: ignore[misc]
        store.opened.set()
    assert sent[0].result().status == 200
    return [task.result() for task in sent[1:]]


async def _answer(request: Request, served: Served) -> Answer:
    return await request(served)


async def data(served: Served) -> Tree:
    found: Tree = (await served.get(A)).tree["data"]
    del found["first"]
    return found


@pytest.mark.parametrize(
    ("then", "status", "left"),
    [
        (set_data(m="1"), 200, {"k": "v", "m": "1"}),
        (if_data("k", "v"), 200, {"k": "v", "m": "1"}),
        (if_data("k", "doomed"), 422, {"k": "v"}),
        (set_data(k="doomed"), 200, {"k": "doomed"}),
        (merge({"data": {"m": "1"}}, dryRun="All"), 200, {"k": "v"}),
        (replace_data(k="v", m="1"), 200, {"k": "v", "m": "1"}),
    ],
    ids=["a change", "a test of what stands", "a test of what never stood", "the same change", "a dry run", "a replacement"],
)
def test_what_follows_a_write_that_fails_goes_by_what_stands(
    api: Api, tmp_path: Path, then: Request, status: int, left: Tree
) -> None:
    async def scenario(served: Served, store: FalteringStore) -> None:
        store.failures = 1
        failed, answer = await in_turn(served, store, set_data(k="doomed"), then)
        assert (failed.status, answer.status) == (503, status)
        assert await data(served) == left
        if status == 200:
            assert answer.tree["data"]["k"] == left["k"]

    run(api, tmp_path, scenario)


@pytest.mark.parametrize(
    ("then", "status", "left"),
    [
        (set_data(m="1"), 200, {"k": "doomed", "m": "1"}),
        (if_data("k", "v"), 422, {"k": "doomed"}),
        (if_data("k", "doomed"), 200, {"k": "doomed", "m": "1"}),
        (set_data(k="doomed"), 200, {"k": "doomed"}),
        (merge({"data": {"m": "1"}}, dryRun="All"), 200, {"k": "doomed"}),
        (merge({"metadata": {"resourceVersion": "1"}}), 409, {"k": "doomed"}),
    ],
    ids=["a change", "a test of what stood", "a test of what stands", "the same change", "a dry run", "another revision"],
)
@pytest.mark.parametrize("defeats", [0, 1])
def test_what_follows_a_write_goes_by_it(
    api: Api, tmp_path: Path, then: Request, status: int, left: Tree, defeats: int
) -> None:
    """Also by one that has to be tried again, where what followed it had to wait."""

    async def scenario(served: Served, store: FalteringStore) -> None:
        store.defeats = defeats
        before, answer = await in_turn(served, store, set_data(k="doomed"), then)
        if defeats and (before.tree["data"].get("m") or answer.status != status):
            # What stood behind it may be first then.
            assert before.status == 200
            return
        assert (before.status, answer.status) == (200, status)
        assert await data(served) == left

    run(api, tmp_path, scenario)


def test_writes_that_lose_take_nothing_from_those_around_them(api: Api, tmp_path: Path) -> None:
    """Each of very many changes is made once, after all, in an event of its own."""
    writers, losses = 60, 12

    async def scenario(served: Served, store: FalteringStore) -> None:
        store.defeats = losses
        store.opened.set()
        made = await served.create("configmaps", {"metadata": {"name": "a"}, "data": {}})
        revision = made.tree["metadata"]["resourceVersion"]
        changes = [{"data": {f"n{number}": "doomed" if number % 5 == 0 else "1"}} for number in range(writers)]
        answers = await asyncio.gather(*(served.patch(A, change) for change in changes))
        assert {answer.status for answer in answers} == {200}
        assert store.defeats == 0
        assert len({answer.tree["metadata"]["resourceVersion"] for answer in answers}) == writers
        async with served.watch(core("configmaps", "default"), {"resourceVersion": revision}) as events:
            sizes = [len((await events.next())[1]["data"]) for _ in range(writers)]
        assert sizes == list(range(1, writers + 1))
        for answer in answers:
            assert answer.tree["data"].items() <= (await served.get(A)).tree["data"].items()

    run(api, tmp_path, scenario)


def test_webhooks_are_shown_nothing_that_is_not_stored(api: Api, tmp_path: Path) -> None:
    async def scenario(served: Served, store: FalteringStore) -> None:
        async with webhook(lambda review: respond(review)) as hook:
            only_asked = {"matchLabels": {"asked": "yes"}}
            await configure(served, "validating", "v", entry(hook, objectSelector=only_asked))
            store.failures = 1
            ask = merge({"metadata": {"labels": {"asked": "yes"}}})
            failed, answer = await in_turn(served, store, set_data(k="doomed"), ask)
            assert (failed.status, answer.status) == (503, 200)
            assert hook.asked and "doomed" not in json.dumps(hook.asked)

    run(api, tmp_path, scenario)


def test_writes_to_and_fro_keep_each_its_revision(api: Api, tmp_path: Path) -> None:
    """What is stored is the very same again and again; what is told of it is not."""

    async def scenario(served: Served, store: FalteringStore) -> None:
        answers = await in_turn(served, store, *(set_data(k=str(number % 2)) for number in range(8)))
        answered = [(answer.tree["metadata"]["resourceVersion"], answer.tree["data"]["k"]) for answer in answers]
        since = str(int(answered[0][0]) - 1)
        async with served.watch(core("configmaps", "default"), {"resourceVersion": since}) as events:
            told = [(await events.next())[1] for _ in answers]
        assert [(tree["metadata"]["resourceVersion"], tree["data"]["k"]) for tree in told] == answered
        assert len({revision for revision, _ in answered}) == 8

    run(api, tmp_path, scenario)


def test_many_that_were_built_upon_what_failed_do_not_fail_each_other(api: Api, tmp_path: Path) -> None:
    """They stand in line again; else one of them would be made each time, and the last be told to try another time."""
    writers = 130

    async def scenario(served: Served, store: FalteringStore) -> None:
        store.failures, store.held_back = 1, writers + 1
        last = set_data(last="1")  # for which those before pass on their turn
        failed, *answers = await in_turn(
            served, store, set_data(k="doomed"), *(set_data(**{f"n{number}": "1"}) for number in range(1, writers)), last
        )
        assert failed.status == 503 and {answer.status for answer in answers} == {200}
        assert len(await data(served)) == writers + 1
        registry = served.server.registry("", "configmaps")
        assert not registry.locks.waiting and not registry.cache.underway

    run(api, tmp_path, scenario)


def test_versions_that_a_webhook_converts_begin_with_what_is_converted(api: Api, tmp_path: Path) -> None:
    """Though what is on its way is of another version."""

    def patch(shown: str, change: Tree) -> Request:
        return lambda served: served.patch(crons(shown, "a"), change)

    async def scenario(served: Served, store: FalteringStore) -> None:
        async with webhook(converted) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            await served.request("POST", crons("v1"), cron("a", "v1", at="host:1"))
            assert await spec_of(served, "v2", "a") == {"host": "host", "port": "1"}
            answers = await _in_turn(
                served, store, served.server.registry(GROUP, "crontabs"),
                patch("v1", {"metadata": {"annotations": {"first": "opens"}}}),
                patch("v1", {"spec": {"at": "other:1"}}), patch("v2", {"spec": {"port": "2"}}),
                patch("v1", {"metadata": {"annotations": {"last": "1"}}}),
            )  # fmt: skip
            assert {answer.status for answer in answers} == {200}
            assert await spec_of(served, "v1", "a") == {"at": "other:2"}

    run(api, tmp_path, scenario)
