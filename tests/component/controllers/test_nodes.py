from __future__ import annotations

from sampan.api.types.coordination_v1 import Lease, LeaseSpec
from sampan.api.types.core_v1 import Node, NodeCondition, NodeStatus, Pod, Taint, Toleration
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers.manager import ControllerManagerOptions
from sampan.lib.clock import rfc3339, rfc3339_micro
from tests.component.conftest import Api
from tests.component.controllers.world import World, template, world
from tests.unit.fakeapi import run

QUICK = ControllerManagerOptions(node_monitor_grace_seconds=1.0)


async def add_node(w: World, name: str) -> Node:
    now = w.client.clock.now()
    ready = NodeCondition(type="Ready", status="True", reason="KubeletReady", lastHeartbeatTime=rfc3339(now))
    node = Node(metadata=ObjectMeta(name=name), status=NodeStatus(conditions=[ready]))
    made = await w.client.create(node)
    await w.client.update_status(made)
    lease = Lease(
        metadata=ObjectMeta(name=name, namespace="kube-node-lease"),
        spec=LeaseSpec(holderIdentity=name, leaseDurationSeconds=40, renewTime=rfc3339_micro(now)),
    )
    await w.client.create(lease)
    return made


async def renew(w: World, name: str) -> None:
    stamp = rfc3339_micro(w.client.clock.now())
    await w.client.patch(Lease, name, "kube-node-lease", {"spec": {"renewTime": stamp}})


async def taints(w: World, name: str) -> set[tuple[str, str]]:
    return {(t.key, t.effect) for t in (await w.client.get(Node, name)).spec.taints}


async def add_pod(w: World, name: str, node: str, tolerations: list[Toleration]) -> Pod:
    spec = template().spec
    spec.nodeName, spec.tolerations = node, tolerations
    pod = await w.client.create(Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
    await w.set_ready(pod)
    return pod


def unreachable(seconds: int) -> Toleration:
    return Toleration(key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", tolerationSeconds=seconds)


def test_every_node_gets_a_network_of_its_own(api: Api) -> None:
    async def work() -> None:
        async with world(api, options=ControllerManagerOptions(cluster_cidr="10.1.0.0/22")) as w:
            for number in range(5):
                await add_node(w, f"n{number}")

            async def networks() -> list[str] | None:
                found = [n.spec.podCIDR for n in (await w.client.list(Node)).items if n.spec.podCIDR]
                return sorted(found) if len(found) == 4 else None

            assert await w.until(networks) == [f"10.1.{n}.0/24" for n in range(4)]
            freed = next(n for n in (await w.client.list(Node)).items if n.spec.podCIDR == "10.1.2.0/24")
            waiting = next(n for n in (await w.client.list(Node)).items if not n.spec.podCIDR)
            await w.client.delete(Node, freed.metadata.name)
            await w.client.patch(Node, waiting.metadata.name, "", {"metadata": {"labels": {"look": "again"}}})

            async def reused() -> bool:
                return (await w.client.get(Node, waiting.metadata.name)).spec.podCIDR == "10.1.2.0/24"

            await w.until(reused)

    run(work())


def test_a_silent_node_becomes_unknown_and_comes_back(api: Api) -> None:
    async def work() -> None:
        async with world(api, options=QUICK) as w:
            await add_node(w, "alive")
            await add_node(w, "silent")
            await add_pod(w, "stays", "silent", [unreachable(3600)])
            await add_pod(w, "goes", "silent", [unreachable(0)])

            async def lost() -> bool:
                await renew(w, "alive")
                (ready,) = [c for c in (await w.client.get(Node, "silent")).status.conditions if c.type == "Ready"]
                return (ready.status, ready.reason, ready.message) == (
                    "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.",
                )  # fmt: skip

            await w.until(lost)

            async def tainted() -> bool:
                await renew(w, "alive")
                key = "node.kubernetes.io/unreachable"
                return await taints(w, "silent") == {(key, "NoSchedule"), (key, "NoExecute")}

            await w.until(tainted)
            assert await taints(w, "alive") == set()

            async def evicted() -> bool:
                await renew(w, "alive")
                pods = {p.metadata.name: p for p in (await w.client.list(Pod, "default")).items}
                ready = [c.status for c in pods["stays"].status.conditions if c.type == "Ready"]
                going = pods.get("goes")
                return (going is None or bool(going.metadata.deletionTimestamp)) and ready == ["False"]

            await w.until(evicted)
            stamp = rfc3339(w.client.clock.now())
            conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": stamp}]
            await w.client.patch(Node, "silent", "", {"status": {"conditions": conditions}}, subresource="status")

            async def back() -> bool:
                await renew(w, "alive")
                await renew(w, "silent")
                return await taints(w, "silent") == set()

            await w.until(back)

    run(work())


def test_when_no_node_is_ready_nobody_is_evicted(api: Api) -> None:
    async def work() -> None:
        async with world(api, options=QUICK) as w:
            await add_node(w, "only")

            async def tainted() -> bool:
                return await taints(w, "only") == {("node.kubernetes.io/unreachable", "NoSchedule")}

            await w.until(tainted)

    run(work())


def test_a_cordoned_node_is_tainted_until_it_is_uncordoned(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await add_node(w, "n")
            await w.client.patch(
                Node, "n", "", {"spec": {"unschedulable": True, "taints": [{"key": "mine", "effect": "NoSchedule"}]}}
            )

            async def cordoned() -> bool:
                return await taints(w, "n") == {("mine", "NoSchedule"), ("node.kubernetes.io/unschedulable", "NoSchedule")}

            await w.until(cordoned)
            await w.client.patch(Node, "n", "", {"spec": {"unschedulable": False}})

            async def uncordoned() -> bool:
                return await taints(w, "n") == {("mine", "NoSchedule")}

            await w.until(uncordoned)

    run(work())


def test_a_no_execute_taint_evicts_those_who_do_not_tolerate_it(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await add_node(w, "n")
            await add_pod(w, "tolerant", "n", [Toleration(key="drain", operator="Exists")])
            await add_pod(w, "other", "n", [])
            node = await w.client.get(Node, "n")
            node.spec.taints.append(Taint(key="drain", effect="NoExecute"))
            await w.client.update(node)

            async def evicted() -> bool:
                pods = {p.metadata.name: p for p in (await w.client.list(Pod, "default")).items}
                other = pods.get("other")
                return other is None or bool(other.metadata.deletionTimestamp)

            await w.until(evicted)
            assert [p.metadata.name for p in await w.pods()] == ["tolerant"]

    run(work())
