from __future__ import annotations

from sampan.api.types.apps_v1 import ReplicaSet, ReplicaSetSpec
from sampan.api.types.core_v1 import Event, Pod
from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta
from tests.component.conftest import Api
from tests.component.controllers.world import World, template, world
from tests.unit.fakeapi import run


def replica_set(name: str = "web", replicas: int = 3) -> ReplicaSet:
    return ReplicaSet(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ReplicaSetSpec(
            replicas=replicas, selector=LabelSelector(matchLabels={"app": name}), template=template(app=name)
        ),
    )  # fmt: skip


async def scale(w: World, name: str, replicas: int) -> None:
    await w.client.patch(ReplicaSet, name, "default", {"spec": {"replicas": replicas}})


def test_a_replica_set_makes_its_pods_and_says_so(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            rs = await w.client.create(replica_set())
            pods = await w.pods_number(3)
            for pod in pods:
                assert pod.metadata.name.startswith("web-")
                (owner,) = pod.metadata.ownerReferences
                assert (owner.kind, owner.uid, owner.controller, owner.blockOwnerDeletion) == (
                    "ReplicaSet", rs.metadata.uid, True, True,
                )  # fmt: skip

            async def messages() -> set[str] | None:
                events = (await w.client.list(Event, "default", fields="involvedObject.name=web")).items
                found = {e.message for e in events if e.reason == "SuccessfulCreate"}
                return found if len(found) == 3 else None

            assert await w.until(messages) == {f"Created pod: {pod.metadata.name}" for pod in pods}

    run(work())


def test_the_status_follows_the_pods(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(replica_set())
            pods = await w.pods_number(3)
            await w.set_ready(*pods[:2])

            async def counted() -> bool:
                status = (await w.client.get(ReplicaSet, "web", "default")).status
                return (status.replicas, status.readyReplicas, status.availableReplicas, status.observedGeneration) == (
                    3,
                    2,
                    2,
                    1,
                )

            await w.until(counted)

    run(work())


def test_a_deleted_pod_is_replaced(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(replica_set())
            first = (await w.pods_number(3))[0]
            await w.client.delete(Pod, first.metadata.name, "default")
            await w.gone(Pod, first.metadata.name)
            assert first.metadata.name not in [p.metadata.name for p in await w.pods_number(3)]

    run(work())


def test_scaling_down_takes_the_unready_first(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(replica_set())
            pods = await w.pods_number(3)
            await w.set_ready(pods[0])

            async def one_ready() -> bool:
                return (await w.client.get(ReplicaSet, "web", "default")).status.readyReplicas == 1

            await w.until(one_ready)
            await scale(w, "web", 1)
            (left,) = await w.pods_number(1)
            assert left.metadata.name == pods[0].metadata.name

    run(work())


def test_orphans_are_adopted_and_strays_released(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            orphan = Pod(metadata=ObjectMeta(name="orphan", namespace="default", labels={"app": "web"}), spec=template().spec)
            await w.client.create(orphan)
            await w.client.create(replica_set(replicas=2))

            async def adopted() -> bool:
                return bool((await w.client.get(Pod, "orphan", "default")).metadata.ownerReferences)

            await w.until(adopted)
            await w.pods_number(2)
            await w.client.patch(Pod, "orphan", "default", {"metadata": {"labels": {"app": "stray"}}})

            async def released() -> bool:
                return not (await w.client.get(Pod, "orphan", "default")).metadata.ownerReferences

            await w.until(released)
            await w.pods_number(2, "app=web")

    run(work())


def test_a_template_that_is_refused_shows_in_the_status_and_an_event(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            broken = replica_set()
            assert broken.spec.template is not None
            broken.spec.template.spec.serviceAccountName = "missing"
            await w.client.create(broken)

            async def failed() -> str | None:
                conditions = (await w.client.get(ReplicaSet, "web", "default")).status.conditions
                return conditions[0].message if conditions and conditions[0].reason == "FailedCreate" else None

            assert 'error looking up service account default/missing: serviceaccount "missing" not found' in await w.until(
                failed
            )

            async def told() -> bool:
                events = (await w.client.list(Event, "default")).items
                return any(e.reason == "FailedCreate" and e.message.startswith("Error creating: pods ") for e in events)

            await w.until(told)

    run(work())


def test_a_thousand_looks_at_a_stale_cache_make_no_pod_too_many(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(replica_set(replicas=30))
            for number in range(30):  # each write makes the controller look again, often before its cache shows its pods
                await w.client.patch(ReplicaSet, "web", "default", {"metadata": {"annotations": {"n": str(number)}}})
            await w.pods_number(30)

            async def settled() -> bool:
                return (await w.client.get(ReplicaSet, "web", "default")).status.availableReplicas == 30

            await w.until(settled)
            everyone = (await w.client.list(Event, "default")).items
            assert not [e for e in everyone if e.reason == "SuccessfulDelete"]

    run(work())
