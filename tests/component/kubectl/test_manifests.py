"""Files: create, apply, diff, replace and delete of documents, and what becomes of bad ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.component.kubectl.conftest import Kubectl

DOCUMENTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: VALUE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, labels: {}}
spec:
  selector: {matchLabels: {app: b}}
  template:
    metadata: {labels: {app: b}}
    spec:
      hostNetwork: false
      nodeSelector: {}
      containers:
      - {name: c, image: "x:VALUE", resources: {requests: {cpu: 0.5, memory: 1024Mi}}, env: [{name: E, value: ""}]}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: c}
  spec: {ports: [{port: 80}], selector: {app: b}}
- apiVersion: v1
  kind: Secret
  metadata: {name: d}
  stringData: {a: b}
"""
NAMES = ("configmap/a", "deployment.apps/b", "service/c", "secret/d")


def documents(value: str) -> str:
    return DOCUMENTS.replace("VALUE", value)


def said(verb: str) -> str:
    return "".join(f"{name} {verb}\n" for name in NAMES)


def test_documents_are_applied_compared_replaced_and_deleted(every_kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl = every_kubectl
    file = tmp_path / "all.yaml"
    file.write_text(documents("one"))
    path = str(file)
    assert kubectl("diff", "-f", path).code == 1
    assert kubectl.ok("apply", "-f", path, "--dry-run=server") == said("created (server dry run)")
    assert kubectl.ok("apply", "-f", path, "--dry-run=client") == said("created (dry run)")
    assert kubectl.ok("apply", "-f", path) == said("created")
    again = kubectl.ok("apply", "-f", path)
    assert "configmap/a unchanged" in again and "service/c unchanged" in again
    assert kubectl("diff", "-f", path).code == 0
    file.write_text(documents("two"))
    compared = kubectl("diff", "-f", path)
    assert compared.code == 1 and "-  k: one" in compared.out and "+        image: x:two" in compared.out.replace("- ", "  ")
    assert "configmap/a configured" in kubectl.ok("apply", "-f", path)
    assert kubectl.ok("apply", "view-last-applied", "cm/a").strip().endswith("namespace: " + kubectl.namespace)
    assert kubectl.ok("get", "-f", path, "-o", "name").split() == list(NAMES)
    assert kubectl.ok("replace", "-f", path) == said("replaced")
    assert said("replaced") in kubectl.ok("replace", "-f", path, "--force")
    assert 'configmaps "a" already exists' in kubectl.error("create", "-f", path)
    assert kubectl.ok("delete", "-f", path).count("deleted") == 4
    assert kubectl.ok("delete", "-f", path, "--ignore-not-found") == ""
    assert kubectl.ok("create", "-f", path, "--dry-run=server", "-o", "name").split() == list(NAMES)


def test_what_go_drops_is_not_shown(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=documents("one"))
    path = "jsonpath={.metadata.labels}{.spec.template.spec.hostNetwork}{.spec.template.spec.nodeSelector}"
    assert kubectl.ok("get", "deploy", "b", "-o", path) == ""
    resources = kubectl.ok("get", "deploy", "b", "-o", "jsonpath={.spec.template.spec.containers[0].resources.requests}")
    assert resources == '{"cpu":"500m","memory":"1Gi"}'
    kept = kubectl.ok("get", "deploy", "b", "-o", "jsonpath={.spec.template.spec.containers[0].env}")
    assert kept == '[{"name":"E"}]'


UNKNOWN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, foo: x}\ndat: {a: b}\n"


def test_unknown_fields_are_refused_warned_of_or_ignored(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    strict = kubectl.error("create", "-f", "-", input=UNKNOWN)
    assert strict.endswith(
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dat", '
        'unknown field "metadata.foo"'
    )
    warned = kubectl("create", "--validate=warn", "-f", "-", input=UNKNOWN)
    assert warned == (0, "configmap/a created\n", 'Warning: unknown field "dat"\nWarning: unknown field "metadata.foo"\n')
    assert kubectl("replace", "--validate=ignore", "-f", "-", input=UNKNOWN) == (0, "configmap/a replaced\n", "")


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, ports: [{containerPort: x}]}]}",
         'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field '
         "ContainerPort.spec.containers.ports.containerPort of type int32"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: A}\nspec: {containers: [{name: C_, image: x}], restartPolicy: Now}",
         'The Pod "A" is invalid: \n* metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of'),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}",
         'The Deployment "a" is invalid: \n* spec.selector: Required value\n* spec.template.metadata.labels: Invalid value: '
         "map[string]string(nil): `selector` does not match template `labels`\n"
         "* spec.template.spec.containers: Required value"),
        ("apiVersion: nowhere/v1\nkind: Pod\nmetadata: {name: a}", 'no matches for kind "Pod" in version "nowhere/v1"'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}",
         'the namespace from the provided object "default" does not match the namespace'),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 99999}]}",
         "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [a", "error"),
    ],
)  # fmt: skip
def test_a_bad_document_is_complained_of(kubectl: Kubectl, document: str, complaint: str) -> None:
    assert complaint in kubectl.error("create", "-f", "-", input=document)
    assert kubectl("get", "pod,deploy,svc", "-o", "name").out == ""


def maps(*names: str) -> str:
    document = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}, labels: {{app: x}}}}\n"
    return "---\n".join(document.format(name) for name in names)


@pytest.mark.parametrize("how", [(), ("--server-side",)], ids=["client", "server"])
def test_what_a_set_has_no_more_is_pruned(kubectl: Kubectl, how: tuple[str, ...]) -> None:
    env = os.environ | {"KUBECTL_APPLYSET": "true"}
    apply = ("apply", "--filename=-", "--prune", "--applyset=parts", *how)
    kubectl.ok(*apply, input=maps("a", "b"), env=env)
    assert "configmap/b pruned\n" in kubectl.ok(*apply, input=maps("a"), env=env)
    kinds = "jsonpath={.metadata.annotations.applyset\\.kubernetes\\.io/contains-group-kinds}"
    kinds_of_1_27 = kinds.replace("group-kinds", "group-resources")
    shown = [kubectl.ok("get", "secret", "parts", f"--output={path}") for path in (kinds, kinds_of_1_27)]
    assert sorted(shown) in (["", "ConfigMap"], ["", "configmaps"])


def test_what_a_selection_has_no_more_is_pruned(kubectl: Kubectl) -> None:
    apply = ("apply", "--filename=-", "--prune", "--selector=app=x", "--prune-allowlist=core/v1/ConfigMap")
    kubectl.ok(*apply, input=maps("a", "b"))
    assert kubectl.ok(*apply, input=maps("a")) == "configmap/a unchanged\nconfigmap/b pruned\n"
