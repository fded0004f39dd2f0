"""What the node's server needs to know to serve logs, exec, attach and port-forward, and how a CRI runtime provides it.

The runtime answers exec, attach and port-forward with a URL of its own streaming server; the node's server joins the client
to it byte for byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from sampan.api.types.core_v1 import ContainerStatus, Pod, PodStatus
from sampan.lib.clock import Clock

from .labels import AnyContainer
from .logs import LogKeeper, LogOptions, read_kept, read_log
from .podstate import ContainerState, PodState
from .runtime.base import Runtime, RuntimeFailure, State


class StreamFailure(Exception):
    """Answered as it stands: an HTTP status and a text for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Streams(Protocol):
    """All raise StreamFailure."""

    def pods(self) -> Sequence[Pod]:
        """Every pod of the node, with its newest status."""
        ...

    async def logs(
        self, namespace: str, name: str, container: str, *, previous: bool, options: LogOptions
    ) -> AsyncIterator[bytes]: ...

    async def exec_url(
        self,
        namespace: str,
        name: str,
        container: str,
        command: Sequence[str],
        *,
        tty: bool,
        stdin: bool,
        stdout: bool,
        stderr: bool,
    ) -> str: ...

    async def attach_url(
        self, namespace: str, name: str, container: str, *, stdin: bool, stdout: bool, stderr: bool
    ) -> str: ...

    async def port_forward_url(self, namespace: str, name: str, ports: Sequence[int]) -> str: ...


class NodePods(Protocol):
    """What the agent knows of its pods."""

    def pods(self) -> Sequence[Pod]: ...

    def pod(self, namespace: str, name: str) -> Pod | None: ...

    def status(self, pod: Pod) -> PodStatus:
        """As this node sees it now, which the API may not have been told yet."""
        ...

    async def state(self, pod: Pod) -> PodState:
        """What the runtime holds for it. Raises RuntimeFailure."""
        ...


class RuntimeStreams:
    """`Streams` of a runtime that speaks CRI, or pretends to."""

    def __init__(self, node: NodePods, runtime: Runtime, clock: Clock) -> None:
        self._node = node
        self._runtime = runtime
        self._clock = clock

    def pods(self) -> Sequence[Pod]:
        return self._node.pods()

    async def logs(
        self, namespace: str, name: str, container: str, *, previous: bool, options: LogOptions
    ) -> AsyncIterator[bytes]:
        pod = self._pod(namespace, name, f'pod "{name}" does not exist')
        if find_container(pod, container) is None:
            raise StreamFailure(404, f'container "{container}" not found in pod "{name}"')
        container_id = log_container_id(self._node.status(pod), name, container, previous)
        try:
            status = await self._runtime.container_status(container_id)
        except RuntimeFailure as error:
            text = f"failed to try resolving symlinks in path: {error}"
            if error.code == "NotFound":
                text = f'unable to retrieve container logs for {container_id}: container "{container}" is gone'
            raise StreamFailure(400, text) from error

        async def is_running() -> bool:
            try:
                return (await self._runtime.container_status(container_id)).state is State.RUNNING
            except RuntimeFailure:
                return False

        if isinstance(self._runtime, LogKeeper):
            return read_kept(self._runtime.log_of(container_id), options)
        if not status.log_path:
            return _nothing()
        return read_log(_existing(status.log_path), options, is_running, self._clock)

    async def exec_url(
        self,
        namespace: str,
        name: str,
        container: str,
        command: Sequence[str],
        *,
        tty: bool,
        stdin: bool,
        stdout: bool,
        stderr: bool,
    ) -> str:
        pod = self._pod(namespace, name, "pod does not exist")
        found = await self._running(pod, container)
        try:
            return await self._runtime.exec_url(found.id, command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)
        except RuntimeFailure as error:
            raise _failed(error) from error

    async def attach_url(self, namespace: str, name: str, container: str, *, stdin: bool, stdout: bool, stderr: bool) -> str:
        pod = self._pod(namespace, name, "pod does not exist")
        spec = find_container(pod, container)
        found = await self._running(pod, container)
        tty = spec is not None and bool(spec.tty)  # what the container was started with cannot be changed by who attaches
        try:
            return await self._runtime.attach_url(found.id, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr and not tty)
        except RuntimeFailure as error:
            raise _failed(error) from error

    async def port_forward_url(self, namespace: str, name: str, ports: Sequence[int]) -> str:
        pod = self._pod(namespace, name, "pod does not exist")
        try:
            sandbox = (await self._node.state(pod)).sandbox
            if sandbox is None or not sandbox.ready:
                raise StreamFailure(500, f'pod not found ("{name}_{namespace}")')
            return await self._runtime.port_forward_url(sandbox.id, ports)
        except RuntimeFailure as error:
            raise _failed(error) from error

    def _pod(self, namespace: str, name: str, otherwise: str) -> Pod:
        pod = self._node.pod(namespace, name)
        if pod is None:
            raise StreamFailure(404, otherwise)
        return pod

    async def _running(self, pod: Pod, container: str) -> ContainerState:
        try:
            found = (await self._node.state(pod)).latest(container)
        except RuntimeFailure as error:
            raise _failed(error) from error
        if found is None or not found.running:
            raise StreamFailure(500, f'container not found ("{container}")')
        return found


def _existing(path: str) -> Path:
    found = Path(path)
    if not found.exists():
        raise StreamFailure(400, f'failed to open log file "{path}": no such file or directory')
    return found


async def _nothing() -> AsyncIterator[bytes]:
    """The log of a container whose runtime keeps none."""
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


def _failed(error: RuntimeFailure) -> StreamFailure:
    return StreamFailure(404 if error.code == "NotFound" else 500, str(error))


def find_container(pod: Pod, name: str) -> AnyContainer | None:
    spec = pod.spec
    every: list[AnyContainer] = [*spec.containers, *spec.initContainers, *spec.ephemeralContainers]
    return next((container for container in every if container.name == name), None)


def log_container_id(status: PodStatus, pod_name: str, name: str, previous: bool) -> str:
    """Which container's log to show: after the kubelet's validateContainerLogStatus. Raises StreamFailure 400."""
    found = _status_of(status, name)
    where = f'container "{name}" in pod "{pod_name}"'
    if found is None:
        raise StreamFailure(400, f"{where} is not available")
    state, last = found.state, found.lastState.terminated if found.lastState else None
    last_id = last.containerID if last else ""
    if previous:
        if not last_id:
            raise StreamFailure(400, f'previous terminated container "{name}" in pod "{pod_name}" not found')
        return _bare(last_id)
    if state is not None and state.running is not None:
        return _bare(found.containerID)
    if state is not None and state.terminated is not None:
        chosen = state.terminated.containerID or last_id
    elif last is not None:
        chosen = last_id
    else:
        waiting = state.waiting if state else None
        raise StreamFailure(400, f"{where} is waiting to start{_waiting_text(waiting.reason if waiting else None)}")
    if not chosen:
        raise StreamFailure(400, f"{where} is terminated")
    return _bare(chosen)


def _waiting_text(reason: str | None) -> str:
    if reason is None:
        return " - no logs yet"
    known = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
    return f": {known.get(reason, reason)}"


def _status_of(status: PodStatus, name: str) -> ContainerStatus | None:
    every = [*status.containerStatuses, *status.initContainerStatuses, *status.ephemeralContainerStatuses]
    return next((found for found in every if found.name == name), None)


def _bare(container_id: str) -> str:
    """A status names a container as "containerd://ID"."""
    return container_id.rpartition("://")[2]
