"""Priority and fairness over HTTP: every cluster's objects, the headers, requests that wait and requests sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from sampan.client.transport import HTTPResponse
from tests.component.conftest import Api, Served
from tests.unit.fakeapi import until

GROUP = "/apis/flowcontrol.apiserver.k8s.io/v1"
ALICE = [("Impersonate-User", "alice")]
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def _level(name: str, response: dict[str, Any]) -> dict[str, Any]:
    limited = {"nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": response}
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}


def _schema(name: str, level: str, user: str = "alice") -> dict[str, Any]:
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    rules = [{"subjects": [{"kind": "User", "user": {"name": user}}], "resourceRules": [rule]}]
    return {
        "metadata": {"name": name},
        "spec": {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": 50, "rules": rules},
    }


async def _tree(served: Served, path: str) -> dict[str, Any]:
    answer = await served.request("GET", path)
    assert answer.status == 200, answer.body
    tree: dict[str, Any] = msgspec.json.decode(answer.body)
    return tree


async def _eventually(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - conditions are what the server answers
            await asyncio.sleep(0.01)


async def _condition(served: Served, schema: str) -> dict[str, Any]:
    """Whether its level exists, as the FlowSchema says; {} while it says nothing."""
    answer = await served.request("GET", f"{GROUP}/flowschemas/{schema}")
    conditions = msgspec.json.decode(answer.body).get("status", {}).get("conditions") if answer.status == 200 else None
    return conditions[0] if conditions else {}


async def _made(served: Served, path: str, tree: dict[str, Any]) -> None:
    answer = await served.request("POST", path, tree)
    assert answer.status == 201, answer.body


def test_every_cluster_has_upstreams_levels_and_schemas(api: Api) -> None:
    async def body(served: Served) -> None:
        await _eventually(lambda: _condition(served, "probes"))
        levels = await _tree(served, f"{GROUP}/prioritylevelconfigurations")
        assert {item["metadata"]["name"] for item in levels["items"]} == {
            "exempt", "catch-all", "system", "node-high", "leader-election", "workload-high", "workload-low", "global-default",
        }  # fmt: skip
        schemas = await _tree(served, f"{GROUP}/flowschemas")
        assert len(schemas["items"]) == 13
        condition = await _condition(served, "probes")
        assert (condition["type"], condition["status"], condition["reason"]) == ("Dangling", "False", "Found")
        probes = await _tree(served, f"{GROUP}/flowschemas/probes")
        owner = next(each for each in probes["metadata"]["managedFields"] if each.get("subresource") == "status")
        assert (owner["manager"], owner["operation"]) == ("api-priority-and-fairness-config-consumer-v1", "Apply")
        assert 'k:{"type":"Dangling"}' in owner["fieldsV1"]["f:status"]["f:conditions"]

    api(body)


def test_answers_name_the_schema_and_the_level_also_those_that_refuse(api: Api) -> None:
    async def body(served: Served) -> None:
        await served.server.fairness.ensure_objects()
        schema = await _tree(served, f"{GROUP}/flowschemas/global-default")
        level = await _tree(served, f"{GROUP}/prioritylevelconfigurations/global-default")
        answer = await served.transport.request("GET", CONFIGMAPS, headers=ALICE)
        assert answer.status == 403
        assert answer.headers["x-kubernetes-pf-flowschema-uid"] == schema["metadata"]["uid"]
        assert answer.headers["x-kubernetes-pf-prioritylevel-uid"] == level["metadata"]["uid"]

    api(body)


def test_a_level_without_a_free_seat_sends_requests_away_and_says_when_to_come_back(api: Api) -> None:
    async def body(served: Served) -> None:
        await _made(served, f"{GROUP}/prioritylevelconfigurations", _level("narrow", {"type": "Reject"}))
        await _made(served, f"{GROUP}/flowschemas", _schema("narrow", "narrow"))
        level = served.server.fairness.levels["narrow"]
        seats = [level.enter(1) for _ in range(level.limit)]
        answer = await served.transport.request("GET", CONFIGMAPS, headers=ALICE)
        assert answer.status == 429 and answer.headers["retry-after"] == "1"
        assert answer.body == b"Too many requests, please try again later.\n"
        mine = await served.request("GET", CONFIGMAPS)
        assert mine.status == 200, "who is exempt is not kept out"
        level.leave(seats.pop())
        assert (await served.transport.request("GET", CONFIGMAPS, headers=ALICE)).status == 403

    api(body)


def test_requests_wait_for_a_seat_and_then_run(api: Api) -> None:
    async def body(served: Served) -> None:
        queuing = {"queues": 4, "handSize": 1, "queueLengthLimit": 2}
        await _made(served, f"{GROUP}/prioritylevelconfigurations", _level("slow", {"type": "Queue", "queuing": queuing}))
        await _made(served, f"{GROUP}/flowschemas", _schema("slow", "slow"))
        level = served.server.fairness.levels["slow"]
        seats = [level.enter(1) for _ in range(level.limit)]

        async def ask() -> HTTPResponse:
            return await served.transport.request("GET", CONFIGMAPS, headers=ALICE)

        asked = [asyncio.ensure_future(ask()) for _ in range(2)]
        await until(lambda: level.waiting == 2)
        assert (await ask()).status == 429, "its one queue is full"
        level.leave(seats.pop())
        assert [answer.status for answer in await asyncio.gather(*asked)] == [403, 403]
        assert not level.waiting and level.in_use == len(seats)

    api(body)


def test_a_schema_without_its_level_is_dangling_until_the_level_comes(api: Api) -> None:
    async def body(served: Served) -> None:
        await _made(served, f"{GROUP}/flowschemas", _schema("early", "late"))

        async def dangling(status: str) -> bool:
            return (await _condition(served, "early")).get("status") == status

        await _eventually(lambda: dangling("True"))
        await _made(served, f"{GROUP}/prioritylevelconfigurations", _level("late", {"type": "Reject"}))
        await _eventually(lambda: dangling("False"))

    api(body)


def test_what_is_the_servers_is_mended_and_what_is_a_users_is_left(api: Api) -> None:
    async def body(served: Served) -> None:
        fairness = served.server.fairness
        await fairness.ensure_objects()
        path = f"{GROUP}/prioritylevelconfigurations"
        for name, said in (("workload-low", "false"), ("workload-high", "true")):
            patch = {
                "metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": said}},
                "spec": {"limited": {"nominalConcurrencyShares": 7}},
            }
            answer = await served.patch(f"{path}/{name}", patch)
            assert answer.status == 200, answer.body
        assert (await served.request("DELETE", f"{path}/catch-all")).status == 200
        await fairness.ensure_objects()
        shares = {
            name: (await _tree(served, f"{path}/{name}"))["spec"]["limited"]["nominalConcurrencyShares"]
            for name in ("workload-low", "workload-high", "catch-all")
        }
        assert shares == {"workload-low": 7, "workload-high": 40, "catch-all": 5}

    api(body)


def test_what_demand_has_moved_stays_when_other_objects_change(api: Api) -> None:
    async def body(served: Served) -> None:
        async def dangling() -> bool:
            return all(await asyncio.gather(*(_condition(served, name) for name in ("probes", "catch-all", "global-default"))))

        await _eventually(dangling)
        fairness = served.server.fairness
        level = fairness.levels["global-default"]
        seats = [level.enter(1) for _ in range(100)]
        fairness.adjust()
        fairness.adjust()
        assert level.limit > 100
        before = level.limit
        await _made(served, f"{GROUP}/flowschemas", _schema("another", "global-default"))
        assert level.limit == before
        for seat in seats:
            level.leave(seat)

    api(body)
