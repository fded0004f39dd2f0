"""What an object of each kind uses of a quota, and which names of a quota are about the kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Protocol

from sampan.api import podresources
from sampan.api.groups.validation.claims import CLASS_ANNOTATION
from sampan.api.groups.validation.resources import QUOTA_HUGE_PAGES, is_extended, is_native
from sampan.api.podresources import LIMITS, REQUESTS, Amounts
from sampan.api.quantity import Quantity, of_value, parse
from sampan.api.quota.scopes import Scope, pod_matches
from sampan.api.resource import Tree

ONE = of_value(1)
_NONE = of_value(0)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_CLAIMS = ("persistentvolumeclaims", "requests.storage")
_MUST_BE_SET = frozenset(f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory"))
_ALIASES = frozenset(("configmaps", "resourcequotas", "replicationcontrollers", "secrets"))
_OVER = ("Failed", "Succeeded")

IGNORED = frozenset(
    (
        ("", "bindings"),
        ("", "componentstatuses"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("", "events"),
        ("events.k8s.io", "events"),
    )
)
"""(group, plural) of what no quota counts."""


def count_name(group: str, plural: str) -> str:
    return f"count/{plural}.{group}" if group else f"count/{plural}"


class Evaluator(Protocol):
    """What quotas know of a kind."""

    group: str
    plural: str

    def handles(self, subresource: str, operation: str) -> bool:
        """Whether such a write can change what is used."""
        ...

    def names(self, hard: Iterable[str]) -> list[str]:
        """Those of a quota's names that the kind counts towards."""
        ...

    def matches(self, scopes: Sequence[Scope], tree: Tree) -> bool: ...

    def missing(self, names: Iterable[str], tree: Tree) -> str:
        """What the object leaves open that must be said where `names` are bounded; "": nothing."""
        ...

    def usage(self, tree: Tree, now: float) -> Amounts: ...


class ObjectCount:
    """Of most kinds there is only a number. No scope is about them."""

    def __init__(self, group: str, plural: str) -> None:
        self.group = group
        self.plural = plural
        self._names = {count_name(group, plural)}
        if not group and plural in _ALIASES:
            self._names.add(plural)
        self._usage = dict.fromkeys(self._names, ONE)

    def handles(self, subresource: str, operation: str) -> bool:
        return not subresource and operation == "CREATE"

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in self._names]

    def matches(self, scopes: Sequence[Scope], tree: Tree) -> bool:
        return not scopes

    def missing(self, names: Iterable[str], tree: Tree) -> str:
        return ""

    def usage(self, tree: Tree, now: float) -> Amounts:
        return dict(self._usage)


class ServiceUsage(ObjectCount):
    def __init__(self) -> None:
        super().__init__("", "services")
        self._names |= {"services", "services.nodeports", "services.loadbalancers"}

    def handles(self, subresource: str, operation: str) -> bool:
        return operation in ("CREATE", "UPDATE")  # whose type may change

    def usage(self, tree: Tree, now: float) -> Amounts:
        spec = tree.get("spec") or {}
        type_, ports = spec.get("type", ""), spec.get("ports", ())
        node_ports = len(ports) if type_ in ("NodePort", "LoadBalancer") else 0
        if type_ == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
            node_ports = sum(1 for port in ports if port.get("nodePort"))
        return {
            "count/services": ONE,
            "services": ONE,
            "services.nodeports": of_value(node_ports),
            "services.loadbalancers": ONE if type_ == "LoadBalancer" else _NONE,
        }


class ClaimUsage(ObjectCount):
    """Claims to storage: how many, and how much; over all and by storage class."""

    def __init__(self) -> None:
        super().__init__("", "persistentvolumeclaims")
        self._names |= set(_CLAIMS)

    def handles(self, subresource: str, operation: str) -> bool:
        # What is allocated while a claim grows stands in its status.
        return operation in ("CREATE", "UPDATE") if not subresource else subresource == "status"

    def names(self, hard: Iterable[str]) -> list[str]:
        by_class = tuple(f"{_STORAGE_CLASS}{name}" for name in _CLAIMS)
        return [name for name in hard if name in self._names or name.endswith(by_class)]

    def usage(self, tree: Tree, now: float) -> Amounts:
        result = {"count/persistentvolumeclaims": ONE, "persistentvolumeclaims": ONE}
        storage = _storage(tree)
        if storage is not None:
            result["requests.storage"] = storage
        if class_ := _storage_class(tree):
            result |= {f"{class_}{_STORAGE_CLASS}{name}": result[name] for name in _CLAIMS if name in result}
        return result


