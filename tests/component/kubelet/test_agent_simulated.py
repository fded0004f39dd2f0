"""The node agent against a real API server, on a runtime that starts no process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from sampan import GIT_VERSION
from sampan.api.types.coordination_v1 import Lease
from sampan.api.types.core_v1 import (
    ConfigMap,
    ConfigMapKeySelector,
    Container,
    EnvVar,
    EnvVarSource,
    ExecAction,
    Node,
    Pod,
    PodSpec,
    Probe,
    ResourceRequirements,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.rest import STRATEGIC_PATCH
from sampan.kubelet.runtime.base import ContainerStatus, RuntimeFailure
from tests.component.conftest import Api, Served

from .nodes import Nodes, nodes

Play = Callable[[Nodes], Awaitable[None]]


@pytest.fixture
def play(api: Api) -> Callable[[Play], None]:
    """Runs a scenario with one agent, node-1, on a fresh API server."""

    def run(scenario: Play) -> None:
        async def whole(served: Served) -> None:
            async with nodes(served) as world:
                world.start()
                await scenario(world)

        api(whole)

    return run


def ready(one: Pod | Node) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in one.status.conditions)


def test_a_node_registers_itself_ready_and_renews_its_lease(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        async def node_is_ready() -> Node | None:
            items = (await world.client.list(Node)).items
            return next((n for n in items if any(c.type == "Ready" and c.status == "True" for c in n.status.conditions)), None)

        node: Node = await world.until(node_is_ready)
        assert node.metadata.labels["kubernetes.io/hostname"] == "node-1"
        assert node.status.nodeInfo is not None
        assert node.status.nodeInfo.kubeletVersion == GIT_VERSION
        assert node.status.capacity["pods"] == "110"
        assert {c.type: c.reason for c in node.status.conditions}["Ready"] == "KubeletReady"

        async def lease() -> list[Lease]:
            return (await world.client.list(Lease, "kube-node-lease")).items

        assert (await world.until(lease))[0].spec.holderIdentity == "node-1"

    play(scenario)


def test_a_deleted_node_comes_back_soon_while_its_agent_runs(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with nodes(served) as world:
            world.start(status_seconds=0.05, lease_renew_seconds=0.05)

            async def leased() -> list[Lease]:
                return (await world.client.list(Lease, "kube-node-lease")).items

            await world.until(leased)
            old = await world.client.get(Node, "node-1")
            await world.client.delete(Node, "node-1")
            # As the garbage collector does, since the Node owns it.
            await world.client.delete(Lease, "node-1", "kube-node-lease")

            async def back() -> bool:
                return any(node.metadata.uid != old.metadata.uid for node in (await world.client.list(Node)).items)

            await world.until(back)

    api(scenario)


def test_a_node_and_its_pods_speak_up_when_they_were_given_up_for_lost(api: Api) -> None:
    """As a node controller does that does not hear of a node for a while."""

    async def scenario(served: Served) -> None:
        async with nodes(served) as world:
            world.start(status_seconds=0.05)
            pod = await world.pod("web")

            async def all_is_well() -> bool:
                everybody = [*(await world.client.list(Node)).items, *(await world.client.list(Pod)).items]
                return len(everybody) == 2 and all(ready(one) for one in everybody)

            await world.until(all_is_well)
            unknown = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
            unready = [{"type": "Ready", "status": "False", "message": "lost"}, {"type": "example.com/seen", "status": "True"}]
            patch = partial(world.client.patch, type=STRATEGIC_PATCH, subresource="status")
            await patch(Node, "node-1", "", {"status": {"conditions": unknown}})
            await patch(Pod, "web", pod.metadata.namespace, {"status": {"conditions": unready}})
            await world.until(all_is_well)
            after = {c.type: c for c in (await world.client.get(Pod, "web", "default")).status.conditions}
            assert after["example.com/seen"].status == "True" and after["Ready"].message == ""

    api(scenario)


def test_a_pod_runs_gets_an_address_and_becomes_ready(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.pod("web")
        pod = await world.when("web", ready)
        assert pod.status.phase == "Running"
        assert pod.status.podIP.startswith("10.244.")
        assert pod.status.hostIP == "10.0.0.1"
        status = pod.status.containerStatuses[0]
        assert status.ready
        assert status.started
        assert status.containerID.startswith("simulated://")
        assert await world.event("web", "Started") == "Started container c"
        assert (await world.event("web", "Pulling")) == 'Pulling image "app:1"'

    play(scenario)


def test_a_deleted_pod_goes_away(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.pod("web")
        await world.phase("web", "Running")
        await world.client.delete(Pod, "web", "default")
        await world.gone("web")
        assert await world.event("web", "Killing") == "Stopping container c"

        async def empty() -> bool:
            return not await world.runtimes["node-1"].list_sandboxes()

        await world.until(empty)

    play(scenario)


def test_a_pod_that_may_not_restart_succeeds_or_fails(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        for name, code in (("good", 0), ("bad", 3)):
            spec = PodSpec(containers=[Container(name="c", image="app:1")], restartPolicy="Never")
            await world.pod(name, spec, {"sampan.dev/simulate": f"exit={code}"})
        assert (await world.phase("good", "Succeeded")).status.conditions[1].reason == "PodCompleted"
        bad = await world.phase("bad", "Failed")
        state = bad.status.containerStatuses[0].state
        assert state is not None
        assert state.terminated is not None
        assert (state.terminated.exitCode, state.terminated.reason) == (3, "Error")

    play(scenario)


def test_a_crashing_container_backs_off(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.pod("crash", annotations={"sampan.dev/simulate": "exit=1"})

        def backs_off(pod: Pod) -> bool:
            state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else None
            return bool(state and state.waiting and state.waiting.reason == "CrashLoopBackOff")

        pod = await world.when("crash", backs_off)
        status = pod.status.containerStatuses[0]
        assert status.restartCount == 1
        assert status.lastState is not None
        assert status.lastState.terminated is not None
        assert status.state is not None
        assert status.state.waiting is not None
        name = f"crash_default({pod.metadata.uid})"
        assert status.state.waiting.message == f"back-off 10s restarting failed container=c pod={name}"
        assert await world.event("crash", "BackOff") == f"Back-off restarting failed container c in pod {name}"

    play(scenario)


def test_init_containers_run_one_after_the_other_before_the_rest(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        spec = PodSpec(
            initContainers=[
                Container(name="first", image="app:1", command=["sh", "-c", "sleep 0.2; exit 0"]),
                Container(name="second", image="app:1", command=["true"]),
            ],
            containers=[Container(name="c", image="app:1")],
        )
        await world.pod("staged", spec)
        waiting = await world.when("staged", lambda p: bool(p.status.initContainerStatuses))
        assert waiting.status.phase == "Pending"
        pod = await world.when("staged", ready)
        ends = [s.state.terminated.finishedAt for s in pod.status.initContainerStatuses if s.state and s.state.terminated]
        assert len(ends) == 2

    play(scenario)


def test_an_image_that_is_missing_is_told_and_tried_again_later(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.pod("absent", PodSpec(containers=[Container(name="c", image="app:missing")]))

        def reason(pod: Pod) -> str:
            state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else None
            return state.waiting.reason if state and state.waiting else ""

        await world.when("absent", lambda p: reason(p) == "ErrImagePull")
        assert (await world.event("absent", "Failed")).startswith(("Failed to pull image", "Error: ErrImagePull"))

    play(scenario)


def test_a_missing_config_map_key_is_named_in_the_status(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.client.create(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"a": "1"}))
        reference = EnvVarSource(configMapKeyRef=ConfigMapKeySelector(name="settings", key="b"))
        spec = PodSpec(containers=[Container(name="c", image="app:1", env=[EnvVar(name="B", valueFrom=reference)])])
        await world.pod("unset", spec)

        def waiting(pod: Pod) -> str:
            state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else None
            return f"{state.waiting.reason}: {state.waiting.message}" if state and state.waiting else ""

        text = "CreateContainerConfigError: couldn't find key b in ConfigMap default/settings"
        await world.when("unset", lambda p: waiting(p) == text)

    play(scenario)


def test_a_failing_liveness_probe_restarts_the_container(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        probe = Probe(exec=ExecAction(command=["check"]), periodSeconds=1, failureThreshold=1)
        spec = PodSpec(containers=[Container(name="c", image="app:1", livenessProbe=probe)])
        await world.pod("sick", spec, {"sampan.dev/simulate": "probes=fail"})
        await world.when("sick", lambda p: p.status.containerStatuses and p.status.containerStatuses[0].restartCount >= 1)
        assert await world.event("sick", "Unhealthy") == "Liveness probe failed: simulated failure"
        assert await world.event("sick", "Killing") == "Container c failed liveness probe, will be restarted"

    play(scenario)


def test_a_pod_that_asks_for_too_much_is_refused(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        resources = ResourceRequirements(requests={"cpu": "1000"})
        await world.pod("big", PodSpec(containers=[Container(name="c", image="app:1", resources=resources)]))
        pod = await world.phase("big", "Failed")
        assert pod.status.reason == "OutOfcpu"
        assert pod.status.message.startswith("Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000")

    play(scenario)


def test_a_restarted_agent_takes_up_what_runs_and_ends_what_lost_its_pod(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        await world.pod("kept")
        await world.pod("lost")
        before = await world.when("kept", ready)
        await world.when("lost", ready)
        await world.stop()
        await world.client.delete(Pod, "lost", "default", grace_seconds=0)
        await world.gone("lost")
        world.start()

        async def only_kept() -> bool:
            return [s.name for s in await world.runtimes["node-1"].list_sandboxes()] == ["kept"]

        await world.until(only_kept)
        after = await world.when("kept", ready)
        assert after.status.containerStatuses[0].containerID == before.status.containerStatuses[0].containerID
        assert after.status.containerStatuses[0].restartCount == 0
        assert after.status.conditions == before.status.conditions

    play(scenario)


def test_a_container_that_goes_while_orphans_are_looked_for_hides_no_other(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        for name in ("going", "lost"):
            await world.pod(name)
            await world.when(name, ready)
        await world.stop()
        runtime = world.runtimes["node-1"]
        going = next(s.uid for s in await runtime.list_sandboxes() if s.name == "going")
        listed, status = await runtime.list_containers(going), runtime.container_status

        async def late(container_id: str) -> ContainerStatus:
            if container_id == listed[0].id:
                await runtime.remove_container(container_id)
            return await status(container_id)

        runtime.container_status = late  # type: ignore[method-assign]
        for name in ("going", "lost"):
            await world.client.delete(Pod, name, "default", grace_seconds=0)
        world.start()

        async def none() -> bool:
            return not await runtime.list_sandboxes()

        await world.until(none)

    play(scenario)


def test_of_two_pods_of_one_name_and_second_the_one_that_is_still_there_is_asked(play: Callable[[Play], None]) -> None:
    async def scenario(world: Nodes) -> None:
        async def stuck(sandbox_id: str) -> None:
            raise RuntimeFailure("Unknown", f"failed to stop sandbox {sandbox_id}")

        agent = world.agents["node-1"]
        world.runtimes["node-1"].stop_sandbox = stuck  # type: ignore[method-assign]
        for _ in range(3):  # some of them within one second
            made = await world.pod("web")
            await world.when("web", ready)

            async def is_found(uid: str = made.metadata.uid) -> bool:
                found = agent.pod("default", "web")
                return found is not None and found.metadata.uid == uid

            await world.until(is_found)
            await world.client.delete(Pod, "web", "default", grace_seconds=0)

    play(scenario)
