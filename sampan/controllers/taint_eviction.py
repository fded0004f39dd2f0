"""Pods that do not tolerate a NoExecute taint of their node are deleted, at once or when their tolerationSeconds are over.

After upstream's pkg/controller/tainteviction. The time counts from the taint's timeAdded (or the pod's creation, if later), so
that it goes on where it was when this process restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from sampan.api.types.core_v1 import Node, Pod, PodCondition, Taint, Toleration
from sampan.controllers.node_lifecycle import PODS_BY_NODE, pods_by_node
from sampan.controllers.runtime import Context, Controller, Index, Key, Requeue, Watch
from sampan.lib.clock import parse_rfc3339, rfc3339

MESSAGE = "Taint manager: deleting due to NoExecute taint"


async def reconcile(ctx: Context, key: Key) -> Requeue | None:
    node = ctx.get(Node, key)
    taints = [t for t in node.spec.taints if t.effect == "NoExecute"] if node is not None else []
    if not taints:
        return None
    now = ctx.clock.now()
    next_due: float | None = None
    for pod in ctx.by_index(Pod, PODS_BY_NODE, key.name):
        due = plan_eviction(pod, taints)
        if due is None or pod.metadata.deletionTimestamp:
            continue
        if due <= now:
            await _evict(ctx, pod)
        elif next_due is None or due < next_due:
            next_due = due
    return Requeue(next_due - now) if next_due is not None else None


def plan_eviction(pod: Pod, taints: Sequence[Taint]) -> float | None:
    """When the pod has to go, in seconds since the epoch; None: it may stay. `taints`: NoExecute ones, at least one."""
    used: list[Toleration] = []
    for taint in taints:
        matching = [t for t in pod.spec.tolerations if tolerates(t, taint)]
        if not matching:
            return 0.0
        used += matching
    limits = [t.tolerationSeconds for t in used if t.tolerationSeconds is not None]
    if not limits:
        return None
    starts = [parse_rfc3339(t.timeAdded) for t in taints if t.timeAdded]
    if pod.metadata.creationTimestamp:
        starts.append(parse_rfc3339(pod.metadata.creationTimestamp))
    return max(starts, default=0.0) + max(0, min(limits))


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.operator in ("", "Equal") and toleration.value == taint.value


async def _evict(ctx: Context, pod: Pod) -> None:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    ctx.events.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {name}")
    target = PodCondition(
        type="DisruptionTarget", status="True", reason="DeletionByTaintManager",
        message=MESSAGE, lastTransitionTime=rfc3339(ctx.clock.now()),
    )  # fmt: skip
    conditions = [*(c for c in pod.status.conditions if c.type != target.type), target]
    pod = await ctx.update_status(replace(pod, status=replace(pod.status, conditions=conditions)))
    await ctx.delete(pod)


def _node_of(ctx: Context, pod: Pod) -> Iterable[Key]:
    return (Key("", pod.spec.nodeName),) if pod.spec.nodeName else ()


CONTROLLER = Controller(
    "taint-eviction-controller",
    for_=Node,
    watches=(Watch(Pod, _node_of),),
    indexes=(Index(Pod, PODS_BY_NODE, pods_by_node),),
    reconcile=reconcile,
)
