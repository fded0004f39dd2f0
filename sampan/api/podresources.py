"""How much of each resource the containers of a pod ask for, or may use, together.

Containers run side by side; init containers one after the other before them, but for sidecars (`restartPolicy: Always`), which
go on running. After k8s.io/component-helpers/resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sampan.api import quantity
from sampan.api.quantity import Quantity
from sampan.api.resource import Tree

Amounts = dict[str, Quantity]
"""Amounts by the name of the resource."""

REQUESTS = "requests"
LIMITS = "limits"


def parsed(amounts: Mapping[str, str | int] | None) -> Amounts:
    """Raises QuantityError."""
    return {name: quantity.parse(str(amount)) for name, amount in (amounts or {}).items()}


def add(total: Amounts, more: Mapping[str, Quantity]) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount


def raise_to(total: Amounts, other: Mapping[str, Quantity]) -> None:
    """Where the other is more, take that."""
    for name, amount in other.items():
        if name not in total or amount > total[name]:
            total[name] = amount


def is_sidecar(container: Tree) -> bool:
    return container.get("restartPolicy") == "Always"


def of_container(container: Tree, kind: str) -> Amounts:
    return parsed((container.get("resources") or {}).get(kind))


def of_containers(pod: Tree, kind: str, *, resized: bool = False) -> Amounts:
    """The REQUESTS or LIMITS of all containers. `resized`: also what containers have while they are being resized."""
    spec = pod.get("spec") or {}
    status = _Resizing(pod) if resized else None
    total: Amounts = {}
    for container in spec.get("containers", ()):
        add(total, status.of(container, kind) if status else of_container(container, kind))
    beside: Amounts = {}
    at_start: Amounts = {}
    for container in spec.get("initContainers", ()):
        sidecar = is_sidecar(container)
        own = status.of(container, kind) if status and sidecar else of_container(container, kind)
        if sidecar:
            add(total, own)
            add(beside, own)
            raise_to(at_start, beside)
        else:
            add(own, beside)
            raise_to(at_start, own)
    raise_to(total, at_start)
    return total


def of_pod(pod: Tree, kind: str) -> Amounts:
    """As a quota counts a pod: with what is being resized, and with its overhead."""
    total = of_containers(pod, kind, resized=True)
    overhead = parsed((pod.get("spec") or {}).get("overhead"))
    if kind == REQUESTS:
        add(total, overhead)
    else:
        add(total, {name: amount for name, amount in overhead.items() if name in total})
    return total


class _Resizing:
    """What the kubelet reports of containers' resources, and whether it could ever follow the spec."""

    def __init__(self, pod: Tree) -> None:
        status = pod.get("status") or {}
        self._containers = {found.get("name"): found for found in _statuses(status)}
        reasons = (c.get("reason") for c in status.get("conditions", ()) if c.get("type") == "PodResizePending")
        self._infeasible = next(reasons, "") == "Infeasible"

    def of(self, container: Tree, kind: str) -> Amounts:
        found = self._containers.get(container.get("name"))
        if found is None or found.get("resources") is None:
            return of_container(container, kind)
        total = {} if self._infeasible else of_container(container, kind)
        raise_to(total, of_container(found, kind))
        if kind == REQUESTS:
            raise_to(total, parsed(found.get("allocatedResources")))
        return total


def _statuses(status: Tree) -> Iterator[Tree]:
    yield from status.get("containerStatuses", ())
    yield from status.get("initContainerStatuses", ())
