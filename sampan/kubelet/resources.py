"""What a pod asks of the machine, as numbers for the kernel: CPU shares and quota, memory limit, OOM score, cgroup path.

After k8s.io/kubernetes/pkg/kubelet/cm (helpers_linux.go) and .../qos/policy.go. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sampan.api import quantity
from sampan.api.types.core_v1 import Container, Pod

from .labels import AnyContainer
from .runtime.base import Resources

MIN_SHARES, MAX_SHARES = 2, 262144
PERIOD = 100_000
MIN_QUOTA = 1000
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
GUARANTEED_OOM_SCORE, BEST_EFFORT_OOM_SCORE = -997, 1000
CRITICAL_PRIORITY = 2_000_000_000


def qos_class(pod: Pod) -> str:
    requests: dict[str, int] = {}
    limits: dict[str, int] = {}
    guaranteed = True
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        wanted = container.resources
        own_limits = set()
        for name in ("cpu", "memory"):
            requested = _milli(wanted.requests if wanted else {}, name)
            limit = _milli(wanted.limits if wanted else {}, name)
            requests[name] = requests.get(name, 0) + requested
            limits[name] = limits.get(name, 0) + limit
            if limit:
                own_limits.add(name)
        guaranteed = guaranteed and len(own_limits) == 2
    if not any(requests.values()) and not any(limits.values()):
        return BEST_EFFORT
    if guaranteed and all(requests[n] == limits[n] for n in ("cpu", "memory")):
        return GUARANTEED
    return BURSTABLE


def _milli(amounts: Mapping[str, str], name: str) -> int:
    text = amounts.get(name)
    return quantity.milli_value(text) if text else 0


def shares_of(milli_cpu: int) -> int:
    return min(max(milli_cpu * 1024 // 1000, MIN_SHARES), MAX_SHARES)


def quota_of(milli_cpu: int) -> int:
    return max(milli_cpu * PERIOD // 1000, MIN_QUOTA) if milli_cpu else 0


def shares_to_weight(shares: int) -> int:
    """cgroup v1's 2…262144 to cgroup v2's 1…10000, as runtimes do."""
    return 1 + (shares - 2) * 9999 // 262142


def oom_score_adj(pod: Pod, container: AnyContainer, memory_capacity_bytes: int) -> int:
    """The more of its request's share of the machine a container is promised, the later it is killed."""
    if (pod.spec.priority or 0) >= CRITICAL_PRIORITY:
        return GUARANTEED_OOM_SCORE
    match qos_class(pod):
        case "Guaranteed":
            return GUARANTEED_OOM_SCORE
        case "BestEffort":
            return BEST_EFFORT_OOM_SCORE
    request = _milli(container.resources.requests if container.resources else {}, "memory") // 1000
    score = 1000 - 1000 * request // max(memory_capacity_bytes, 1)
    if score < 1000 + GUARANTEED_OOM_SCORE:
        return 1000 + GUARANTEED_OOM_SCORE
    return score - 1 if score == BEST_EFFORT_OOM_SCORE else score


def container_resources(pod: Pod, container: AnyContainer, memory_capacity_bytes: int, *, unified: bool) -> Resources:
    """`unified`: the node has cgroup v2."""
    wanted = container.resources
    limits = wanted.limits if wanted else {}
    request = _milli(wanted.requests if wanted else {}, "cpu")
    limit = _milli(limits, "cpu")
    # A limit without a request promises the limit, as the API server's default would have written it.
    asked = limit if not request and limit and "cpu" not in (wanted.requests if wanted else {}) else request
    quota = quota_of(limit)
    return Resources(
        cpu_period=PERIOD,
        cpu_quota=quota,
        cpu_shares=shares_of(asked),
        memory_limit_bytes=_milli(limits, "memory") // 1000,
        oom_score_adj=oom_score_adj(pod, container, memory_capacity_bytes),
        # All of a container dies together of an OOM, rather than some process of it.
        unified={"memory.oom.group": "1"} if unified else {},
    )


def pod_resources(pod: Pod) -> Resources:
    """Of the pod's own cgroup. A limit counts only where every container has one."""
    requests, limits, limited = _effective(pod)
    return Resources(
        cpu_period=PERIOD,
        cpu_quota=quota_of(limits["cpu"]) if "cpu" in limited else 0,
        cpu_shares=shares_of(requests["cpu"]),
        memory_limit_bytes=limits["memory"] // 1000 if "memory" in limited else 0,
    )


def _effective(pod: Pod) -> tuple[dict[str, int], dict[str, int], set[str]]:
    """Requests and limits in thousandths: the sum of containers and sidecars, or of a greater init container."""
    sidecars = [c for c in pod.spec.initContainers if c.restartPolicy == "Always"]
    inits = [c for c in pod.spec.initContainers if c.restartPolicy != "Always"]
    standing = [*pod.spec.containers, *sidecars]
    requests: dict[str, int] = {}
    limits: dict[str, int] = {}
    limited: set[str] = set()
    for name in ("cpu", "memory"):
        requests[name] = max(_sum(standing, name, "requests"), *(_sum([c], name, "requests") for c in inits), 0)
        limits[name] = max(_sum(standing, name, "limits"), *(_sum([c], name, "limits") for c in inits), 0)
        if all(c.resources is not None and name in c.resources.limits for c in (*standing, *inits)):
            limited.add(name)
    overhead = pod.spec.overhead
    for name in requests:
        requests[name] += _milli(overhead, name)
        limits[name] += _milli(overhead, name)
    return requests, limits, limited


def _sum(containers: Iterable[Container], name: str, which: str) -> int:
    total = 0
    for container in containers:
        wanted = container.resources
        if wanted is not None:
            total += _milli(wanted.requests if which == "requests" else wanted.limits, name)
    return total


def cgroup_path(root: str, pod: Pod) -> str:
    """Of the pod, below the hierarchy's mount: /ROOT/kubepods[/QOS]/podUID."""
    kind = qos_class(pod)
    middle = "" if kind == GUARANTEED else f"/{kind.lower()}"
    return f"{root.rstrip('/')}/kubepods{middle}/pod{pod.metadata.uid}"
