"""What controllers ask of a pod: is it alive, ready, available; and which one goes first when there are too many.

After upstream's pkg/api/v1/pod and `ActivePodsWithRanks` of pkg/controller/controller_utils.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cmp_to_key

from sampan.api.types.core_v1 import Pod, PodCondition, PodTemplateSpec
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from sampan.client.codec import clone
from sampan.lib.clock import parse_rfc3339

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def condition(pod: Pod, type: str) -> PodCondition | None:
    for found in pod.status.conditions:
        if found.type == type:
            return found
    return None


def is_active(pod: Pod) -> bool:
    """It counts as a replica: neither finished nor being deleted."""
    return pod.status.phase not in ("Succeeded", "Failed") and not pod.metadata.deletionTimestamp


def is_ready(pod: Pod) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def ready_since(pod: Pod) -> float | None:
    """When it became ready; None: it is not, or did not say when."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True" or not ready.lastTransitionTime:
        return None
    return parse_rfc3339(ready.lastTransitionTime)


def is_available(pod: Pod, min_ready_seconds: int, now: float) -> bool:
    """Ready for at least `min_ready_seconds`."""
    if not is_ready(pod):
        return False
    since = ready_since(pod)
    return min_ready_seconds == 0 or (since is not None and since + min_ready_seconds <= now)


def created_at(obj: Pod) -> float | None:
    stamp = obj.metadata.creationTimestamp
    return parse_rfc3339(stamp) if stamp else None


def from_template(template: PodTemplateSpec, namespace: str, prefix: str, controller: OwnerReference) -> Pod:
    """A pod as a controller creates it; the server completes the name."""
    return Pod(
        metadata=ObjectMeta(
            namespace=namespace,
            generateName=prefix,
            labels=dict(template.metadata.labels),
            annotations=dict(template.metadata.annotations),
            finalizers=list(template.metadata.finalizers),
            ownerReferences=[controller],
        ),
        spec=clone(template.spec),
    )


def rank_for_deletion(candidates: Iterable[Pod], related: Iterable[Pod], now: float) -> list[Pod]:
    """The candidates, first to go first. `related`: the active pods (of all replica sets of the same owner) that make a
    node crowded, candidates included."""
    crowd: dict[str, int] = {}
    for pod in related:
        if pod.spec.nodeName:
            crowd[pod.spec.nodeName] = crowd.get(pod.spec.nodeName, 0) + 1

    def compare(a: Pod, b: Pod) -> int:
        plain_a, plain_b = _plain_rank(a, crowd), _plain_rank(b, crowd)
        if plain_a != plain_b:
            return -1 if plain_a < plain_b else 1
        if is_ready(a) and (order := _younger_first(ready_since(a), ready_since(b), a, b, now)):
            return order
        if order := _restarts(b) - _restarts(a):
            return order
        return _younger_first(created_at(a), created_at(b), a, b, now)

    return sorted(candidates, key=cmp_to_key(compare))


def _plain_rank(pod: Pod, crowd: dict[str, int]) -> tuple[bool, int, bool, int, int]:
    phase = {"Pending": 0, "Unknown": 1}.get(pod.status.phase, 2)
    return (bool(pod.spec.nodeName), phase, is_ready(pod), deletion_cost(pod), -crowd.get(pod.spec.nodeName, 0))


def deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "")
    try:
        return int(text) if text else 0
    except ValueError:
        return 0


def _restarts(pod: Pod) -> int:
    return sum(status.restartCount for status in pod.status.containerStatuses)


def _younger_first(a: float | None, b: float | None, pod_a: Pod, pod_b: Pod, now: float) -> int:
    """Ages are compared by their logarithm, and by UID within one magnitude, so that a scale-down takes old and new alike."""
    if a == b:
        return 0
    if a is None or b is None:
        return -1 if a is None else 1
    magnitude_a, magnitude_b = _magnitude(now - a), _magnitude(now - b)
    if magnitude_a != magnitude_b:
        return magnitude_a - magnitude_b
    return -1 if pod_a.metadata.uid < pod_b.metadata.uid else 1


def _magnitude(seconds: float) -> int:
    return int(math.log2(seconds)) if seconds >= 1 else -1
