"""Several API servers over one etcd: whoever goes from one to another never goes back in time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from sampan.lib.clock import RealClock
from sampan.store.etcd import EtcdStore
from sampan.store.memory import MemoryStore
from sampan.store.transfer import clear
from tests.component.conftest import Api, Served, core
from tests.etcdserver import BINARY, MISSING, EtcdServer

Tree = dict[str, Any]
Scenario = Callable[[Served, Served], Awaitable[None]]
Pair = Callable[[Scenario], None]


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One for all tests; `pair` empties it."""
    yield from run_etcd(tmp_path_factory.mktemp("etcd"))


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    yield from run_etcd(tmp_path)


def run_etcd(directory: Path) -> Iterator[EtcdServer]:
    if not BINARY.exists():
        pytest.skip(MISSING)
    server = EtcdServer(directory)
    server.start()
    yield server
    server.stop()


async def empty(etcd: EtcdServer) -> None:
    store = EtcdStore([etcd.endpoint])
    await store.open()
    await clear(store)
    await store.close()


@asynccontextmanager
async def servers(api: Api, etcd: EtcdServer, *addresses: str) -> AsyncIterator[list[Served]]:
    async with AsyncExitStack() as stack:
        found = []
        for address in addresses:
            clock = RealClock()
            store = cast(MemoryStore, EtcdStore([etcd.endpoint], clock=clock))
            found.append(await stack.enter_async_context(api.serve(clock, store, advertise_address=address)))
        yield found


@pytest.fixture
def pair(api: Api, etcd: EtcdServer) -> Pair:
    def run(scenario: Scenario) -> None:
        async def main() -> None:
            await empty(etcd)
            async with asyncio.timeout(60), servers(api, etcd, "10.0.0.1", "10.0.0.2") as (one, other):
                await scenario(one, other)

        uvloop.run(main())

    return run


