"""The disruption controller, on a real API server: budgets are counted, and evictions keep to them."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.errors import StatusError
from sampan.api.types.apps_v1 import Deployment, DeploymentSpec, StatefulSet, StatefulSetSpec
from sampan.api.types.core_v1 import Container, Event, Pod, PodSpec
from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from sampan.api.types.policy_v1 import Eviction, PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from sampan.client.rest import Client
from tests.component.conftest import Api
from tests.component.controllers.test_replicaset import replica_set
from tests.component.controllers.world import World, template, world
from tests.unit.fakeapi import run


def budget(name: str = "b", app: str = "web", **spec: Any) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(matchLabels={"app": app}), **spec),
    )


def owned_pod(name: str, owner: OwnerReference | None = None) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", labels={"app": "web"}, ownerReferences=[owner] if owner else []),
        spec=PodSpec(nodeName="n", containers=[Container(name="c", image="x")]),
    )


async def counted(w: World, allowed: int, healthy: int, desired: int, expected: int) -> PodDisruptionBudgetStatus:
    """The status of the budget, once it says that."""

    async def status() -> PodDisruptionBudgetStatus | None:
        found = (await w.client.get(PodDisruptionBudget, "b", "default")).status
        counts = (found.disruptionsAllowed, found.currentHealthy, found.desiredHealthy, found.expectedPods)
        return found if counts == (allowed, healthy, desired, expected) else None

    found: PodDisruptionBudgetStatus = await w.until(status)
    return found


async def evict(client: Client, name: str) -> int:
    """The code of the answer, without the client's own trying again."""
    body = Eviction(metadata=ObjectMeta(name=name, namespace="default"))
    try:
        await client.create_subresource(Pod, name, "default", "eviction", body, dict)
    except StatusError as error:
        return error.code
    return 201


def test_a_budget_follows_the_pods_of_a_deployment(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            spec = DeploymentSpec(
                replicas=4, selector=LabelSelector(matchLabels={"app": "web"}), template=template(app="web")
            )  # fmt: skip
            await w.client.create(Deployment(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
            await w.client.create(budget(maxUnavailable="25%"))
            pods = await w.pods_number(4)
            await counted(w, 0, 0, 3, 4)
            await w.set_ready(*pods)
            status = await counted(w, 1, 4, 3, 4)
            assert [(c.status, c.reason) for c in status.conditions] == [("True", "SufficientPods")]
            await w.set_ready(pods[0], ready=False)
            await counted(w, 0, 3, 3, 4)
            await w.client.patch(PodDisruptionBudget, "b", "default", {"spec": {"maxUnavailable": 2}})
            assert (await counted(w, 1, 3, 2, 4)).observedGeneration == 2

    run(work())


def test_evictions_stop_where_the_budget_ends_and_go_on_when_others_are_ready(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(replica_set(replicas=3))
            await w.client.create(budget(minAvailable=2))
            pods = await w.pods_number(3)
            for pod in pods:
                await w.client.patch(Pod, pod.metadata.name, "default", {"metadata": {"finalizers": ["example.com/hold"]}})
            await w.set_ready(*pods)
            await counted(w, 1, 3, 2, 3)
            first, second, _ = (pod.metadata.name for pod in pods)
            assert await evict(w.client, first) == 201
            assert await evict(w.client, second) == 429
            replacement = [p for p in await w.pods_number(3) if p.metadata.name not in {q.metadata.name for q in pods}]
            await w.set_ready(*replacement)

            async def again() -> bool:
                return await evict(w.client, second) == 201

            await w.until(again)

            async def confirmed() -> bool:
                return not (await w.client.get(PodDisruptionBudget, "b", "default")).status.disruptedPods

            await w.until(confirmed)

    run(work())


def test_any_controller_with_a_scale_counts(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            spec = StatefulSetSpec(
                replicas=3, selector=LabelSelector(matchLabels={"app": "web"}), template=template(app="web")
            )  # fmt: skip
            owner = await w.client.create(StatefulSet(metadata=ObjectMeta(name="s", namespace="default"), spec=spec))
            reference = OwnerReference(
                apiVersion="apps/v1", kind="StatefulSet", name="s", uid=owner.metadata.uid, controller=True
            )  # fmt: skip
            await w.set_ready(await w.client.create(owned_pod("s-0", reference)))
            await w.client.create(budget(minAvailable="50%"))
            await counted(w, 0, 1, 2, 3)
            await w.set_ready(await w.client.create(owned_pod("s-1", reference)))
            await w.set_ready(await w.client.create(owned_pod("s-2", reference)))
            await counted(w, 1, 3, 2, 3)

    run(work())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("Frobnicator", 'no matches for kind "Frobnicator" in version "apps/v1"'),
        ("DaemonSet", "daemonsets.apps does not implement the scale subresource"),
        ("ReplicaSet", 'found no controllers for pod "p"'),
    ],
)
def test_nothing_is_allowed_while_nobody_knows_what_there_should_be(api: Api, kind: str, why: str) -> None:
    async def work() -> None:
        async with world(api) as w:
            reference = OwnerReference(apiVersion="apps/v1", kind=kind, name="gone", uid="1-2-3", controller=True)
            pod = owned_pod("p", reference)
            pod.metadata.finalizers = ["example.com/hold"]  # else it goes with the owner that is not there
            await w.set_ready(await w.client.create(pod))
            await w.client.create(budget(maxUnavailable=1))

            async def failed() -> bool:
                conditions = (await w.client.get(PodDisruptionBudget, "b", "default")).status.conditions
                return [(c.reason, c.message) for c in conditions] == [("SyncFailed", why)]

            await w.until(failed)

    run(work())


def test_pods_that_nobody_controls_and_pods_of_two_budgets_are_told(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.set_ready(await w.client.create(owned_pod("p")))
            await w.client.create(budget(minAvailable="50%"))
            await w.client.create(budget("c", minAvailable=1))
            await w.client.create(budget("empty", app="none", minAvailable=1))

            async def told() -> bool:
                events = (await w.client.list(Event, "default")).items
                found = {(e.involvedObject.name, e.reason): (e.message, e.source.component) for e in events}
                return {
                    ("empty", "NoPods"): ("No matching pods found", "controllermanager"),
                    ("p", "MultiplePodDisruptionBudgets"): (
                        'Pod "default"/"p" matches multiple PodDisruptionBudgets.  Chose "b" arbitrarily.',
                        "controllermanager",
                    ),
                }.items() <= found.items() and found.get(("b", "UnmanagedPods"), ("",))[0].startswith(
                    "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string"
                    "{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged."
                )

            await w.until(told)

    run(work())


def test_a_disruption_that_never_came_is_called_off(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(owned_pod("p"))
            condition = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
            status = {"status": {"phase": "Running", "conditions": [condition]}}
            await w.client.patch(Pod, "p", "default", status, subresource="status")

            async def called_off() -> bool:
                return [c.status for c in (await w.client.get(Pod, "p", "default")).status.conditions] == ["False"]

            await w.until(called_off)

    run(work())
