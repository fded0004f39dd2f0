"""Disruption budgets: how many of the pods that one selects are healthy, must be, and may go now.

After upstream's pkg/controller/disruption. The status that is written here is what an eviction asks. A pod whose eviction was
granted is named in `status.disruptedPods` and does not count as healthy until it is gone or two minutes have passed; likewise a
pod that was marked as the target of a disruption and is still there after two minutes is marked no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from sampan.api.errors import StatusError
from sampan.api.selectors import from_label_selector
from sampan.api.types.apps_v1 import Deployment, ReplicaSet, StatefulSet
from sampan.api.types.autoscaling_v1 import Scale
from sampan.api.types.core_v1 import Pod, PodCondition
from sampan.api.types.meta_v1 import APIResourceList, Condition, LabelSelector, OwnerReference
from sampan.api.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetStatus
from sampan.client.codec import decode
from sampan.controllers.ownership import controller_of
from sampan.controllers.pods import condition, is_ready
from sampan.controllers.runtime import Context, Controller, Key, Requeue, Watch, key_of
from sampan.lib.clock import parse_rfc3339, rfc3339

DELETION_SECONDS = 120.0
"""How long a granted eviction counts as a pod that is gone."""
STALE_SECONDS = 120.0
RETRY_SECONDS = 5.0

ALLOWED = "DisruptionAllowed"
TARGET = "DisruptionTarget"
TERMINATED_BY_KUBELET = "TerminationByKubelet"
_FINISHED = ("Succeeded", "Failed")
_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB "
    "cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


class UnknownScale(Exception):
    """Nobody can say how many pods there should be; the message is upstream's."""


@dataclass(slots=True)
class Expected:
    """How many pods there should be, and how many of them healthy."""

    pods: int = 0
    healthy: int = 0


@dataclass(slots=True)
class Disrupted:
    """The pods whose eviction was granted and is still awaited."""

    since: dict[str, str] = field(default_factory=dict)
    overdue: list[Pod] = field(default_factory=list)
    recheck_at: float | None = None


async def reconcile(ctx: Context, key: Key) -> Requeue | None:
    budget = ctx.get(PodDisruptionBudget, key)
    if budget is None:
        return None
    try:
        return await _sync(ctx, budget)
    except (StatusError, UnknownScale) as error:
        if isinstance(error, StatusError) and error.code == 409:
            raise
        await _fail_safe(ctx, budget, str(error))
        return Requeue(RETRY_SECONDS)


async def _sync(ctx: Context, budget: PodDisruptionBudget) -> Requeue | None:
    pods = selected(budget, ctx.list(Pod, budget.metadata.namespace))
    if not pods:
        ctx.events.event(budget, "Normal", "NoPods", "No matching pods found")
    _tell_of_rivals(ctx, budget, pods)
    try:
        expected = await _expected(ctx, budget, pods)
    except (StatusError, UnknownScale) as error:
        message = f"Failed to calculate the number of expected pods: {error}"
        ctx.events.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
        raise
    now = ctx.clock.now()
    disrupted = plan_disrupted(budget, pods, now)
    for pod in disrupted.overdue:
        namespace = budget.metadata.namespace  # twice, as upstream
        message = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
        ctx.events.event(pod, "Warning", "NotDeleted", message)
    status = plan_status(budget, expected, count_healthy(pods, disrupted.since, now), disrupted.since, now)
    if status != budget.status:
        await ctx.update_status(replace(budget, status=status))
    return Requeue(disrupted.recheck_at - now) if disrupted.recheck_at is not None else None


def selected(budget: PodDisruptionBudget, pods: Iterable[Pod]) -> list[Pod]:
    """No selector selects nothing, an empty one everything."""
    matcher = from_label_selector(budget.spec.selector)
    return [pod for pod in pods if matcher.matches(pod.metadata.labels)]


def _tell_of_rivals(ctx: Context, budget: PodDisruptionBudget, pods: Iterable[Pod]) -> None:
    """A pod of several budgets can never be evicted. The first of them says so."""
    budgets = ctx.list(PodDisruptionBudget, budget.metadata.namespace)
    if len(budgets) < 2:
        return
    for pod in pods:
        rivals = sorted(rival.metadata.name for rival in budgets if selected(rival, (pod,)))
        if len(rivals) > 1 and rivals[0] == budget.metadata.name:
            who = f'"{pod.metadata.namespace}"/"{pod.metadata.name}"'
            message = f'Pod {who} matches multiple PodDisruptionBudgets.  Chose "{rivals[0]}" arbitrarily.'
            ctx.events.event(pod, "Warning", "MultiplePodDisruptionBudgets", message)


