from __future__ import annotations

from typing import Any

from sampan.api.types.core_v1 import (
    Container,
    ContainerPort,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Pod,
    PodSpec,
    Service,
    ServicePort,
    ServiceSpec,
)
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.api.types.meta_v1 import ObjectMeta
from tests.component.conftest import Api
from tests.component.controllers.world import World, world
from tests.unit.fakeapi import run

TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"


def service(name: str = "web", **spec: Any) -> Service:
    spec = {"ports": [ServicePort(name="http", port=80, targetPort="web")], "selector": {"app": "web"}, **spec}
    return Service(metadata=ObjectMeta(name=name, namespace="default", labels={"team": "a"}), spec=ServiceSpec(**spec))


def pod(name: str, port: int = 8080) -> Pod:
    container = Container(name="main", image="busybox", ports=[ContainerPort(name="web", containerPort=port)])
    meta = ObjectMeta(name=name, namespace="default", labels={"app": "web"})
    return Pod(metadata=meta, spec=PodSpec(containers=[container], nodeName="node-1"))


async def slices(w: World, name: str = "web") -> list[EndpointSlice]:
    found = await w.client.list(EndpointSlice, "default", labels=f"kubernetes.io/service-name={name}")
    return found.items


async def conditions(w: World) -> dict[str, tuple[bool | None, ...]]:
    """(ready, serving, terminating) by pod."""
    found = {}
    for s in await slices(w):
        for e in s.endpoints:
            assert e.targetRef is not None
            assert e.conditions is not None
            found[e.targetRef.name] = (e.conditions.ready, e.conditions.serving, e.conditions.terminating)
    return found


async def endpoints(w: World, name: str = "web") -> list[tuple[list[str], list[str], list[int]]]:
    found = await w.client.get(Endpoints, name, "default")
    return [
        ([a.targetRef.name for a in s.addresses if a.targetRef], [a.targetRef.name for a in s.notReadyAddresses if a.targetRef],
         [p.port for p in s.ports])
        for s in found.subsets
    ]  # fmt: skip


def test_a_service_follows_its_pods_through_their_lives(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            svc = await w.client.create(service())

            async def empty() -> bool:
                found = await slices(w)
                return [s.endpoints for s in found] == [[]] and await endpoints(w) == []

            await w.until(empty)
            a, b = await w.client.create(pod("a")), await w.client.create(pod("b"))
            await w.set_ready(a)
            await w.set_ready(b, ready=False)

            async def half() -> bool:
                expected = {"a": (True, True, False), "b": (False, False, False)}
                return await conditions(w) == expected and await endpoints(w) == [(["a"], ["b"], [8080])]

            await w.until(half)
            (only,) = await slices(w)
            assert only.metadata.labels == {
                "team": "a",
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }
            assert only.metadata.ownerReferences[0].uid == svc.metadata.uid
            assert [(p.name, p.port, p.protocol) for p in only.ports] == [("http", 8080, "TCP")]
            assert only.endpoints[0].nodeName == "node-1"
            changed = [each.metadata.annotations[TRIGGERED] for each in (only, await w.client.get(Endpoints, "web", "default"))]
            (ready,) = (c for c in (await w.client.get(Pod, "a", "default")).status.conditions if c.type == "Ready")
            assert svc.metadata.creationTimestamp <= changed[0] <= ready.lastTransitionTime and changed[0] == changed[1]

            await w.client.delete(Pod, "a", "default", grace_seconds=30)

            async def draining() -> bool:
                found = await conditions(w)
                return found["a"] == (False, True, True) and await endpoints(w) == [([], ["b"], [8080])]

            await w.until(draining)
            await w.client.delete(Pod, "a", "default", grace_seconds=0)

            async def one_left() -> bool:
                return set(await conditions(w)) == {"b"}

            await w.until(one_left)
            await w.client.delete(Service, "web", "default")
            await w.gone(Endpoints, "web")

            async def none() -> bool:
                return not await slices(w)

            await w.until(none)

    run(work())


def test_unready_pods_are_published_where_the_service_wants_them(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(service(publishNotReadyAddresses=True, clusterIP="None"))
            await w.set_ready(await w.client.create(pod("a")), ready=False)

            async def published() -> bool:
                found = {"a": (True, False, False)}
                return await conditions(w) == found and await endpoints(w) == [(["a"], [], [8080])]

            await w.until(published)
            (only,) = await slices(w)
            assert only.metadata.labels["service.kubernetes.io/headless"] == ""

    run(work())


def test_more_than_a_hundred_endpoints_take_a_second_slice(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            for number in range(103):
                await w.set_ready(await w.client.create(pod(f"p{number:03}")))
            await w.client.create(service())

            async def both() -> bool:
                return sorted(len(s.endpoints) for s in await slices(w)) == [3, 100]

            await w.until(both)

    run(work())


def test_pods_with_other_ports_are_in_other_slices(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(service())
            for made in (pod("a", 8080), pod("b", 9090)):
                await w.set_ready(await w.client.create(made))

            async def split() -> bool:
                found = {tuple(p.port for p in s.ports): len(s.endpoints) for s in await slices(w)}
                return found == {(8080,): 1, (9090,): 1}

            await w.until(split)
            assert await endpoints(w) == [(["a"], [], [8080]), (["b"], [], [9090])]

    run(work())


def test_a_service_without_selector_is_left_alone(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(service("manual", selector={}))
            await w.client.create(service())

            async def done() -> bool:
                return bool(await slices(w))

            await w.until(done)
            assert await slices(w, "manual") == []

    run(work())


def test_endpoints_kept_by_hand_are_mirrored_into_slices(api: Api) -> None:
    async def work() -> None:
        async with world(api) as w:
            await w.client.create(service("manual", selector={}))
            made = Endpoints(
                metadata=ObjectMeta(name="manual", namespace="default"),
                subsets=[
                    EndpointSubset(
                        addresses=[EndpointAddress(ip="192.0.2.1")],
                        notReadyAddresses=[EndpointAddress(ip="192.0.2.2")],
                        ports=[EndpointPort(name="http", port=8080)],
                    )
                ],
            )
            await w.client.create(made)

            async def mirrored() -> bool:
                found = await slices(w, "manual")
                return [
                    [(e.addresses, e.conditions and e.conditions.ready) for e in s.endpoints] for s in found
                ] == [[(["192.0.2.1"], True), (["192.0.2.2"], False)]]  # fmt: skip

            await w.until(mirrored)
            await w.client.delete(Endpoints, "manual", "default")

            async def gone() -> bool:
                return not await slices(w, "manual")

            await w.until(gone)

    run(work())
