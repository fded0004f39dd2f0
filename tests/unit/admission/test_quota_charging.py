"""Whether quotas have room for a write."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.quota.charging import Quota, Refused, Write
from sampan.api.quota.usage import CLAIMS, PODS, SERVICES, evaluator_for
from tests.unit.admission.pods import Tree, asking, container, pod


def quota(name: str, hard: Tree, used: Tree, **spec: Any) -> Quota:
    return Quota.of({"metadata": {"name": name}, "spec": spec, "status": {"hard": hard, "used": used}})


def charges(evaluator: Any, new: Tree, *quotas: Quota, old: Tree | None = None, is_status: bool = False) -> Tree:
    found = Write(evaluator, new, old, 0.0, is_status=is_status).charges(quotas)
    return {name: {resource: str(amount) for resource, amount in more.items()} for name, more in found.items()}


def refusal(evaluator: Any, new: Tree, *quotas: Quota, old: Tree | None = None) -> str:
    with pytest.raises(Refused) as refused:
        charges(evaluator, new, *quotas, old=old)
    return str(refused.value)


def test_every_quota_that_counts_the_object_is_charged_for_what_it_bounds() -> None:
    both = (
        quota("number", {"pods": "2"}, {"pods": "1"}),
        quota("amount", {"requests.cpu": "2", "limits.cpu": "4"}, {"requests.cpu": "1", "limits.cpu": "0"}),
        quota("other", {"services": "0"}, {"services": "0"}),
        quota("jobs", {"pods": "0"}, {"pods": "0"}, scopes=["Terminating"]),
    )
    given = pod(asking(cpu="1", limits={"cpu": "2"}))
    assert charges(PODS, given, *both) == {"number": {"pods": "1"}, "amount": {"requests.cpu": "1", "limits.cpu": "2"}}


@pytest.mark.parametrize(
    ("hard", "used", "given", "expected"),
    [
        (
            {"pods": "1"},
            {"pods": "1"},
            pod(),
            "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
        ),
        (
            {"requests.memory": "1Gi", "pods": "0", "requests.cpu": "9"},
            {"requests.memory": "512Mi", "pods": "0", "requests.cpu": "1"},
            pod(asking(memory="768Mi", cpu="1")),
            "exceeded quota: q, requested: pods=1,requests.memory=768Mi, used: pods=0,requests.memory=512Mi, "
            "limited: pods=0,requests.memory=1Gi",
        ),
        (
            {"limits.cpu": "1", "memory": "1Gi"},
            {"limits.cpu": "0", "memory": "0"},
            pod(container("b"), container("a"), initContainers=[asking("i", memory="1Mi")]),
            "failed quota: q: must specify limits.cpu for: a,b,i; memory for: a,b",
        ),
        (
            {"pods": "5", "count/pods": "9"},
            {"pods": "1"},
            pod(),
            "status unknown for quota: q, resources: count/pods,pods",
        ),
    ],
)
def test_a_refusal_says_what_is_missing(hard: Tree, used: Tree, given: Tree, expected: str) -> None:
    assert refusal(PODS, given, quota("q", hard, used)) == expected


def test_cpu_and_memory_alone_must_be_said() -> None:
    bounds = {"requests.ephemeral-storage": "1Gi", "requests.example.com/gpu": "1", "pods": "1"}
    assert charges(PODS, pod(), quota("q", bounds, dict.fromkeys(bounds, "0"))) == {"q": {"pods": "1"}}


def test_a_quota_that_is_not_counted_yet_bounds_nothing() -> None:
    fresh = Quota.of({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}})
    assert charges(PODS, pod(), fresh) == {}


def service(type_: str, ports: int) -> Tree:
    return {"metadata": {}, "spec": {"type": type_, "ports": [{"port": n} for n in range(ports)]}}


NODE_PORTS = quota("ports", {"services.nodeports": "3", "services": "1"}, {"services.nodeports": "2", "services": "1"})


def test_an_update_is_charged_for_what_it_adds() -> None:
    more = charges(SERVICES, service("NodePort", 3), NODE_PORTS, old=service("NodePort", 2))
    assert more == {"ports": {"services.nodeports": "1"}}
    assert charges(SERVICES, service("ClusterIP", 2), NODE_PORTS, old=service("NodePort", 2)) == {}
    assert charges(SERVICES, service("NodePort", 2), NODE_PORTS, old=service("NodePort", 2)) == {}
    too_many = refusal(SERVICES, service("NodePort", 4), NODE_PORTS, old=service("ClusterIP", 4))
    assert too_many == (
        "exceeded quota: ports, requested: services.nodeports=4, used: services.nodeports=2, limited: services.nodeports=3"
    )


def test_an_update_that_comes_into_a_scope_is_charged_in_full() -> None:
    burst = quota("best", {"pods": "3"}, {"pods": "1"}, scopes=["NotBestEffort"])
    assert charges(PODS, pod(asking(cpu="1")), burst, old=pod()) == {"best": {"pods": "1"}}
    assert charges(PODS, pod(asking(cpu="2")), burst, old=pod(asking(cpu="1"))) == {}


def test_a_status_is_noted_even_beyond_the_quota() -> None:
    storage = quota("s", {"requests.storage": "1Gi"}, {"requests.storage": "1Gi"})
    old = {"metadata": {}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    new = old | {"status": {"allocatedResources": {"storage": "2Gi"}}}
    assert charges(CLAIMS, new, storage, old=old, is_status=True) == {"s": {"requests.storage": "1Gi"}}


def test_any_kind_is_counted_by_name() -> None:
    widgets = evaluator_for("example.com", "widgets")
    few = quota("few", {"count/widgets.example.com": "1"}, {"count/widgets.example.com": "1"})
    assert refusal(widgets, {}, few) == (
        "exceeded quota: few, requested: count/widgets.example.com=1, used: count/widgets.example.com=1, "
        "limited: count/widgets.example.com=1"
    )