def _storage_class(claim: Tree) -> str:
    annotated: str | None = (claim["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    return annotated if annotated is not None else (claim.get("spec") or {}).get("storageClassName") or ""


def _storage(claim: Tree) -> Quantity | None:
    """In whole bytes, for else the quota's own status would not be valid."""
    wanted = ((claim.get("spec") or {}).get("resources") or {}).get("requests", {}).get("storage")
    if wanted is None:
        return None
    most = parse(str(wanted))
    allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    if allocated is not None:
        most = max(most, parse(str(allocated)))
    return of_value(most.value, most.format)


class PodUsage(ObjectCount):
    """Compute resources of pods that are not over; `count/pods` counts those, too."""

    def __init__(self) -> None:
        super().__init__("", "pods")
        self._names.add("pods")
        self._names.update(f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in _COMPUTE)

    def handles(self, subresource: str, operation: str) -> bool:
        return (subresource, operation) in (("", "CREATE"), ("resize", "UPDATE"))

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in self._names or name.startswith(QUOTA_HUGE_PAGES) or _is_extended(name)]

    def matches(self, scopes: Sequence[Scope], tree: Tree) -> bool:
        return pod_matches(tree, scopes)

    def missing(self, names: Iterable[str], tree: Tree) -> str:
        """Where cpu or memory are bounded, every container must say how much of them it needs."""
        required = sorted(_MUST_BE_SET.intersection(names))
        if not required:
            return ""
        spec = tree.get("spec") or {}
        open_: dict[str, set[str]] = {}
        for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
            has = _compute(podresources.of_container(container, REQUESTS), podresources.of_container(container, LIMITS))
            for name in required:
                if name not in has:
                    open_.setdefault(name, set()).add(container.get("name", ""))
        if not open_:
            return ""
        return "must specify " + "; ".join(f"{name} for: {','.join(sorted(open_[name]))}" for name in sorted(open_))

    def usage(self, tree: Tree, now: float) -> Amounts:
        result = {"count/pods": ONE}
        if uses_resources(tree, now):
            result |= _compute(podresources.of_pod(tree, REQUESTS), podresources.of_pod(tree, LIMITS))
            result["pods"] = ONE
        return result


def uses_resources(pod: Tree, now: float) -> bool:
    """A pod that is over does not; nor does one that should long be gone, as on a node that is lost."""
    if (pod.get("status") or {}).get("phase") in _OVER:
        return False
    meta = pod["metadata"]
    deleted, grace = meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds")
    return not deleted or grace is None or now <= datetime.fromisoformat(deleted).timestamp() + grace


def _is_extended(name: str) -> bool:
    """Extended resources cannot be overcommitted, so that only requests of them are bounded."""
    return not is_native(name) and name.startswith("requests.")


def _compute(requests: Amounts, limits: Amounts) -> Amounts:
    result: Amounts = {}
    for name in _COMPUTE:
        if name in requests:
            result[name] = result[f"requests.{name}"] = requests[name]
        if name in limits:
            result[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith(_HUGE_PAGES):
            result[name] = result[f"requests.{name}"] = amount
        elif is_extended(name):
            result[f"requests.{name}"] = amount
    return result


PODS, SERVICES, CLAIMS = PodUsage(), ServiceUsage(), ClaimUsage()


@cache
def evaluator_for(group: str, plural: str) -> Evaluator:
    special: dict[tuple[str, str], Evaluator] = {
        ("", "pods"): PODS,
        ("", "services"): SERVICES,
        ("", "persistentvolumeclaims"): CLAIMS,
    }
    return special.get((group, plural)) or ObjectCount(group, plural)
