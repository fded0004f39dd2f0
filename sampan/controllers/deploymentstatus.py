"""A deployment's status: counts, and the conditions that `kubectl rollout status` waits for.

After upstream's pkg/controller/deployment/{progress,sync}.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sampan.api.types.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from sampan.controllers.history import NO_LIMIT
from sampan.controllers.rolling import available, max_unavailable, replicas_of, wanted
from sampan.lib.clock import parse_rfc3339, rfc3339

PROGRESSING = "Progressing"
AVAILABLE = "Available"
REPLICA_FAILURE = "ReplicaFailure"

NEW_SET_AVAILABLE = "NewReplicaSetAvailable"
NEW_SET_CREATED = "NewReplicaSetCreated"
FOUND_NEW_SET = "FoundNewReplicaSet"
SET_UPDATED = "ReplicaSetUpdated"
SET_CREATE_ERROR = "ReplicaSetCreateError"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

Conditions = list[DeploymentCondition]


def make_condition(type: str, status: str, reason: str, message: str, now: float) -> DeploymentCondition:
    stamp = rfc3339(now)
    return DeploymentCondition(
        type=type, status=status, reason=reason, message=message, lastUpdateTime=stamp, lastTransitionTime=stamp
    )


def get_condition(conditions: Sequence[DeploymentCondition], type: str) -> DeploymentCondition | None:
    return next((c for c in conditions if c.type == type), None)


def set_condition(conditions: Conditions, fresh: DeploymentCondition) -> Conditions:
    """The same status for the same reason is no news, whatever its message."""
    current = get_condition(conditions, fresh.type)
    if current is not None and current.status == fresh.status:
        if current.reason == fresh.reason:
            return conditions
        fresh = replace(fresh, lastTransitionTime=current.lastTransitionTime)
    return [*without(conditions, fresh.type), fresh]


def without(conditions: Conditions, type: str) -> Conditions:
    return [c for c in conditions if c.type != type]


def has_deadline(d: Deployment) -> bool:
    return d.spec.progressDeadlineSeconds not in (None, NO_LIMIT)


def plan_counts(d: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: float) -> DeploymentStatus:
    """Status as the replica sets make it, with the Available condition; the others are kept."""
    ready_to_serve = available(sets)
    if ready_to_serve >= replicas_of(d) - max_unavailable(d):
        message = "Deployment has minimum availability."
        fresh = make_condition(AVAILABLE, "True", "MinimumReplicasAvailable", message, now)
    else:
        message = "Deployment does not have minimum availability."
        fresh = make_condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)
    return DeploymentStatus(
        observedGeneration=d.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets) or None,
        updatedReplicas=(new.status.replicas if new is not None else 0) or None,
        readyReplicas=sum(rs.status.readyReplicas or 0 for rs in sets) or None,
        availableReplicas=ready_to_serve or None,
        unavailableReplicas=max(0, wanted(sets) - ready_to_serve) or None,
        collisionCount=d.status.collisionCount,
        conditions=set_condition(list(d.status.conditions), fresh),
    )


def plan_progress(d: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: float) -> DeploymentStatus:
    """Status of a rollout under way: `plan_counts` and the Progressing and ReplicaFailure conditions."""
    status = plan_counts(d, sets, new, now)
    if not has_deadline(d):
        status.conditions = without(status.conditions, PROGRESSING)
    elif not _was_complete(status):
        status.conditions = _progressed(d, status, new, now)
    failure = _failure_of(sets, new)
    if failure is not None:
        status.conditions = set_condition(status.conditions, failure)
    else:
        status.conditions = without(status.conditions, REPLICA_FAILURE)
    return status


def is_complete(d: Deployment, status: DeploymentStatus) -> bool:
    total = replicas_of(d)
    counts = (status.updatedReplicas or 0, status.replicas or 0, status.availableReplicas or 0)
    return counts == (total, total, total) and (status.observedGeneration or 0) >= (d.metadata.generation or 0)


def recheck_after_seconds(d: Deployment, status: DeploymentStatus, now: float) -> float | None:
    """When the progress deadline will have to be looked at; None: it will not."""
    progressing = get_condition(status.conditions, PROGRESSING)
    if not has_deadline(d) or progressing is None:
        return None
    if is_complete(d, status) or progressing.reason in (DEADLINE_EXCEEDED, NEW_SET_AVAILABLE):
        return None
    return max(0.0, _deadline(d, progressing) - now) + 1.0


def plan_paused(d: Deployment, now: float) -> Conditions | None:
    """Conditions that say it was paused or resumed, so that the deadline does not run meanwhile; None: no change."""
    if not has_deadline(d):
        return None
    progressing = get_condition(d.status.conditions, PROGRESSING)
    if progressing is not None and progressing.reason == DEADLINE_EXCEEDED:
        return None
    said_paused = progressing is not None and progressing.reason == PAUSED
    if d.spec.paused and not said_paused:
        fresh = make_condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    elif not d.spec.paused and said_paused:
        fresh = make_condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
    else:
        return None
    return set_condition(list(d.status.conditions), fresh)


def _was_complete(status: DeploymentStatus) -> bool:
    """A rollout that succeeded stays so, even if pods come and go later."""
    progressing = get_condition(status.conditions, PROGRESSING)
    whole = (status.replicas or 0) == (status.updatedReplicas or 0)
    return whole and progressing is not None and progressing.reason == NEW_SET_AVAILABLE


def _progressed(d: Deployment, status: DeploymentStatus, new: ReplicaSet | None, now: float) -> Conditions:
    what = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{d.metadata.name}"'
    current = get_condition(status.conditions, PROGRESSING)
    if is_complete(d, status):
        fresh = make_condition(PROGRESSING, "True", NEW_SET_AVAILABLE, f"{what} has successfully progressed.", now)
        return set_condition(status.conditions, fresh)
    if _moved(d.status, status):
        fresh = make_condition(PROGRESSING, "True", SET_UPDATED, f"{what} is progressing.", now)
        if current is not None and current.status == "True":
            fresh = replace(fresh, lastTransitionTime=current.lastTransitionTime)
        return [*without(status.conditions, PROGRESSING), fresh]  # each move restarts the deadline
    if _timed_out(d, current, now):
        fresh = make_condition(PROGRESSING, "False", DEADLINE_EXCEEDED, f"{what} has timed out progressing.", now)
        return set_condition(status.conditions, fresh)
    return status.conditions


def _moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    old_left = (old.replicas or 0) - (old.updatedReplicas or 0)
    new_left = (new.replicas or 0) - (new.updatedReplicas or 0)
    return (
        (new.updatedReplicas or 0) > (old.updatedReplicas or 0)
        or new_left < old_left
        or (new.readyReplicas or 0) > (old.readyReplicas or 0)
        or (new.availableReplicas or 0) > (old.availableReplicas or 0)
    )


def _timed_out(d: Deployment, progressing: DeploymentCondition | None, now: float) -> bool:
    if progressing is None or progressing.reason == NEW_SET_AVAILABLE:
        return False
    return progressing.reason == DEADLINE_EXCEEDED or _deadline(d, progressing) < now


def _deadline(d: Deployment, progressing: DeploymentCondition) -> float:
    return parse_rfc3339(progressing.lastUpdateTime) + (d.spec.progressDeadlineSeconds or 0)


def _failure_of(sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> DeploymentCondition | None:
    for rs in [new, *sets] if new is not None else sets:
        for c in rs.status.conditions:
            if c.type == REPLICA_FAILURE:
                return DeploymentCondition(
                    type=c.type, status=c.status, reason=c.reason, message=c.message,
                    lastTransitionTime=c.lastTransitionTime, lastUpdateTime=c.lastTransitionTime,
                )  # fmt: skip
    return None
