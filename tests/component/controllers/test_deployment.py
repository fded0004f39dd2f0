from __future__ import annotations

from typing import Any

from sampan.api.types.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSet,
    RollingUpdateDeployment,
)
from sampan.api.types.core_v1 import Event, Pod
from sampan.api.types.meta_v1 import LabelSelector, ObjectMeta
from sampan.client.rest import STRATEGIC_PATCH
from tests.component.conftest import Api
from tests.component.controllers.world import World, template, world
from tests.unit.fakeapi import run

REVISION = "deployment.kubernetes.io/revision"


def deployment(replicas: int = 3, strategy: DeploymentStrategy | None = None, **spec: Any) -> Deployment:
    return Deployment(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(matchLabels={"app": "web"}),
            template=template(app="web"),
            strategy=strategy,
            **spec,
        ),
    )


def rolling(surge: int | str, unavailable: int | str) -> DeploymentStrategy:
    return DeploymentStrategy(
        type="RollingUpdate", rollingUpdate=RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable)
    )  # fmt: skip


async def patch(w: World, patch: dict[str, Any]) -> Deployment:
    return await w.client.patch(Deployment, "web", "default", patch, type=STRATEGIC_PATCH)


async def set_image(w: World, image: str) -> Deployment:
    return await patch(w, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}})


def condition(status: DeploymentStatus, type: str) -> tuple[str, str]:
    return next(((c.status, c.reason) for c in status.conditions if c.type == type), ("", ""))


async def rolled_out(w: World) -> Deployment:
    """As `kubectl rollout status` waits for it."""

    async def done() -> Deployment | None:
        d = await w.client.get(Deployment, "web", "default")
        counts = (d.status.updatedReplicas, d.status.replicas, d.status.availableReplicas)
        complete = counts == (d.spec.replicas,) * 3 and d.status.observedGeneration == d.metadata.generation
        return d if complete and condition(d.status, "Progressing") == ("True", "NewReplicaSetAvailable") else None

    found: Deployment = await w.until(done)
    return found


async def sets(w: World) -> dict[str, ReplicaSet]:
    """By revision."""
    return {rs.metadata.annotations[REVISION]: rs for rs in (await w.client.list(ReplicaSet, "default")).items}


async def scalings(w: World) -> list[str]:
    events = (await w.client.list(Event, "default", fields="involvedObject.kind=Deployment")).items
    return [e.message for e in events if e.reason == "ScalingReplicaSet"]


def test_a_deployment_makes_a_replica_set_and_becomes_available(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment())
            d = await rolled_out(w)
            assert d.metadata.annotations[REVISION] == "1"
            assert condition(d.status, "Available") == ("True", "MinimumReplicasAvailable")
            rs = (await sets(w))["1"]
            digest = rs.metadata.labels["pod-template-hash"]
            assert rs.metadata.name == f"web-{digest}"
            assert rs.spec.selector is not None
            assert rs.spec.selector.matchLabels == {"app": "web", "pod-template-hash": digest}
            messages = [c.message for c in d.status.conditions if c.type == "Progressing"]
            assert messages == [f'ReplicaSet "{rs.metadata.name}" has successfully progressed.']

            async def told() -> bool:
                return await scalings(w) == [f"Scaled up replica set {rs.metadata.name} from 0 to 3"]

            await w.until(told)

    run(work())


def test_a_new_image_rolls_out_within_its_bounds_and_can_be_undone(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment(strategy=rolling(1, 1)))
            await rolled_out(w)
            most, fewest = 0, 99
            await set_image(w, "busybox:2")

            async def finished() -> bool:
                nonlocal most, fewest
                pods = await w.pods("app=web")
                most = max(most, len(pods))
                fewest = min(fewest, sum(p.status.phase == "Running" for p in pods))
                d = await w.client.get(Deployment, "web", "default")
                return d.status.updatedReplicas == d.status.availableReplicas == d.status.replicas == 3

            await w.until(finished)
            await rolled_out(w)
            assert most <= 4
            assert fewest >= 2
            found = await sets(w)
            assert (found["1"].spec.replicas, found["2"].spec.replicas) == (0, 3)

            await set_image(w, "busybox")  # what `kubectl rollout undo` does: the old template again
            d = await rolled_out(w)
            assert d.metadata.annotations[REVISION] == "3"
            found = await sets(w)
            assert set(found) == {"2", "3"}
            assert found["3"].metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
            assert found["3"].spec.replicas == 3

    run(work())


