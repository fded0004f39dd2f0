"""Volumes, claims, quotas, limits, storage classes and replication controllers, as kubectl makes and shows them."""

from __future__ import annotations

import json

from tests.component.kubectl.conftest import Kubectl
from tests.component.kubectl.test_reads import columns

HEADERS = {
    "persistentvolumes": (
        "NAME|CAPACITY|ACCESS MODES|RECLAIM POLICY|STATUS|CLAIM|STORAGECLASS|VOLUMEATTRIBUTESCLASS|REASON|AGE",
        "|VOLUMEMODE",
    ),
    "persistentvolumeclaims": (
        "NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|VOLUMEATTRIBUTESCLASS|AGE",
        "|VOLUMEMODE",
    ),
    "replicationcontrollers": ("NAME|DESIRED|CURRENT|READY|AGE", "|CONTAINERS|IMAGES|SELECTOR"),
    "resourcequotas": ("NAME|REQUEST|LIMIT|AGE", ""),
    "limitranges": ("NAME|CREATED AT", ""),
    "podtemplates": ("NAME|CONTAINERS|IMAGES|POD LABELS", ""),
    "storageclasses": ("NAME|PROVISIONER|RECLAIMPOLICY|VOLUMEBINDINGMODE|ALLOWVOLUMEEXPANSION|AGE", ""),
    "volumeattachments": ("NAME|ATTACHER|PV|NODE|ATTACHED|AGE", ""),
    "csidrivers": (
        "NAME|ATTACHREQUIRED|PODINFOONMOUNT|STORAGECAPACITY|TOKENREQUESTS|REQUIRESREPUBLISH|MODES|AGE",
        "",
    ),
    "csinodes": ("NAME|DRIVERS|AGE", ""),
    "csistoragecapacities": ("NAME|STORAGECLASSNAME|CAPACITY", ""),
    "runtimeclasses": ("NAME|HANDLER|AGE", ""),
}
CLUSTER_WIDE = ("pv", "sc", "volumeattachments", "csidrivers", "csinodes", "runtimeclasses")


def objects(name: str) -> str:
    """One of each kind; those of the whole cluster are called `name`."""
    return f"""
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolume
  metadata: {{name: {name}}}
  spec:
    {{capacity: {{storage: 1Gi}}, accessModes: [ReadWriteOnce], storageClassName: {name}, hostPath: {{path: /data}}}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {{name: one}}
  spec: {{accessModes: [ReadWriteOnce], storageClassName: {name}, resources: {{requests: {{storage: 1Gi}}}}}}
- apiVersion: v1
  kind: ReplicationController
  metadata: {{name: one}}
  spec:
    replicas: 0
    template: {{metadata: {{labels: {{app: rc}}}}, spec: {{containers: [{{name: c, image: "x:1"}}]}}}}
- apiVersion: v1
  kind: PodTemplate
  metadata: {{name: one}}
  template: {{metadata: {{labels: {{app: rc}}}}, spec: {{containers: [{{name: c, image: "x:1"}}]}}}}
- {{apiVersion: v1, kind: ResourceQuota, metadata: {{name: one}}, spec: {{hard: {{pods: "10", limits.cpu: "4"}}}}}}
- apiVersion: v1
  kind: LimitRange
  metadata: {{name: one}}
  spec: {{limits: [{{type: Container, max: {{cpu: "2"}}, min: {{memory: 1Mi}}}}]}}
- {{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: {name}}}, provisioner: disk.example.com}}
- {{apiVersion: storage.k8s.io/v1, kind: CSIDriver, metadata: {{name: {name}}}, spec: {{attachRequired: false}}}}
- apiVersion: storage.k8s.io/v1
  kind: CSINode
  metadata: {{name: {name}}}
  spec: {{drivers: [{{name: disk.example.com, nodeID: i-1, topologyKeys: [zone]}}]}}
- {{apiVersion: storage.k8s.io/v1, kind: CSIStorageCapacity, metadata: {{name: one}}, storageClassName: {name}}}
- apiVersion: storage.k8s.io/v1
  kind: VolumeAttachment
  metadata: {{name: {name}}}
  spec: {{attacher: disk.example.com, nodeName: node-1, source: {{persistentVolumeName: {name}}}}}
- {{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {{name: {name}}}, handler: runc}}
"""


