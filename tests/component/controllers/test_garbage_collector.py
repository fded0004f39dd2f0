from __future__ import annotations

from typing import Any

import msgspec

from sampan.api.types.apps_v1 import ReplicaSet
from sampan.api.types.core_v1 import ConfigMap, Pod
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from tests.component.conftest import Api
from tests.component.controllers.test_deployment import deployment, rolled_out
from tests.component.controllers.test_replicaset import replica_set
from tests.component.controllers.world import World, world
from tests.component.definitions import DEFINITIONS, GROUP, crd, cron
from tests.unit.fakeapi import run


async def make(w: World, name: str, *owners: ConfigMap, block: bool = True, finalizers: list[str] | None = None) -> ConfigMap:
    references = [reference(owner, block=block) for owner in owners]
    meta = ObjectMeta(name=name, namespace="default", ownerReferences=references, finalizers=finalizers or [])
    return await w.client.create(ConfigMap(metadata=meta))


def reference(owner: ConfigMap, *, block: bool = True) -> OwnerReference:
    meta = owner.metadata
    return OwnerReference(apiVersion="v1", kind="ConfigMap", name=meta.name, uid=meta.uid, blockOwnerDeletion=block)


async def names(w: World) -> set[str]:
    return {c.metadata.name for c in (await w.client.list(ConfigMap, "default")).items} - {"kube-root-ca.crt"}


def test_deleting_a_deployment_takes_its_replica_sets_and_pods(api: Api) -> None:
    async def work() -> None:
        async with world(api, kubelet=True) as w:
            d = await w.client.create(deployment())
            await rolled_out(w)
            await w.client.delete(type(d), "web", "default")

            async def gone() -> bool:
                return not (await w.client.list(ReplicaSet)).items and not (await w.client.list(Pod)).items

            await w.until(gone)

    run(work())


def test_orphaned_pods_stay_without_their_owner(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(replica_set())
            await w.pods_number(3)
            await w.client.delete(ReplicaSet, "web", "default", propagation="Orphan")
            await w.gone(ReplicaSet, "web")
            pods = await w.pods()
            assert len(pods) == 3
            assert all(not pod.metadata.ownerReferences for pod in pods)

    run(work())


def test_a_foreground_deletion_waits_for_the_dependents_that_block_it(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            owner = await make(w, "owner")
            await make(w, "held", owner, finalizers=["test/hold"])
            await make(w, "free", owner)
            await w.client.delete(ConfigMap, "owner", "default", propagation="Foreground")
            await w.gone(ConfigMap, "free")

            async def waiting() -> bool:
                meta = (await w.client.get(ConfigMap, "owner", "default")).metadata
                held = (await w.client.get(ConfigMap, "held", "default")).metadata
                return bool(held.deletionTimestamp) and meta.finalizers == ["foregroundDeletion"]

            await w.until(waiting)
            await w.client.patch(ConfigMap, "held", "default", {"metadata": {"finalizers": None}})
            await w.gone(ConfigMap, "owner")
            assert await names(w) == set()

    run(work())


def test_an_object_with_another_living_owner_only_loses_the_reference(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            first, second = await make(w, "first"), await make(w, "second")
            await make(w, "shared", first, second)
            await w.client.delete(ConfigMap, "first", "default", propagation="Background")

            async def released() -> bool:
                owners = (await w.client.get(ConfigMap, "shared", "default")).metadata.ownerReferences
                return [o.name for o in owners] == ["second"]

            await w.until(released)

    run(work())


def test_an_owner_that_never_was_is_no_owner(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            ghost = ConfigMap(metadata=ObjectMeta(name="ghost", uid="0000"))
            await make(w, "dependent", ghost)
            real = await make(w, "real")
            impostor = ConfigMap(metadata=ObjectMeta(name="real", uid="1111"))
            await make(w, "misled", impostor)
            await make(w, "kept", real)

            async def collected() -> bool:
                return await names(w) == {"real", "kept"}

            await w.until(collected)

    run(work())


def test_an_owner_of_an_unknown_kind_is_not_taken_for_absent(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            unknown = OwnerReference(apiVersion="example.com/v1", kind="Widget", name="w", uid="2222")
            meta = ObjectMeta(name="careful", namespace="default", ownerReferences=[unknown])
            await w.client.create(ConfigMap(metadata=meta))
            ghost = ConfigMap(metadata=ObjectMeta(name="ghost", uid="0000"))
            await make(w, "dependent", ghost)
            await w.gone(ConfigMap, "dependent")  # made later, so the other has been looked at
            assert await names(w) == {"careful"}

    run(work())


def test_a_chain_goes_link_by_link(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            a = await make(w, "a")
            b = await make(w, "b", a)
            c = await make(w, "c", b)
            await make(w, "d", c)
            await w.client.delete(ConfigMap, "a", "default", propagation="Foreground")
            await w.gone(ConfigMap, "a")
            assert await names(w) == set()

    run(work())


async def sent(w: World, method: str, path: str, tree: object = None) -> Any:
    answer = await w.client.transport.request(method, path, body=msgspec.json.encode(tree) if tree else b"")
    assert answer.status < 300, answer.body
    return msgspec.json.decode(answer.body)


def test_dependents_of_an_object_of_a_new_kind_go_with_it(api: Api) -> None:
    path = f"/apis/{GROUP}/v1/namespaces/default/crontabs"

    async def work() -> None:
        async with world(api) as w:
            await sent(w, "POST", DEFINITIONS, crd())
            made = await sent(w, "POST", path, cron("owner"))
            owner = OwnerReference(apiVersion=f"{GROUP}/v1", kind="CronTab", name="owner", uid=made["metadata"]["uid"])
            await w.client.create(ConfigMap(metadata=ObjectMeta(name="owned", namespace="default", ownerReferences=[owner])))
            await sent(w, "DELETE", f"{path}/owner")
            await w.gone(ConfigMap, "owned")

    run(work())
