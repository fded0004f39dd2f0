"""The arithmetic of a rolling update: how many pods more, how many fewer, in which replica set.

After upstream's pkg/controller/deployment/{rolling,sync}.go and util/deployment_util.go. Everything here is pure; a plan is a
list of `Scale` steps, applied in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sampan.api.types.apps_v1 import Deployment, ReplicaSet
from sampan.controllers.history import DESIRED_REPLICAS, MAX_REPLICAS, by_age

ROLLING_UPDATE = "RollingUpdate"
RECREATE = "Recreate"


class Scale(NamedTuple):
    """Bring `rs` to this size. At the size it has, only its annotations of the deployment's size are brought up to date."""

    rs: ReplicaSet
    replicas: int


def replicas_of(obj: Deployment | ReplicaSet) -> int:
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def wanted(sets: Iterable[ReplicaSet]) -> int:
    return sum(map(replicas_of, sets))


def available(sets: Iterable[ReplicaSet]) -> int:
    return sum(rs.status.availableReplicas or 0 for rs in sets)


def active(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    return [rs for rs in sets if replicas_of(rs) > 0]


def is_rolling(d: Deployment) -> bool:
    return d.spec.strategy is None or d.spec.strategy.type in ("", ROLLING_UPDATE)


def resolve(value: int | str | None, total: int, *, up: bool) -> int:
    """A number of pods, or a percentage of them ("25%"), rounded up or down."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)


def fenceposts(d: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods; never both zero, as then nothing could move."""
    rolling = d.spec.strategy.rollingUpdate if d.spec.strategy is not None else None
    total = replicas_of(d)
    surge = resolve(rolling.maxSurge if rolling else "25%", total, up=True)
    unavailable = resolve(rolling.maxUnavailable if rolling else "25%", total, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(d: Deployment) -> int:
    return fenceposts(d)[0] if is_rolling(d) else 0


def max_unavailable(d: Deployment) -> int:
    if not is_rolling(d) or replicas_of(d) == 0:
        return 0
    return min(fenceposts(d)[1], replicas_of(d))


def new_set_replicas(d: Deployment, sets: Sequence[ReplicaSet], current: int) -> int:
    """How many the new replica set, at `current` now, may have. `sets`: all of the deployment's."""
    if not is_rolling(d):
        return replicas_of(d)
    room = replicas_of(d) + max_surge(d) - wanted(sets)
    if room <= 0:
        return current
    return current + min(room, replicas_of(d) - current)


def plan_new(d: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet) -> list[Scale]:
    if replicas_of(new) == replicas_of(d):
        return []
    if replicas_of(new) > replicas_of(d):
        return [Scale(new, replicas_of(d))]
    target = new_set_replicas(d, sets, replicas_of(new))
    return [Scale(new, target)] if target != replicas_of(new) else []


def plan_old(d: Deployment, old: Sequence[ReplicaSet], new: ReplicaSet) -> list[Scale]:
    """Shrink the old sets as far as availability allows: pods that are not available go first and cost nothing."""
    if wanted(old) == 0:
        return []
    minimum = replicas_of(d) - max_unavailable(d)
    new_unavailable = replicas_of(new) - (new.status.availableReplicas or 0)
    spare = wanted(old) + replicas_of(new) - minimum - new_unavailable
    if spare <= 0:
        return []
    targets = {rs.metadata.uid: replicas_of(rs) for rs in old}
    _drop_unhealthy(targets, by_age(old), spare)
    _drop_available(targets, by_age(old), available([*old, new]) - minimum)
    return [Scale(rs, targets[rs.metadata.uid]) for rs in by_age(old) if targets[rs.metadata.uid] != replicas_of(rs)]


def _drop_unhealthy(targets: dict[str, int], old: Iterable[ReplicaSet], spare: int) -> None:
    for rs in old:
        unhealthy = max(0, targets[rs.metadata.uid] - (rs.status.availableReplicas or 0))
        dropped = min(spare, unhealthy)
        targets[rs.metadata.uid] -= dropped
        spare -= dropped


def _drop_available(targets: dict[str, int], old: Iterable[ReplicaSet], spare: int) -> None:
    for rs in old:
        dropped = max(0, min(spare, targets[rs.metadata.uid]))
        targets[rs.metadata.uid] -= dropped
        spare -= dropped


def plan_scale(d: Deployment, old: Sequence[ReplicaSet], new: ReplicaSet | None) -> list[Scale]:
    """A deployment that was scaled, or is paused: all to the one active set; in mid-rollout each set gets its share."""
    sole = _active_or_latest(old, new)
    if sole is not None:
        return [Scale(sole, replicas_of(d))]
    if new is not None and _is_saturated(d, new):
        return [Scale(new, replicas_of(new)), *(Scale(rs, 0) for rs in active(old))]
    sets = active([*old, new] if new is not None else old)
    if not is_rolling(d):
        return [Scale(rs, replicas_of(rs)) for rs in sets]
    allowed = replicas_of(d) + max_surge(d) if replicas_of(d) > 0 else 0
    return _proportional(d, sets, allowed - wanted(sets))


def _active_or_latest(old: Sequence[ReplicaSet], new: ReplicaSet | None) -> ReplicaSet | None:
    """The one replica set with pods; of none the new one or the youngest; None when several have pods."""
    busy = active([*old, new] if new is not None else old)
    if len(busy) > 1:
        return None
    if busy:
        return busy[0]
    return new or (by_age(old)[-1] if old else None)


def _is_saturated(d: Deployment, rs: ReplicaSet) -> bool:
    desired = annotated(rs, DESIRED_REPLICAS)
    total = replicas_of(d)
    return replicas_of(rs) == total and desired == total and (rs.status.availableReplicas or 0) == total


def _proportional(d: Deployment, sets: Sequence[ReplicaSet], to_add: int) -> list[Scale]:
    """Big sets first; of equals the newer grows first and the older shrinks first."""
    ranked = (
        sorted(by_age(sets), key=replicas_of)[::-1] if to_add > 0 else sorted(by_age(sets), key=lambda rs: -replicas_of(rs))
    )
    targets, added = [], 0
    for rs in ranked:
        share = _share(d, rs, to_add, added) if to_add else 0
        targets.append(replicas_of(rs) + share)
        added += share
    if targets:
        targets[0] = max(0, targets[0] + to_add - added)
    return [Scale(rs, target) for rs, target in zip(ranked, targets, strict=True)]


def _share(d: Deployment, rs: ReplicaSet, to_add: int, added: int) -> int:
    """This set's part of `to_add` (negative: to take away), of which `added` is given out already."""
    if replicas_of(rs) == 0 or to_add == added:
        return 0
    fraction = _fraction(d, rs)
    return min(fraction, to_add - added) if to_add > 0 else max(fraction, to_add - added)


def _fraction(d: Deployment, rs: ReplicaSet) -> int:
    if replicas_of(d) == 0:
        return -replicas_of(rs)
    before = annotated(rs, MAX_REPLICAS) or d.status.replicas or 0
    if before == 0:
        return 0
    # As Go's integer division and math.Round of upstream: half away from zero.
    size = replicas_of(rs) * (replicas_of(d) + max_surge(d)) / before
    return math.floor(size + 0.5) - replicas_of(rs)


def annotated(rs: ReplicaSet, annotation: str) -> int | None:
    """The number in an annotation; None: there is none."""
    text = rs.metadata.annotations.get(annotation, "")
    return int(text) if text.isdigit() else None


def was_scaled(d: Deployment, sets: Iterable[ReplicaSet]) -> bool:
    """Whether someone changed spec.replicas since the sets were last written."""
    return any(desired not in (None, replicas_of(d)) for desired in (annotated(rs, DESIRED_REPLICAS) for rs in active(sets)))