def test_kinds_of_storage_and_limits_are_made_shown_and_described(kubectl: Kubectl) -> None:
    name = kubectl.namespace
    made = kubectl.ok("apply", "-f", "-", input=objects(name))
    assert made.count(" created\n") == len(HEADERS)
    again = kubectl.ok("apply", "-f", "-", input=objects(name))
    # Limits are one list without keys, so what was filled in looks like a change to kubectl, also against upstream.
    assert again.count(" unchanged\n") == len(HEADERS) - 1 and "limitrange/one configured\n" in again, again
    for kind, (plain, wider) in HEADERS.items():
        for words, header in (((), plain), (("-o", "wide"), plain + wider)):
            assert columns(kubectl.ok("get", kind, *words).splitlines()[0]) == header, (kind, words)
        assert kubectl.ok("describe", kind).lstrip().startswith("Name:"), kind
    kubectl.ok("delete", "-f", "-", input=objects(name))


def test_what_is_filled_in_is_shown(kubectl: Kubectl) -> None:
    name = kubectl.namespace
    kubectl.ok("apply", "-f", "-", input=objects(name))
    row = kubectl.ok("get", "pv", name, "-o", "wide").splitlines()[1].split()
    # The status is the server's to begin with and, where one runs, the volume controller's after.
    assert row[:4] == [name, "1Gi", "RWO", "Retain"] and row[-1] == "Filesystem" and "<unset>" in row
    assert kubectl.ok("get", "sc", name, "--no-headers").split()[1:5] == ["disk.example.com", "Delete", "Immediate", "false"]
    # kubectl goes over resources in no order.
    described = sorted(line.split() for line in kubectl.ok("describe", "limits", "one").splitlines()[-2:])
    assert described == [
        ["Container", "cpu", "-", "2", "2", "2", "-"],
        ["Container", "memory", "1Mi", "-", "1Mi", "-", "-"],
    ]
    status = '{"status":{"hard":{"pods":"10","limits.cpu":"4"},"used":{"pods":"0","limits.cpu":"0"}}}'
    kubectl.ok("patch", "quota", "one", "--type=merge", "--subresource=status", "--patch", status)
    assert columns(kubectl.ok("get", "quota", "one").splitlines()[1]).split("|")[1:3] == ["pods: 0/10", "limits.cpu: 0/4"]
    assert "limits.cpu" in kubectl.ok("describe", "quota", "one")
    assert "Access Modes:" in kubectl.ok("describe", "pvc", "one")
    kubectl.ok("delete", "-f", "-", input=objects(name))


def test_quotas_are_made_by_words_and_controllers_scaled(kubectl: Kubectl) -> None:
    assert kubectl.ok("create", "quota", "q", "--hard=pods=3,cpu=1", "--scopes=NotTerminating") == "resourcequota/q created\n"
    hard = json.loads(kubectl.ok("get", "quota", "q", "-o", "json"))["spec"]
    assert hard == {"hard": {"cpu": "1", "pods": "3"}, "scopes": ["NotTerminating"]}
    assert "unsupported scope applied to resource" in kubectl.error(
        "create", "quota", "r", "--hard=services=3", "--scopes=BestEffort"
    )
    kubectl.ok("apply", "-f", "-", input=objects(kubectl.namespace))
    assert kubectl.ok("scale", "rc", "one", "--replicas=2") == "replicationcontroller/one scaled\n"
    assert kubectl.ok("get", "rc", "one", "-o", "jsonpath={.spec.replicas} {.spec.selector}") == '2 {"app":"rc"}'
    kubectl.ok("delete", "-f", "-", input=objects(kubectl.namespace))


def test_the_control_plane_is_asked_how_it_is(kubectl: Kubectl) -> None:
    shown = kubectl("get", "cs")
    assert columns(shown.out.splitlines()[0]) == "NAME|STATUS|MESSAGE|ERROR"
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == ["scheduler", "controller-manager", "etcd-0"]
    assert "Warning: v1 ComponentStatus is deprecated in v1.19+" in shown.err


POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {nodeName: nowhere, containers: [{name: c, image: "x:1", resources: {requests: {cpu: 100m}}}]}
"""


def test_a_pod_is_debugged_and_resized(kubectl: Kubectl) -> None:
    kubectl.ok("apply", "-f", "-", input=POD)
    # No kubelet starts it, so nothing is attached to: with --attach=false kubectl leaves it there.
    kubectl.ok("debug", "web", "--image=busybox:1", "--container=debugger", "--target=c", "--attach=false")
    names = kubectl.ok("get", "pod", "web", "-o", "jsonpath={.spec.ephemeralContainers[*].name}")
    assert names == "debugger"
    if kubectl.minor >= 32:  # which know the subresource
        patch = '{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"200m"}}}]}}'
        kubectl.ok("patch", "pod", "web", "--subresource=resize", "--patch", patch)
        assert kubectl.ok("get", "pod", "web", "-o", "jsonpath={..requests.cpu}") == "200m"
