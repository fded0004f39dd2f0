"""Changes to what is there: scale, set, label, patch, edit, roll out, taint, drain, delete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.component.kubectl.conftest import Kubectl


def deploy(kubectl: Kubectl, replicas: int = 1) -> None:
    kubectl.ok("create", "deploy", "d", "--image=x:1", f"--replicas={replicas}")
    rolled_out(kubectl)


def rolled_out(kubectl: Kubectl) -> None:
    assert 'deployment "d" successfully rolled out' in kubectl.ok("rollout", "status", "deploy/d", "--timeout=30s")


def field(kubectl: Kubectl, what: str, path: str) -> str:
    return kubectl.ok("get", what, "-o", f"jsonpath={{{path}}}")


CHANGES = [
    ("scale deploy d --replicas=3", "deployment.apps/d scaled", ".spec.replicas", "3"),
    ("set image deploy/d x=x:2", "deployment.apps/d image updated", ".spec.template.spec.containers[0].image", "x:2"),
    ("set env deploy/d K=V", "deployment.apps/d env updated", ".spec.template.spec.containers[0].env[0].value", "V"),
    ("set resources deploy d --limits=cpu=0.5", "deployment.apps/d resource requirements updated",
     ".spec.template.spec.containers[0].resources.limits.cpu", "500m"),
    ("set serviceaccount deploy d default", "deployment.apps/d serviceaccount updated",
     ".spec.template.spec.serviceAccountName", "default"),
    ("label deploy d a=b", "deployment.apps/d labeled", ".metadata.labels.a", "b"),
    ("label deploy d a=c --overwrite", "deployment.apps/d labeled", ".metadata.labels.a", "c"),
    ("label deploy d a-", "deployment.apps/d unlabeled", ".metadata.labels.a", ""),
    ("annotate deploy d a=b", "deployment.apps/d annotate", ".metadata.annotations.a", "b"),
    ('patch deploy d -p {"spec":{"template":{"spec":{"containers":[{"name":"x","image":"x:3"}]}}}}',
     "deployment.apps/d patched", ".spec.template.spec.containers[*].image", "x:3"),
    ('patch deploy d --type=merge -p {"spec":{"paused":true}}', "deployment.apps/d patched", ".spec.paused", "true"),
    ('patch deploy d --type=merge -p {"spec":{"paused":true}}', "deployment.apps/d patched (no change)",
     ".spec.paused", "true"),
    ('patch deploy d --type=json -p [{"op":"remove","path":"/spec/paused"}]', "deployment.apps/d patched", ".spec.paused", ""),
    ('patch deploy d --subresource=scale --type=merge -p {"spec":{"replicas":1}}', "d patched", ".spec.replicas", "1"),
    ("rollout pause deploy/d", "deployment.apps/d paused", ".spec.paused", "true"),
    ("rollout resume deploy/d", "deployment.apps/d resumed", ".spec.paused", ""),
]  # fmt: skip


def test_an_object_is_changed_by_commands(kubectl: Kubectl) -> None:
    deploy(kubectl)
    for command, answer, path, value in CHANGES:
        assert answer in kubectl.ok(*command.split()), command
        assert field(kubectl, "deploy/d", path) == value, command


def test_changes_can_be_rehearsed(kubectl: Kubectl) -> None:
    deploy(kubectl)
    before = field(kubectl, "deploy/d", ".metadata.resourceVersion")
    for command in ("label deploy d a=b", "set image deploy/d x=x:2", "scale deploy d --replicas=2", "delete deploy d"):
        assert "(server dry run)" in kubectl.ok(*command.split(), "--dry-run=server"), command
    assert field(kubectl, "deploy/d", ".metadata.resourceVersion") == before


def test_an_object_is_edited(kubectl: Kubectl, tmp_path: Path) -> None:
    deploy(kubectl)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/revisionHistoryLimit: .*/revisionHistoryLimit: 4/" "$1"\n')
    editor.chmod(0o700)
    env = {**os.environ, "EDITOR": str(editor)}
    assert kubectl.ok("edit", "deploy", "d", env=env) == "deployment.apps/d edited\n"
    assert field(kubectl, "deploy/d", ".spec.revisionHistoryLimit") == "4"
    assert "no changes made" in kubectl("edit", "deploy", "d", env=env).out + kubectl("edit", "deploy", "d", env=env).err


def test_a_deployment_is_rolled_out_and_back(kubectl: Kubectl) -> None:
    deploy(kubectl, replicas=2)
    assert field(kubectl, "deploy/d", ".metadata.generation") == "1"
    kubectl.ok("set", "image", "deploy/d", "x=x:2")
    rolled_out(kubectl)
    assert [line.split()[0] for line in kubectl.ok("rollout", "history", "deploy/d").splitlines()[2:4]] == ["1", "2"]
    assert "x:1" in kubectl.ok("rollout", "history", "deploy/d", "--revision=1")
    assert kubectl.ok("rollout", "undo", "deploy/d") == "deployment.apps/d rolled back\n"
    rolled_out(kubectl)
    assert field(kubectl, "deploy/d", ".spec.template.spec.containers[0].image") == "x:1"
    assert kubectl.ok("rollout", "restart", "deploy/d") == "deployment.apps/d restarted\n"
    rolled_out(kubectl)
    assert "unable to find specified revision 99 in history" in kubectl.error("rollout", "undo", "deploy/d", "--to-revision=99")


def test_dependents_go_or_stay_as_asked(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert kubectl.ok("delete", "deploy", "d", "--cascade=orphan") == 'deployment.apps "d" deleted\n'
    (orphan,) = kubectl.ok("get", "rs", "-o", "name").split()
    assert field(kubectl, orphan, ".metadata.ownerReferences") == ""
    kubectl.ok("delete", orphan, "--cascade=foreground")
    assert kubectl.ok("get", "pods", "-o", "name") == ""
    deploy(kubectl)
    kubectl.ok("delete", "deploy", "d", "--cascade=background")
    kubectl.ok("wait", "--for=delete", "rs", "--all", "--timeout=20s")


def test_pods_are_deleted_one_by_one_selected_and_at_once(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c", "d"):
        kubectl.ok("run", name, "--image=x", "-l", f"app={name}")
    kubectl.ok("wait", "--for=condition=Ready", "pod", "--all", "--timeout=20s")
    assert kubectl.ok("delete", "pod", "-l", "app in (a)", "--grace-period=1") == 'pod "a" deleted\n'
    assert kubectl.ok("delete", "pod", "--field-selector=metadata.name=b", "--now") == 'pod "b" deleted\n'
    assert kubectl.ok("delete", "pod", "c", "--grace-period=0", "--force") == 'pod "c" force deleted\n'
    assert kubectl.ok("delete", "pod", "--all", "--wait=false") == 'pod "d" deleted\n'
    assert 'pods "zz" not found' in kubectl.error("delete", "pod", "zz")
    assert kubectl("delete", "pod", "zz", "--ignore-not-found") == (0, "", "")


def test_a_node_is_tainted_cordoned_and_drained(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert kubectl.ok("taint", "node", "node-1", "a=b:NoSchedule") == "node/node-1 tainted\n"
    assert kubectl.ok("taint", "node", "node-1", "a-") == "node/node-1 untainted\n"
    assert "unsupported taint effect" in kubectl.error("taint", "node", "node-1", "a=b:Bad")
    assert kubectl.ok("cordon", "node-1") == "node/node-1 cordoned\n"
    assert "SchedulingDisabled" in kubectl.ok("get", "node", "node-1")
    drained = kubectl.ok("drain", "node-1", "--force", "--ignore-daemonsets", "--pod-selector=app=d", "--timeout=30s")
    assert f"evicting pod {kubectl.namespace}/d-" in drained and drained.endswith("node/node-1 drained\n")
    assert kubectl.ok("uncordon", "node-1") == "node/node-1 uncordoned\n"
    rolled_out(kubectl)


def test_rights_are_asked_after(kubectl: Kubectl) -> None:
    assert kubectl.ok("auth", "can-i", "create", "pods") == "yes\n"
    assert kubectl("auth", "can-i", "create", "pods", "--as=u").out == "no\n"
    assert "*.*" in kubectl.ok("auth", "can-i", "--list")
    if kubectl.minor >= 28:
        assert "kubernetes-admin" in kubectl.ok("auth", "whoami")
    role = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: r, namespace: {kubectl.namespace}}}\n"
    role += 'rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]'
    reconciled = kubectl.ok("auth", "reconcile", "-f", "-", input=role)
    assert reconciled.startswith("role.rbac.authorization.k8s.io/r reconciled")
    kubectl.ok("create", "rolebinding", "b", "--role=r", "--user=u")
    assert kubectl.ok("set", "subject", "rolebinding", "b", "--user=v").endswith("subjects updated\n")
    assert kubectl.ok("auth", "can-i", "get", "pods", "--as=v") == "yes\n"


def test_events_are_told(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert "ScalingReplicaSet" in kubectl.ok("events", "--for", "deploy/d")
    assert "No events found" in kubectl("events", "--types=Warning").err + kubectl("events", "--types=Warning").out


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ('patch pod p -p {"spec":{"nodeName":"other"}}', "spec: Forbidden: pod updates may not change fields other than "
         "`spec.containers[*].image`"),
        ('patch pod p -p {"spec":{"containers":[{"name":"p","image":5}]}}', 'The request is invalid: patch: Invalid value: '
         '"map[spec:map[containers:[map[image:5 name:p]]]]": cannot convert int64 to string'),
        ('patch pod p --type=json -p [{"op":"test","path":"/kind","value":"x"}]',
         "The request is invalid: the server rejected our request due to an error in our request"),
        ('patch pod p --type=merge -p {"metadata":{"name":"q"}}',
         "Error from server (BadRequest): the name of the object (q) does not match the name on the URL (p)"),
        ('patch pod q -p {"a":"b"}', 'Error from server (NotFound): pods "q" not found'),
        ("label pod p a=b_", "a valid label must be an empty string or consist of alphanumeric characters"),
        ("set image pod/p q=x", 'unable to find container named "q"'),
        ("delete ns default", 'namespaces "default" is forbidden: this namespace may not be deleted'),
        ("autoscale deploy d --max=3", 'deployments.apps "d" not found'),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_complained_of(kubectl: Kubectl, command: str, complaint: str) -> None:
    kubectl.ok("run", "p", "--image=x")
    assert complaint in kubectl.error(*command.split())
