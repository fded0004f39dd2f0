"""The node agent on a real containerd: pods as a user sees them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sampan.api.types.core_v1 import (
    Capabilities,
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapVolumeSource,
    Container,
    ContainerPort,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ExecAction,
    HostAlias,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    PodSpec,
    Probe,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretKeySelector,
    SecretVolumeSource,
    SecurityContext,
    ServiceAccountTokenProjection,
    TCPSocketAction,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.kubelet.logs import LogOptions
from sampan.kubelet.streams import RuntimeStreams
from sampan.kubelet.volumes.mounts import mounted_below

from .conftest import Play, RealNode
from .testbed import BUSYBOX

Real = Callable[[Play], None]
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def shell(script: str, name: str = "c", **fields: Any) -> Container:
    return Container(name=name, image=BUSYBOX, command=["sh", "-c", script], **fields)


def ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


def waiting(pod: Pod) -> str:
    """Why the first container waits: "Reason: message"."""
    state = pod.status.containerStatuses[0].state if pod.status.containerStatuses else None
    return f"{state.waiting.reason}: {state.waiting.message}" if state and state.waiting else ""


async def log_of(world: RealNode, name: str, container: str = "c", **options: Any) -> str:
    agent = world.agents["node-1"]
    streams = RuntimeStreams(agent, agent.runtime, world.clock)
    previous = options.pop("previous", False)
    pieces = await streams.logs("default", name, container, previous=previous, options=LogOptions(**options))
    return b"".join([piece async for piece in pieces]).decode()


async def output(world: RealNode, name: str, spec: PodSpec) -> list[str]:
    """Lines that a pod of one run prints."""
    spec.restartPolicy = "Never"
    await world.pod(name, spec)
    pod = await world.when(name, lambda p: p.status.phase in ("Succeeded", "Failed"))
    text = await log_of(world, name)
    assert pod.status.phase == "Succeeded", text
    return text.splitlines()


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


def test_a_container_has_its_environment_names_and_files(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        data = {"greeting": "hello", "number": "7"}
        await world.client.create(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data=data))
        secret = {"word": base64.b64encode(b"open sesame").decode()}
        await world.client.create(Secret(metadata=ObjectMeta(name="hidden", namespace="default"), data=secret))
        env = [
            EnvVar(name="PLAIN", value="a"),
            EnvVar(name="MADE", value="$(PLAIN)-$(greeting)-$$(x)-$(NOPE)"),
            EnvVar(name="NODE", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="spec.nodeName"))),
            EnvVar(name="IP", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="status.podIP"))),
            EnvVar(name="WORD", valueFrom=EnvVarSource(secretKeyRef=SecretKeySelector(name="hidden", key="word"))),
            EnvVar(name="CPU", valueFrom=EnvVarSource(resourceFieldRef=ResourceFieldSelector(resource="limits.cpu"))),
        ]
        script = (
            "echo $MADE; echo $NODE; echo $IP; echo $WORD; echo $CPU; echo $KUBERNETES_SERVICE_HOST; hostname;"
            "cat /etc/resolv.conf /etc/hosts; cat /conf/greeting /secret/word /down/labels; ls /proj;"
            "head -c 3 /proj/token; echo; stat -c %a /secret/..data/word; cat /one;"
            "touch /mem/x && mount | grep -c '/mem type tmpfs'"
        )
        volumes = [
            Volume(name="conf", configMap=ConfigMapVolumeSource(name="settings")),
            Volume(name="secret", secret=SecretVolumeSource(secretName="hidden", defaultMode=0o400)),
            Volume(name="mem", emptyDir=EmptyDirVolumeSource(medium="Memory")),
            Volume(
                name="down",
                downwardAPI=DownwardAPIVolumeSource(
                    items=[DownwardAPIVolumeFile(path="labels", fieldRef=ObjectFieldSelector(fieldPath="metadata.namespace"))]
                ),
            ),
            Volume(
                name="proj",
                projected=ProjectedVolumeSource(
                    sources=[VolumeProjection(serviceAccountToken=ServiceAccountTokenProjection(path="token"))]
                ),
            ),
        ]
        mounts = [VolumeMount(name=v.name, mountPath=f"/{v.name}") for v in volumes]
        mounts.append(VolumeMount(name="conf", mountPath="/one", subPath="number"))
        container = shell(
            script,
            env=env,
            envFrom=[EnvFromSource(configMapRef=ConfigMapEnvSource(name="settings"))],
            volumeMounts=mounts,
            resources=ResourceRequirements(limits={"cpu": "1500m"}),
        )
        spec = PodSpec(
            containers=[container], volumes=volumes, hostAliases=[HostAlias(ip="10.1.2.3", hostnames=["far", "away"])]
        )
        lines = await output(world, "equipped", spec)
        pod = await world.get("equipped")
        assert pod is not None
        assert lines[:5] == ["a-hello-$(x)-$(NOPE)", "node-1", pod.status.podIP, "open sesame", "2"]
        assert lines[6] == "equipped"
        text = "\n".join(lines)
        assert "search default.svc.cluster.local svc.cluster.local cluster.local" in text
        assert "nameserver 10.96.0.10" in text
        assert "options ndots:5" in text
        assert f"{pod.status.podIP}\tequipped" in text
        assert "10.1.2.3\tfar\taway" in text
        assert lines[-4:] == ["helloopen sesamedefaulttoken", "eyJ", "400", "71"]

    real(scenario)


def test_a_changed_config_map_reaches_a_running_container(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        made = await world.client.create(ConfigMap(metadata=ObjectMeta(name="live", namespace="default"), data={"k": "old"}))
        container = shell(
            "while true; do cat /c/k; echo; sleep 0.1; done", volumeMounts=[VolumeMount(name="v", mountPath="/c")]
        )
        spec = PodSpec(containers=[container], volumes=[Volume(name="v", configMap=ConfigMapVolumeSource(name="live"))])
        await world.pod("reader", spec)
        await world.when("reader", ready)
        made.data = {"k": "new"}
        await world.client.update(made)
        # The agent looks each minute; a label makes it look now.
        world.agents["node-1"].node.objects.forget_old(0.0)
        await world.client.patch(Pod, "reader", "default", {"metadata": {"labels": {"nudge": "1"}}})

        async def new() -> bool:
            return "new" in await log_of(world, "reader")

        await world.until(new)

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


def test_limits_reach_the_kernel(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        hungry = shell("tail /dev/zero", resources=ResourceRequirements(limits={"memory": "16Mi", "cpu": "500m"}))
        await world.pod("hungry", PodSpec(containers=[hungry], restartPolicy="Never"))
        pod = await world.phase("hungry", "Failed")
        state = pod.status.containerStatuses[0].state
        assert state is not None
        assert state.terminated is not None
        assert (state.terminated.exitCode, state.terminated.reason) == (137, "OOMKilled")
        assert pod.status.qosClass == "Guaranteed"

    real(scenario)


def test_a_container_is_who_its_security_context_says(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        own = SecurityContext(
            runAsUser=1000,
            runAsGroup=3000,
            readOnlyRootFilesystem=True,
            allowPrivilegeEscalation=False,
            capabilities=Capabilities(drop=["ALL"]),
        )
        script = (
            "id -u; id -G; touch /x 2>&1; while read line; do echo $line; done < /proc/self/status;"
            "stat -c '%g %a' /v; touch /v/f; stat -c %g /v/f"
        )
        container = shell(script, securityContext=own, volumeMounts=[VolumeMount(name="v", mountPath="/v")])
        spec = PodSpec(
            containers=[container],
            volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())],
            securityContext=PodSecurityContext(fsGroup=2000),
        )
        lines = await output(world, "humble", spec)
        assert lines[:3] == ["1000", "3000 2000", "touch: /x: Read-only file system"]
        assert "CapEff: 0000000000000000" in lines
        assert "NoNewPrivs: 1" in lines
        assert lines[-2:] == ["2000 2777", "2000"]

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


def test_host_namespaces_are_shared_when_asked(real: Real) -> None:
    async def scenario(world: RealNode) -> None:
        spec = PodSpec(containers=[shell("ip addr show lo | head -3; cat /etc/hosts | head -1")], hostNetwork=True)
        lines = await output(world, "hostly", spec)
        assert lines[-1] == "# Kubernetes-managed hosts file (host network)."
        pod = await world.get("hostly")
        assert pod is not None
        assert pod.status.podIP == "127.0.0.1"
        two = PodSpec(containers=[shell(FOREVER, "a"), shell("ps; " + FOREVER, "b")], shareProcessNamespace=True)
        await world.pod("shared", two)
        await world.when("shared", ready)

        async def sees() -> bool:
            return "/pause" in await log_of(world, "shared", "b")

        await world.until(sees)

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
