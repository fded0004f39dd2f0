"""ResourceQuota at the door: what is counted, what is refused, what is given back."""

from __future__ import annotations

import asyncio
from typing import Any

from sampan.api.quota.charging import Limited
from sampan.api.quota.scopes import Scope
from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge
from sampan.apiserver.admission.configuration import AdmissionSettings
from tests.component.conftest import Answer, Api, Served, core

Tree = dict[str, Any]


def pod(name: str, **spec: Any) -> Tree:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec}}


def config_map(name: str) -> Tree:
    return {"metadata": {"name": name}}


async def quota(server: Served, name: str, hard: Tree, used: Tree | None = None, **spec: Any) -> None:
    """With the status that the controller would give it."""
    answer = await server.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    assert answer.status == 201, answer.message
    status = {"hard": hard, "used": dict.fromkeys(hard, "0") | (used or {})}
    answer = await server.update("resourcequotas", answer.tree | {"status": status}, subresource="status")
    assert answer.status == 200, answer.message


async def used(server: Served, name: str) -> Tree:
    tree: Tree = (await server.get(core("resourcequotas", "default", name))).tree
    found: Tree = tree["status"]["used"]
    return found


async def until_used(server: Served, name: str, expected: Tree) -> None:
    async with asyncio.timeout(5):
        while await used(server, name) != expected:  # noqa: ASYNC110 - the server counts in its own time
            await asyncio.sleep(0.005)


async def account(server: Served) -> None:
    assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}})).status == 201


def count(answers: list[Answer], status: int) -> int:
    return sum(1 for answer in answers if answer.status == status)


