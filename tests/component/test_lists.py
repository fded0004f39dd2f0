"""Lists: selection, revisions, pages, forms."""

from __future__ import annotations

import asyncio
import gc
import zlib
from typing import Any

import msgspec
import pytest

from sampan.lib.clock import ManualClock
from tests.component.conftest import Answer, Api, Served, core
from tests.unit.fakeapi import until

CONFIG_MAPS = core("configmaps", "default")


async def fill(server: Served, count: int, labels: dict[str, str] | None = None) -> None:
    for index in range(count):
        tree = {"metadata": {"name": f"c{index:03}", "labels": labels or {"odd": str(index % 2)}}}
        assert (await server.create("configmaps", tree)).status == 201


def names(answer: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in answer.tree["items"]]


def test_a_list_shows_its_kind_and_its_items_without_theirs(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 2)
        listed = (await server.get(CONFIG_MAPS)).tree
        assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
        assert [("kind" in item, "apiVersion" in item) for item in listed["items"]] == [(False, False)] * 2
        assert int(listed["metadata"]["resourceVersion"]) >= int(listed["items"][1]["metadata"]["resourceVersion"])
        assert (await server.get(core("secrets", "default"))).tree["items"] == []

    api(scenario)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"labelSelector": "odd=1"}, ["c001", "c003"]),
        ({"labelSelector": "odd notin (1)"}, ["c000", "c002"]),
        ({"labelSelector": "!odd"}, []),
        ({"fieldSelector": "metadata.name=c002"}, ["c002"]),
        ({"fieldSelector": "metadata.name!=c002,metadata.namespace=default", "labelSelector": "odd=0"}, ["c000"]),
    ],
)
def test_selectors_choose(api: Api, query: dict[str, str], found: list[str]) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 4)
        assert names(await server.get(CONFIG_MAPS, query=query)) == found

    api(scenario)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"labelSelector": "a=b=c"}, "found '=', expected: ',' or 'end of string'"),
        ({"fieldSelector": "spec.x=1"}, '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ({"continue": "nonsense"}, "continue key is not valid"),
        ({"resourceVersion": "abc"}, "Invalid value"),
        ({"resourceVersionMatch": "Exact"}, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(api: Api, query: dict[str, str], message: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.get(CONFIG_MAPS, query=query)
        assert answer.status in (400, 422)
        assert message in answer.message

    api(scenario)


def test_pages_show_one_moment(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 5)
        first = await server.get(CONFIG_MAPS, query={"limit": "2"})
        meta = first.tree["metadata"]
        assert (names(first), meta["remainingItemCount"]) == (["c000", "c001"], 3)
        await server.create("configmaps", {"metadata": {"name": "c0015"}})
        await server.delete(CONFIG_MAPS + "/c003")
        second = await server.get(CONFIG_MAPS, query={"limit": "2", "continue": meta["continue"]})
        assert names(second) == ["c002", "c003"]
        assert second.tree["metadata"]["resourceVersion"] == meta["resourceVersion"]
        last = await server.get(CONFIG_MAPS, query={"limit": "2", "continue": second.tree["metadata"]["continue"]})
        assert names(last) == ["c004"] and "continue" not in last.tree["metadata"]

    api(scenario)


def test_pages_of_a_selection_do_not_say_how_much_is_left(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 6)
        query = {"limit": "2", "labelSelector": "odd=1"}
        first = await server.get(CONFIG_MAPS, query=query)
        assert names(first) == ["c001", "c003"] and "remainingItemCount" not in first.tree["metadata"]
        await server.delete(CONFIG_MAPS + "/c005")
        second = await server.get(CONFIG_MAPS, query={**query, "continue": first.tree["metadata"]["continue"]})
        assert names(second) == ["c005"] and "continue" not in second.tree["metadata"]

    api(scenario)


def test_a_page_too_late_can_be_had_inconsistently(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 3)
        first = await server.get(CONFIG_MAPS, query={"limit": "1"})
        await server.create("configmaps", {"metadata": {"name": "later"}})
        await server.store.compact(server.store.revision)
        gone = await server.get(CONFIG_MAPS, query={"limit": "1", "continue": first.tree["metadata"]["continue"]})
        assert (gone.status, gone.tree["reason"]) == (410, "Expired")
        assert gone.message.startswith("The provided continue parameter is too old to display a consistent list result.")
        rest = await server.get(CONFIG_MAPS, query={"continue": gone.tree["metadata"]["continue"]})
        assert names(rest) == ["c001", "c002", "later"]

    api(scenario)


def test_the_past_can_be_listed_exactly(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await fill(server, 2)
        then = (await server.get(CONFIG_MAPS)).tree["metadata"]["resourceVersion"]
        await server.delete(CONFIG_MAPS + "/c000")
        exact = await server.get(CONFIG_MAPS, query={"resourceVersion": then, "resourceVersionMatch": "Exact"})
        assert names(exact) == ["c000", "c001"] and exact.tree["metadata"]["resourceVersion"] == then
        newer = await server.get(CONFIG_MAPS, query={"resourceVersion": then, "resourceVersionMatch": "NotOlderThan"})
        assert names(newer) == ["c001"]
        assert names(await server.get(CONFIG_MAPS, query={"resourceVersion": "0"})) == ["c001"]
        await server.store.compact(server.store.revision)
        gone = await server.get(CONFIG_MAPS, query={"resourceVersion": then, "resourceVersionMatch": "Exact"})
        assert gone.status == 410

    api(scenario)


@pytest.mark.parametrize("path", [CONFIG_MAPS, core("configmaps", "default", "c000")])
def test_the_future_is_waited_for_and_then_refused(api: Api, path: str) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        await fill(server, 1)
        future = str(server.store.revision + 1)
        sleepers = clock.sleeps
        asking = asyncio.ensure_future(server.get(path, query={"resourceVersion": future}))
        await until(lambda: clock.sleeps > sleepers)
        await server.create("secrets", {"metadata": {"name": "s"}})
        assert (await asking).status == 200
        asking = asyncio.ensure_future(server.get(path, query={"resourceVersion": "999999"}))
        while not asking.done():
            await clock.advance(1)
            await asyncio.sleep(0.01)
        answer = await asking
        assert (answer.status, answer.tree["reason"]) == (504, "Timeout")
        assert answer.message.startswith("Timeout: Too large resource version: 999999, current: ")
        assert answer.tree["details"]["causes"] == [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        ]

    api(scenario, clock=clock)


def test_who_gives_up_on_the_future_leaves_nothing_behind(api: Api) -> None:
    clock = ManualClock()

    def futures() -> int:
        gc.collect()
        return sum(type(thing) is asyncio.Future for thing in gc.get_objects())

    async def scenario(server: Served) -> None:
        before = futures()
        for number in range(3):
            query = {"resourceVersion": str(10**9 + number)}
            asking = [asyncio.ensure_future(server.get(CONFIG_MAPS, query=query)) for _ in range(20)]
            while not all(each.done() for each in asking):
                await clock.advance(1)
                await asyncio.sleep(0.01)
            assert {(await each).status for each in asking} == {504}
        assert futures() < before + 30, "those of idle connections"

    api(scenario, clock=clock)


def test_a_long_list_is_whole_in_every_form(api: Api) -> None:
    async def scenario(server: Served) -> None:
        async def make(index: int) -> None:
            tree = {"metadata": {"name": f"n{index:04}"}, "data": {"x": "y" * 100}}
            assert (await server.create("configmaps", tree)).status == 201

        for start in range(0, 700, 50):
            await asyncio.gather(*(make(index) for index in range(start, start + 50)))
        wanted = [f"n{index:04}" for index in range(700)]
        assert names(await server.get(CONFIG_MAPS)) == wanted
        table = await server.get(CONFIG_MAPS, accept="application/json;as=Table;g=meta.k8s.io;v=v1")
        assert [row["cells"][0] for row in table.tree["rows"]] == wanted
        packed = await server.get(CONFIG_MAPS, headers=[("Accept-Encoding", "gzip")])
        tree: dict[str, Any] = msgspec.json.decode(zlib.decompress(packed.body, 31))
        assert [item["metadata"]["name"] for item in tree["items"]] == wanted

    api(scenario)


def test_tables_have_the_columns_of_the_kind(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", {"metadata": {"name": "a"}, "data": {"x": "1", "y": "2"}})
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
        table = (await server.get(CONFIG_MAPS, accept=accept)).tree
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert table["columnDefinitions"][0]["format"] == "name"
        assert [column["description"].partition(" ")[0] for column in table["columnDefinitions"]] == [
            "Name", "Data", "CreationTimestamp",
        ]  # fmt: skip
        (row,) = table["rows"]
        assert row["cells"][:2] == ["a", 2] and row["cells"][2].endswith("s")
        assert (row["object"]["kind"], row["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "a")
        whole = (await server.get(CONFIG_MAPS, accept=accept, query={"includeObject": "Object"})).tree["rows"][0]["object"]
        assert (whole["kind"], whole["data"]) == ("ConfigMap", {"x": "1", "y": "2"})
        none = (await server.get(CONFIG_MAPS, accept=accept, query={"includeObject": "None"})).tree["rows"][0]["object"]
        assert none is None
        single = (await server.get(CONFIG_MAPS + "/a", accept=accept)).tree
        assert (single["kind"], len(single["rows"])) == ("Table", 1)

    api(scenario)
