"""The node authorizer: a node reaches what its own pods refer to, and nothing of its neighbours'."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from sampan.apiserver.authz.authorizer import Asked
from sampan.apiserver.authz.bootstrap import NODE_RULES
from sampan.apiserver.authz.node import NodeAuthorizer, PodGraph, references
from sampan.apiserver.user import User
from tests.unit.test_rbac import Cache

Tree = dict[str, Any]

NODE = User("system:node:n1", groups=("system:nodes", "system:authenticated"))


class Pod(NamedTuple):
    namespace: str
    name: str
    body: Tree

    @property
    def key(self) -> str:
        return f"/registry/pods/{self.namespace}/{self.name}"

    @property
    def node(self) -> str:
        name: str = self.body["spec"].get("nodeName", "")
        return name

    def tree(self) -> Tree:
        return self.body


class Event(NamedTuple):
    object: Pod
    deleted: bool = False


class Pods(Cache):
    def change(self, pod: Pod, *, deleted: bool = False) -> None:
        for listener in self._listeners:
            listener([Event(pod, deleted)])


def pod(name: str, node: str = "", namespace: str = "shop", **spec: Any) -> Pod:
    body = {"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": node, **spec}}
    return Pod(namespace, name, body)


SPEC: Tree = {
    "serviceAccountName": "web",
    "imagePullSecrets": [{"name": "pull"}],
    "volumes": [
        {"name": "a", "secret": {"secretName": "tls"}},
        {"name": "b", "configMap": {"name": "conf"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "ca"}}, {"secret": {"name": "inner"}}]}},
        {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "e", "ephemeral": {}},
        {"name": "f", "csi": {"nodePublishSecretRef": {"name": "csi"}}},
    ],
    "initContainers": [{"envFrom": [{"secretRef": {"name": "from"}}, {"configMapRef": {"name": "settings"}}]}],
    "containers": [
        {
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "value", "key": "k"}}},
                {"name": "C", "value": "plain"},
            ]
        }
    ],
}


def test_everything_a_pod_names_is_found() -> None:
    assert set(references(pod("web", **SPEC).tree())) == {
        ("serviceaccounts", "web"),
        *(("secrets", name) for name in ("pull", "tls", "inner", "csi", "from", "key")),
        *(("configmaps", name) for name in ("conf", "ca", "settings", "value")),
        *(("persistentvolumeclaims", name) for name in ("data", "web-e")),
    }


def authorizer(pods: Pods | None = None) -> NodeAuthorizer:
    if pods is None:
        pods = Pods()
        pods.objects = {p.key: p for p in (pod("web", "n1", **SPEC), pod("other", "n2", imagePullSecrets=[{"name": "x"}]))}
    return NodeAuthorizer(PodGraph(pods, lambda found: found.node), NODE_RULES)


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "name", "allowed"),
    [
        ("get", "secrets", "shop", "tls", True),
        ("watch", "secrets", "shop", "tls", True),
        ("get", "secrets", "bank", "tls", False),
        ("get", "secrets", "shop", "x", False),
        ("list", "secrets", "shop", "", False),
        ("update", "secrets", "shop", "tls", False),
        ("get", "configmaps", "shop", "conf", True),
        ("get", "configmaps", "shop", "another", False),
        ("get", "persistentvolumeclaims", "shop", "data", True),
        ("get", "persistentvolumeclaims", "shop", "more", False),
        ("create", "serviceaccounts/token", "shop", "web", True),
        ("create", "serviceaccounts/token", "shop", "default", False),
        ("get", "serviceaccounts", "shop", "web", False),
        ("get", "pods", "shop", "web", True),
        ("get", "pods", "shop", "other", False),
        ("update", "pods/status", "shop", "web", True),
        ("create", "pods", "shop", "", True),
        ("get", "nodes", "", "n1", True),
        ("get", "nodes", "", "n2", False),
        ("list", "nodes", "", "", False),
        ("create", "nodes", "", "", True),
        ("update", "coordination.k8s.io:leases", "kube-node-lease", "n1", True),
        ("update", "coordination.k8s.io:leases", "kube-node-lease", "n2", False),
        ("update", "coordination.k8s.io:leases", "default", "n1", False),
        ("list", "services", "", "", True),
        ("create", "deployments", "shop", "", False),
    ],
)
def test_a_node_may(verb: str, resource: str, namespace: str, name: str, allowed: bool) -> None:
    group, _, plural = resource.rpartition(":")
    plural, _, subresource = plural.partition("/")
    asked = Asked(verb, group=group, resource=plural, subresource=subresource, namespace=namespace, name=name)
    assert authorizer().authorize(NODE, asked).allowed is allowed


def test_a_node_may_list_the_pods_that_are_its_own() -> None:
    own = Asked("list", resource="pods", field_selector="spec.nodeName=n1")
    others = Asked("list", resource="pods", field_selector="spec.nodeName=n2")
    assert authorizer().authorize(NODE, own).allowed
    assert authorizer().authorize(NODE, others).reason == "can only list pods with spec.nodeName field selector"


def test_whoever_is_no_node_is_not_judged() -> None:
    asked = Asked("get", resource="services")
    for user in (User("system:node:n1"), User("bob", groups=("system:nodes",))):
        assert not authorizer().authorize(user, asked).allowed


def test_access_comes_and_goes_with_the_pod() -> None:
    pods = Pods()
    judge = authorizer(pods)
    asked = Asked("get", resource="secrets", namespace="shop", name="tls")

    def allowed() -> bool:
        return judge.authorize(NODE, asked).allowed

    assert not allowed()
    pods.change(pod("web", "", **SPEC))
    assert not allowed()
    pods.change(pod("web", "n1", **SPEC))
    assert allowed()
    pods.change(pod("web", "n1"))
    assert not allowed()
    pods.change(pod("web", "n1", **SPEC))
    pods.change(pod("web", "n1", **SPEC), deleted=True)
    assert not allowed()
    refusal = judge.authorize(NODE, asked)
    assert refusal.reason == "no relationship found between node 'n1' and this object"