async def until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Ask until the answer is the wanted one."""
    async with asyncio.timeout(20):
        while await ask() != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def status(server: Served, path: str) -> int:
    return (await server.get(path)).status


def config_map(name: str, **data: str) -> Tree:
    return {"metadata": {"name": name}, "data": data}


def test_what_one_server_wrote_the_other_reads_at_once(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        path = core("configmaps", "default", "a")
        for turn in range(30):
            written = await one.create("configmaps", config_map("a", turn=str(turn)))
            assert written.status == 201
            read = await other.get(path)
            assert (read.status, read.tree) == (200, written.tree)
            listed = await other.get(core("configmaps", "default"), query={"fieldSelector": "metadata.name=a"})
            assert [item["data"] for item in listed.tree["items"]] == [{"turn": str(turn)}]
            assert int(listed.tree["metadata"]["resourceVersion"]) >= int(written.tree["metadata"]["resourceVersion"])
            assert (await other.delete(path)).status == 200
            assert (await one.get(path)).status == 404
            one, other = other, one

    pair(scenario)


def test_an_update_at_one_server_builds_on_what_the_other_answered(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        tree = (await one.create("configmaps", config_map("a", turn="-"))).tree
        for turn in range(30):
            tree["data"] = {"turn": str(turn)}
            answer = await other.update("configmaps", tree)
            assert answer.status == 200, answer.message
            tree = answer.tree
            one, other = other, one
        stale = {**tree, "metadata": {**tree["metadata"], "resourceVersion": str(int(tree["metadata"]["resourceVersion"]) - 1)}}
        assert (await one.update("configmaps", stale)).status == 409

    pair(scenario)


def test_a_name_is_taken_at_both_servers(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        answers = await asyncio.gather(*(server.create("configmaps", config_map("a")) for server in [one, other] * 10))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 19

    pair(scenario)


def test_patches_at_both_servers_all_take_effect(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        await one.create("configmaps", config_map("a"))
        path = core("configmaps", "default", "a")
        patches = (
            server.patch(path, {"data": {f"{number}-{turn}": ""}})
            for turn in range(5)
            for number, server in enumerate((one, other))
        )
        assert {answer.status for answer in await asyncio.gather(*patches)} == {200}
        assert len((await one.get(path)).tree["data"]) == 10

    pair(scenario)


def test_a_namespace_made_at_one_server_takes_objects_at_the_other(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        for turn in range(10):
            assert (await one.create("namespaces", {"metadata": {"name": f"n{turn}"}}, "")).status == 201
            assert (await other.create("configmaps", config_map("a"), f"n{turn}")).status == 201

    pair(scenario)


def test_a_watch_goes_on_at_the_other_server_without_loss_or_repeat(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        path = core("configmaps", "default")
        revision = (await one.get(path)).tree["metadata"]["resourceVersion"]
        seen: list[str] = []
        for turn in range(20):
            server = (one, other)[turn % 2]
            writer = (other, one)[turn // 2 % 2]
            await asyncio.gather(*(writer.create("configmaps", config_map(f"c{turn}-{number}")) for number in range(3)))
            async with server.watch(
                path, {"resourceVersion": revision, "fieldSelector": "metadata.name!=kube-root-ca.crt"}
            ) as watch:
                for _ in range(3):
                    type_, tree = await watch.next()
                    assert type_ == "ADDED"
                    seen.append(tree["metadata"]["name"])
                    revision = tree["metadata"]["resourceVersion"]
        assert sorted(seen) == sorted(f"c{turn}-{number}" for turn in range(20) for number in range(3))

    pair(scenario)


def test_a_watch_from_a_revision_to_come_begins_behind_it(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        for ahead, server, writer in ((60, one, other), (100, other, other)):
            newest = (await writer.create("configmaps", config_map(f"newest{ahead}"))).tree["metadata"]["resourceVersion"]
            begin = int(newest) + ahead
            async with server.watch(core("configmaps", "default"), {"resourceVersion": str(begin)}) as events:
                writes = [writer.create("configmaps", config_map(f"{ahead}-{number}")) for number in range(150)]
                made = [answer.tree["metadata"] for answer in await asyncio.gather(*writes)]
                later = [each for each in made if int(each["resourceVersion"]) > begin]
                assert 0 < len(later) < 150
                later.sort(key=lambda each: int(each["resourceVersion"]))
                assert await events.names(len(later)) == [("ADDED", each["name"]) for each in later]

    pair(scenario)


def test_a_list_begun_at_one_server_is_continued_at_the_other(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        names = [f"c{number:02}" for number in range(20)]
        await asyncio.gather(*(one.create("configmaps", config_map(name), "kube-public") for name in names))
        seen: list[str] = []
        query = {"limit": "3"}
        while True:
            page = (await one.get(core("configmaps", "kube-public"), query=query)).tree
            seen += [item["metadata"]["name"] for item in page["items"]]
            if not page["metadata"].get("continue"):
                break
            query = {"limit": "3", "continue": page["metadata"]["continue"]}
            await other.delete(core("configmaps", "kube-public", names.pop()))
            one, other = other, one
        assert [name for name in seen if name.startswith("c")] == [f"c{number:02}" for number in range(20)]

    pair(scenario)


def test_services_of_both_servers_get_addresses_of_their_own(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        specs = {"ports": [{"port": 80}], "type": "NodePort"}
        answers = [
            await server.create("services", {"metadata": {"name": f"s{turn}-{number}"}, "spec": specs})
            for turn in range(10)
            for number, server in enumerate((one, other))
        ]
        assert {answer.status for answer in answers} == {201}
        assert len({answer.tree["spec"]["clusterIP"] for answer in answers}) == 20

    pair(scenario)


def test_the_endpoints_of_kubernetes_are_all_servers_that_live(api: Api, own_etcd: EtcdServer) -> None:
    etcd = own_etcd
    path = core("endpoints", "default", "kubernetes")

    async def endpoints(server: Served) -> list[str]:
        found = await server.get(path)
        subsets = found.tree.get("subsets", []) if found.status == 200 else []
        return [address["ip"] for subset in subsets for address in subset["addresses"]]

    async def main() -> None:
        async with asyncio.timeout(30), servers(api, etcd, "10.0.0.1") as (one,):
            await until(lambda: endpoints(one), ["10.0.0.1"])
            async with servers(api, etcd, "10.0.0.2"):
                await until(lambda: endpoints(one), ["10.0.0.1", "10.0.0.2"])
                slices = await one.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
                assert [point["addresses"] for point in slices.tree["endpoints"]] == [["10.0.0.1"], ["10.0.0.2"]]
                lease = await one.store.get("/registry/masterleases/10.0.0.2")
                assert lease is not None and b'"ip":"10.0.0.2"' in lease.value
            assert await endpoints(one) == ["10.0.0.1"]

    uvloop.run(main())


def test_without_etcd_old_reads_go_on_and_others_say_why_not(
    api: Api, own_etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    etcd = own_etcd
    monkeypatch.setattr("sampan.store.etcdclient.CALL_SECONDS", 0.5)
    monkeypatch.setattr("sampan.apiserver.registry.feed._CHECK_SECONDS", 0.1)

    async def main() -> None:
        async with asyncio.timeout(60), servers(api, etcd, "10.0.0.1") as (server,):
            path = core("configmaps", "default", "a")
            written = (await server.create("configmaps", config_map("a"))).tree
            async with server.watch(
                core("configmaps", "default"), {"resourceVersion": written["metadata"]["resourceVersion"]}
            ) as watch:
                etcd.kill()
                old = {"resourceVersion": "0"}
                assert (await server.get(path, query=old)).tree == written
                listed = (await server.get(core("configmaps", "default"), query=old)).tree["items"]
                assert "a" in [item["metadata"]["name"] for item in listed]
                for answer in (
                    await server.get(path),
                    await server.delete(path),
                    await server.create("configmaps", config_map("b")),
                ):
                    assert answer.status in (500, 503, 504)
                    assert answer.tree["kind"] == "Status"
                await until(lambda: status(server, "/readyz"), 500)
                etcd.start()
                while (answer := await server.create("configmaps", config_map("c"))).status != 201:
                    assert answer.status in (500, 503, 504)
                assert (await watch.next())[1] == answer.tree
                assert (await server.get(path)).tree == written
                await until(lambda: status(server, "/readyz"), 200)

    uvloop.run(main())


def test_an_etcd_that_hangs_is_given_up_in_time(api: Api, own_etcd: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = own_etcd
    monkeypatch.setattr("sampan.store.etcdclient.CALL_SECONDS", 0.5)
    monkeypatch.setattr("sampan.apiserver.registry.feed._CHECK_SECONDS", 0.1)

    async def main() -> None:
        async with asyncio.timeout(60), servers(api, etcd, "10.0.0.1") as (server,):
            etcd.pause()
            answer = await server.create("configmaps", config_map("a"))
            assert (answer.status, answer.tree["reason"]) == (504, "Timeout")
            assert answer.message == "Timeout: request did not complete within requested timeout - context deadline exceeded"
            etcd.go_on()
            while (answer := await server.create("configmaps", config_map("b"))).status != 201:
                assert answer.status in (500, 503, 504)

    uvloop.run(main())


def test_a_server_begins_anew_where_etcd_was_set_back(api: Api, own_etcd: EtcdServer, tmp_path: Path) -> None:
    """Without that it would be blind until as many writes were made again."""
    data, backup = own_etcd.directory / "data", tmp_path / "backup"

    async def main() -> None:
        async with asyncio.timeout(60), servers(api, own_etcd, "10.0.0.1") as (server,):
            assert (await server.create("configmaps", config_map("kept"))).status == 201
            own_etcd.stop()
            shutil.copytree(data, backup)
            own_etcd.start()
            for number in range(20):
                assert (await server.create("configmaps", config_map(f"lost-{number}"))).status == 201
            own_etcd.stop()
            shutil.rmtree(data)
            backup.rename(data)
            own_etcd.start()
            path = core("configmaps", "default", "lost-0")
            await until(lambda: status(server, path), 404)
            await until(lambda: status(server, "/readyz"), 200)
            assert (await server.create("configmaps", config_map("new"))).status == 201
            assert (await server.patch(core("configmaps", "default", "kept"), {"data": {"a": "b"}})).status == 200
            listed = await server.get(core("configmaps", "default"))
            assert {item["metadata"]["name"]: item.get("data") for item in listed.tree["items"]} == {
                "kept": {"a": "b"},
                "new": None,
            }

    uvloop.run(main())
