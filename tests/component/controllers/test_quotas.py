"""Quotas' status follows what there is, and storage objects go once nothing uses them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import uvloop

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import (
    ConfigMap,
    HostPathVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
    Pod,
    ResourceQuota,
    ResourceQuotaSpec,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
    VolumeResourceRequirements,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers import resourcequota
from sampan.controllers.manager import ControllerManagerOptions
from tests.component.conftest import Api
from tests.component.controllers.test_garbage_collector import sent
from tests.component.controllers.world import World, world
from tests.component.definitions import DEFINITIONS, GROUP, crd, cron

GI = {"storage": "1Gi"}


async def used(it: World, name: str, **expected: str) -> None:
    """Wait until the quota says that this is used."""
    wanted = {key.replace("__", "/").replace("_", "."): amount for key, amount in expected.items()}

    async def said() -> bool:
        status = (await it.client.get(ResourceQuota, name, "default")).status
        assert set(status.used) <= set(status.hard)
        return status.used == wanted

    await it.until(said)


async def make_quota(it: World, name: str, **spec: Any) -> None:
    await it.client.create(ResourceQuota(metadata=ObjectMeta(name=name, namespace="default"), spec=ResourceQuotaSpec(**spec)))


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x:1", "resources": {"requests": {"cpu": "100m"}}}], **spec},
    }


async def make_pod(it: World, name: str, **spec: Any) -> None:
    await it.client.create(msgspec.convert(pod(name, **spec), Pod))


async def make_secret(it: World, name: str) -> bool:
    """Whether it was let in."""
    try:
        await it.client.create(Secret(metadata=ObjectMeta(name=name, namespace="default")))
    except StatusError as error:
        if "exceeded quota: few, requested: count/secrets=1, used: count/secrets=" not in error.message:
            raise
        return False
    return True


def claim(name: str) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PersistentVolumeClaimSpec(
            accessModes=["ReadWriteOnce"], storageClassName="fast", resources=VolumeResourceRequirements(requests=GI)
        ),
    )


def test_a_quota_counts_what_was_there_before_it_and_what_comes_and_goes(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            await make_pod(it, "before")
            await make_quota(it, "compute", hard={"pods": "3", "requests.cpu": "1", "count/pods": "9"})
            await used(it, "compute", pods="1", requests_cpu="100m", count__pods="1")
            await make_pod(it, "after")
            await used(it, "compute", pods="2", requests_cpu="200m", count__pods="2")
            await it.client.patch(Pod, "before", "default", {"status": {"phase": "Succeeded"}}, subresource="status")
            await used(it, "compute", pods="1", requests_cpu="100m", count__pods="2")
            await it.client.delete(Pod, "before", "default", grace_seconds=0)
            await used(it, "compute", pods="1", requests_cpu="100m", count__pods="1")

    uvloop.run(scenario())


def test_every_kind_that_is_served_can_be_counted(api: Api) -> None:
    async def scenario() -> None:
        async with world(api, options=ControllerManagerOptions()) as it:
            hard = {
                "configmaps": "9",
                "count/configmaps": "9",
                "count/deployments.apps": "9",
                "services.nodeports": "9",
                "fast.storageclass.storage.k8s.io/requests.storage": "9Gi",
            }
            await make_quota(it, "counts", hard=hard)
            meta = ObjectMeta(name="a", namespace="default")
            await it.client.create(ConfigMap(metadata=meta))
            ports = [ServicePort(port=80), ServicePort(port=81, name="b")]
            ports[0].name = "a"
            await it.client.create(Service(metadata=meta, spec=ServiceSpec(type="NodePort", ports=ports)))
            await it.client.create(claim("a"))

            async def counted(**expected: str) -> None:
                async def said() -> bool:
                    return (await it.client.get(ResourceQuota, "counts", "default")).status.used == expected

                await it.until(said)

            size = "fast.storageclass.storage.k8s.io/requests.storage"
            rest = {"count/deployments.apps": "0"}
            await counted(**{"configmaps": "1", "count/configmaps": "1", "services.nodeports": "2", size: "1Gi"}, **rest)
            await it.client.delete(ConfigMap, "a", "default")
            await it.client.delete(Service, "a", "default")
            await it.client.delete(PersistentVolumeClaim, "a", "default")
            await counted(**{"configmaps": "0", "count/configmaps": "0", "services.nodeports": "0", size: "0"}, **rest)

    uvloop.run(scenario())


def test_a_kind_that_is_defined_later_is_counted_soon(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            await make_quota(it, "counts", hard={f"count/crontabs.{GROUP}": "9"})
            await used(it, "counts")
            await sent(it, "POST", DEFINITIONS, crd())
            await used(it, "counts", **{f"count/crontabs.{GROUP}": "0"})
            await sent(it, "POST", f"/apis/{GROUP}/v1/namespaces/default/crontabs", cron("one"))
            await used(it, "counts", **{f"count/crontabs.{GROUP}": "1"})

    uvloop.run(scenario())


def test_a_quota_with_a_scope_counts_only_the_pods_in_it(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            await make_pod(it, "quick", activeDeadlineSeconds=60)
            await make_pod(it, "slow")
            await make_quota(it, "jobs", hard={"pods": "3"}, scopes=["Terminating"])
            await used(it, "jobs", pods="1")

    uvloop.run(scenario())


def test_a_claim_stays_while_a_pod_uses_it_and_goes_with_the_pod(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            await it.client.create(claim("data"))
            volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
            await make_pod(it, "user", nodeName="somewhere", volumes=[volume])
            await it.client.delete(PersistentVolumeClaim, "data", "default")
            await it.client.create(claim("idle"))
            await it.client.delete(PersistentVolumeClaim, "idle", "default")
            await it.gone(PersistentVolumeClaim, "idle")
            kept = await it.client.get(PersistentVolumeClaim, "data", "default")
            assert kept.metadata.deletionTimestamp
            assert kept.metadata.finalizers == ["kubernetes.io/pvc-protection"]
            await it.client.delete(Pod, "user", "default", grace_seconds=0)
            await it.gone(PersistentVolumeClaim, "data")

    uvloop.run(scenario())


def test_a_volume_stays_while_it_is_bound(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            spec = PersistentVolumeSpec(capacity=GI, accessModes=["ReadWriteOnce"], hostPath=HostPathVolumeSource(path="/x"))
            await it.client.create(PersistentVolume(metadata=ObjectMeta(name="v"), spec=spec))
            await it.client.patch(PersistentVolume, "v", "", {"status": {"phase": "Bound"}}, subresource="status")
            await it.client.delete(PersistentVolume, "v")
            await it.client.create(PersistentVolume(metadata=ObjectMeta(name="free"), spec=spec))
            await it.client.delete(PersistentVolume, "free")
            await it.gone(PersistentVolume, "free", "")
            assert (await it.client.get(PersistentVolume, "v")).metadata.deletionTimestamp
            await it.client.patch(PersistentVolume, "v", "", {"status": {"phase": "Released"}}, subresource="status")
            await it.gone(PersistentVolume, "v", "")

    uvloop.run(scenario())


def test_many_creates_at_once_fill_a_quota_and_no_more_while_others_delete(api: Api) -> None:
    async def scenario() -> None:
        async with world(api) as it:
            await make_quota(it, "few", hard={"count/secrets": "25"})
            await used(it, "few", count__secrets="0")
            answers = await asyncio.gather(*(make_secret(it, f"s{n}") for n in range(80)))
            assert sum(answers) == 25
            await used(it, "few", count__secrets="25")
            await asyncio.gather(*(it.client.delete(Secret, f"s{n}", "default") for n in range(80) if answers[n]))
            await used(it, "few", count__secrets="0")

    uvloop.run(scenario())


def test_what_was_counted_and_never_stored_is_free_again_soon(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an API server leaves it that dies between the two."""
    monkeypatch.setattr(resourcequota, "CALM_SECONDS", 0.2)

    async def scenario() -> None:
        async with world(api) as it:
            await make_quota(it, "few", hard={"count/secrets": "2", "pods": "2"})
            await used(it, "few", count__secrets="0", pods="0")
            assert await make_secret(it, "stored")
            counted = {"status": {"used": {"count/secrets": "2"}}}
            await it.client.patch(ResourceQuota, "few", "default", counted, subresource="status")
            assert not await make_secret(it, "refused")
            await used(it, "few", count__secrets="1", pods="0")
            assert await make_secret(it, "second")
            await used(it, "few", count__secrets="2", pods="0")

    uvloop.run(scenario())
