"""What containers find on a real containerd: environment, files, limits, identity, namespaces of the host."""

from __future__ import annotations

import base64

from sampan.api.types.core_v1 import (
    Capabilities,
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    HostAlias,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    PodSpec,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretKeySelector,
    SecretVolumeSource,
    SecurityContext,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from sampan.api.types.meta_v1 import ObjectMeta

from .conftest import RealNode
from .pods import FOREVER, Real, log_of, output, ready, shell


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
