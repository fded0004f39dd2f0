"""What each kind uses of a quota, and which quotas count it."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.quota.scopes import pod_matches, scopes_of
from sampan.api.quota.usage import CLAIMS, PODS, SERVICES, evaluator_for
from tests.unit.admission.pods import Tree, asking, container, pod

NOW = 1_700_000_000.0


def usage(evaluator: Any, tree: Tree) -> dict[str, str]:
    return {name: str(amount) for name, amount in evaluator.usage(tree, NOW).items()}


def with_status(tree: Tree, **status: Any) -> Tree:
    return tree | {"status": status}


def deleted(at: str, grace: int) -> Tree:
    found = pod()
    found["metadata"] |= {"deletionTimestamp": at, "deletionGracePeriodSeconds": grace}
    return found


ONE_POD = {"count/pods": "1", "pods": "1"}
GONE = {"count/pods": "1"}
RESIZED = {
    "containerStatuses": [
        {"name": "a", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}}, "allocatedResources": {"cpu": "4"}}
    ]
}
INFEASIBLE = RESIZED | {"conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(container()), ONE_POD),
        (
            pod(asking(cpu="1", memory="1Gi", limits={"cpu": "2", "memory": "2Gi"}), asking("b", cpu="500m")),
            ONE_POD
            | {"cpu": "1500m", "requests.cpu": "1500m", "limits.cpu": "2"}
            | {"memory": "1Gi", "requests.memory": "1Gi", "limits.memory": "2Gi"},
        ),
        (
            pod(asking(**{"ephemeral-storage": "1Gi"}, limits={"ephemeral-storage": "2Gi"})),
            ONE_POD | {"ephemeral-storage": "1Gi", "requests.ephemeral-storage": "1Gi", "limits.ephemeral-storage": "2Gi"},
        ),
        (
            pod(asking(**{"hugepages-2Mi": "4Mi"}, limits={"hugepages-2Mi": "4Mi"})),
            ONE_POD | {"hugepages-2Mi": "4Mi", "requests.hugepages-2Mi": "4Mi"},
        ),
        (
            pod(asking(**{"example.com/gpu": "2"}, limits={"example.com/gpu": "2"})),
            ONE_POD | {"requests.example.com/gpu": "2"},
        ),
        (
            pod(asking(cpu="1"), initContainers=[asking("i", cpu="3")], overhead={"cpu": "250m", "memory": "1Mi"}),
            ONE_POD | {"cpu": "3250m", "requests.cpu": "3250m", "memory": "1Mi", "requests.memory": "1Mi"},
        ),
        (
            pod(asking(limits={"cpu": "1"}), overhead={"cpu": "250m", "memory": "1Mi"}),
            ONE_POD
            | {"cpu": "250m", "requests.cpu": "250m", "limits.cpu": "1250m"}
            | {"memory": "1Mi", "requests.memory": "1Mi"},
        ),
        (with_status(pod(asking(cpu="1")), phase="Running"), ONE_POD | {"cpu": "1", "requests.cpu": "1"}),
        (with_status(pod(asking(cpu="1")), phase="Succeeded"), GONE),
        (with_status(pod(asking(cpu="1")), phase="Failed"), GONE),
        (deleted("2023-11-14T22:13:20Z", 30), ONE_POD),
        (deleted("2023-11-14T22:12:49Z", 30), GONE),
        (with_status(pod(asking(cpu="1")), **RESIZED), ONE_POD | {"cpu": "4", "requests.cpu": "4", "limits.cpu": "3"}),
        (with_status(pod(asking(cpu="9")), **RESIZED), ONE_POD | {"cpu": "9", "requests.cpu": "9", "limits.cpu": "3"}),
        (with_status(pod(asking(cpu="9")), **INFEASIBLE), ONE_POD | {"cpu": "4", "requests.cpu": "4", "limits.cpu": "3"}),
    ],
)
def test_a_pod_uses_what_its_containers_ask_for_until_it_is_over(given: Tree, expected: dict[str, str]) -> None:
    assert usage(PODS, given) == expected


def service(type_: str, *ports: Tree, **spec: Any) -> Tree:
    return {"metadata": {}, "spec": {"type": type_, "ports": list(ports), **spec}}


@pytest.mark.parametrize(
    ("given", "node_ports", "load_balancers"),
    [
        (service("ClusterIP", {"port": 80}), "0", "0"),
        (service("ExternalName"), "0", "0"),
        (service("NodePort", {"port": 80}, {"port": 81}), "2", "0"),
        (service("LoadBalancer", {"port": 80}, {"port": 81}), "2", "1"),
        (service("LoadBalancer", {"port": 80}, allocateLoadBalancerNodePorts=True), "1", "1"),
        (service("LoadBalancer", {"port": 80}, allocateLoadBalancerNodePorts=False), "0", "1"),
        (service("LoadBalancer", {"port": 80, "nodePort": 30000}, allocateLoadBalancerNodePorts=False), "1", "1"),
    ],
)
def test_a_service_uses_node_ports_and_load_balancers(given: Tree, node_ports: str, load_balancers: str) -> None:
    expected = {"count/services": "1", "services": "1"}
    assert usage(SERVICES, given) == expected | {
        "services.nodeports": node_ports,
        "services.loadbalancers": load_balancers,
    }


def claim(storage: str | None = "1Gi", allocated: str | None = None, annotation: str | None = None, **spec: Any) -> Tree:
    found: Tree = {"metadata": {}, "spec": {"resources": {"requests": {"storage": storage} if storage else {}}, **spec}}
    if allocated:
        found["status"] = {"allocatedResources": {"storage": allocated}}
    if annotation is not None:
        found["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": annotation}
    return found


ONE_CLAIM = {"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1"}


def of_class(name: str, storage: str = "1Gi") -> dict[str, str]:
    prefix = f"{name}.storageclass.storage.k8s.io/"
    return {"requests.storage": storage, f"{prefix}persistentvolumeclaims": "1", f"{prefix}requests.storage": storage}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (claim(), ONE_CLAIM | {"requests.storage": "1Gi"}),
        (claim(None), ONE_CLAIM),
        (claim(storageClassName="gold"), ONE_CLAIM | of_class("gold")),
        (claim(storageClassName=""), ONE_CLAIM | {"requests.storage": "1Gi"}),
        (claim(annotation="silver", storageClassName="gold"), ONE_CLAIM | of_class("silver")),
        (claim("1Gi", allocated="2Gi"), ONE_CLAIM | {"requests.storage": "2Gi"}),
        (claim("3Gi", allocated="2Gi"), ONE_CLAIM | {"requests.storage": "3Gi"}),
        (claim("1500m"), ONE_CLAIM | {"requests.storage": "2"}),
    ],
)
def test_a_claim_uses_storage_of_its_class(given: Tree, expected: dict[str, str]) -> None:
    assert usage(CLAIMS, given) == expected


HARD = (
    "pods",
    "count/pods",
    "requests.cpu",
    "limits.memory",
    "hugepages-2Mi",
    "requests.hugepages-1Gi",
    "requests.example.com/gpu",
    "example.com/gpu",
    "services.nodeports",
    "count/services",
    "requests.storage",
    "gold.storageclass.storage.k8s.io/requests.storage",
    "configmaps",
    "count/configmaps",
    "count/deployments.apps",
    "count/widgets.example.com",
)


@pytest.mark.parametrize(
    ("group", "plural", "expected"),
    [
        ("", "pods", [*HARD[:7]]),
        ("", "services", ["services.nodeports", "count/services"]),
        ("", "persistentvolumeclaims", ["requests.storage", "gold.storageclass.storage.k8s.io/requests.storage"]),
        ("", "configmaps", ["configmaps", "count/configmaps"]),
        ("", "secrets", []),
        ("apps", "deployments", ["count/deployments.apps"]),
        ("example.com", "widgets", ["count/widgets.example.com"]),
    ],
)
def test_a_kind_counts_towards_its_own_names(group: str, plural: str, expected: list[str]) -> None:
    assert evaluator_for(group, plural).names(HARD) == expected


@pytest.mark.parametrize(
    ("group", "plural", "subresource", "operation", "expected"),
    [
        ("", "pods", "", "CREATE", True),
        ("", "pods", "", "UPDATE", False),
        ("", "pods", "resize", "UPDATE", True),
        ("", "pods", "binding", "CREATE", False),
        ("", "services", "", "UPDATE", True),
        ("", "persistentvolumeclaims", "", "UPDATE", True),
        ("", "persistentvolumeclaims", "status", "UPDATE", True),
        ("apps", "deployments", "", "CREATE", True),
        ("apps", "deployments", "", "UPDATE", False),
        ("apps", "deployments", "scale", "CREATE", False),
    ],
)
def test_only_writes_that_can_change_what_is_used_are_looked_at(
    group: str, plural: str, subresource: str, operation: str, expected: bool
) -> None:
    assert evaluator_for(group, plural).handles(subresource, operation) is expected


def affinity(kind: str, **term: Any) -> Tree:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "h", **term}]}}


def by_class(operator: str, *values: str) -> Tree:
    expression = {"scopeName": "PriorityClass", "operator": operator, "values": list(values)}
    return {"scopeSelector": {"matchExpressions": [expression]}}


PREFERRED = {
    "podAntiAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"namespaceSelector": {}}}]
    }
}


@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        ({}, pod(), True),
        ({"scopes": ["Terminating"]}, pod(activeDeadlineSeconds=0), True),
        ({"scopes": ["Terminating"]}, pod(), False),
        ({"scopes": ["NotTerminating"]}, pod(), True),
        ({"scopes": ["NotTerminating"]}, pod(activeDeadlineSeconds=5), False),
        ({"scopes": ["BestEffort"]}, pod(), True),
        ({"scopes": ["BestEffort"]}, pod(asking(cpu="1")), False),
        ({"scopes": ["NotBestEffort"]}, pod(asking(cpu="1")), True),
        ({"scopes": ["NotBestEffort", "Terminating"]}, pod(asking(cpu="1")), False),
        ({"scopes": ["PriorityClass"]}, pod(priorityClassName="high"), True),
        ({"scopes": ["PriorityClass"]}, pod(), False),
        (by_class("Exists"), pod(priorityClassName="high"), True),
        (by_class("DoesNotExist"), pod(priorityClassName="high"), False),
        (by_class("DoesNotExist"), pod(), True),
        (by_class("In", "high", "low"), pod(priorityClassName="low"), True),
        (by_class("In", "high"), pod(priorityClassName="low"), False),
        (by_class("In", "high"), pod(), False),
        (by_class("NotIn", "high"), pod(priorityClassName="low"), True),
        (by_class("NotIn", "high"), pod(priorityClassName="high"), False),
        (by_class("NotIn", "high"), pod(), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(), False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=affinity("podAffinity")), False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=affinity("podAffinity", namespaces=["b"])), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=affinity("podAntiAffinity", namespaceSelector={})), True),
        ({"scopes": ["CrossNamespacePodAffinity"]}, pod(affinity=PREFERRED), True),
        ({"scopes": ["Unheard"]}, pod(), False),
    ],
)
def test_a_scope_says_which_pods_count(spec: Tree, given: Tree, expected: bool) -> None:
    assert pod_matches(given, scopes_of(spec)) is expected


def test_what_is_no_pod_is_in_no_scope() -> None:
    assert not SERVICES.matches(scopes_of({"scopes": ["NotTerminating"]}), {})
    assert SERVICES.matches((), {})
