"""What a pod asks of a node, computed once when the scheduler first sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from sampan.api import quantity
from sampan.api.selectors import LabelSelector, from_label_selector
from sampan.api.types.core_v1 import Container, Pod, PodAffinityTerm, PodSpec
from sampan.api.types.meta_v1 import LabelSelector as LabelSelectorStruct

CPU, MEMORY, EPHEMERAL_STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts for when nodes are scored, so that such pods spread too."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Term:
    """A required pod (anti-)affinity term: pods it means, and the node label whose value makes a domain."""

    namespaces: frozenset[str]
    namespace_selector: LabelSelector
    """Namespaces it means by their labels, besides those it names."""
    selector: LabelSelector
    topology_key: str

    def matches(self, pod: PodInfo) -> bool:
        if pod.namespace not in self.namespaces and not self.namespace_selector.matches(pod.namespace_labels):
            return False
        return self.selector.matches(pod.labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """A topology spread constraint."""

    max_skew: int
    topology_key: str
    selector: LabelSelector
    min_domains: int
    honor_affinity: bool
    honor_taints: bool


@dataclass(slots=True, eq=False)
class PodInfo:
    """A pod as the scheduler sees it. `pod` is the informer's object and must not be changed."""

    pod: Pod
    key: str
    namespace: str
    uid: str
    labels: Mapping[str, str]
    namespace_labels: Mapping[str, str]
    priority: int
    requests: dict[str, int]
    """Resource → amount: milli-CPU for cpu, whole units for the others; always with "pods": 1."""
    scored_cpu: int
    scored_memory: int
    host_ports: tuple[tuple[str, str, int], ...]
    """(host IP or "0.0.0.0", protocol, port)."""
    affinity: tuple[Term, ...]
    anti_affinity: tuple[Term, ...]
    spread: tuple[Spread, ...]
    """Constraints with whenUnsatisfiable DoNotSchedule."""
    soft_spread: tuple[Spread, ...]
    """Constraints with whenUnsatisfiable ScheduleAnyway."""
    node_needs: bytes
    """Equal for pods that ask the same of a node's own attributes (name, labels, taints)."""


def pod_info(pod: Pod, namespace_labels: Mapping[str, str] | None = None) -> PodInfo:
    spec = pod.spec
    requests, scored_cpu, scored_memory = _requests(spec)
    affinity = spec.affinity
    node_affinity = affinity.nodeAffinity if affinity else None
    namespace = pod.metadata.namespace
    pod_affinity = affinity.podAffinity if affinity else None
    pod_anti_affinity = affinity.podAntiAffinity if affinity else None
    return PodInfo(
        pod=pod,
        key=f"{namespace}/{pod.metadata.name}",
        namespace=namespace,
        uid=pod.metadata.uid,
        labels=pod.metadata.labels,
        namespace_labels=namespace_labels or {},
        priority=spec.priority or 0,
        requests=requests,
        scored_cpu=scored_cpu,
        scored_memory=scored_memory,
        host_ports=host_ports(spec),
        affinity=_terms(pod_affinity.requiredDuringSchedulingIgnoredDuringExecution if pod_affinity else (), pod),
        anti_affinity=_terms(
            pod_anti_affinity.requiredDuringSchedulingIgnoredDuringExecution if pod_anti_affinity else (), pod
        ),
        spread=_spreads(pod, "DoNotSchedule"),
        soft_spread=_spreads(pod, "ScheduleAnyway"),
        node_needs=_encode((spec.nodeName, spec.nodeSelector, node_affinity, spec.tolerations)),
    )


def host_ports(spec: PodSpec) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (port.hostIP or "0.0.0.0", port.protocol or "TCP", port.hostPort)
        for container in spec.containers
        for port in container.ports
        if port.hostPort
    )


def _requests(spec: PodSpec) -> tuple[dict[str, int], int, int]:
    """Upstream's resource request of a pod: the sum of its containers and sidecars, or what its largest init container
    needs while it runs, whichever is more; plus the overhead. With it, the same for scoring, with defaults."""
    total, cpu, memory = _sum(spec.containers)
    sidecars: dict[str, int] = {}
    sidecar_cpu = sidecar_memory = 0
    peaks: list[tuple[dict[str, int], int, int]] = []
    for container in spec.initContainers:
        one, one_cpu, one_memory = _sum([container])
        if container.restartPolicy == "Always":
            _add(sidecars, one)
            sidecar_cpu, sidecar_memory = sidecar_cpu + one_cpu, sidecar_memory + one_memory
            peaks.append((dict(sidecars), sidecar_cpu, sidecar_memory))
        else:
            _add(one, sidecars)
            peaks.append((one, one_cpu + sidecar_cpu, one_memory + sidecar_memory))
    _add(total, sidecars)
    cpu, memory = cpu + sidecar_cpu, memory + sidecar_memory
    for peak, peak_cpu, peak_memory in peaks:
        for name, amount in peak.items():
            total[name] = max(total.get(name, 0), amount)
        cpu, memory = max(cpu, peak_cpu), max(memory, peak_memory)
    overhead = {name: _amount(name, text) for name, text in spec.overhead.items()}
    _add(total, overhead)
    total[PODS] = 1
    return total, cpu + overhead.get(CPU, 0), memory + overhead.get(MEMORY, 0)


def _sum(containers: Iterable[Container]) -> tuple[dict[str, int], int, int]:
    total: dict[str, int] = {}
    cpu = memory = 0
    for container in containers:
        asked = container.resources.requests if container.resources else {}
        amounts = {name: _amount(name, text) for name, text in asked.items()}
        _add(total, amounts)
        cpu += amounts.get(CPU, DEFAULT_MILLI_CPU)
        memory += amounts.get(MEMORY, DEFAULT_MEMORY)
    return total, cpu, memory


def _amount(resource: str, text: str) -> int:
    return quantity.milli_value(text) if resource == CPU else quantity.value(text)


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def allocatable_amounts(given: Mapping[str, str]) -> dict[str, int]:
    """A Node's status.allocatable in the units of `PodInfo.requests`."""
    return {name: _amount(name, text) for name, text in given.items()}


def _terms(terms: Iterable[PodAffinityTerm], pod: Pod) -> tuple[Term, ...]:
    return tuple(
        Term(
            frozenset(term.namespaces or (() if term.namespaceSelector else (pod.metadata.namespace,))),
            from_label_selector(term.namespaceSelector),
            _selector(term.labelSelector, term.matchLabelKeys, pod),
            term.topologyKey,
        )
        for term in terms
    )


def _spreads(pod: Pod, mode: str) -> tuple[Spread, ...]:
    return tuple(
        Spread(
            constraint.maxSkew,
            constraint.topologyKey,
            _selector(constraint.labelSelector, constraint.matchLabelKeys, pod),
            constraint.minDomains or 1,
            constraint.nodeAffinityPolicy != "Ignore",
            constraint.nodeTaintsPolicy == "Honor",
        )
        for constraint in pod.spec.topologySpreadConstraints
        if constraint.whenUnsatisfiable == mode
    )


def _selector(selector: LabelSelectorStruct | None, keys: Iterable[str], pod: Pod) -> LabelSelector:
    wanted = {key: pod.metadata.labels[key] for key in keys if key in pod.metadata.labels}
    if selector is not None and wanted:
        selector = msgspec.structs.replace(selector, matchLabels={**selector.matchLabels, **wanted})
    return from_label_selector(selector)
