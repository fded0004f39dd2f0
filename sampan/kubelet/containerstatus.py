"""The status of each container, from what the runtime holds and why the agent could not start it. Pure.

After convertToAPIContainerStatuses of the kubelet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.api.types.core_v1 import (
    Container,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
)
from sampan.api.types.core_v1 import (
    ContainerState as APIState,
)
from sampan.lib.clock import rfc3339

from .labels import AnyContainer
from .podstate import ContainerState, PodState
from .runtime.base import State
from .sync import initialized, is_restartable_init, should_restart

POD_INITIALIZING = "PodInitializing"
CONTAINER_CREATING = "ContainerCreating"
GONE = "The container could not be located when the pod was terminated"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a container does not run: a CamelCase word and a sentence."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the agent knows beside the runtime."""

    reasons: Mapping[str, Reason] = field(default_factory=dict)
    """By container name: why its last start failed or waits."""
    ready: Collection[str] = ()
    """Ids of running containers that have no readiness probe or pass it."""
    started: Collection[str] = ()
    """Ids of running containers that have no startup probe or have passed it."""
    terminated: bool = False
    """Everything is stopped and nothing will be started again."""
    runtime_name: str = "containerd"


def container_statuses(
    pod: Pod, containers: Sequence[AnyContainer], state: PodState, known: Knowledge, *, init: bool = False
) -> list[ContainerStatus]:
    """In the order of the spec."""
    before = {s.name: s for s in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)}
    before.update({s.name: s for s in pod.status.ephemeralContainerStatuses})
    return [_status(pod, container, before.get(container.name), state, known, init=init) for container in containers]


def _status(
    pod: Pod, container: AnyContainer, before: ContainerStatus | None, state: PodState, known: Knowledge, *, init: bool
) -> ContainerStatus:
    history = state.of(container.name)
    made = ContainerStatus(name=container.name, image=container.image, started=False)
    if not history:
        _without_container(pod, made, before, known, state)
    else:
        _from_runtime(made, history, known)
    reason = known.reasons.get(container.name)
    if reason is not None and not known.terminated and not (made.state and made.state.running):
        _explain(pod, container, made, history, reason)
    _readiness(container, made, history, known, init=init)
    return made


def _without_container(
    pod: Pod, made: ContainerStatus, before: ContainerStatus | None, known: Knowledge, state: PodState
) -> None:
    """The runtime has no such container: it was never made, or it was removed."""
    if before is not None:
        made.restartCount = before.restartCount
        made.imageID = before.imageID
        made.lastState = before.lastState
        past = before.state.terminated if before.state else None
        if past is not None:
            # A removed container keeps the end it is known to have had.
            made.state, made.containerID, made.image = before.state, before.containerID, before.image
            return
        if before.state is not None and before.state.running is not None:
            lost = ContainerStateTerminated(reason="ContainerStatusUnknown", message=GONE, exitCode=137)
            if known.terminated:
                made.state = APIState(terminated=lost)
                return
            made.lastState = APIState(terminated=lost)
    sandbox = state.sandbox
    waits = bool(pod.spec.initContainers) and not (sandbox is not None and initialized(pod, state, sandbox.id))
    if known.terminated and not waits:
        # Of a pod that got past its init containers nobody can say that this one did well.
        made.state = APIState(terminated=ContainerStateTerminated(reason="ContainerStatusUnknown", message=GONE, exitCode=137))
        return
    made.state = APIState(waiting=ContainerStateWaiting(reason=POD_INITIALIZING if waits else CONTAINER_CREATING))


def _from_runtime(made: ContainerStatus, history: Sequence[ContainerState], known: Knowledge) -> None:
    newest = history[0]
    made.containerID = f"{known.runtime_name}://{newest.id}"
    made.image = newest.status.image or made.image
    made.imageID = newest.status.image_ref
    made.restartCount = newest.restart_count
    made.state = _api_state(newest, known)
    previous = next((c for c in history[1:] if c.exited), None)
    if previous is not None:
        made.lastState = APIState(terminated=terminated(previous, known.runtime_name))


def _api_state(container: ContainerState, known: Knowledge) -> APIState:
    match container.status.state:
        case State.RUNNING:
            return APIState(running=ContainerStateRunning(startedAt=rfc3339(container.status.started)))
        case State.EXITED:
            return APIState(terminated=terminated(container, known.runtime_name))
    if known.terminated:
        return APIState(terminated=ContainerStateTerminated(reason="ContainerStatusUnknown", message=GONE, exitCode=137))
    return APIState(waiting=ContainerStateWaiting(reason=CONTAINER_CREATING))


def terminated(container: ContainerState, runtime_name: str) -> ContainerStateTerminated:
    status = container.status
    # One that never started shows the epoch as its start, as upstream does.
    return ContainerStateTerminated(
        exitCode=status.exit_code,
        reason=status.reason or ("Completed" if status.exit_code == 0 else "Error"),
        message=container.message or status.message,
        startedAt=rfc3339(status.started),
        finishedAt=rfc3339(status.finished) if status.finished else "",
        containerID=f"{runtime_name}://{container.id}",
    )


def _explain(
    pod: Pod, container: AnyContainer, made: ContainerStatus, history: Sequence[ContainerState], reason: Reason
) -> None:
    if history and not should_restart(pod, container, history[0]):
        return
    if made.state is not None and made.state.terminated is not None:
        made.lastState = made.state
    made.state = APIState(waiting=ContainerStateWaiting(reason=reason.reason, message=reason.message))


def _readiness(
    container: AnyContainer, made: ContainerStatus, history: Sequence[ContainerState], known: Knowledge, *, init: bool
) -> None:
    running = made.state is not None and made.state.running is not None
    identity = history[0].id if history else ""
    made.started = running and identity in known.started
    if init and not _is_sidecar(container):
        done = made.state.terminated if made.state else None
        made.ready = done is not None and done.exitCode == 0
        return
    made.ready = running and bool(made.started) and identity in known.ready


def _is_sidecar(container: AnyContainer) -> bool:
    return isinstance(container, Container) and is_restartable_init(container)
