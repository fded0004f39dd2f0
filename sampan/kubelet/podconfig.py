"""A pod's spec in the runtime's terms: the sandbox's and each container's configuration. Pure but for the paths it is given.

After kuberuntime's generatePodSandboxConfig and generateContainerConfig.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.api.types.core_v1 import Pod, VolumeMount

from . import hosts, labels, resources, security
from .config import AgentConfig
from .env import ConfigError, expand, expand_all
from .labels import AnyContainer
from .resolv import pod_dns
from .runtime.base import (
    ContainerConfig,
    DNSConfig,
    ImageRef,
    Mount,
    PortMapping,
    Propagation,
    SandboxConfig,
)

PROPAGATIONS = {
    "HostToContainer": Propagation.HOST_TO_CONTAINER,
    "Bidirectional": Propagation.BIDIRECTIONAL,
}


def log_directory(config: AgentConfig, pod: Pod) -> Path | None:
    meta = pod.metadata
    return None if config.logs_dir is None else config.logs_dir / f"{meta.namespace}_{meta.name}_{meta.uid}"


def pod_directory(config: AgentConfig, uid: str) -> Path | None:
    return None if config.pods_dir is None else config.pods_dir / uid


def sandbox_config(pod: Pod, config: AgentConfig, attempt: int, host_dns: DNSConfig) -> SandboxConfig:
    """Raises hosts.HostnameError."""
    directory = log_directory(config, pod)
    return SandboxConfig(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        uid=pod.metadata.uid,
        attempt=attempt,
        hostname="" if pod.spec.hostNetwork else hosts.sandbox_hostname(pod, config.cluster_domain),
        log_directory=str(directory) if directory else "",
        dns=pod_dns(pod, cluster_dns=config.cluster_dns, cluster_domain=config.cluster_domain, host=host_dns),
        port_mappings=() if pod.spec.hostNetwork else _port_mappings(pod),
        labels=labels.sandbox_labels(pod),
        annotations=labels.sandbox_annotations(pod),
        cgroup_parent=resources.cgroup_path(config.cgroup_root, pod),
        security=security.sandbox_security(pod),
        sysctls=security.sysctls(pod),
    )


def _port_mappings(pod: Pod) -> list[PortMapping]:
    sidecars = [c for c in pod.spec.initContainers if c.restartPolicy == "Always"]
    return [
        PortMapping(port.protocol or "TCP", port.containerPort, port.hostPort, port.hostIP)
        for container in (*pod.spec.containers, *sidecars)
        for port in container.ports
        if port.hostPort
    ]


@dataclass(frozen=True, slots=True)
class Paths:
    """What lies on the node for one container."""

    volumes: Mapping[str, Path]
    sub_paths: Mapping[int, Path]
    """By the mount's index: where its subPath is bound."""
    hosts: Path | None = None
    message: Path | None = None


def container_config(
    pod: Pod,
    container: AnyContainer,
    config: AgentConfig,
    *,
    image: ImageRef,
    environment: Sequence[tuple[str, str]],
    paths: Paths,
    restart_count: int,
    memory_capacity_bytes: int,
    unified_cgroups: bool,
    target_id: str = "",
) -> ContainerConfig:
    """Raises ConfigError."""
    variables = dict(environment)
    message = str(paths.message) if paths.message else ""
    return ContainerConfig(
        name=container.name,
        image=image.id,
        user_specified_image=container.image,
        attempt=restart_count,
        command=expand_all(container.command, variables),
        args=expand_all(container.args, variables),
        working_dir=container.workingDir,
        env=environment,
        mounts=mounts(container, paths, read_only_volumes(pod)),
        labels=labels.container_labels(pod, container),
        annotations=labels.container_annotations(pod, container, restart_count, message),
        log_path=f"{container.name}/{restart_count}.log",
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdinOnce),
        tty=bool(container.tty),
        resources=resources.container_resources(pod, container, memory_capacity_bytes, unified=unified_cgroups),
        security=security.container_security(pod, container, image, target_id),
    )


def read_only_volumes(pod: Pod) -> frozenset[str]:
    """Volumes whose files are the API's: a container that wrote into them would see its changes vanish."""
    return frozenset(v.name for v in pod.spec.volumes if v.configMap or v.secret or v.projected or v.downwardAPI)


def mounts(container: AnyContainer, paths: Paths, read_only: Collection[str] = ()) -> list[Mount]:
    made = []
    for index, mount in enumerate(container.volumeMounts):
        source = paths.sub_paths.get(index) or paths.volumes.get(mount.name)
        if source is None:
            # Nothing is on disk for a simulated node.
            continue
        made.append(
            Mount(
                container_path=mount.mountPath if mount.mountPath.startswith("/") else "/" + mount.mountPath,
                host_path=str(source),
                readonly=bool(mount.readOnly) or mount.name in read_only,
                propagation=PROPAGATIONS.get(mount.mountPropagation, Propagation.PRIVATE),
            )
        )
    own = {m.container_path.rstrip("/") for m in made}
    if paths.hosts is not None and "/etc/hosts" not in own:
        made.append(Mount("/etc/hosts", str(paths.hosts)))
    if paths.message is not None and container.terminationMessagePath:
        made.append(Mount(container.terminationMessagePath, str(paths.message)))
    return made


def sub_path_of(mount: VolumeMount, variables: Mapping[str, str]) -> str:
    """The mount's subPath, with its variables filled in. Raises ConfigError for a variable that is not there."""
    if not mount.subPathExpr:
        return mount.subPath
    missing: list[str] = []

    def lookup(name: str) -> str | None:
        if name not in variables:
            missing.append(name)
        return variables.get(name)

    text = expand(mount.subPathExpr, lookup)
    if missing:
        raise ConfigError(f"missing value for {json_string(mount.subPathExpr)}")
    return text


def json_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
