"""Quotas, limits and pod security as people at kubectl meet them."""

from __future__ import annotations

import json

from tests.component.kubectl.conftest import Kubectl
from tests.component.kubectl.test_reads import columns


def until_used(kubectl: Kubectl, name: str, **used: str) -> None:
    kubectl.cluster.wait_for(
        f"resourcequotas/{name}", lambda quota: quota.get("status", {}).get("used") == used, namespace=kubectl.namespace
    )


def test_a_quota_is_made_described_and_exceeded(kubectl: Kubectl) -> None:
    kubectl.ok("create", "quota", "few", "--hard=pods=1,configmaps=2")
    until_used(kubectl, "few", pods="0", configmaps="1")  # the root certificate's is there already
    kubectl.ok("run", "one", "--image=busybox")
    until_used(kubectl, "few", pods="1", configmaps="1")
    assert kubectl.error("run", "two", "--image=busybox") == (
        'Error from server (Forbidden): pods "two" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, '
        "limited: pods=1"
    )
    lines = [columns(line) for line in kubectl.ok("describe", "quota", "few").splitlines()]
    assert lines[-2:] == ["configmaps|1|2", "pods|1|1"]
    assert "configmaps|1|2" in [columns(line.strip()) for line in kubectl.ok("describe", "ns", kubectl.namespace).splitlines()]
    kubectl.ok("delete", "pod", "one", "--now")
    until_used(kubectl, "few", pods="0", configmaps="1")
    kubectl.ok("run", "two", "--image=busybox")


def test_a_quota_of_cpu_wants_containers_to_say_what_they_need(kubectl: Kubectl) -> None:
    kubectl.ok("create", "quota", "compute", "--hard=requests.cpu=1,limits.memory=1Gi")
    until_used(kubectl, "compute", **{"requests.cpu": "0", "limits.memory": "0"})
    assert kubectl.error("run", "silent", "--image=busybox") == (
        'Error from server (Forbidden): pods "silent" is forbidden: failed quota: compute: '
        "must specify limits.memory for: silent; requests.cpu for: silent"
    )
    kubectl.ok("create", "deployment", "web", "--image=busybox")
    kubectl.cluster.wait_for(
        "deployments/web",
        lambda found: "FailedCreate" in [c.get("reason") for c in found.get("status", {}).get("conditions", ())],
        namespace=kubectl.namespace,
    )


def test_a_limit_range_fills_in_and_is_described(kubectl: Kubectl) -> None:
    item = {"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}
    tree = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "range"}, "spec": {"limits": [item]}}
    kubectl.ok("create", "-f", "-", input=json.dumps(tree))
    kubectl.ok("run", "modest", "--image=busybox")
    given = "-o=jsonpath={.spec.containers[0].resources.requests.cpu} {.metadata.annotations.kubernetes\\.io/limit-ranger}"
    assert kubectl.ok("get", "pod", "modest", given) == (
        "100m LimitRanger plugin set: cpu request for container modest; cpu limit for container modest"
    )
    greedy = '{"spec":{"containers":[{"name":"greedy","image":"x","resources":{"limits":{"cpu":"2"}}}]}}'
    assert kubectl.error("run", "greedy", "--image=x", "--overrides", greedy) == (
        'Error from server (Forbidden): pods "greedy" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
    )


def test_a_labelled_namespace_refuses_and_warns(kubectl: Kubectl) -> None:
    kubectl.ok("run", "before", "--image=busybox", "--privileged")
    told = kubectl("label", "ns", kubectl.namespace, "pod-security.kubernetes.io/enforce=baseline")
    level = 'the new PodSecurity enforce level "baseline:latest"'
    assert told.err.splitlines() == [
        f'Warning: existing pods in namespace "{kubectl.namespace}" violate {level}',
        "Warning: before: privileged",
    ]
    assert kubectl.error("run", "after", "--image=busybox", "--privileged") == (
        'Error from server (Forbidden): pods "after" is forbidden: violates PodSecurity "baseline:latest": privileged '
        '(container "after" must not set securityContext.privileged=true)'
    )
    kubectl.ok("label", "ns", kubectl.namespace, "pod-security.kubernetes.io/warn=restricted")
    made = kubectl("create", "deployment", "web", "--image=busybox")
    assert made.code == 0
    assert made.err.startswith('Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false')
