"""The table of pods: what `kubectl get pods` shows, with all the reasons a pod's status can have.

After printPod of pkg/printers/internalversion/printers.go; note how init containers that failed or wait win over phases,
and how a deletion wins over all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sampan.api.groups.columns import AGE, NAME, NONE, since
from sampan.api.resource import Column, Tree


class Summary(NamedTuple):
    """What the containers of a pod add up to."""

    ready: int
    total: int
    reason: str
    restarts: int
    last_restart: str
    """When a container last ended before a restart, RFC 3339; "" if none did."""


def _terminated_at(status: Tree) -> str:
    finished: str = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
    return finished


def _ended(terminated: Tree) -> str:
    """The reason of an end, or its signal or exit code where there is none."""
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _condition(status: Tree, type_: str) -> Tree:
    empty: Tree = {}
    return next((c for c in status.get("conditions", ()) if c.get("type") == type_), empty)


class _Count:
    """The running totals of the two passes over container statuses."""

    def __init__(self) -> None:
        self.ready = 0
        self.restarts = 0
        self.last_restart = ""

    def add(self, status: Tree) -> None:
        self.restarts += status.get("restartCount", 0)
        self.last_restart = max(self.last_restart, _terminated_at(status))


def summary(tree: Tree) -> Summary:
    spec, status = tree.get("spec", {}), tree.get("status", {})
    sidecars = {c.get("name") for c in spec.get("initContainers", ()) if c.get("restartPolicy") == "Always"}
    total = len(spec.get("containers", ())) + len(sidecars)
    reason = status.get("reason") or status.get("phase", "")
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    everything, of_sidecars = _Count(), _Count()
    waiting = _initializing(spec, status, sidecars, everything, of_sidecars)
    if not waiting or _condition(status, "Initialized").get("status") == "True":
        count = of_sidecars
        count.ready = everything.ready
        reason = _running(status, waiting or reason, count)
    else:
        count, reason = everything, waiting
    if tree["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return Summary(count.ready, total, reason, count.restarts, count.last_restart)


def _initializing(
    spec: Tree, status: Tree, sidecars: set[Any], everything: _Count, of_sidecars: _Count
) -> str:  # fmt: skip
    """Why the pod has not started its containers yet; "" when all init containers are through."""
    for index, container in enumerate(status.get("initContainerStatuses", ())):
        everything.add(container)
        is_sidecar = container.get("name") in sidecars
        if is_sidecar:
            of_sidecars.add(container)
        state = container.get("state") or {}
        terminated = state.get("terminated")
        if terminated and not terminated.get("exitCode"):
            continue
        if is_sidecar and container.get("started"):
            if container.get("ready"):
                everything.ready += 1
            continue
        if terminated:
            return f"Init:{_ended(terminated)}"
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{len(spec.get('initContainers', ()))}"
    return ""


def _running(status: Tree, reason: str, count: _Count) -> str:
    """The reason after all containers, the first of them last; adds to the count."""
    running = False
    for container in reversed(status.get("containerStatuses", ())):
        count.add(container)
        state = container.get("state") or {}
        waiting = (state.get("waiting") or {}).get("reason")
        terminated = state.get("terminated")
        if waiting:
            reason = waiting
        elif terminated:
            reason = _ended(terminated)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            count.ready += 1
    if reason == "Completed" and running:
        return "Running" if _condition(status, "Ready").get("status") == "True" else "NotReady"
    return reason


def _ready(tree: Tree, now: float) -> str:
    pod = summary(tree)
    return f"{pod.ready}/{pod.total}"


def _status(tree: Tree, now: float) -> str:
    return summary(tree).reason


def _restarts(tree: Tree, now: float) -> str:
    pod = summary(tree)
    if pod.restarts and pod.last_restart:
        return f"{pod.restarts} ({since(pod.last_restart, now)} ago)"
    return str(pod.restarts)


def _address(tree: Tree, now: float) -> str:
    addresses = tree.get("status", {}).get("podIPs", ())
    return (addresses[0].get("ip") if addresses else "") or NONE


def _gates(tree: Tree, now: float) -> str:
    gates = tree.get("spec", {}).get("readinessGates", ())
    if not gates:
        return NONE
    status = tree.get("status", {})
    passed = sum(_condition(status, gate.get("conditionType", "")).get("status") == "True" for gate in gates)
    return f"{passed}/{len(gates)}"


COLUMNS = (
    NAME,
    Column("Ready", _ready),
    Column("Status", _status),
    Column("Restarts", _restarts),
    AGE,
    Column("IP", _address, priority=1),
    Column("Node", lambda tree, now: tree.get("spec", {}).get("nodeName") or NONE, priority=1),
    Column("Nominated Node", lambda tree, now: tree.get("status", {}).get("nominatedNodeName") or NONE, priority=1),
    Column("Readiness Gates", _gates, priority=1),
)

_COMPLETION = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def completion(tree: Tree) -> list[Tree]:
    """Whether the pod is through, by which clients tell finished pods from others."""
    phase = tree.get("status", {}).get("phase", "")
    message = _COMPLETION.get(phase)
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}] if message else []
