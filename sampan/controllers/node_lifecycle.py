"""Nodes that stop reporting: their conditions become Unknown, they are tainted, their pods are not ready any more.

After upstream's pkg/controller/nodelifecycle. A node reports by renewing its Lease or by its Ready condition's heartbeat; when
neither has changed for the grace period, by this controller's clock, the kubelet is held for gone. Taints follow from the
conditions; what becomes of the pods under a NoExecute taint is decided in `taint_eviction.py`. While no node at all is
ready, nothing gets a NoExecute taint: then the control plane is more likely cut off than every node dead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import to_builtins
from msgspec.structs import replace

from sampan.api.types.coordination_v1 import Lease
from sampan.api.types.core_v1 import Node, NodeCondition, Pod, PodCondition, Taint
from sampan.controllers.pods import condition, is_ready
from sampan.controllers.runtime import Context, Controller, Index, Key, Requeue, Watch
from sampan.lib.clock import rfc3339

GRACE_SECONDS = 50.0
STARTUP_GRACE_SECONDS = 60.0
MONITOR_SECONDS = 5.0
LEASES = "kube-node-lease"
PODS_BY_NODE = "node"

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
WATCHED_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
OUR_NO_SCHEDULE = frozenset((NOT_READY, UNREACHABLE, UNSCHEDULABLE, *PRESSURES.values()))
OUR_NO_EXECUTE = frozenset((NOT_READY, UNREACHABLE))


@dataclass(slots=True)
class Pulse:
    """The last sign of life of a node and when we saw it, by our own clock."""

    sign: tuple[str, str]
    seen_at: float
    ready: str = ""
    """The Ready status we saw last, to notice the moment it is lost."""


class NodeHealth:
    def __init__(self, grace_seconds: float = GRACE_SECONDS, startup_seconds: float = STARTUP_GRACE_SECONDS) -> None:
        self._grace = grace_seconds
        self._startup = startup_seconds
        self._pulses: dict[str, Pulse] = {}

    def controller(self) -> Controller:
        return Controller(
            "node-controller",
            for_=Node,
            watches=(Watch(Lease, _node_of_lease),),
            reads=(Pod,),
            indexes=(Index(Pod, PODS_BY_NODE, pods_by_node),),
            reconcile=self.reconcile,
        )

    async def reconcile(self, ctx: Context, key: Key) -> Requeue | None:
        node = ctx.get(Node, key)
        if node is None:
            self._pulses.pop(key.name, None)
            return None
        pulse = self._observe(ctx, node)
        patience = self._patience(node) - (ctx.clock.monotonic() - pulse.seen_at)
        if patience <= 0:
            conditions = plan_unknown(node, ctx.clock.now())
            if conditions != node.status.conditions:
                node = await ctx.update_status(replace(node, status=replace(node.status, conditions=conditions)))
        await self._follow_readiness(ctx, node, pulse)
        any_ready = is_node_ready(node) or any(map(is_node_ready, ctx.list(Node)))
        taints = plan_taints(node, any_ready=any_ready, now=ctx.clock.now())
        if taints != node.spec.taints:
            patch = {"spec": {"taints": to_builtins(taints)}, "metadata": {"resourceVersion": node.metadata.resourceVersion}}
            await ctx.patch(node, patch)
        # Of a node that is gone, only the health of the others can change anything.
        return Requeue(patience if patience > 0 else MONITOR_SECONDS)

    def _patience(self, node: Node) -> float:
        """How long it may be silent; one that never reported is given longer, as it may be starting."""
        return self._startup if ready_condition(node) is None else self._grace

    def _observe(self, ctx: Context, node: Node) -> Pulse:
        lease, now = ctx.get(Lease, Key(LEASES, node.metadata.name)), ctx.clock.monotonic()
        ready = ready_condition(node)
        heartbeat = ready.lastHeartbeatTime if ready is not None and ready.status != "Unknown" else ""
        sign = (lease.spec.renewTime if lease is not None else "", heartbeat)
        pulse = self._pulses.get(node.metadata.name)
        if pulse is None:
            pulse = self._pulses[node.metadata.name] = Pulse(sign, now)
            name = node.metadata.name
            ctx.events.event(node, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        elif pulse.sign != sign:
            if sign[1] or sign[0] != pulse.sign[0]:  # our own writing of Unknown is no sign of life
                pulse.seen_at = now
            pulse.sign = sign
        return pulse

    async def _follow_readiness(self, ctx: Context, node: Node, pulse: Pulse) -> None:
        """Once readiness is lost the node's pods must not be sent traffic; of a silent node nobody else would say so."""
        ready = ready_condition(node)
        status = ready.status if ready is not None else ""
        lost = status != "True" and pulse.ready == "True"
        if lost:
            message = f"Node {node.metadata.name} status is now: NodeNotReady"
            ctx.events.event(node, "Normal", "NodeNotReady", message)
        if lost or status == "Unknown":
            for pod in ctx.by_index(Pod, PODS_BY_NODE, node.metadata.name):
                await _mark_not_ready(ctx, pod)
        pulse.ready = status


