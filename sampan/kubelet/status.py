"""A pod's status: its phase, conditions and addresses, from the statuses of its containers. Pure.

After getPhase and the conditions of k8s.io/kubernetes/pkg/kubelet/status.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sampan.api.types.core_v1 import ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus
from sampan.lib.clock import rfc3339

from .containerstatus import Knowledge, container_statuses
from .podstate import PodState
from .resources import qos_class
from .sync import is_restartable_init

OWNED_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
"""The conditions the agent writes; all others are their writers' own."""
OWNED_FIELDS = ("phase", "podIP", "hostIP", "startTime", "containerStatuses", "initContainerStatuses")
"""The fields it is not to be contradicted in."""


def pod_status(pod: Pod, state: PodState, known: Knowledge, host_ip: str, now: float) -> PodStatus:
    """The status as it should be now. Transition times of what did not change are kept from `pod.status`."""
    old = pod.status
    made = PodStatus(
        initContainerStatuses=container_statuses(pod, pod.spec.initContainers, state, known, init=True),
        containerStatuses=container_statuses(pod, pod.spec.containers, state, known),
        ephemeralContainerStatuses=container_statuses(pod, pod.spec.ephemeralContainers, state, known),
        qosClass=old.qosClass or qos_class(pod),
        startTime=old.startTime or rfc3339(now),
        hostIP=host_ip,
        hostIPs=[HostIP(ip=host_ip)] if host_ip else [],
        nominatedNodeName=old.nominatedNodeName,
        resourceClaimStatuses=old.resourceClaimStatuses,
        observedGeneration=old.observedGeneration,
        reason=old.reason if old.phase == "Failed" else "",
        message=old.message if old.phase == "Failed" else "",
    )
    ips = [host_ip] if pod.spec.hostNetwork and state.sandboxes else list(state.ips)
    if not ips and known.terminated:
        # An ended pod keeps the address it had, so that its status can still be understood.
        ips = [ip.ip for ip in old.podIPs]
    made.podIPs = [PodIP(ip=ip) for ip in ips]
    made.podIP = ips[0] if ips else ""
    # A pod that ended never lives again, whatever a restarted agent thinks it sees.
    made.phase = old.phase if old.phase in ("Succeeded", "Failed") else phase(pod, made, terminated=known.terminated)
    made.conditions = _conditions(pod, made, state, now)
    return made


def phase(pod: Pod, status: PodStatus, *, terminated: bool = False) -> str:
    pending_init, failed_init = _count_init(pod, status)
    if failed_init and pod.spec.restartPolicy == "Never":
        return "Failed"
    running = waiting = stopped = succeeded = 0
    for container in status.containerStatuses:
        kind = _kind(container)
        running += kind == "running"
        waiting += kind == "waiting"
        stopped += kind in ("succeeded", "failed")
        succeeded += kind == "succeeded"
    if terminated:
        return "Succeeded" if stopped == succeeded and not pending_init else "Failed"
    if pending_init and not running and not stopped:
        return "Pending"
    if waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    match pod.spec.restartPolicy:
        case "Never":
            return "Succeeded" if stopped == succeeded else "Failed"
        case "OnFailure":
            return "Succeeded" if stopped == succeeded else "Running"
    return "Running"


def _kind(status: ContainerStatus) -> str:
    state = status.state
    if state is None:
        return "waiting"
    if state.running is not None:
        return "running"
    if state.terminated is not None:
        return "succeeded" if state.terminated.exitCode == 0 else "failed"
    last = status.lastState.terminated if status.lastState else None
    if last is None:
        return "waiting"
    # Between two lives (CrashLoopBackOff) a container counts as stopped.
    return "succeeded" if last.exitCode == 0 else "failed"


def _count_init(pod: Pod, status: PodStatus) -> tuple[int, int]:
    pending = failed = 0
    specs = {c.name: c for c in pod.spec.initContainers}
    for container in status.initContainerStatuses:
        if is_restartable_init(specs[container.name]):
            pending += not container.started and _kind(container) in ("running", "waiting")
            continue
        kind = _kind(container)
        failed += kind == "failed"
        pending += kind in ("running", "waiting")
    return pending, failed


