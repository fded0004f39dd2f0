"""`kubectl apply --server-side` and what kubectl shows of who manages what."""

from __future__ import annotations

import json
from typing import Any

from tests.component.kubectl.conftest import Kubectl
from tests.component.kubectl.test_manifests import NAMES, documents, said

Tree = dict[str, Any]


def config_map(**data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data})


def web(replicas: int, image: str = "x:one") -> str:
    pod = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "w"}}, "template": pod}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec})


def applied(kubectl: Kubectl, text: str, *flags: str) -> str:
    return kubectl.ok("apply", "--server-side", *flags, "-f", "-", input=text)


def data(kubectl: Kubectl) -> Tree:
    found: Tree = json.loads(kubectl.ok("get", "cm", "m", "-o", "jsonpath={.data}") or "{}")
    return found


def managers(kubectl: Kubectl, what: str) -> set[tuple[str, str, str]]:
    """Manager, operation and subresource of each entry, but for those that controllers keep writing."""
    shown = kubectl.ok("get", *what.split("/"), "-o", "json", "--show-managed-fields")
    entries: list[Tree] = json.loads(shown)["metadata"].get("managedFields", [])
    found = {(entry["manager"], entry["operation"], entry.get("subresource", "")) for entry in entries}
    return {entry for entry in found if entry[2] != "status"}


def test_documents_are_applied_on_the_server_and_compared_there(every_kubectl: Kubectl) -> None:
    kubectl = every_kubectl
    assert kubectl("diff", "--server-side", "-f", "-", input=documents("one")).code == 1
    served = said("serverside-applied")
    assert applied(kubectl, documents("one"), "--dry-run=server") == said("serverside-applied (server dry run)")
    assert applied(kubectl, documents("one")) == served
    assert applied(kubectl, documents("one")) == served
    assert kubectl("diff", "--server-side", "-f", "-", input=documents("one")).code == 0
    compared = kubectl("diff", "--server-side", "-f", "-", input=documents("two"))
    assert compared.code == 1 and "-  k: one" in compared.out and "+  k: two" in compared.out
    assert applied(kubectl, documents("two")) == served
    assert kubectl.ok("get", "deploy", "b", "-o", "jsonpath={..image}") == "x:two"
    kubectl.ok("delete", *NAMES)


def test_a_conflict_is_told_and_can_be_forced(kubectl: Kubectl) -> None:
    applied(kubectl, config_map(a="1", b="1"))
    complaint = kubectl.error("apply", "--server-side", "--field-manager=other", "-f", "-", input=config_map(a="2"))
    assert complaint.startswith('error: Apply failed with 1 conflict: conflict with "kubectl": .data.a\n')
    assert "conflict with" in kubectl.error(
        "diff", "--server-side", "--field-manager=other", "-f", "-", input=config_map(a="2")
    )
    applied(kubectl, config_map(a="2"), "--field-manager=other", "--force-conflicts")
    assert managers(kubectl, "cm/m") == {("kubectl", "Apply", ""), ("other", "Apply", "")}
    applied(kubectl, config_map(b="1"))
    assert data(kubectl) == {"a": "2", "b": "1"}
    applied(kubectl, config_map(), "--field-manager=other")
    assert data(kubectl) == {"b": "1"}


def test_what_was_applied_on_the_clients_side_is_taken_over(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=web(2))
    assert managers(kubectl, "deploy/w") == {("kubectl-client-side-apply", "Update", "")}
    applied(kubectl, web(3, "x:two"))
    assert ("kubectl", "Apply", "") in managers(kubectl, "deploy/w")
    assert kubectl.ok("get", "deploy", "w", "-o", "jsonpath={.spec.replicas} {..image}") == "3 x:two"
    kubectl.ok("scale", "deploy/w", "--replicas=4")
    complaint = kubectl.error("apply", "--server-side", "-f", "-", input=web(3, "x:two"))
    assert 'conflict: conflict with "kubectl' in complaint and ".spec.replicas" in complaint
    without = json.loads(web(0, "x:two"))
    del without["spec"]["replicas"]
    applied(kubectl, json.dumps(without))
    assert kubectl.ok("get", "deploy", "w", "-o", "jsonpath={.spec.replicas}") == "4", "it is the scaler's now"
    assert kubectl.ok("apply", "-f", "-", input=json.dumps(without)).startswith("deployment.apps/w ")


def test_each_command_is_noted_under_its_name(kubectl: Kubectl) -> None:
    kubectl.ok("create", "cm", "m", "--from-literal=a=1")
    kubectl.ok("label", "cm/m", "x=y")
    kubectl.ok("annotate", "cm/m", "x=y")
    kubectl.ok("patch", "cm/m", "-p", '{"data":{"b":"1"}}')
    names = {manager for manager, operation, _ in managers(kubectl, "cm/m")}
    assert names == {"kubectl-create", "kubectl-label", "kubectl-annotate", "kubectl-patch"}
    assert "managedFields" not in kubectl.ok("get", "cm", "m", "-o", "yaml")
    assert "f:data:" in kubectl.ok("get", "cm", "m", "-o", "yaml", "--show-managed-fields")


def test_unknown_fields_of_a_configuration_are_refused(kubectl: Kubectl) -> None:
    bad = config_map(a="1").replace('"data"', '"dat"')
    complaint = kubectl.error("apply", "--server-side", "--validate=false", "-f", "-", input=bad)
    assert "failed to create typed patch object (" in complaint and ".dat: field not declared in schema" in complaint
