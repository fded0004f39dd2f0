"""Reading, waiting, deleting, and kubectl through `Cluster`."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from sampan.api.types.core_v1 import ConfigMap
from sampan.testing import Cluster, StatusError, WaitTimeout
from tests.component.testing.conftest import config_map, deployment, phase, pod


def test_objects_are_found_by_every_name_of_their_kind(shared: Cluster, space: str):
    shared.apply(deployment("web", replicas=0), namespace=space)

    for kind in ("deploy", "deployment", "deployments", "Deployment", "deployments.apps"):
        assert shared.get(f"{kind}/web", namespace=space)["metadata"]["name"] == "web"


def test_lists_are_selected_by_namespace_labels_and_fields(shared: Cluster, space: str):
    shared.apply([deployment("a", replicas=0), deployment("b", replicas=0)], namespace=space)

    def names(**selection: Any) -> list[str]:
        return [tree["metadata"]["name"] for tree in shared.list("deployments", **selection)]

    assert names(namespace=space) == ["a", "b"]
    assert names(namespace=space, labels="app=a") == ["a"]
    assert names(fields=f"metadata.namespace={space},metadata.name=b") == ["b"]
    assert {tree["kind"] for tree in shared.list("deploy")} == {"Deployment"}


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("configmap/none", StatusError, 'configmaps "none" not found'),
        ("boats/none", StatusError, 'the server doesn\'t have a resource type "boats"'),
        ("none", ValueError, 'is not of the form "kind/name"'),
        ("pods/", ValueError, 'is not of the form "kind/name"'),
    ],
)
def test_what_is_not_there_is_said(shared: Cluster, what: str, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        shared.get(what)


def test_a_deleted_object_goes(shared: Cluster, space: str):
    shared.apply(pod("a"), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    shared.delete("pod/a", namespace=space)
    last = shared.wait_for("pod/a", "delete", namespace=space)

    assert not last or last["metadata"]["deletionTimestamp"]
    assert shared.wait_for("pod/never-was", "delete", namespace=space) == {}
    with pytest.raises(StatusError, match="not found"):
        shared.delete("pod/a", namespace=space)


def test_waiting_ends_when_a_function_of_the_object_holds(shared: Cluster, space: str):
    shared.apply(deployment("web", replicas=3), namespace=space)

    # The field is not there at first.
    found = shared.wait_for("deploy/web", lambda tree: tree["status"]["readyReplicas"] == 3, namespace=space)

    assert found["status"]["readyReplicas"] == 3


def test_waiting_asks_for_the_newest_generation(shared: Cluster, space: str):
    shared.apply(deployment("web"), namespace=space)
    shared.wait_for("deploy/web", "Available", namespace=space)

    shared.apply(deployment("web", image="app:2"), namespace=space)
    found = shared.wait_for("deploy/web", "rollout", namespace=space)

    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    living = [tree for tree in shared.list("pods", namespace=space) if "deletionTimestamp" not in tree["metadata"]]
    images = {tree["spec"]["containers"][0]["image"] for tree in living}
    assert images == {"app:2"}


def test_a_condition_may_be_false(shared: Cluster, space: str):
    shared.apply(deployment("web", replicas=1, image="app:missing"), namespace=space)

    shared.wait_for("deploy/web", "Available=False", namespace=space)
    shared.wait_for("deploy/web", "available=false", namespace=space)


def test_a_wait_in_vain_shows_the_object_and_its_events(shared: Cluster, space: str):
    tree = pod("a", resources={"requests": {"cpu": "1000"}})
    shared.apply(tree, namespace=space)
    shared.wait_for("pod/a", "PodScheduled=False", namespace=space)

    with pytest.raises(WaitTimeout) as caught:
        shared.wait_for("pod/a", "Ready", namespace=space, timeout=0.2)

    message = str(caught.value)
    assert message.startswith("pod/a was not Ready after 0.2 s (there is no condition Ready)\napiVersion: v1\nkind: Pod\n")
    assert "phase: Pending" in message
    assert "Warning FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu." in message
    assert "managedFields" not in message


def test_a_wait_for_nothing_says_that_it_does_not_exist(shared: Cluster):
    with pytest.raises(WaitTimeout, match=r"was not Ready after 0\.1 s .*not found.*\nit does not exist"):
        shared.wait_for("pod/none", timeout=0.1)
    with pytest.raises(WaitTimeout, match="doesn't have a resource type"):
        shared.wait_for("boats/none", timeout=0.1)


def test_a_wait_in_vain_for_a_function_shows_the_function_and_its_error(shared: Cluster, space: str):
    shared.apply(config_map("a"), namespace=space)

    with pytest.raises(WaitTimeout, match=r"lambda tree: tree\[\"data\"\]\[\"x\"\]") as caught:
        shared.wait_for("configmap/a", lambda tree: tree["data"]["x"], namespace=space, timeout=0.1)
    assert "KeyError: 'data'" in str(caught.value)

    def says_hello(tree: dict[str, Any]) -> bool:
        assert tree.get("data") == {"hello": "world"}
        return True

    with pytest.raises(WaitTimeout, match="was not says_hello after"):
        shared.wait_for("configmap/a", says_hello, namespace=space, timeout=0.1)


def test_an_error_in_the_function_of_a_wait_is_the_tests(shared: Cluster):
    with pytest.raises(ZeroDivisionError):
        shared.wait_for("namespace/default", lambda tree: 1 / 0)


def test_a_status_can_be_played(shared: Cluster, space: str):
    shared.apply(deployment("web", replicas=0, paused=True), namespace=space)

    shared.patch("deploy/web", {"status": {"collisionCount": 7}}, namespace=space, subresource="status")

    shared.wait_for("deploy/web", lambda tree: tree["status"]["collisionCount"] == 7, namespace=space)


def test_coroutines_run_on_the_clusters_loop(shared: Cluster, space: str):
    shared.apply(config_map("a", x="1"), namespace=space)

    assert shared.run(shared.client.get(ConfigMap, "a", space)).data == {"x": "1"}
    with pytest.raises(StatusError, match="not found"):
        shared.run(shared.client.get(ConfigMap, "none", space))


def test_kubectl_speaks_to_this_cluster_whatever_the_environment_says(
    shared: Cluster, space: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    shared.apply(config_map("a", x="1"), namespace=space)

    assert shared.kubectl("get", "configmap", "a", f"--namespace={space}", "-o=jsonpath={.data.x}") == "1"
    with pytest.raises(subprocess.CalledProcessError) as caught:
        shared.kubectl("get", "configmap", "none", f"--namespace={space}")
    assert 'configmaps "none" not found' in caught.value.__notes__[0]


def test_services_get_endpoints(shared: Cluster, space: str):
    service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    tree = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service}
    shared.apply([deployment("web"), tree], namespace=space)

    shared.wait_for("endpoints/web", lambda found: len(found["subsets"][0]["addresses"]) == 2, namespace=space)
    (slice_,) = shared.list("endpointslices", namespace=space)
    assert all(each["conditions"]["ready"] for each in slice_["endpoints"])


def test_another_user_may_do_what_rbac_lets_them(shared: Cluster, space: str):
    operator = shared.kubeconfig_of(f"system:serviceaccount:{space}:operator")
    as_operator = (f"--kubeconfig={operator}", f"--namespace={space}")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"}}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": f"system:serviceaccounts:{space}"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {**role, "kind": "RoleBinding", "subjects": [group], "roleRef": reference}

    with pytest.raises(subprocess.CalledProcessError) as caught:
        shared.kubectl(*as_operator, "get", "configmaps")
    assert f'User "system:serviceaccount:{space}:operator" cannot list resource "configmaps"' in caught.value.stderr
    shared.apply([{**role, "rules": rules}, binding], namespace=space)
    assert "kube-root-ca.crt" in shared.kubectl(*as_operator, "get", "configmaps")
    assert operator.stat().st_mode & 0o777 == 0o600


def test_a_pod_runs_to_its_end(shared: Cluster, space: str):
    tree = pod("a", command=["sh", "-c", "echo done; exit 0"])
    tree["spec"]["restartPolicy"] = "Never"
    shared.apply(tree, namespace=space)

    shared.wait_for("pod/a", phase("Succeeded"), namespace=space)

    assert shared.logs("pod/a", namespace=space) == "done\n"