async def _expected(ctx: Context, budget: PodDisruptionBudget, pods: Sequence[Pod]) -> Expected:
    spec = budget.spec
    if spec.maxUnavailable is not None:
        scale = await _scale_of_all(ctx, budget, pods)
        return Expected(scale, max(0, scale - scaled(spec.maxUnavailable, scale)))
    if isinstance(spec.minAvailable, int):
        return Expected(len(pods), spec.minAvailable)
    if spec.minAvailable is not None:
        scale = await _scale_of_all(ctx, budget, pods)
        return Expected(scale, scaled(spec.minAvailable, scale))
    return Expected()


def scaled(amount: int | str, total: int) -> int:
    """A number, or so many percent of the total, rounded up."""
    return amount if isinstance(amount, int) else -(-int(amount.removesuffix("%")) * total // 100)


async def _scale_of_all(ctx: Context, budget: PodDisruptionBudget, pods: Iterable[Pod]) -> int:
    """The wanted replicas of all controllers of the pods. Raises UnknownScale, StatusError."""
    scales: dict[str, int] = {}
    unmanaged = False
    for pod in pods:
        owner = controller_of(pod)
        if owner is None:
            unmanaged = True
        elif owner.uid not in scales:
            namespace = pod.metadata.namespace
            found = _known_scale(ctx, owner, namespace)
            if found is None:
                found = await _asked_scale(ctx, owner, namespace)
            if found is None:
                raise UnknownScale(f'found no controllers for pod "{pod.metadata.name}"')
            uid, replicas = found
            scales[uid] = replicas
    if unmanaged:
        ctx.events.event(budget, "Warning", "UnmanagedPods", _UNMANAGED.format(_go_selector(budget.spec.selector)))
    return sum(scales.values())


def _known_scale(ctx: Context, owner: OwnerReference, namespace: str) -> tuple[str, int] | None:
    """(UID, replicas) of a controller that the caches hold; the Deployment stands for its replica sets."""
    key = Key(namespace, owner.name)
    group = owner.apiVersion.rpartition("/")[0]
    if group != "apps":
        return None
    if owner.kind == "StatefulSet":
        stateful = ctx.get(StatefulSet, key)
        if stateful is not None and stateful.metadata.uid == owner.uid:
            return owner.uid, _replicas(stateful.spec.replicas)
    if owner.kind != "ReplicaSet":
        return None
    replica_set = ctx.get(ReplicaSet, key)
    if replica_set is None or replica_set.metadata.uid != owner.uid:
        return None
    above = controller_of(replica_set)
    if above is None or above.kind != "Deployment":
        return owner.uid, _replicas(replica_set.spec.replicas)
    deployment = ctx.get(Deployment, Key(namespace, above.name))
    if deployment is None or deployment.metadata.uid != above.uid:
        return None
    return above.uid, _replicas(deployment.spec.replicas)


def _replicas(replicas: int | None) -> int:
    return 1 if replicas is None else replicas


async def _asked_scale(ctx: Context, owner: OwnerReference, namespace: str) -> tuple[str, int] | None:
    """The same of any kind, by its `scale` subresource. None: there is no such controller. Raises UnknownScale, StatusError."""
    group = owner.apiVersion.rpartition("/")[0]
    root = f"/apis/{owner.apiVersion}" if group else f"/api/{owner.apiVersion}"
    listed = decode(APIResourceList, await ctx.client.request("GET", root))
    plural = next((r.name for r in listed.resources if r.kind == owner.kind and "/" not in r.name), "")
    if not plural:
        raise UnknownScale(f'no matches for kind "{owner.kind}" in version "{owner.apiVersion}"')
    if all(r.name != f"{plural}/scale" for r in listed.resources):
        qualified = f"{plural}.{group}" if group else plural
        raise UnknownScale(f"{qualified} does not implement the scale subresource")
    path = f"{root}/namespaces/{namespace}/{plural}/{owner.name}/scale"
    try:
        scale = decode(Scale, await ctx.client.request("GET", path))
    except StatusError as error:
        if error.code != 404:
            raise
        return None
    return (scale.metadata.uid, scale.spec.replicas or 0) if scale.metadata.uid == owner.uid else None


def plan_disrupted(budget: PodDisruptionBudget, pods: Iterable[Pod], now: float) -> Disrupted:
    """Of the granted evictions those that may still be on their way."""
    plan = Disrupted()
    granted = budget.status.disruptedPods
    for pod in pods:
        since = granted.get(pod.metadata.name)
        if since is None or pod.metadata.deletionTimestamp:
            continue
        due = parse_rfc3339(since) + DELETION_SECONDS
        if due < now:
            plan.overdue.append(pod)
            continue
        plan.since[pod.metadata.name] = since
        if plan.recheck_at is None or due < plan.recheck_at:
            plan.recheck_at = due
    return plan


def count_healthy(pods: Iterable[Pod], disrupted: Mapping[str, str], now: float) -> int:
    def goes(pod: Pod) -> bool:
        since = disrupted.get(pod.metadata.name)
        return bool(pod.metadata.deletionTimestamp) or (since is not None and parse_rfc3339(since) + DELETION_SECONDS > now)

    return sum(is_ready(pod) and not goes(pod) for pod in pods)


def plan_status(
    budget: PodDisruptionBudget, expected: Expected, healthy: int, disrupted: Mapping[str, str], now: float
) -> PodDisruptionBudgetStatus:
    """A budget without pods allows nothing, lest the first ones go before anybody has counted them."""
    allowed = max(0, healthy - expected.healthy) if expected.pods > 0 else 0
    generation = budget.metadata.generation
    fresh = Condition(
        type=ALLOWED,
        status="True" if allowed else "False",
        reason="SufficientPods" if allowed else "InsufficientPods",
        observedGeneration=generation,
    )
    return PodDisruptionBudgetStatus(
        currentHealthy=healthy,
        desiredHealthy=expected.healthy,
        expectedPods=expected.pods,
        disruptionsAllowed=allowed,
        disruptedPods=dict(disrupted),
        observedGeneration=generation,
        conditions=set_condition(budget.status.conditions, fresh, now),
    )


def set_condition(conditions: Sequence[Condition], fresh: Condition, now: float) -> list[Condition]:
    """The time of a condition is when its status changed."""
    old = next((c for c in conditions if c.type == fresh.type), None)
    moved = old is None or old.status != fresh.status or not old.lastTransitionTime
    stamp = rfc3339(now) if moved or old is None else old.lastTransitionTime
    fresh = replace(fresh, lastTransitionTime=stamp)
    return [*conditions, fresh] if old is None else [fresh if c is old else c for c in conditions]


async def _fail_safe(ctx: Context, budget: PodDisruptionBudget, why: str) -> None:
    """Allow nothing while nobody knows what there should be."""
    status = budget.status
    fresh = Condition(
        type=ALLOWED, status="False", reason="SyncFailed", message=why, observedGeneration=status.observedGeneration
    )  # fmt: skip
    failed = replace(status, disruptionsAllowed=0, conditions=set_condition(status.conditions, fresh, ctx.clock.now()))
    if failed != status:
        await ctx.update_status(replace(budget, status=failed))


def _go_selector(selector: LabelSelector | None) -> str:
    """As Go prints one."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {selector.matchLabels[key]}," for key in sorted(selector.matchLabels))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{e.key},Operator:{e.operator},Values:[{' '.join(e.values)}],}},"
        for e in selector.matchExpressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


def _budgets_of(ctx: Context, pod: Pod) -> Iterable[Key]:
    budgets = ctx.list(PodDisruptionBudget, pod.metadata.namespace)
    return [key_of(budget) for budget in budgets if selected(budget, (pod,))]


async def reconcile_pod(ctx: Context, key: Key) -> Requeue | None:
    """A disruption that was announced and never came is called off."""
    pod = ctx.get(Pod, key)
    stale_in = plan_stale(pod, ctx.clock.now()) if pod is not None else None
    if pod is None or stale_in is None:
        return None
    if stale_in > 0:
        return Requeue(stale_in)
    fresh = PodCondition(type=TARGET, status="False", lastTransitionTime=rfc3339(ctx.clock.now()))
    conditions = [fresh if c.type == TARGET else c for c in pod.status.conditions]
    await ctx.update_status(replace(pod, status=replace(pod.status, conditions=conditions)))
    return None


def plan_stale(pod: Pod, now: float) -> float | None:
    """In how many seconds the pod's DisruptionTarget is stale; None: it has none, or one that never is."""
    found = condition(pod, TARGET)
    if found is None or found.status != "True" or found.reason == TERMINATED_BY_KUBELET:
        return None
    if pod.metadata.deletionTimestamp or pod.status.phase in _FINISHED:
        return None
    since = parse_rfc3339(found.lastTransitionTime) if found.lastTransitionTime else 0.0
    return max(0.0, since + STALE_SECONDS - now)


CONTROLLER = Controller(
    "controllermanager",  # as its events are signed upstream
    for_=PodDisruptionBudget,
    watches=(Watch(Pod, _budgets_of),),
    reads=(Deployment, ReplicaSet, StatefulSet),
    reconcile=reconcile,
    workers=1,
)
STALE_TARGETS = Controller("disruption-controller", for_=Pod, reconcile=reconcile_pod, workers=1)
