"""ReplicaSets: keep as many pods as asked for.

After upstream's pkg/controller/replicaset. Pods are created in batches of 1, 2, 4 … so that a template which the API
refuses costs one request and not five hundred.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from sampan.api import names
from sampan.api.errors import StatusError
from sampan.api.selectors import from_label_selector
from sampan.api.types.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from sampan.api.types.core_v1 import Pod
from sampan.controllers.ownership import claim, controller_of, controller_reference
from sampan.controllers.pods import from_template, is_active, is_available, is_ready, rank_for_deletion, ready_since
from sampan.controllers.runtime import Context, Controller, Index, Key, Requeue, Watch, key_of, namespace_is_terminating
from sampan.lib.clock import rfc3339

BURST = 500
"""At most this many creates or deletes in one reconciliation."""
SIBLINGS = "controller-of-replicaset"


@dataclass(slots=True)
class Plan:
    create: int = 0
    delete: list[Pod] = field(default_factory=list)


async def reconcile(ctx: Context, key: Key) -> Requeue | None:
    rs = ctx.get(ReplicaSet, key)
    if rs is None:
        return None
    owned = await claim(ctx, rs, from_label_selector(rs.spec.selector), Pod)
    pods = [pod for pod in owned if is_active(pod)]
    failure: StatusError | None = None
    plan = Plan() if rs.metadata.deletionTimestamp else plan_replicas(rs, pods, _related(ctx, rs), ctx.clock.now())
    try:
        await apply(ctx, rs, plan)
    except StatusError as error:
        failure = error
    now = ctx.clock.now()
    status = plan_status(rs, pods, now, failure, "FailedCreate" if plan.create else "FailedDelete")
    if status != rs.status:
        await ctx.update_status(replace(rs, status=status))
    if failure is not None:
        raise failure
    return plan_recheck(rs, pods, now)


def plan_replicas(rs: ReplicaSet, pods: Sequence[Pod], related: Iterable[Pod], now: float) -> Plan:
    """`pods`: the active ones it owns; `related`: active pods of its sibling replica sets and its own."""
    missing = (1 if rs.spec.replicas is None else rs.spec.replicas) - len(pods)
    if missing > 0:
        return Plan(create=min(missing, BURST))
    if missing < 0:
        ranked = rank_for_deletion(pods, related, now) if -missing < len(pods) else list(pods)
        return Plan(delete=ranked[: min(-missing, BURST)])
    return Plan()


def plan_status(
    rs: ReplicaSet, pods: Sequence[Pod], now: float, failure: StatusError | None, failure_reason: str
) -> ReplicaSetStatus:
    min_ready = rs.spec.minReadySeconds or 0
    template = rs.spec.template
    labels = template.metadata.labels.items() if template is not None else {}.items()
    conditions = list(rs.status.conditions)
    failed = any(c.type == "ReplicaFailure" for c in conditions)
    if failure is not None and not failed:
        conditions.append(
            ReplicaSetCondition(
                type="ReplicaFailure", status="True", reason=failure_reason,
                message=failure.message, lastTransitionTime=rfc3339(now),
            )
        )  # fmt: skip
    elif failure is None and failed:
        conditions = [c for c in conditions if c.type != "ReplicaFailure"]
    return ReplicaSetStatus(
        replicas=len(pods),
        fullyLabeledReplicas=sum(labels <= pod.metadata.labels.items() for pod in pods) or None,
        readyReplicas=sum(map(is_ready, pods)) or None,
        availableReplicas=sum(is_available(pod, min_ready, now) for pod in pods) or None,
        observedGeneration=rs.metadata.generation,
        conditions=conditions,
    )


def plan_recheck(rs: ReplicaSet, pods: Iterable[Pod], now: float) -> Requeue | None:
    """When the next ready pod becomes available by nothing but time."""
    min_ready = rs.spec.minReadySeconds or 0
    waits = [since + min_ready - now for pod in pods if (since := ready_since(pod)) is not None]
    waits = [wait for wait in waits if wait > 0]
    return Requeue(min(waits)) if min_ready and waits else None


async def apply(ctx: Context, rs: ReplicaSet, plan: Plan) -> None:
    """Raises the first StatusError, after every request that was under way has ended."""
    if plan.create:
        await _create_slowly(ctx, rs, plan.create)
    results = await asyncio.gather(*(_delete(ctx, rs, pod) for pod in plan.delete), return_exceptions=True)
    _raise_first(results)


async def _create_slowly(ctx: Context, rs: ReplicaSet, count: int) -> None:
    batch = 1
    while count > 0:
        batch = min(batch, count)
        results = await asyncio.gather(*(_create(ctx, rs) for _ in range(batch)), return_exceptions=True)
        _raise_first(results)
        count -= batch
        batch *= 2


async def _create(ctx: Context, rs: ReplicaSet) -> None:
    assert rs.spec.template is not None, "the API requires a template"
    pod = from_template(rs.spec.template, rs.metadata.namespace, _prefix(rs.metadata.name), controller_reference(rs))
    try:
        pod = await ctx.create(pod)
    except StatusError as error:
        if namespace_is_terminating(error):
            return
        ctx.events.event(rs, "Warning", "FailedCreate", f"Error creating: {error.message}")
        raise
    ctx.events.event(rs, "Normal", "SuccessfulCreate", f"Created pod: {pod.metadata.name}")


async def _delete(ctx: Context, rs: ReplicaSet, pod: Pod) -> None:
    try:
        await ctx.delete(pod)
    except StatusError as error:
        ctx.events.event(rs, "Warning", "FailedDelete", f"Error deleting: {error.message}")
        raise
    ctx.events.event(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")


def _raise_first(results: Iterable[object]) -> None:
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _prefix(name: str) -> str:
    return name if names.name_is_subdomain(f"{name}-", True) else f"{name}-"


def _related(ctx: Context, rs: ReplicaSet) -> list[Pod]:
    """Active pods of all replica sets that share this one's controller, its own included."""
    owner = controller_of(rs)
    siblings = ctx.by_index(ReplicaSet, SIBLINGS, owner.uid) if owner is not None else [rs]
    return [pod for sibling in siblings for pod in ctx.owned(Pod, sibling) if is_active(pod)]


def _controller_uid(rs: ReplicaSet) -> Iterable[str]:
    owner = controller_of(rs)
    return (owner.uid,) if owner is not None else ()


def _sets_matching(ctx: Context, pod: Pod) -> Iterable[Key]:
    """An orphan may be adopted by any replica set that selects it."""
    if controller_of(pod) is not None or pod.metadata.deletionTimestamp:
        return ()
    sets = ctx.list(ReplicaSet, pod.metadata.namespace)
    return [key_of(rs) for rs in sets if from_label_selector(rs.spec.selector).matches(pod.metadata.labels)]


CONTROLLER = Controller(
    "replicaset-controller",
    for_=ReplicaSet,
    owns=(Pod,),
    watches=(Watch(Pod, _sets_matching),),
    indexes=(Index(ReplicaSet, SIBLINGS, _controller_uid),),
    reconcile=reconcile,
)