def _conditions(pod: Pod, status: PodStatus, state: PodState, now: float) -> list[PodCondition]:
    old = {c.type: c for c in pod.status.conditions}
    containers_ready = _containers_ready(pod, status)
    wanted = [
        _sandbox_condition(pod, state),
        _initialized(pod, status),
        _ready(pod, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
    ]
    made: list[PodCondition] = []
    for condition in wanted:
        before = old.get(condition.type)
        if before is not None and before.status == condition.status:
            condition.lastTransitionTime = before.lastTransitionTime
            if condition.type == "PodScheduled":
                condition = before
        else:
            condition.lastTransitionTime = rfc3339(now)
        made.append(condition)
    made.extend(c for c in pod.status.conditions if c.type not in OWNED_CONDITIONS)
    return made


def _sandbox_condition(pod: Pod, state: PodState) -> PodCondition:
    sandbox = state.sandbox
    stands = sandbox is not None and sandbox.ready and (bool(sandbox.ips) or bool(pod.spec.hostNetwork))
    return PodCondition(type="PodReadyToStartContainers", status="True" if stands else "False")


def _ended(condition: str, status: PodStatus) -> PodCondition | None:
    if status.phase == "Succeeded":
        return PodCondition(type=condition, status="False", reason="PodCompleted")
    if status.phase == "Failed":
        return PodCondition(type=condition, status="False", reason="PodFailed")
    return None


def _listed(names: Sequence[str]) -> str:
    return "[" + " ".join(names) + "]"


def _initialized(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    sidecars = {c.name for c in pod.spec.initContainers if is_restartable_init(c)}
    begun = any(c.containerID for c in status.containerStatuses)
    incomplete = [
        c.name
        for c in status.initContainerStatuses
        if not begun and not (c.started if c.name in sidecars else _kind(c) == "succeeded")
    ]
    if not incomplete:
        return PodCondition(type="Initialized", status="True")
    message = f"containers with incomplete status: {_listed(incomplete)}"
    return PodCondition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)


def _containers_ready(pod: Pod, status: PodStatus) -> PodCondition:
    ended = _ended("ContainersReady", status)
    if ended is not None:
        return ended
    sidecars = {c.name for c in pod.spec.initContainers if is_restartable_init(c)}
    counted = [c for c in status.initContainerStatuses if c.name in sidecars] + list(status.containerStatuses)
    unready = [c.name for c in counted if not c.ready]
    if not unready:
        return PodCondition(type="ContainersReady", status="True")
    message = f"containers with unready status: {_listed(unready)}"
    return PodCondition(type="ContainersReady", status="False", reason="ContainersNotReady", message=message)


def _ready(pod: Pod, containers: PodCondition) -> PodCondition:
    if containers.status != "True":
        return PodCondition(type="Ready", status="False", reason=containers.reason, message=containers.message)
    said = {c.type: c.status for c in pod.status.conditions}
    missing: list[str] = []
    for gate in pod.spec.readinessGates:
        value = said.get(gate.conditionType)
        if value is None:
            missing.append(f'corresponding condition of pod readiness gate "{gate.conditionType}" does not exist.')
        elif value != "True":
            missing.append(f'the status of pod readiness gate "{gate.conditionType}" is not "True", but {value}')
    if missing:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(missing))
    return PodCondition(type="Ready", status="True")


def rejected_status(pod: Pod, reason: str, message: str, now: float) -> PodStatus:
    """The status of a pod that this node cannot take or can keep no longer."""
    made: PodStatus = msgspec.structs.replace(pod.status)
    made.phase, made.reason, made.message = "Failed", reason, message
    made.startTime = made.startTime or rfc3339(now)
    made.qosClass = made.qosClass or qos_class(pod)
    return made


def same_but_foreign(one: PodStatus, other: PodStatus) -> bool:
    """Whether all is alike that the agent writes."""
    conditions = ({c.type: c.status for c in status.conditions if c.type in OWNED_CONDITIONS} for status in (one, other))
    mine, theirs = conditions
    return mine == theirs and all(getattr(one, name) == getattr(other, name) for name in OWNED_FIELDS)


def foreign_conditions(pod: Pod) -> list[PodCondition]:
    """Those that others write, such as readiness gates."""
    return [c for c in pod.status.conditions if c.type not in OWNED_CONDITIONS]


def ready_containers(pod: Pod) -> set[str]:
    """Ids of the containers that the API says are ready."""
    everyone = (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    return {s.containerID.partition("://")[2] for s in everyone if s.ready and s.containerID}
