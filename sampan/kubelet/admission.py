"""Whether this node can take a pod that was bound to it. Pure.

The scheduler has looked already, but pods come past it, too (a nodeName in the spec), and two may have met on the way.
After k8s.io/kubernetes/pkg/kubelet/lifecycle/predicate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sampan.api import quantity
from sampan.api.types.core_v1 import Pod


class Rejection(NamedTuple):
    reason: str
    message: str


def requests(pod: Pod) -> dict[str, int]:
    """By resource: thousandths of what the pod asks for, and one of "pods"."""
    total: dict[str, int] = {}
    largest: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    for container in pod.spec.containers:
        _add(total, container.resources.requests if container.resources else {})
    for container in pod.spec.initContainers:
        wanted = container.resources.requests if container.resources else {}
        if container.restartPolicy == "Always":
            _add(total, wanted)
            _add(sidecars, wanted)
            continue
        for name, text in wanted.items():
            # An init container runs beside the sidecars that came before it.
            largest[name] = max(largest.get(name, 0), quantity.milli_value(text) + sidecars.get(name, 0))
    for name, amount in largest.items():
        total[name] = max(total.get(name, 0), amount)
    _add(total, pod.spec.overhead)
    total["pods"] = 1000
    return total


def _add(total: dict[str, int], amounts: Mapping[str, str]) -> None:
    for name, text in amounts.items():
        total[name] = total.get(name, 0) + quantity.milli_value(text)


def admit(pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, str]) -> Rejection | None:
    """`others`: the pods on the node that have not ended. None: the pod may run here."""
    used: dict[str, int] = {}
    for other in others:
        for name, amount in requests(other).items():
            used[name] = used.get(name, 0) + amount
    for name, wanted in requests(pod).items():
        capacity = quantity.milli_value(allocatable.get(name, "0"))
        taken = used.get(name, 0)
        if wanted and taken + wanted > capacity:
            unit = 1 if name == "cpu" else 1000
            numbers = f"requested: {wanted // unit}, used: {taken // unit}, capacity: {capacity // unit}"
            return Rejection(f"OutOf{name}", f"Node didn't have enough resource: {name}, {numbers}")
    return None
