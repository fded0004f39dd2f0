"""What a namespace allows its pods, on real ones: quotas, limits, pod security, and budgets that a drain respects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.local import TODAYS_KUBECTL, LocalCluster, eventually
from tests.e2e.space import Manifest, Space, container, pod

SAFE: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def new_space(live: LocalCluster) -> Iterator[Callable[[str], Space]]:
    """Makes namespaces of a test's own."""
    made: list[str] = []

    def make(name: str) -> Space:
        live.kubectl("create", "namespace", name)
        made.append(name)
        space = Space(live, name)
        eventually(lambda: space.kubectl("get", "sa", "default", check=False).returncode == 0, "the namespace is furnished")
        return space

    yield make
    for name in made:
        live.kubectl("delete", "namespace", name, "--wait=false")


def deployment(name: str, replicas: int, **fields: Any) -> Manifest:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name, container(**fields))["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def refusal(space: Space, manifest: Manifest) -> str:
    return space.kubectl("create", "-f", "-", input_text=json.dumps(manifest), check=False).stderr


def running(space: Space, app: str) -> list[Manifest]:
    items: list[Manifest] = space.get("pods", "-l", f"app={app}")["items"]
    return [each for each in items if each["status"].get("phase") == "Running" and "deletionTimestamp" not in each["metadata"]]


def used(space: Space, quota: str) -> Manifest:
    found: Manifest = space.get("quota", quota)["status"].get("used", {})
    return found


def test_a_quota_bounds_the_pods_of_a_deployment_until_it_grows(new_space: Callable[[str], Space]) -> None:
    space = new_space("quota")
    space.kubectl("create", "quota", "few", "--hard=pods=2,requests.memory=64Mi")
    eventually(lambda: used(space, "few") == {"pods": "0", "requests.memory": "0"}, "the quota is counted")
    silent = refusal(space, pod("silent"))
    assert silent.endswith('pods "silent" is forbidden: failed quota: few: must specify requests.memory for: main\n')
    space.apply(deployment("web", 3, resources={"requests": {"memory": "8Mi"}}))
    eventually(lambda: len(running(space, "web")) == 2, "as many run as the quota allows")
    conditions = "{.status.conditions[?(@.type=='ReplicaFailure')].message}"
    said = eventually(lambda: space.out("get", "deploy", "web", "-o", f"jsonpath={conditions}"), "the deployment tells")
    assert said.endswith("is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2")
    assert used(space, "few") == {"pods": "2", "requests.memory": "16Mi"}
    space.kubectl("patch", "quota", "few", "-p", '{"spec":{"hard":{"pods":"3"}}}')
    space.kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")
    eventually(lambda: len(running(space, "web")) == 3, "the third runs")
    space.kubectl("scale", "deploy/web", "--replicas=0")
    eventually(lambda: used(space, "few") == {"pods": "0", "requests.memory": "0"}, "all is given back")


def test_limits_of_a_namespace_bind_its_containers(new_space: Callable[[str], Space]) -> None:
    space = new_space("limits")
    limits = [
        {"type": "Container", "default": {"memory": "24Mi"}, "defaultRequest": {"memory": "12Mi"}, "max": {"memory": "32Mi"}}
    ]
    space.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": limits}})
    space.start(pod("modest"))
    modest = space.get("pod", "modest")
    assert modest["spec"]["containers"][0]["resources"] == {"limits": {"memory": "24Mi"}, "requests": {"memory": "12Mi"}}
    assert modest["status"]["qosClass"] == "Burstable"
    limit = space.sh("modest", "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; true")
    assert limit == f"{24 * 2**20}\n"
    greedy = refusal(space, pod("greedy", container(resources={"limits": {"memory": "64Mi"}})))
    assert greedy.endswith('pods "greedy" is forbidden: maximum memory usage per Container is 32Mi, but limit is 64Mi\n')


def test_a_restricted_namespace_runs_only_pods_that_restrict_themselves(new_space: Callable[[str], Space]) -> None:
    space = new_space("restricted")
    space.kubectl("label", "ns", space.name, "pod-security.kubernetes.io/enforce=restricted")
    assert refusal(space, pod("careless")) == (
        'Error from server (Forbidden): error when creating "STDIN": pods "careless" is forbidden: violates PodSecurity '
        '"restricted:latest": allowPrivilegeEscalation != false (container "main" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "main" must set '
        'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "main" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "main" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")\n'
    )
    space.apply(deployment("careless", 1))
    replicaset = space.get("rs")["items"][0]["metadata"]["name"]
    assert 'violates PodSecurity "restricted:latest"' in space.wait_event(replicaset, "FailedCreate")
    space.start(pod("careful", container(securityContext=SAFE)))
    assert space.sh("careful", "id -u; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status").split() == [
        "1000",
        *("CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"),
    ]
    space.kubectl("delete", "deploy", "careless")


@pytest.fixture
def uncordoned(live: LocalCluster) -> Iterator[None]:
    yield
    live.kubectl("uncordon", "node-2", check=False)


@TODAYS_KUBECTL
@pytest.mark.usefixtures("uncordoned")
def test_a_drain_waits_until_a_budget_allows_it(new_space: Callable[[str], Space]) -> None:
    space = new_space("budget")
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    web = deployment("web", 2)
    web["spec"]["template"]["spec"]["topologySpreadConstraints"] = [{**spread, "labelSelector": web["spec"]["selector"]}]
    space.apply(web)
    space.kubectl("create", "pdb", "web", "--selector=app=web", "--min-available=2")
    space.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    eventually(lambda: space.get("pdb", "web")["status"]["currentHealthy"] == 2, "the budget counts them")
    drain = ("drain", "node-2", "--pod-selector=app=web", "--timeout=2s")
    victim = next(each["metadata"]["name"] for each in running(space, "web") if each["spec"]["nodeName"] == "node-2")
    refused = space.kubectl(*drain, check=False)
    assert refused.returncode == 1
    assert (
        f'error when evicting pods/"{victim}" -n "budget" (will retry after 5s): '
        "Cannot evict pod as it would violate the pod's disruption budget.\n"
    ) in refused.stderr
    assert space.is_ready(victim)
    space.kubectl("scale", "deploy/web", "--replicas=3")
    eventually(lambda: space.get("pdb", "web")["status"]["disruptionsAllowed"] == 1, "one may go")
    drained = space.out(*drain[:-1], "--timeout=40s")
    assert f"pod/{victim} evicted\n" in drained and drained.endswith("node/node-2 drained\n")
    assert {each["spec"]["nodeName"] for each in running(space, "web")} == {"node-1"}
