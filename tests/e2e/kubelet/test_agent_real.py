"""The node agent on a real containerd: how pods live, as a user sees them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sampan.api.types.core_v1 import (
    Container,
    ContainerPort,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Pod,
    PodSpec,
    Probe,
    Secret,
    SecretKeySelector,
    SecretVolumeSource,
    SecurityContext,
    TCPSocketAction,
    Volume,
    VolumeMount,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.kubelet.volumes.mounts import mounted_below

from .conftest import RealNode
from .pods import FOREVER, Real, log_of, output, ready, shell, waiting
from .testbed import BUSYBOX


def leftovers(world: RealNode, uid: str) -> list[Path]:
    root = world.config.root_dir
    assert root is not None
    cgroups = list(Path("/sys/fs/cgroup").glob(f"*/*/kubepods/*/pod{uid}"))
    return [p for p in root.glob("*/*") if uid in p.name] + cgroups + mounted_below(root / "pods" / uid)


def test_a_pod_runs_and_leaves_nothing(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        await world.pod("first", PodSpec(containers=[shell(FOREVER)]))
        await world.when("first", ready)
        began = time.monotonic()
        await world.pod("quick", PodSpec(containers=[shell(FOREVER)]))
        pod = await world.phase("quick", "Running")
        took = time.monotonic() - began
        assert pod.status.containerStatuses[0].containerID.startswith("containerd://")
        uid = pod.metadata.uid
        assert (world.config.root_dir / "pods" / uid).exists()  # type: ignore[operator]
        began = time.monotonic()
        await world.client.delete(Pod, "quick", "default")
        await world.gone("quick")
        print("create to Running", round(took, 3), "delete to gone", round(time.monotonic() - began, 3))

        async def clean() -> bool:
            return not leftovers(world, uid)

        await world.until(clean)

    real(scenario)


def test_what_cannot_start_says_why(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        def one(**fields: Any) -> PodSpec:
            return PodSpec(containers=[Container(name="c", **{"image": BUSYBOX, **fields})])

        reference = EnvVarSource(secretKeyRef=SecretKeySelector(name="nowhere", key="k"))
        await world.pod("nocommand", one(command=["/nope"]))
        await world.pod("badimage", one(image="bad image"))
        await world.pod("noimage", one(image="127.0.0.1:1/none:1"))
        await world.pod("neverpull", one(image="sampan.local/none:1", imagePullPolicy="Never"))
        await world.pod("nosecret", one(env=[EnvVar(name="S", valueFrom=reference)]))
        await world.pod("rootimage", one(securityContext=SecurityContext(runAsNonRoot=True)))
        volume = Volume(name="v", secret=SecretVolumeSource(secretName="nowhere"))
        novolume = one(volumeMounts=[VolumeMount(name="v", mountPath="/v")])
        novolume.volumes = [volume]
        await world.pod("novolume", novolume)

        def fails_to_run(pod: Pod) -> bool:
            last = pod.status.containerStatuses[0].lastState if pod.status.containerStatuses else None
            if last is None or last.terminated is None:
                return False
            return last.terminated.exitCode == 128 and 'exec: "/nope": stat /nope' in last.terminated.message

        pod = await world.when("nocommand", fails_to_run)
        assert pod.status.containerStatuses[0].lastState.terminated.reason == "StartError"  # type: ignore[union-attr]
        rows = {
            "badimage": 'InvalidImageName: Failed to apply default image tag "bad image": couldn\'t parse image name',
            "noimage": "ErrImagePull: rpc error: code = Unknown desc = failed to pull and unpack image",
            "neverpull": 'ErrImageNeverPull: Container image "sampan.local/none:1" is not present with pull policy of Never',
            "nosecret": 'CreateContainerConfigError: secret "nowhere" not found',
            "rootimage": 'CreateContainerConfigError: container has runAsNonRoot and image will run as root (pod: "rootimage_',
            "novolume": "ContainerCreating: ",
        }
        for name, text in rows.items():
            await world.when(name, lambda p, text=text: waiting(p).startswith(text))  # type: ignore[misc]
        assert (
            await world.event("novolume", "FailedMount")
            == 'MountVolume.SetUp failed for volume "v" : secret "nowhere" not found'
        )
        await world.client.create(Secret(metadata=ObjectMeta(name="nowhere", namespace="default")))
        await world.when("novolume", lambda p: not waiting(p).startswith("ContainerCreating"))

    real(scenario)


def test_probes_decide_readiness_and_restarts(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        serve = "mkdir -p /w; echo ok > /w/healthy; httpd -f -p 8080 -h /w & trap 'exit 0' TERM; while true; do sleep 0.1; done"
        readiness = Probe(httpGet=HTTPGetAction(path="/healthy", port="web"), periodSeconds=1)
        liveness = Probe(
            exec=ExecAction(command=["stat", "/w/healthy"]), periodSeconds=1, failureThreshold=1, initialDelaySeconds=2
        )
        startup = Probe(tcpSocket=TCPSocketAction(port=8080), periodSeconds=1, failureThreshold=5)
        container = shell(
            serve,
            readinessProbe=readiness,
            livenessProbe=liveness,
            startupProbe=startup,
            ports=[ContainerPort(containerPort=8080, name="web")],
        )
        await world.pod("probed", PodSpec(containers=[container]))
        pod = await world.when("probed", ready)
        agent = world.agents["node-1"]
        identity = pod.status.containerStatuses[0].containerID.partition("://")[2]
        await agent.runtime.exec_sync(identity, ["rm", "/w/healthy"], 5)
        pod = await world.when("probed", lambda p: p.status.containerStatuses[0].restartCount == 1)
        message = await world.event("probed", "Unhealthy")
        assert "probe failed: " in message
        assert await world.event("probed", "Killing") == "Container c failed liveness probe, will be restarted"
        await world.when("probed", ready)
        down = Probe(httpGet=HTTPGetAction(path="/", port=9), periodSeconds=1)
        await world.pod("unready", PodSpec(containers=[shell(FOREVER, readinessProbe=down)]))
        pod = await world.phase("unready", "Running")
        url = f"http://{pod.status.podIP or '10'}"
        text = await world.event("unready", "Unhealthy")
        assert text.startswith(f'Readiness probe failed: Get "{url}')
        assert text.endswith("connect: connection refused")

    real(scenario)


def test_a_pod_ends_gracefully_or_is_killed(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        hook = Lifecycle(preStop=LifecycleHandler(exec=ExecAction(command=["sh", "-c", "echo stopping > /proc/1/fd/1"])))
        spec = PodSpec(containers=[shell(FOREVER, lifecycle=hook)], terminationGracePeriodSeconds=20)
        await world.pod("polite", spec)
        await world.pod("stubborn", PodSpec(containers=[shell("trap '' TERM; while true; do sleep 1; done")]))
        await world.when("polite", ready)
        await world.when("stubborn", ready)
        began = time.monotonic()
        await world.client.delete(Pod, "polite", "default")
        await world.client.delete(Pod, "stubborn", "default")
        await world.gone("polite")
        polite = time.monotonic() - began
        await world.gone("stubborn")
        stubborn = time.monotonic() - began
        assert polite < 20  # its grace period
        assert stubborn >= 1.0  # its own

    real(scenario)


def test_a_shortened_grace_period_counts_at_once(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        spec = PodSpec(containers=[shell("trap '' TERM; while true; do sleep 1; done")], terminationGracePeriodSeconds=600)
        await world.pod("patient", spec)
        await world.when("patient", ready)
        await world.client.delete(Pod, "patient", "default")
        await world.event("patient", "Killing")
        await world.client.delete(Pod, "patient", "default", grace_seconds=1)
        await world.gone("patient")

    real(scenario)


def test_init_containers_sidecars_and_messages(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        shared = [VolumeMount(name="v", mountPath="/v")]
        sidecar = shell(FOREVER, "side", restartPolicy="Always")
        spec = PodSpec(
            initContainers=[shell("echo one > /v/f", "i1", volumeMounts=shared), sidecar],
            containers=[
                shell(
                    "cat /v/f > /dev/termination-log; exit 4",
                    volumeMounts=shared,
                    terminationMessagePath="/dev/termination-log",
                )
            ],
            volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())],
            restartPolicy="Never",
        )
        await world.pod("staged", spec)
        pod = await world.phase("staged", "Failed")
        state = pod.status.containerStatuses[0].state
        assert state is not None
        assert state.terminated is not None
        assert (state.terminated.exitCode, state.terminated.message) == (4, "one\n")

    real(scenario)


def test_logs_are_read_back_in_every_way(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        await world.pod("talker", PodSpec(containers=[shell("seq 1 5; exit 1")]))
        # Between two lives: the log is whole.
        await world.when("talker", lambda p: waiting(p).startswith("CrashLoopBackOff"))
        assert await log_of(world, "talker", tail_lines=2) == "4\n5\n"
        assert await log_of(world, "talker", limit_bytes=3) == "1\n2"
        assert (await log_of(world, "talker", previous=True)).startswith("1\n2\n3\n")
        stamped = await log_of(world, "talker", timestamps=True, tail_lines=1)
        assert stamped.split(" ")[0].startswith("20")

    real(scenario)


def test_what_a_container_says_on_either_stream_is_in_its_log(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        said = await output(world, "talker", PodSpec(containers=[shell("echo good; echo bad >&2")]))
        assert sorted(said) == ["bad", "good"]  # in no set order: containerd reads two pipes

    real(scenario)


def test_a_new_agent_takes_up_what_runs(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        await world.pod("kept", PodSpec(containers=[shell(FOREVER)]))
        await world.pod("lost", PodSpec(containers=[shell(FOREVER)]))
        before = await world.when("kept", ready)
        await world.when("lost", ready)
        await world.stop()
        await world.client.delete(Pod, "lost", "default", grace_seconds=0)
        await world.gone("lost")
        agent = world.start()

        async def lost_is_gone() -> bool:
            return "lost" not in [s.name for s in await agent.runtime.list_sandboxes()]

        await world.until(lost_is_gone)
        after = await world.when("kept", ready)
        assert after.status == before.status

    real(scenario)
