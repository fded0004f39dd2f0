"""Making and ending sandboxes and containers: what a plan asks for, done, with the events upstream tells of it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.api.types.core_v1 import ConfigMap, LifecycleHandler, Pod, Secret, Service
from sampan.client.codec import decode
from sampan.client.events import EventRecorder
from sampan.client.informer import Informer
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

from . import hosts, labels, podconfig, resolv, resources
from .cgroups import Cgroups
from .config import AgentConfig
from .env import ConfigError, Surroundings, environment
from .fieldref import FieldRefError
from .hooks import HookError, run_hook
from .images import Images, StartError
from .labels import AnyContainer
from .machine import Machine
from .objects import Objects
from .podstate import ContainerState, PodState
from .runtime.base import ContainerConfig, ImageRef, Runtime, RuntimeFailure, SandboxConfig
from .sync import Kill
from .volumes import subpath
from .volumes.base import VolumeError

log = get_logger("kubelet")

MINIMUM_GRACE_SECONDS = 2
"""What a container always gets after its preStop hook, however long that took."""


@dataclass(slots=True)
class Node:
    """What every pod of the node shares."""

    config: AgentConfig
    runtime: Runtime
    recorder: EventRecorder
    clock: Clock
    machine: Machine
    objects: Objects
    images: Images
    services: Informer[Service]
    cgroups: Cgroups | None
    allocatable: Mapping[str, str]
    runtime_name: str = "containerd"
    network_problem: Callable[[], str] = str
    """Why pods cannot have a network now, "" if they can."""


def field_path(pod: Pod, name: str) -> str:
    for group, containers in (
        ("initContainers", pod.spec.initContainers),
        ("ephemeralContainers", pod.spec.ephemeralContainers),
    ):
        if any(c.name == name for c in containers):
            return f"spec.{group}{{{name}}}"
    return f"spec.containers{{{name}}}"


def spec_of(pod: Pod, name: str) -> AnyContainer | None:
    everyone: list[AnyContainer] = [*pod.spec.containers, *pod.spec.initContainers, *pod.spec.ephemeralContainers]
    return next((c for c in everyone if c.name == name), None)


def create_cgroup(node: Node, pod: Pod) -> None:
    if node.cgroups is not None:
        node.cgroups.create(resources.cgroup_path(node.config.cgroup_root, pod), resources.pod_resources(pod))


def make_sandbox_config(node: Node, pod: Pod, attempt: int) -> SandboxConfig:
    return podconfig.sandbox_config(pod, node.config, attempt, resolv.of_host(node.config.resolv_conf))


async def run_sandbox(node: Node, pod: Pod, attempt: int) -> SandboxConfig:
    """Raises StartError; a FailedCreatePodSandBox event then tells why."""
    try:
        config = make_sandbox_config(node, pod, attempt)
        if config.log_directory:
            os.makedirs(config.log_directory, exist_ok=True)
        await node.runtime.run_sandbox(config)
    except (RuntimeFailure, hosts.HostnameError, OSError) as error:
        message = f"Failed to create pod sandbox: {error}"
        node.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
        raise StartError("CreatePodSandboxError", message) from None
    return config


@dataclass(slots=True)
class Starter:
    """Starts containers of one pod in its standing sandbox."""

    node: Node
    pod: Pod
    state: PodState
    sandbox_id: str
    sandbox: SandboxConfig
    volumes: Mapping[str, Path]
    since: float
    """When the pod came to this node: references are looked up no staler than that."""

    async def start(self, container: AnyContainer) -> None:
        """Image, configuration, create, start, postStart. Raises StartError; events tell of every step."""
        path = field_path(self.pod, container.name)
        image = await self._image(container, path)
        try:
            config = await self._config(container, image)
        except (ConfigError, FieldRefError, VolumeError) as error:
            self._tell("Warning", "Failed", f"Error: {error}", path)
            raise StartError("CreateContainerConfigError", str(error)) from None
        runtime = self.node.runtime
        try:
            identity = await runtime.create_container(self.sandbox_id, config, self.sandbox)
        except RuntimeFailure as failure:
            self._tell("Warning", "Failed", f"Error: {failure.description}", path)
            raise StartError("CreateContainerError", failure.description) from None
        self._tell("Normal", "Created", f"Created container: {container.name}", path)
        try:
            await runtime.start_container(identity)
        except RuntimeFailure as failure:
            self._tell("Warning", "Failed", f"Error: {failure.description}", path)
            raise StartError("RunContainerError", failure.description) from None
        self._tell("Normal", "Started", f"Started container {container.name}", path)
        await self._post_start(container, identity, path)

    def _tell(self, type_: str, reason: str, message: str, path: str) -> None:
        self.node.recorder.event(self.pod, type_, reason, message, field_path=path)

    async def _image(self, container: AnyContainer, path: str) -> ImageRef:
        try:
            return await self.node.images.ensure(self.pod, container, path, self.sandbox, self._secret)
        except StartError as error:
            self._tell("Warning", "Failed", f"Error: {error.event}", path)
            raise

    async def _secret(self, namespace: str, name: str) -> Secret:
        return await self.node.objects.secret(namespace, name, self.since)

    async def _config_map(self, namespace: str, name: str) -> ConfigMap:
        return await self.node.objects.config_map(namespace, name, self.since)

    async def _config(self, container: AnyContainer, image: ImageRef) -> ContainerConfig:
        node, pod = self.node, self.pod
        ips = [node.config.node_ip] if pod.spec.hostNetwork else list(self.state.ips)
        around = Surroundings(
            config_map=self._config_map,
            secret=self._secret,
            services=node.services.list(),
            ips=ips,
            host_ip=node.config.node_ip,
            allocatable=node.allocatable,
        )
        variables = await environment(pod, container, around)
        for source, keys in around.skipped:
            message = (
                f"Keys [{', '.join(keys)}] from the EnvFrom {source} were skipped since they are considered "
                "invalid environment variable names."
            )
            node.recorder.event(pod, "Warning", "InvalidEnvironmentVariableNames", message)
        restart_count = self._restart_count(container)
        return podconfig.container_config(
            pod,
            container,
            node.config,
            image=image,
            environment=variables,
            paths=self._paths(container, dict(variables), ips),
            restart_count=restart_count,
            memory_capacity_bytes=node.machine.memory_bytes,
            unified_cgroups=node.cgroups is not None and node.cgroups.unified,
            target_id=self._target(container),
        )

    def _restart_count(self, container: AnyContainer) -> int:
        last = self.state.latest(container.name)
        if last is not None:
            return last.restart_count + 1
        known = [*self.pod.status.initContainerStatuses, *self.pod.status.containerStatuses]
        before = next((s for s in known if s.name == container.name and s.containerID), None)
        # The runtime has lost it (a reboot, a wiped state directory), the API has not.
        return before.restartCount + 1 if before is not None else 0

    def _target(self, container: AnyContainer) -> str:
        name = getattr(container, "targetContainerName", "")
        found = self.state.latest(name) if name else None
        return found.id if found is not None and found.running else ""

    def _paths(self, container: AnyContainer, variables: Mapping[str, str], ips: Sequence[str]) -> podconfig.Paths:
        """Writes the files that are the agent's own: hosts and the termination message. Raises VolumeError, ConfigError."""
        directory = podconfig.pod_directory(self.node.config, self.pod.metadata.uid)
        if directory is None:
            return podconfig.Paths({}, {})
        own = directory / "containers" / container.name
        own.mkdir(parents=True, exist_ok=True)
        message = None
        if container.terminationMessagePath:
            message = own / secrets.token_hex(4)
            message.touch()
            # Whoever the container runs as must be able to leave a message.
            message.chmod(0o666)
        return podconfig.Paths(
            self.volumes, self._sub_paths(container, variables, directory), self._hosts(directory, ips), message
        )

    def _hosts(self, directory: Path, ips: Sequence[str]) -> Path:
        path = directory / "etc-hosts"
        try:
            host_file = Path(self.node.config.hosts_file).read_text()
        except OSError:
            host_file = ""
        # Rewritten in place: running containers have this very file mounted.
        path.write_text(hosts.hosts_file(self.pod, ips, self.node.config.cluster_domain, host_file))
        path.chmod(0o644)
        return path

    def _sub_paths(self, container: AnyContainer, variables: Mapping[str, str], directory: Path) -> dict[int, Path]:
        made: dict[int, Path] = {}
        for index, mount in enumerate(container.volumeMounts):
            sub = podconfig.sub_path_of(mount, variables)
            volume = self.volumes.get(mount.name)
            if not sub or volume is None:
                continue
            target = directory / "volume-subpaths" / mount.name / container.name / str(index)
            try:
                made[index] = subpath.bind(volume, sub, target)
            except (VolumeError, OSError) as error:
                log.warning("subPath not prepared", pod=labels.pod_name(self.pod), volume=mount.name, error=str(error))
                raise ConfigError(
                    f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
                ) from None
        return made

    async def _post_start(self, container: AnyContainer, identity: str, path: str) -> None:
        hook = container.lifecycle.postStart if container.lifecycle else None
        if hook is None:
            return
        ip = self.state.ips[0] if self.state.ips else self.node.config.node_ip
        try:
            await run_hook(hook, self.pod, container, identity, ip, self.node.runtime, self.node.clock)
        except HookError as error:
            log.warning("postStart hook failed", pod=labels.pod_name(self.pod), container=container.name, error=str(error))
            self._tell("Warning", "FailedPostStartHook", "PostStartHook failed", path)
            self._tell("Normal", "Killing", "FailedPostStartHook", path)
            await self.node.runtime.stop_container(identity, grace_seconds(self.pod))
            raise StartError("PostStartHookError", str(error)) from None


