"""Watches: what a watcher hears, from where on, and how its watch ends."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from sampan.lib.clock import ManualClock, RealClock
from sampan.lib.websocket import WebSocket, accepted, new_key, offer_headers
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Served, core
from tests.unit.fakeapi import until

CONFIG_MAPS = core("configmaps", "default")


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


async def revision_of(server: Served) -> str:
    return str((await server.get(CONFIG_MAPS)).tree["metadata"]["resourceVersion"])


def test_a_watcher_hears_of_every_write_in_order(api: Api) -> None:
    async def scenario(server: Served) -> None:
        revision = await revision_of(server)
        async with server.watch(CONFIG_MAPS, {"resourceVersion": revision}) as events:
            await server.create("configmaps", config_map("a"))
            await server.update("configmaps", config_map("a", x="1"))
            await server.delete(CONFIG_MAPS + "/a")
            heard = [await events.next() for _ in range(3)]
        assert [type_ for type_, _ in heard] == ["ADDED", "MODIFIED", "DELETED"]
        revisions = [int(tree["metadata"]["resourceVersion"]) for _, tree in heard]
        assert revisions == sorted(set(revisions)) and revisions[0] > int(revision)
        assert heard[2][1]["data"] == {"x": "1"}
        assert heard[0][1]["kind"] == "ConfigMap"

    api(scenario)


def test_a_watch_without_a_revision_begins_with_what_is_there(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map("a"))
        await server.create("configmaps", config_map("b"), "kube-public")
        async with server.watch(CONFIG_MAPS) as events:
            assert await events.names(1) == [("ADDED", "a")]
            await server.create("configmaps", config_map("c"))
            assert await events.names(1) == [("ADDED", "c")]

    api(scenario)


def test_objects_enter_and_leave_a_selection(api: Api) -> None:
    async def scenario(server: Served) -> None:
        revision = await revision_of(server)
        async with server.watch(CONFIG_MAPS, {"resourceVersion": revision, "labelSelector": "app=web"}) as events:
            await server.create("configmaps", config_map("a", {"app": "db"}))
            for labels, data in (({"app": "web"}, "1"), ({"app": "web"}, "2"), ({"app": "db"}, "3")):
                await server.update("configmaps", config_map("a", labels, x=data))
            heard = [await events.next() for _ in range(3)]
        assert [type_ for type_, _ in heard] == ["ADDED", "MODIFIED", "DELETED"]
        gone = heard[2][1]
        assert gone["data"] == {"x": "2"}, "an object that leaves is shown as it was before"
        assert int(gone["metadata"]["resourceVersion"]) > int(heard[1][1]["metadata"]["resourceVersion"])

    api(scenario)


def test_one_object_can_be_watched_by_its_name(api: Api) -> None:
    async def scenario(server: Served) -> None:
        revision = await revision_of(server)
        query = {"resourceVersion": revision, "fieldSelector": "metadata.name=b"}
        old_way = server.transport.stream(
            "GET", "/api/v1/watch/namespaces/default/configmaps/b", query={"resourceVersion": revision}
        )
        async with server.watch(CONFIG_MAPS, query) as events, old_way as stream:
            await server.create("configmaps", config_map("a"))
            await server.create("configmaps", config_map("b"))
            assert await events.names(1) == [("ADDED", "b")]
            assert b'"name":"b"' in await anext(aiter(stream))

    api(scenario)


def test_watchers_of_many_tastes_get_each_their_own(api: Api) -> None:
    async def scenario(server: Served) -> None:
        revision = await revision_of(server)
        table = "application/json;as=Table;g=meta.k8s.io;v=v1"
        partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
        query = {"resourceVersion": revision}
        async with (
            server.watch(core("configmaps"), query) as everywhere,
            server.watch(core("configmaps", "kube-public"), query) as elsewhere,
            server.watch(CONFIG_MAPS, query, accept=table) as rows,
            server.watch(CONFIG_MAPS, query, accept=partial) as metadata,
        ):
            await server.create("configmaps", config_map("a", x="1"))
            await server.create("configmaps", config_map("b"), "kube-public")
            assert await everywhere.names(2) == [("ADDED", "a"), ("ADDED", "b")]
            assert await elsewhere.names(1) == [("ADDED", "b")]
            _, row = await rows.next()
            assert row["kind"] == "Table" and row["rows"][0]["cells"][:2] == ["a", 1]
            assert [column["name"] for column in row["columnDefinitions"]] == ["Name", "Data", "Age"]
            await server.create("configmaps", config_map("c"))
            assert (await rows.next())[1]["columnDefinitions"] is None  # they are told once
            _, part = await metadata.next()
            assert (part["kind"], part["metadata"]["name"], "data" in part) == ("PartialObjectMetadata", "a", False)

    api(scenario)


def test_a_watch_ends_when_its_time_is_over_and_says_how_far_it_came(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        query = {"resourceVersion": await revision_of(server), "timeoutSeconds": "90", "allowWatchBookmarks": "true"}
        async with server.watch(CONFIG_MAPS, query) as events:
            await server.create("secrets", {"metadata": {"name": "s"}})
            await clock.advance(61)
            type_, tree = await events.next()
            assert (type_, tree["kind"], "name" in tree["metadata"]) == ("BOOKMARK", "ConfigMap", False)
            assert int(tree["metadata"]["resourceVersion"]) > int(query["resourceVersion"])
            await clock.advance(30)
            assert [type_ for type_, _ in await events.rest()] == ["BOOKMARK"]

    api(scenario, clock=clock)


def test_a_list_can_be_streamed_as_a_watch(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map("a"))
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        async with server.watch(CONFIG_MAPS, query) as events:
            assert await events.names(1) == [("ADDED", "a")]
            type_, tree = await events.next()
            assert type_ == "BOOKMARK"
            annotations = tree["metadata"]["annotations"]
            assert annotations["k8s.io/initial-events-end"] == "true"
            blueprint = json.loads(base64.b64decode(annotations["kubernetes.io/initial-events-list-blueprint"]))
            assert blueprint == {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": None}
            await server.create("configmaps", config_map("b"))
            assert await events.names(1) == [("ADDED", "b")]
        wrong = await server.get(CONFIG_MAPS, query={"watch": "1", "sendInitialEvents": "true"})
        assert wrong.status == 422
        assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in wrong.message

    api(scenario)


def test_history_that_is_forgotten_is_an_error_in_the_stream(api: Api) -> None:
    async def scenario(server: Served) -> None:
        old = await revision_of(server)
        for index in range(300):
            await server.create("configmaps", config_map(f"c{index}"))
        await server.store.compact(server.store.revision)
        cache = server.server.registry("", "configmaps").cache
        cache.ring.clear()
        cache.ring_start = cache.revision
        async with server.watch(CONFIG_MAPS, {"resourceVersion": old}) as events:
            type_, tree = await events.next()
            assert (type_, tree["code"], tree["reason"]) == ("ERROR", 410, "Expired")
            assert tree["message"].startswith(f"too old resource version: {old} (")
            assert await events.rest() == []

    api(scenario)


def test_a_new_server_takes_watches_up_where_the_old_one_left_them(api: Api) -> None:
    async def scenario() -> None:
        store = MemoryStore(RealClock())
        await store.open()
        close, store.close = store.close, _nothing  # type: ignore[method-assign]
        store.open = _nothing  # type: ignore[method-assign]
        async with api.serve(RealClock(), store) as first:
            revision = await revision_of(first)
            await first.create("configmaps", config_map("a"))
            await first.delete(CONFIG_MAPS + "/a")
        query = {"resourceVersion": revision}
        async with api.serve(RealClock(), store) as second, second.watch(CONFIG_MAPS, query) as events:
            await second.create("configmaps", config_map("b"))
            assert await events.names(3) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b")]
        await close()

    async def _nothing() -> None:
        return None

    asyncio.run(scenario())


def test_a_watcher_that_reads_late_misses_nothing(api: Api) -> None:
    count, size = 60, 100_000

    async def scenario(server: Served) -> None:
        revision = await revision_of(server)
        async with server.watch(CONFIG_MAPS, {"resourceVersion": revision}) as events:
            # Far more than the buffers between the two take: the server must stop writing and go on later.
            for index in range(count):
                assert (await server.create("configmaps", config_map(f"c{index:03}", x="y" * size))).status == 201
            assert [name for _, name in await events.names(count)] == [f"c{index:03}" for index in range(count)]
            await server.create("configmaps", config_map("last"))
            assert await events.names(1) == [("ADDED", "last")]

    api(scenario)


def test_the_end_of_the_server_ends_watches_cleanly(api: Api) -> None:
    async def scenario() -> None:
        async with api.serve(RealClock(), MemoryStore(RealClock())) as served, served.watch(CONFIG_MAPS) as events:
            await served.create("configmaps", config_map("a"))
            assert await events.names(1) == [("ADDED", "a")]
            stopping = asyncio.ensure_future(served.server.stop(grace_seconds=2))
            assert await events.rest() == []
            await stopping
            served.server.stop = _stopped  # type: ignore[method-assign]

    async def _stopped(grace_seconds: float = 0) -> None:
        return None

    asyncio.run(scenario())


def test_a_browser_watches_over_a_websocket(api: Api) -> None:
    async def scenario(server: Served) -> None:
        query = {"watch": "1", "resourceVersion": await revision_of(server)}
        key = new_key()
        headers = offer_headers(key, ["base64.binary.k8s.io"])
        upgraded = await server.transport.upgrade("GET", CONFIG_MAPS, query=query, headers=headers)
        assert accepted(key, upgraded.headers) and upgraded.headers["sec-websocket-protocol"] == "base64.binary.k8s.io"
        assert upgraded.duplex is not None
        socket = WebSocket(upgraded.duplex, client=True)
        for name in ("a", "b"):
            await server.create("configmaps", config_map(name))
            message = await socket.receive()
            assert isinstance(message, str)
            event = json.loads(message)
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)
        hub = server.server.context.endpoints.find("", "v1", "configmaps")
        assert hub is not None and len(hub.hub.watchers) == 1
        socket.close()
        await until(lambda: not hub.hub.watchers)
        upgraded.duplex.close()
        refused = await server.transport.upgrade("GET", CONFIG_MAPS, query=query, headers=offer_headers(key, ["a", "b"]))
        assert refused.status == 400

    api(scenario)


def test_a_future_that_a_streamed_list_waits_for_in_vain_is_an_error_in_the_stream(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": "999999"}
        asking = asyncio.ensure_future(server.get(CONFIG_MAPS, query={"watch": "1", **query}))
        while not asking.done():
            await clock.advance(1)
            await asyncio.sleep(0.01)
        answer = await asking
        assert (answer.status, answer.tree["type"], answer.tree["object"]["code"]) == (200, "ERROR", 504)
        assert answer.tree["object"]["message"].startswith("Timeout: Too large resource version: 999999, current: ")

    api(scenario, clock=clock)


@pytest.mark.parametrize(
    ("plural", "field", "message"),
    [
        ("configmaps", "x", '"x" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("pods", "spec.x", "field label not supported: spec.x"),
        ("nodes", "metadata.namespace", "field label not supported: metadata.namespace"),
        ("namespaces", "name", "field label not supported: name"),
    ],
)
def test_fields_that_nobody_can_select_by_are_refused_in_the_words_of_the_kind(
    api: Api, plural: str, field: str, message: str
) -> None:
    async def scenario(server: Served) -> None:
        for query in ({"watch": "1"}, {}):
            answer = await server.get(core(plural), query={**query, "fieldSelector": f"{field}=1"})
            assert (answer.status, answer.message) == (400, message)
        by_name = await server.get("/api/v1/watch/namespaces/default/configmaps/a", query={"fieldSelector": "metadata.name=b"})
        assert (by_name.status, by_name.message) == (400, "fieldSelector metadata.name doesn't match requested name")

    api(scenario)