def ready_condition(node: Node) -> NodeCondition | None:
    return next((c for c in node.status.conditions if c.type == "Ready"), None)


def is_node_ready(node: Node) -> bool:
    ready = ready_condition(node)
    return ready is not None and ready.status == "True"


def plan_unknown(node: Node, now: float) -> list[NodeCondition]:
    """The node's conditions once its kubelet is silent."""
    conditions = list(node.status.conditions)
    stamp = rfc3339(now)
    for type in WATCHED_CONDITIONS:
        old = next((c for c in conditions if c.type == type), None)
        if old is None:
            conditions.append(
                NodeCondition(
                    type=type, status="Unknown", reason="NodeStatusNeverUpdated",
                    message="Kubelet never posted node status.", lastHeartbeatTime=node.metadata.creationTimestamp,
                    lastTransitionTime=stamp,
                )
            )  # fmt: skip
        elif old.status != "Unknown":
            fresh = replace(
                old, status="Unknown", reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.", lastTransitionTime=stamp,
            )  # fmt: skip
            conditions = [fresh if c is old else c for c in conditions]
    return conditions


def plan_taints(node: Node, *, any_ready: bool, now: float) -> list[Taint]:
    """The node's taints as its conditions and spec.unschedulable want them; others' taints stay, in their order."""
    no_schedule = _wanted_no_schedule(node)
    no_execute = _wanted_no_execute(node) if any_ready else set()
    kept = []
    for taint in node.spec.taints:
        if taint.effect == "NoSchedule" and taint.key in OUR_NO_SCHEDULE:
            if taint.key not in no_schedule:
                continue
            no_schedule.discard(taint.key)
        elif taint.effect == "NoExecute" and taint.key in OUR_NO_EXECUTE:
            if taint.key not in no_execute:
                continue
            no_execute.discard(taint.key)
        kept.append(taint)
    stamp = rfc3339(now)
    kept += [Taint(key=key, effect="NoSchedule", timeAdded=stamp) for key in sorted(no_schedule)]
    kept += [Taint(key=key, effect="NoExecute", timeAdded=stamp) for key in sorted(no_execute)]
    return kept


def _wanted_no_schedule(node: Node) -> set[str]:
    wanted = _wanted_no_execute(node)
    if ready_condition(node) is None and any(t.key == NOT_READY for t in node.spec.taints):
        wanted.add(NOT_READY)  # put there at registration; the first status will tell
    wanted |= {PRESSURES[c.type] for c in node.status.conditions if c.type in PRESSURES and c.status == "True"}
    if node.spec.unschedulable:
        wanted.add(UNSCHEDULABLE)
    return wanted


def _wanted_no_execute(node: Node) -> set[str]:
    ready = ready_condition(node)
    if ready is None or ready.status == "True":
        return set()
    return {UNREACHABLE if ready.status == "Unknown" else NOT_READY}


async def _mark_not_ready(ctx: Context, pod: Pod) -> None:
    ready = condition(pod, "Ready")
    if ready is None or not is_ready(pod) or pod.metadata.deletionTimestamp:
        return
    fresh: PodCondition = replace(ready, status="False", lastTransitionTime=rfc3339(ctx.clock.now()))
    conditions = [fresh if c is ready else c for c in pod.status.conditions]
    await ctx.update_status(replace(pod, status=replace(pod.status, conditions=conditions)))
    ctx.events.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def pods_by_node(pod: Pod) -> Iterable[str]:
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()


def _node_of_lease(ctx: Context, lease: Lease) -> Iterable[Key]:
    return (Key("", lease.metadata.name),) if lease.metadata.namespace == LEASES else ()