def test_many_creates_at_once_fill_a_quota_exactly(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await account(server)
        await quota(server, "few", {"pods": "10", "requests.cpu": "100"})
        await quota(server, "fewer", {"pods": "7"})
        cpu = {"resources": {"requests": {"cpu": "1"}}}
        given = [pod(f"p{n}", containers=[{"name": "c", "image": "x:1", **cpu}]) for n in range(40)]
        answers = await asyncio.gather(*(server.create("pods", tree) for tree in given))
        assert (count(answers, 201), count(answers, 403)) == (7, 33)
        assert {answer.message.partition("forbidden: ")[2] for answer in answers if answer.status == 403} == {
            "exceeded quota: fewer, requested: pods=1, used: pods=7, limited: pods=7"
        }
        await until_used(server, "few", {"pods": "7", "requests.cpu": "7"})
        assert await used(server, "fewer") == {"pods": "7"}
        assert len((await server.get(core("pods", "default"))).tree["items"]) == 7

    api(scenario)


def test_waiting_creates_are_counted_by_few_updates(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await quota(server, "many", {"count/configmaps": "1000"})
        before = server.store.revision
        answers = await asyncio.gather(*(server.create("configmaps", config_map(f"c{n}")) for n in range(100)))
        assert count(answers, 201) == 100
        assert await used(server, "many") == {"count/configmaps": "100"}
        assert server.store.revision - before < 180, "as many updates as creates would be 200"

    api(scenario)


def test_other_servers_and_controllers_may_change_a_quota_meanwhile(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await quota(server, "shared", {"count/configmaps": "30"})
        path = core("resourcequotas", "default", "shared")

        async def label() -> None:
            for number in range(20):
                assert (await server.patch(path, {"metadata": {"labels": {"n": str(number)}}})).status == 200

        async def create() -> list[Answer]:
            return await asyncio.gather(*(server.create("configmaps", config_map(f"c{n}")) for n in range(40)))

        answers, _ = await asyncio.gather(create(), label())
        assert (count(answers, 201), count(answers, 403)) == (30, 10)
        assert await used(server, "shared") == {"count/configmaps": "30"}

    api(scenario)


def test_what_is_not_made_is_given_back(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await quota(server, "q", {"count/configmaps": "10"})
        assert (await server.create("configmaps", config_map("a"))).status == 201
        again = await asyncio.gather(*(server.create("configmaps", config_map("a")) for _ in range(20)))
        assert count(again, 409) + count(again, 403) == 20
        await until_used(server, "q", {"count/configmaps": "1"})
        assert (await server.create("configmaps", config_map("b"), query={"dryRun": "All"})).status == 201
        assert await used(server, "q") == {"count/configmaps": "1"}

    api(scenario)


def test_nothing_is_given_back_to_a_quota_that_was_recounted(api: Api) -> None:
    """A recount does not find what was not made."""

    class Late(Judge):
        name = "Late"

        def __init__(self) -> None:
            self.reached = asyncio.Event()
            self.go = asyncio.Event()

        def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
            return resource.plural == "configmaps" and operation == CREATE

        def validate(self, attributes: Attributes) -> Any:
            return self.refuse(attributes)

        async def refuse(self, attributes: Attributes) -> None:
            self.reached.set()
            await self.go.wait()
            raise attributes.refused("no")

    async def scenario(server: Served) -> None:
        await quota(server, "q", {"count/configmaps": "10"}, {"count/configmaps": "3"})
        late = Late()
        admission = server.server.registries.admission
        admission.use([*admission._plugins, late])
        creating = asyncio.ensure_future(server.create("configmaps", config_map("a")))
        await late.reached.wait()
        assert await used(server, "q") == {"count/configmaps": "4"}
        tree = (await server.get(core("resourcequotas", "default", "q"))).tree
        tree["status"]["used"] = {"count/configmaps": "2"}
        assert (await server.update("resourcequotas", tree, subresource="status")).status == 200
        late.go.set()
        assert (await creating).status == 403
        admission.use(admission._plugins[:-1])
        assert (await server.create("configmaps", config_map("b"))).status == 201
        assert await used(server, "q") == {"count/configmaps": "3"}

    api(scenario)


def test_a_quota_without_a_status_is_not_in_force_yet(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = {"metadata": {"name": "fresh"}, "spec": {"hard": {"count/configmaps": "0"}}}
        assert (await server.create("resourcequotas", tree)).status == 201
        assert (await server.create("configmaps", config_map("a"))).status == 201

    api(scenario)


def test_services_pay_for_node_ports_when_they_get_them(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await quota(server, "ports", {"services.nodeports": "1", "services.loadbalancers": "0", "services": "5"})
        ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
        service = {"metadata": {"name": "s"}, "spec": {"ports": ports}}
        assert (await server.create("services", service)).status == 201
        path = core("services", "default", "s")
        answer = await server.patch(path, {"spec": {"type": "NodePort"}})
        assert (answer.status, answer.message) == (
            403,
            'services "s" is forbidden: exceeded quota: ports, requested: services.nodeports=2, '
            "used: services.nodeports=0, limited: services.nodeports=1",
        )
        answer = await server.patch(path, {"spec": {"type": "NodePort", "ports": ports[:1]}})
        assert answer.status == 200, answer.message
        assert (await used(server, "ports"))["services.nodeports"] == "1"

    api(scenario)


def test_a_quota_counts_the_pods_of_a_priority(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await account(server)
        high = {"metadata": {"name": "high"}, "value": 1000}
        assert (await server.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", high)).status == 201
        selector = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
        await quota(server, "important", {"pods": "1"}, scopeSelector=selector)
        assert (await server.create("pods", pod("plain"))).status == 201
        assert (await server.create("pods", pod("first", priorityClassName="high"))).status == 201
        assert (await server.create("pods", pod("second", priorityClassName="high"))).status == 403
        assert await used(server, "important") == {"pods": "1"}

    api(scenario)


def test_what_is_limited_must_be_covered_by_a_quota(api: Api) -> None:
    async def scenario(server: Served) -> None:
        assert (await server.create("serviceaccounts", {"metadata": {"name": "default"}})).status == 201
        path = "/apis/scheduling.k8s.io/v1/priorityclasses"
        assert (await server.request("POST", path, {"metadata": {"name": "vital"}, "value": 9})).status == 201
        refused = await server.create("secrets", config_map("a"))
        assert refused.status == 403
        assert refused.message == 'secrets "a" is forbidden: insufficient quota to consume: count/secrets'
        await quota(server, "maps", {"count/secrets": "5"})
        assert (await server.create("secrets", config_map("a"))).status == 201
        assert (await server.create("pods", pod("plain"))).status == 201
        vital = await server.create("pods", pod("vital", priorityClassName="vital"))
        assert vital.status == 500
        assert vital.message == "insufficient quota to match these scopes: [{PriorityClass In [vital]}]"
        expression = {"scopeName": "PriorityClass", "operator": "In", "values": ["vital"]}
        await quota(server, "vital", {"pods": "1"}, scopeSelector={"matchExpressions": [expression]})
        assert (await server.create("pods", pod("vital", priorityClassName="vital"))).status == 201

    limited = (
        Limited("", "secrets", ("count/",)),
        Limited("", "pods", (), (Scope("PriorityClass", "In", ("vital",)),)),
    )
    api(scenario, admission=AdmissionSettings(limited=limited))
