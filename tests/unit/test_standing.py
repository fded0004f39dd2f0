"""What Go always writes of a built-in kind, compared with what upstream's servers answer."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.scheme import builtin
from sampan.api.standing import fill
from sampan.api.types.core_v1 import Pod
from sampan.api.types.rbac_v1 import Role
from sampan.client.codec import decode

Tree = dict[str, Any]

_TEMPLATE: Tree = {"metadata": {"creationTimestamp": None}, "spec": {}}
_CONTAINERS = [{"name": "a"}]

# Kind, what stands in it, what `fill` adds to that.
STANDING: list[tuple[str, Tree, Tree]] = [
    ("Deployment", {"spec": {"paused": True}}, {"spec": {"strategy": {}, "template": _TEMPLATE}, "status": {}}),
    ("ReplicaSet", {}, {"spec": {"template": _TEMPLATE}, "status": {"replicas": 0}}),
    ("ConfigMap", {}, {}),
    ("Namespace", {}, {"spec": {}, "status": {}}),
    ("Service", {}, {"spec": {}, "status": {"loadBalancer": {}}}),
    ("Service", {"spec": {"ports": [{"port": 1}]}}, {"spec": {"ports": [{"targetPort": 0}]}}),
    ("Ingress", {}, {"spec": {}, "status": {"loadBalancer": {}}}),
    ("PersistentVolumeClaim", {}, {"spec": {"resources": {}}, "status": {}}),
    ("PersistentVolumeClaim", {"spec": {"dataSource": {}}}, {"spec": {"dataSource": {"apiGroup": None, "kind": ""}}}),
    ("Lease", {}, {"spec": {}}),
    ("Role", {}, {"rules": None}),
    ("LimitRange", {}, {"spec": {"limits": None}}),
    ("CSINode", {}, {"spec": {"drivers": None}}),
    ("EndpointSlice", {}, {"addressType": "", "endpoints": None, "ports": None}),
    ("EndpointSlice", {"endpoints": [{"addresses": ["1.2.3.4"]}]}, {"endpoints": [{"conditions": {}}]}),
    ("ControllerRevision", {}, {"data": None, "revision": 0}),
    ("Pod", {"spec": {"containers": _CONTAINERS}}, {"spec": {"containers": [{"resources": {}}]}, "status": {}}),
    (
        "Pod",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "a"}]}},
        {
            "status": {
                "conditions": [{"lastProbeTime": None, "lastTransitionTime": None}],
                "containerStatuses": [
                    {"image": "", "imageID": "", "lastState": {}, "ready": False, "restartCount": 0, "state": {}}
                ],
            }
        },
    ),
    ("Pod", {"spec": {"ephemeralContainers": [{"name": "x"}]}}, {"spec": {"ephemeralContainers": [{"resources": {}}]}}),
    (
        "StatefulSet",
        {"spec": {"volumeClaimTemplates": [{}]}},
        {
            "spec": {
                "serviceName": "",
                "volumeClaimTemplates": [
                    {"metadata": {"creationTimestamp": None}, "spec": {"resources": {}}, "status": {}}
                ],
            },
            "status": {"availableReplicas": 0, "replicas": 0},
        },
    ),
    (
        "CustomResourceDefinition",
        {},
        {"status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": None, "storedVersions": None}},
    ),
]  # fmt: skip


def contains(tree: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(tree, dict) and all(key in tree and contains(tree[key], value) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(tree, list) and len(tree) == len(part) and all(map(contains, tree, part))
    return bool(tree == part)


@pytest.mark.parametrize(("kind", "tree", "added"), STANDING)
def test_what_is_empty_stands_where_go_has_no_pointer(kind: str, tree: Tree, added: Tree) -> None:
    resource = next(found for found in builtin() if found.kind == kind and found.version == "v1")
    filled = {"metadata": {"name": "x"}, **tree}
    fill(resource.schema, filled)
    assert contains(filled, added) and contains(filled, tree)
    assert filled["metadata"] == {"name": "x", "creationTimestamp": None}


def test_what_stands_is_not_touched_and_pointers_stay_away() -> None:
    resource = next(found for found in builtin() if found.kind == "Pod")
    resources = {"limits": {"cpu": "1"}}
    tree: Tree = {"metadata": {}, "spec": {"containers": [{"name": "a", "image": "", "resources": resources}]}}
    fill(resource.schema, tree)
    assert tree["spec"] == {"containers": [{"name": "a", "image": "", "resources": resources}]}


def test_typed_objects_take_null_for_a_time_and_for_a_list() -> None:
    pod = decode(Pod, b'{"status":{"conditions":[{"type":"Ready","status":"True","lastProbeTime":null}]}}')
    assert pod.status.conditions[0].lastProbeTime == ""
    assert decode(Role, b'{"metadata":{"creationTimestamp":null},"rules":null}').rules == []
