"""`pods/eviction` and disruption budgets, over HTTP; tests write the status of a budget as its controller would."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.lib.clock import ManualClock
from tests.component.conftest import Answer, Api, Served, Tree, core

POD = core("pods", "default", "p")
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
NOW = "2023-11-14T22:13:20Z"


async def make_pod(server: Served, phase: str = "Running", ready: bool = True, name: str = "p") -> None:
    if (await server.get(core("serviceaccounts", "default", "default"))).status == 404:
        await server.create("serviceaccounts", {"metadata": {"name": "default"}})
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "x:1"}]}
    await server.create("pods", {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec})
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    path = core("pods", "default", name, "status")
    assert (await server.patch(path, {"status": {"phase": phase, "conditions": [condition]}})).status == 200


async def make_budget(server: Served, name: str = "b", *, spec: Tree | None = None, **status: Any) -> None:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1} | (spec or {})
    assert (await server.request("POST", BUDGETS, {"metadata": {"name": name}, "spec": spec})).status == 201
    status = {"observedGeneration": 1, "expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 1, **status}
    assert (await server.patch(f"{BUDGETS}/{name}/status", {"status": status})).status == 200


async def evict(server: Served, version: str = "policy/v1", name: str = "p", query: Any = (), **options: Any) -> Answer:
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    if options:
        body["deleteOptions"] = options
    return await server.request("POST", POD + "/eviction", body, query=query)


async def is_deleting(server: Served) -> bool:
    return "deletionTimestamp" in (await server.get(POD)).tree["metadata"]


def test_a_granted_eviction_is_counted_and_the_pod_marked(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, disruptionsAllowed=1)
        answer = await evict(server)
        assert (answer.status, answer.tree["status"]) == (201, "Success")
        status = (await server.get(f"{BUDGETS}/b")).tree["status"]
        assert (status["disruptionsAllowed"], status["disruptedPods"]) == (0, {"p": NOW})
        (condition,) = status["conditions"]
        assert condition == {
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
            "observedGeneration": 1, "lastTransitionTime": NOW,
        }  # fmt: skip
        pod = (await server.get(POD)).tree
        assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
        assert pod["status"]["conditions"][-1] == {
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastTransitionTime": NOW, "lastProbeTime": None,
        }  # fmt: skip

    api(scenario, clock=ManualClock())


def test_an_eviction_against_the_budget_is_refused_with_its_cause(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, disruptionsAllowed=0, desiredHealthy=2)
        answer = await evict(server)
        assert answer.status == 429
        assert answer.header("retry-after") == []
        assert answer.tree == {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "TooManyRequests",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": {"causes": [
                {"reason": "DisruptionBudget", "message": "The disruption budget b needs 2 healthy pods and has 2 currently"}
            ]},
            "code": 429,
        }  # fmt: skip
        assert not await is_deleting(server)

    api(scenario)


def test_a_budget_that_nobody_counted_since_it_changed_allows_nothing_yet(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, disruptionsAllowed=1, observedGeneration=0)
        answer = await evict(server)
        assert (answer.status, answer.header("retry-after")) == (429, ["10"])
        assert answer.tree["details"] == {
            "retryAfterSeconds": 10,
            "causes": [
                {"reason": "DisruptionBudget", "message": "The disruption budget b is still being processed by the server."}
            ],
        }

    api(scenario)


def test_too_many_unconfirmed_evictions_are_enough(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, disruptionsAllowed=1, disruptedPods={f"p{n}": NOW for n in range(2001)})
        answer = await evict(server)
        assert (answer.status, answer.message) == (
            403,
            'poddisruptionbudget.policy "b" is forbidden: DisruptedPods map too big - '
            "too many evictions not confirmed by PDB controller",
        )

    api(scenario)


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_serves_nobody_goes_without_a_question(api: Api, phase: str) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server, phase)
        await make_budget(server, disruptionsAllowed=0)
        assert (await evict(server)).status == 201
        gone = await server.get(POD)
        assert gone.status == 404 or "deletionTimestamp" in gone.tree["metadata"]
        assert "disruptedPods" not in (await server.get(f"{BUDGETS}/b")).tree["status"]

    api(scenario)


UNREADY = [
    ("healthy enough", {}, {"currentHealthy": 1, "desiredHealthy": 1}, 201),
    ("not healthy enough", {}, {"currentHealthy": 0, "desiredHealthy": 1}, 429),
    ("none is wanted", {}, {"currentHealthy": 0, "desiredHealthy": 0}, 429),
    ("always", {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {"currentHealthy": 0, "desiredHealthy": 1}, 201),
    ("if healthy", {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}, {"currentHealthy": 0, "desiredHealthy": 1}, 429),
]


@pytest.mark.parametrize(("row", "spec", "status", "expected"), UNREADY, ids=[row[0] for row in UNREADY])
def test_an_unready_pod_goes_as_its_budget_says(api: Api, row: str, spec: Tree, status: Tree, expected: int) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server, ready=False)
        await make_budget(server, spec=spec, disruptionsAllowed=0, **status)
        assert (await evict(server)).status == expected
        assert await is_deleting(server) is (expected == 201)

    api(scenario)


def test_several_budgets_of_one_pod_are_an_error(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, "a", disruptionsAllowed=1)
        await make_budget(server, "b", disruptionsAllowed=1, spec={"selector": {}})
        answer = await evict(server)
        assert (answer.status, answer.tree) == (500, {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500,
            "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        })  # fmt: skip

    api(scenario)


def test_a_budget_without_a_selector_or_elsewhere_selects_nothing(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await server.request("POST", core("namespaces"), {"metadata": {"name": "other"}})
        await server.request("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": {"minAvailable": 5}})
        everything = {"metadata": {"name": "b"}, "spec": {"minAvailable": 5, "selector": {}}}
        assert (await server.request("POST", BUDGETS.replace("default", "other"), everything)).status == 201
        assert (await evict(server)).status == 201

    api(scenario)


@pytest.mark.parametrize("query", [{"dryRun": "All"}, {}], ids=["asked in the query", "asked in the body"])
def test_a_rehearsed_eviction_changes_nothing(api: Api, query: Any) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        await make_budget(server, disruptionsAllowed=1)
        pod, budget = (await server.get(POD)).tree, (await server.get(f"{BUDGETS}/b")).tree
        options = {} if query else {"dryRun": ["All"]}
        assert (await evict(server, query=query, **options)).status == 201
        assert ((await server.get(POD)).tree, (await server.get(f"{BUDGETS}/b")).tree) == (pod, budget)
        await server.patch(f"{BUDGETS}/b/status", {"status": {"disruptionsAllowed": 0}})
        assert (await evict(server, query=query, **options)).status == 429

    api(scenario)


def test_preconditions_of_an_eviction_hold(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        pod = (await server.get(POD)).tree["metadata"]
        answer = await evict(server, preconditions={"uid": "another"})
        assert answer.status == 409
        assert answer.message == (
            f'Operation cannot be fulfilled on Pod "p": the UID in the precondition (another) does not match the UID in record '
            f"({pod['uid']}). The object might have been deleted and then recreated"
        )
        answer = await evict(server, preconditions={"resourceVersion": "1"})
        assert answer.status == 409 and "The object might have been modified" in answer.message
        assert not await is_deleting(server)
        good = {"uid": pod["uid"], "resourceVersion": pod["resourceVersion"]}
        assert (await evict(server, preconditions=good, gracePeriodSeconds=5)).status == 201
        assert (await server.get(POD)).tree["metadata"]["deletionGracePeriodSeconds"] == 5

    api(scenario)


def test_evictions_come_in_both_versions_and_for_the_pod_of_the_url(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        other = await evict(server, name="q")
        assert (other.status, other.message) == (400, "name in URL does not match name in Eviction object")
        odd = await evict(server, version="policy/v2")
        assert (odd.status, odd.message) == (
            400, "the API version in the data (policy/v2) does not match the expected API version (policy/v1)",
        )  # fmt: skip
        assert (await evict(server, version="policy/v1beta1")).status == 201

    api(scenario)


def test_no_more_evictions_are_granted_than_allowed_however_many_ask_at_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        names = [f"p{n}" for n in range(8)]
        for name in names:
            await make_pod(server, name=name)
        await make_budget(server, disruptionsAllowed=3)

        async def one(name: str) -> int:
            body = {"metadata": {"name": name, "namespace": "default"}}
            return (await server.request("POST", core("pods", "default", name, "eviction"), body)).status

        statuses = await asyncio.gather(*map(one, names))
        assert sorted(statuses) == [201] * 3 + [429] * 5
        status = (await server.get(f"{BUDGETS}/b")).tree["status"]
        assert (status["disruptionsAllowed"], len(status["disruptedPods"])) == (0, 3)

    api(scenario)


def test_a_budget_is_not_replaced_blindly(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_budget(server)
        body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 2, "selector": {}}}
        refused = await server.request("PUT", f"{BUDGETS}/b", body)
        assert refused.status == 422 and "must be specified for an update" in refused.message
        body["metadata"]["resourceVersion"] = (await server.get(f"{BUDGETS}/b")).tree["metadata"]["resourceVersion"]
        replaced = await server.request("PUT", f"{BUDGETS}/b", body)
        assert (replaced.status, replaced.tree["metadata"]["generation"]) == (200, 2)
        assert replaced.tree["status"]["currentHealthy"] == 2

    api(scenario)
