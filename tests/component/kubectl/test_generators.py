"""create, run and expose: objects that kubectl makes itself, in JSON or in protobuf as its version has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sampan.pki.certificates import CA, SERVER
from tests.component.kubectl.conftest import Kubectl


def at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree.get(step)
    return tree


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The files of a certificate and its key."""
    cert, key = CA.create("here").issue("here", usages=(SERVER,))
    directory: Path = tmp_path_factory.mktemp("pair")
    (directory / "cert").write_bytes(cert)
    (directory / "key").write_bytes(key)
    return str(directory / "cert"), str(directory / "key")


GENERATED: list[tuple[str, str, dict[str, Any]]] = [
    ("cm a --from-literal=k=v", "configmap/a", {"data": {"k": "v"}}),
    ("secret generic a --from-literal=k=v", "secret/a", {"data": {"k": "dg=="}, "type": "Opaque"}),
    ("secret docker-registry b --docker-server=s --docker-username=u --docker-password=p", "secret/b",
     {"type": "kubernetes.io/dockerconfigjson"}),
    ("secret tls c --cert=CERT --key=KEY", "secret/c", {"type": "kubernetes.io/tls"}),
    ("sa a", "serviceaccount/a", {}),
    ("role a --verb=get,list --resource=pods,deployments.apps", "role.rbac.authorization.k8s.io/a",
     {"rules.0": {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}, "rules.1.apiGroups": ["apps"]}),
    ("rolebinding a --role=a --serviceaccount=default:x", "rolebinding.rbac.authorization.k8s.io/a",
     {"subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": "default"}]}),
    ("rolebinding b --clusterrole=view --user=u --group=g", "rolebinding.rbac.authorization.k8s.io/b",
     {"subjects.0.apiGroup": "rbac.authorization.k8s.io", "roleRef.kind": "ClusterRole"}),
    ("clusterrole NS-a --verb=get --resource=nodes", "clusterrole.rbac.authorization.k8s.io/NS-a", {"rules.0.verbs": ["get"]}),
    ("clusterrole NS-b --verb=get --non-resource-url=/x", "clusterrole.rbac.authorization.k8s.io/NS-b",
     {"rules.0.nonResourceURLs": ["/x"]}),
    ("clusterrole NS-c --aggregation-rule=a=b", "clusterrole.rbac.authorization.k8s.io/NS-c",
     {"aggregationRule.clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}),
    ("clusterrolebinding NS-a --clusterrole=view --user=u", "clusterrolebinding.rbac.authorization.k8s.io/NS-a", {}),
    ("deploy a --image=x:1 --replicas=2 --port=80", "deployment.apps/a",
     {"spec.replicas": 2, "spec.template.spec.containers.0.ports.0": {"containerPort": 80, "protocol": "TCP"},
      "spec.selector.matchLabels": {"app": "a"}, "spec.strategy.rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
    ("service clusterip a --tcp=80:8080", "service/a",
     {"spec.ports.0": {"name": "80-8080", "port": 80, "protocol": "TCP", "targetPort": 8080}, "spec.type": "ClusterIP"}),
    ("service clusterip b --clusterip=None --tcp=80", "service/b", {"spec.clusterIP": "None", "spec.clusterIPs": ["None"]}),
    ("service nodeport c --tcp=80", "service/c", {"spec.type": "NodePort", "spec.externalTrafficPolicy": "Cluster"}),
    ("service externalname d --external-name=a.b", "service/d", {"spec.externalName": "a.b", "spec.clusterIP": None}),
    ("service loadbalancer e --tcp=80", "service/e",
     {"spec.allocateLoadBalancerNodePorts": True, "status": {"loadBalancer": {}}}),
    ("priorityclass NS-a --value=5", "priorityclass.scheduling.k8s.io/NS-a",
     {"value": 5, "preemptionPolicy": "PreemptLowerPriority", "globalDefault": None}),
    ("ns NS-a", "namespace/NS-a", {"spec.finalizers": ["kubernetes"], "status.phase": "Active"}),
]  # fmt: skip


def test_what_kubectl_generates_is_created(every_kubectl: Kubectl, pair: tuple[str, str]) -> None:
    kubectl = every_kubectl
    for command, name, fields in GENERATED:
        name = name.replace("NS", kubectl.namespace)
        command = command.replace("NS", kubectl.namespace).replace("CERT", pair[0]).replace("KEY", pair[1])
        words = command.split()
        rehearsed = kubectl.ok("create", *words, "--dry-run=server")
        assert rehearsed == f"{name} created (server dry run)\n"
        assert kubectl.ok("create", *words) == f"{name} created\n"
        tree = json.loads(kubectl.ok("get", name, "-o", "json"))
        for path, value in fields.items():
            assert at(tree, path) == value, (command, path)
        assert f'"{name.partition("/")[2]}" already exists' in kubectl.error("create", *words)
    for kind in ("clusterrole", "clusterrolebinding", "priorityclass", "ns"):
        kubectl.ok("delete", kind, "--wait=false", *_own(kubectl, kind))


def _own(kubectl: Kubectl, kind: str) -> list[str]:
    names = kubectl.ok("get", kind, "-o", "jsonpath={.items[*].metadata.name}").split()
    return [name for name in names if name.startswith(f"{kubectl.namespace}-")]


def test_pods_are_run_and_exposed(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    assert kubectl.ok("run", "a", "--image=x:1", "--labels=app=a", "--port=80", "--env=K=V") == "pod/a created\n"
    assert kubectl.ok("wait", "--for=condition=Ready", "pod/a", "--timeout=20s") == "pod/a condition met\n"
    assert kubectl.ok("wait", "--for=jsonpath={.status.phase}=Running", "pod/a", "--timeout=20s") == "pod/a condition met\n"
    assert kubectl.ok("expose", "pod", "a", "--port=80", "--name=s") == "service/s exposed\n"
    assert kubectl.ok("get", "svc", "s", "-o", "jsonpath={.spec.selector}") == '{"app":"a"}'
    kubectl.cluster.wait_for("endpoints/s", lambda found: found.get("subsets"), namespace=kubectl.namespace)
    assert kubectl.ok("delete", "pod", "a", "--grace-period=1") == 'pod "a" deleted\n'


def test_a_token_is_had_for_a_service_account(every_kubectl: Kubectl) -> None:
    token = every_kubectl.ok("create", "token", "default", "--duration=10m").strip()
    assert token.count(".") == 2
    complaint = every_kubectl.error("create", "token", "default", "--duration=1m")
    assert "may not specify a duration less than 10 minutes" in complaint


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("cm A", 'ConfigMap "A" is invalid: metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of'),
        ("cm a --as=u", 'User "u" cannot create resource "configmaps" in API group "" in the namespace'),
        ("cm a -n nowhere", 'namespaces "nowhere" not found'),
        ("deploy a --image=x --replicas=-1", "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ("service nodeport a --tcp=80 --node-port=1",
         "spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is "
         "30000-32767"),
        ("ns default", 'namespaces "default" already exists'),
        ("priorityclass a --value=2000000000",
         'value: Forbidden: maximum allowed value of a user defined priority is 1000000000'),
    ],
)  # fmt: skip
def test_what_cannot_be_generated_is_complained_of(kubectl: Kubectl, command: str, complaint: str) -> None:
    assert complaint in kubectl.error("create", *command.split())