def grace_seconds(pod: Pod) -> int:
    """How long the pod's containers may take to stop: what the deletion says, else what the spec says."""
    given = pod.metadata.deletionGracePeriodSeconds if pod.metadata.deletionTimestamp else None
    if given is None:
        given = pod.spec.terminationGracePeriodSeconds
    return 30 if given is None else max(given, 1)


def kill_grace_seconds(pod: Pod, kill: Kill) -> int:
    """How long a container that failed a probe may take to stop: the probe may have its own say."""
    spec = spec_of(pod, kill.container.name)
    probe = None
    if spec is not None:
        probe = {"LivenessProbe": spec.livenessProbe, "StartupProbe": spec.startupProbe}.get(kill.reason)
    if probe is not None and probe.terminationGracePeriodSeconds is not None:
        return probe.terminationGracePeriodSeconds
    return grace_seconds(pod)


async def stop_container(node: Node, pod: Pod, container: ContainerState, message: str, grace: int, ip: str) -> None:
    """preStop, stop signal, grace, kill. Raises RuntimeFailure."""
    path = field_path(pod, container.name)
    node.recorder.event(pod, "Normal", "Killing", message or f"Stopping container {container.name}", field_path=path)
    left = float(grace)
    hook = _pre_stop(pod, container)
    spec = spec_of(pod, container.name)
    if hook is not None and spec is not None and grace > 0:
        began = node.clock.monotonic()
        await _run_pre_stop(node, pod, spec, container, hook, grace, ip, path)
        left = max(grace - (node.clock.monotonic() - began), min(MINIMUM_GRACE_SECONDS, grace))
    await node.runtime.stop_container(container.id, int(left))


def _pre_stop(pod: Pod, container: ContainerState) -> LifecycleHandler | None:
    spec = spec_of(pod, container.name)
    if spec is not None:
        return spec.lifecycle.preStop if spec.lifecycle else None
    text = container.status.annotations.get(labels.PRE_STOP, "")
    return decode(LifecycleHandler, text.encode()) if text else None


async def _run_pre_stop(
    node: Node,
    pod: Pod,
    spec: AnyContainer,
    container: ContainerState,
    hook: LifecycleHandler,
    grace: int,
    ip: str,
    path: str,
) -> None:
    """Runs the hook for at most the grace period; how it fails is told, not raised."""

    async def run() -> None:
        try:
            await run_hook(hook, pod, spec, container.id, ip, node.runtime, node.clock)
        except HookError as error:
            log.warning("preStop hook failed", pod=labels.pod_name(pod), container=container.name, error=str(error))
            node.recorder.event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", field_path=path)

    async with Tasks() as tasks:
        work = tasks.start(run(), f"preStop {container.id[:12]}")
        limit = tasks.start(node.clock.sleep(grace), f"preStop limit {container.id[:12]}")
        await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            log.warning("preStop hook outlived the grace period", pod=labels.pod_name(pod), container=container.name)
