"""What a pod needs next: a pure function from its spec and what the runtime holds to a plan.

After computePodActions of the kubelet's kuberuntime: the sandbox first, then init containers one after the other
(restartable ones, "sidecars", keep running beside what follows), then all others together. The plan names the nearest step
only; the next sync plans again from what then is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sampan.api.types.core_v1 import Container, Pod

from .labels import AnyContainer, container_hash
from .podstate import ContainerState, PodState
from .runtime.base import State


@dataclass(frozen=True, slots=True)
class Kill:
    container: ContainerState
    message: str
    reason: str = ""
    """"LivenessProbe", "StartupProbe" or "": whose probe's grace period counts."""


@dataclass(slots=True)
class Plan:
    kill_pod: bool = False
    """Stop everything the pod has, the sandbox too (before a new one is made, or because nothing is left to run)."""
    create_sandbox: bool = False
    attempt: int = 0
    kill: list[Kill] = field(default_factory=list)
    start: list[AnyContainer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeView:
    """Ids of containers whose probes have said something."""

    failed_liveness: Collection[str] = ()
    failed_startup: Collection[str] = ()
    started: Collection[str] = ()
    """Running containers that have no startup probe or have passed it."""


def is_restartable_init(container: Container) -> bool:
    return container.restartPolicy == "Always"


def should_restart(pod: Pod, container: AnyContainer, state: ContainerState | None) -> bool:
    """Whether a container that is not running should be started."""
    if pod.metadata.deletionTimestamp:
        return False
    if state is None:
        return True
    if state.running:
        return False
    if state.status.state in (State.CREATED, State.UNKNOWN):
        return True
    if container.restartPolicy == "Always":
        return True
    if pod.spec.restartPolicy == "Never":
        return False
    return not (pod.spec.restartPolicy == "OnFailure" and state.status.exit_code == 0)


def plan(pod: Pod, state: PodState, probes: ProbeView) -> Plan:
    sandbox = state.sandbox
    ready = [s for s in state.sandboxes if s.ready]
    usable = sandbox is not None and sandbox.ready and len(ready) == 1 and (pod.spec.hostNetwork or bool(sandbox.ips))
    if sandbox is None or not usable:
        return _plan_new_sandbox(pod, state, sandbox.attempt + 1 if sandbox is not None else 0)
    made = Plan()
    if not _plan_init(pod, state, sandbox.id, probes, made):
        return made
    kept = _plan_containers(pod, state, probes, made)
    _plan_ephemeral(pod, state, made)
    if not kept and not made.start:
        made.kill_pod = True
    return made


def _plan_new_sandbox(pod: Pod, state: PodState, attempt: int) -> Plan:
    made = Plan(kill_pod=bool(state.sandboxes), attempt=attempt)
    if pod.metadata.deletionTimestamp:
        return made
    ran_before = any(state.latest(c.name) for c in pod.spec.containers)
    if pod.spec.restartPolicy == "Never" and ran_before:
        return made
    wanted = [
        c for c in pod.spec.containers if not (pod.spec.restartPolicy == "OnFailure" and _succeeded(state.latest(c.name)))
    ]
    if not wanted:
        return made
    made.create_sandbox = True
    made.start = [*pod.spec.initContainers[:1]] or [*wanted]
    return made


def _succeeded(state: ContainerState | None) -> bool:
    return state is not None and state.exited and state.status.exit_code == 0


def initialized(pod: Pod, state: PodState, sandbox_id: str) -> bool:
    """Whether the init containers have done their work in this sandbox: any container after them shows it."""
    return any(state.latest(c.name, sandbox_id) for c in pod.spec.containers)


def _plan_init(pod: Pod, state: PodState, sandbox_id: str, probes: ProbeView, made: Plan) -> bool:
    """Adds what the init containers need; returns whether the others may run."""
    past = initialized(pod, state, sandbox_id)
    for container in pod.spec.initContainers:
        found = state.latest(container.name, sandbox_id)
        if is_restartable_init(container):
            if not _plan_sidecar(pod, container, found, probes, made) and not past:
                return False
            continue
        if past:
            continue
        if found is None or not (found.running or found.exited):
            made.start.append(container)
            return False
        if found.running:
            return False
        if found.status.exit_code != 0:
            if pod.spec.restartPolicy == "Never":
                made.kill_pod = True
            else:
                made.start.append(container)
            return False
    return True


def _plan_sidecar(pod: Pod, container: Container, found: ContainerState | None, probes: ProbeView, made: Plan) -> bool:
    """Returns whether the sidecar stands, so that what follows it may start."""
    if found is None or not found.running:
        made.start.append(container)
        return False
    failure = _failure(container, found, probes)
    if failure is not None:
        made.kill.append(Kill(found, f"Init container {container.name} {failure[0]}", failure[1]))
        made.start.append(container)
        return False
    return found.id in probes.started


def _plan_containers(pod: Pod, state: PodState, probes: ProbeView, made: Plan) -> int:
    kept = 0
    for container in pod.spec.containers:
        found = state.latest(container.name)
        if found is None or not found.running:
            if should_restart(pod, container, found):
                made.start.append(container)
                if found is not None and found.status.state is State.UNKNOWN:
                    made.kill.append(Kill(found, "Container is in unknown state, try killing it before restart"))
            continue
        restart = pod.spec.restartPolicy != "Never"
        if found.hash and found.hash != container_hash(container):
            failure: tuple[str, str] | None = ("definition changed", "")
            restart = True
        else:
            failure = _failure(container, found, probes)
        if failure is None:
            kept += 1
            continue
        message = f"Container {container.name} {failure[0]}"
        if restart:
            message += ", will be restarted"
            made.start.append(container)
        made.kill.append(Kill(found, message, failure[1]))
    return kept


def _failure(container: AnyContainer, found: ContainerState, probes: ProbeView) -> tuple[str, str] | None:
    if found.id in probes.failed_liveness:
        return "failed liveness probe", "LivenessProbe"
    if found.id in probes.failed_startup:
        return "failed startup probe", "StartupProbe"
    return None


def _plan_ephemeral(pod: Pod, state: PodState, made: Plan) -> None:
    """An ephemeral container runs once and is never restarted."""
    made.start.extend(c for c in pod.spec.ephemeralContainers if state.latest(c.name) is None)


def stop_order(pod: Pod, running: Sequence[ContainerState]) -> list[list[ContainerState]]:
    """Containers to stop at a pod's end, in the order of groups: first all others, then sidecars from the last to the first."""
    sidecars = [c.name for c in pod.spec.initContainers if is_restartable_init(c)]
    first = [c for c in running if c.name not in sidecars]
    groups = [first] if first else []
    for name in reversed(sidecars):
        groups.extend([c] for c in running if c.name == name)
    return groups