def test_scaling_in_mid_rollout_is_shared_in_proportion(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(deployment(10, strategy=rolling(3, 2)))
            await w.set_ready(*await w.pods_number(10))
            await rolled_out(w)
            await set_image(w, "broken")

            async def stuck() -> bool:
                found = await sets(w)
                return len(found) == 2 and (found["1"].spec.replicas, found["2"].spec.replicas) == (8, 5)

            await w.until(stuck)
            await patch(w, {"spec": {"replicas": 15}})

            async def shared() -> bool:  # the example of upstream's documentation
                found = await sets(w)
                return (found["1"].spec.replicas, found["2"].spec.replicas) == (11, 7)

            await w.until(shared)

    run(work())


def test_recreate_ends_every_old_pod_before_the_first_new_one(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(deployment(2, strategy=DeploymentStrategy(type="Recreate")))
            old = await w.pods_number(2)
            await w.set_ready(*old)
            await rolled_out(w)
            for pod in old:  # something that ends slowly
                body = {"metadata": {"finalizers": ["test/slow"]}}
                await w.client.patch(Pod, pod.metadata.name, "default", body)
            await set_image(w, "busybox:2")
            await w.pods_number(0)
            assert "2" not in await sets(w)
            for pod in old:
                await w.client.patch(Pod, pod.metadata.name, "default", {"metadata": {"finalizers": None}})
            await w.set_ready(*await w.pods_number(2))
            await rolled_out(w)

    run(work())


def test_a_paused_deployment_scales_but_does_not_roll(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment(2))
            await rolled_out(w)
            await patch(w, {"spec": {"paused": True}})

            async def noticed(status: str, reason: str) -> bool:
                return condition((await w.client.get(Deployment, "web", "default")).status, "Progressing") == (status, reason)

            await w.until(lambda: noticed("Unknown", "DeploymentPaused"))
            await set_image(w, "busybox:2")
            await patch(w, {"spec": {"replicas": 4}})
            await w.pods_number(4)
            assert set(await sets(w)) == {"1"}
            await patch(w, {"spec": {"paused": False}})
            await rolled_out(w)
            assert (await sets(w))["2"].spec.replicas == 4

    run(work())


def test_old_replica_sets_beyond_the_history_limit_are_removed(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment(1, revisionHistoryLimit=1))
            for tag in "abc":
                await rolled_out(w)
                await set_image(w, f"busybox:{tag}")
            await rolled_out(w)

            async def trimmed() -> bool:
                return set(await sets(w)) == {"3", "4"}

            await w.until(trimmed)

    run(work())


def test_a_rollout_without_progress_exceeds_its_deadline(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(deployment(1, progressDeadlineSeconds=1))

            async def failed() -> bool:
                status = (await w.client.get(Deployment, "web", "default")).status
                return condition(status, "Progressing") == ("False", "ProgressDeadlineExceeded")

            await w.until(failed)

    run(work())


def test_min_ready_seconds_hold_back_availability(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment(1, minReadySeconds=1))

            async def ready_only() -> bool:
                status = (await w.client.get(Deployment, "web", "default")).status
                assert not (status.availableReplicas and not status.readyReplicas)
                return bool(status.readyReplicas) and not status.availableReplicas

            await w.until(ready_only)
            await rolled_out(w)

    run(work())


def test_a_name_that_is_taken_makes_another_hash(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            await w.client.create(deployment(1))
            first = (await rolled_out(w)).metadata.name
            await w.client.delete(Deployment, first, "default", propagation="Orphan")
            await w.gone(Deployment, first)
            (left,) = (await sets(w)).values()
            await w.client.patch(ReplicaSet, left.metadata.name, "default", {"metadata": {"labels": {"app": "stray"}}})
            await w.client.create(deployment(1))
            d = await rolled_out(w)
            assert d.status.collisionCount == 1
            names = {rs.metadata.name for rs in (await w.client.list(ReplicaSet, "default")).items}
            assert len(names) == 2

    run(work())
