"""Strategic merge patches by table: merge keys, directives, orders, and refusals, after upstream's own tests' subjects."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.api.errors import StatusError
from sampan.api.patch import strategic_patch
from sampan.api.schema import schema_of

POD = schema_of("io.k8s.api.core.v1.Pod")
DEPLOYMENT = schema_of("io.k8s.api.apps.v1.Deployment")
SERVICE = schema_of("io.k8s.api.core.v1.Service")


def containers(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(items), **more}}


A, B, C = {"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}, {"name": "c", "image": "c:1"}
ORDER = "$setElementOrder/containers"

PODS = [
    (
        "an item is merged by its key",
        containers(A, B),
        containers({"name": "b", "image": "b:2"}),
        containers(A, {**B, "image": "b:2"}),
    ),
    ("a new item goes before those the patch does not name", containers(A, B), containers(C), containers(C, A, B)),
    (
        "an order puts it where it says",
        containers(A, B),
        containers(C, **{ORDER: [{"name": "a"}, {"name": "c"}]}),
        containers(A, C, B),
    ),
    (
        "an order without a patch list reorders",
        containers(A, B, C),
        {"spec": {ORDER: [{"name": "c"}, {"name": "a"}]}},
        containers(B, C, A),
    ),
    ("an item is deleted", containers(A, B), containers({"$patch": "delete", "name": "a"}), containers(B)),
    ("deleting what is not there does nothing", containers(A), containers({"$patch": "delete", "name": "x"}), containers(A)),
    ("a list is replaced", containers(A, B), containers({"$patch": "replace"}, C), containers(C)),
    ("a null deletes", {"spec": {"nodeName": "n", "hostname": "h"}}, {"spec": {"nodeName": None}}, {"spec": {"hostname": "h"}}),
    ("a null for nothing does nothing", {"spec": {}}, {"spec": {"nodeName": None}}, {"spec": {}}),
    ("nulls inside what is new are dropped", {}, {"spec": {"nodeName": "n", "hostname": None}}, {"spec": {"nodeName": "n"}}),
    (
        "maps are merged",
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"b": None, "c": "3"}}},
        {"metadata": {"labels": {"a": "1", "c": "3"}}},
    ),
    (
        "a map is replaced",
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "replace", "c": "3"}}},
        {"metadata": {"labels": {"c": "3"}}},
    ),
    (
        "a map is emptied",
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "delete"}}},
        {"metadata": {"labels": {}}},
    ),
    (
        "lists without a key are replaced",
        containers({**A, "command": ["x"]}),
        containers({"name": "a", "command": ["y", "z"]}),
        containers({**A, "command": ["y", "z"]}),
    ),
    (
        "tolerations are atomic",
        {"spec": {"tolerations": [{"key": "a"}]}},
        {"spec": {"tolerations": [{"key": "b"}]}},
        {"spec": {"tolerations": [{"key": "b"}]}},
    ),
    (
        "merging lists of scalars are united",
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"finalizers": ["c", "a"]}},
        {"metadata": {"finalizers": ["c", "a", "b"]}},
    ),
    (
        "scalars are deleted from them",
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}},
        {"metadata": {"finalizers": ["b", "c"]}},
    ),
    (
        "scalars are deleted, added and ordered at once",
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {
            "metadata": {
                "$deleteFromPrimitiveList/finalizers": ["a"],
                "finalizers": ["d"],
                "$setElementOrder/finalizers": ["c", "d", "b"],
            }
        },
        {"metadata": {"finalizers": ["c", "d", "b"]}},
    ),
    (
        "items inside items are merged by their own keys",
        containers({**A, "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}),
        containers({"name": "a", "env": [{"name": "Y", "value": "3"}, {"name": "X", "$patch": "delete"}]}),
        containers({**A, "env": [{"name": "Y", "value": "3"}]}),
    ),
    (
        "ports merge by their number",
        containers({**A, "ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        containers({"name": "a", "ports": [{"containerPort": 80, "name": "http"}]}),
        containers({**A, "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]}),
    ),
    (
        "a volume retains only its new source",
        {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
        {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}},
        {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}},
    ),
    (
        "directives in what is new leave no trace",
        {"spec": {}},
        containers({**A, "$retainKeys": ["name", "image"]}, {"name": "b", "$patch": "delete"}, **{ORDER: [{"name": "a"}]}),
        containers(A),
    ),
    ("a value of another type is replaced", {"spec": {"containers": {}}}, containers(A), containers(A)),
]


@pytest.mark.parametrize(("tree", "patch", "expected"), [row[1:] for row in PODS], ids=[row[0] for row in PODS])
def test_a_strategic_patch_of_a_pod(tree: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy((tree, patch))
    assert strategic_patch(tree, patch, POD) == expected
    assert (tree, patch) == before


def test_a_strategy_retains_its_keys() -> None:
    tree = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_patch(tree, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_service_ports_merge_by_port() -> None:
    tree = {"spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 443}]}}
    patch = {"spec": {"ports": [{"port": 80, "nodePort": 30080}], "$setElementOrder/ports": [{"port": 80}, {"port": 443}]}}
    assert strategic_patch(tree, patch, SERVICE) == {
        "spec": {"ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}, {"port": 443}]}
    }


REFUSED: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    (containers(A), containers({"image": "x"}), 500, "map: map[image:x] does not contain declared merge key: name"),
    (containers(A), containers({"$patch": "delete"}), 500, "map: map[$patch:delete] does not contain declared merge key: name"),
    (
        containers(A),
        containers({"$patch": "frob", "name": "a"}),
        500,
        "unknown patch type: frob in map: map[$patch:frob name:a]",
    ),
    (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "merge"}}},
        500,
        "unknown patch type: merge in map: map[$patch:merge]",
    ),
    ({"spec": {"a": 1}}, {"spec": {"$retainKeys": "x"}}, 400, "invalid patch format of retainKeys"),
    ({"spec": {"a": 1}}, {"spec": {"$retainKeys": ["b"], "c": 1}}, 400, "invalid patch format of retainKeys"),
    (
        {"metadata": {"finalizers": ["a"]}},
        {"metadata": {"$deleteFromPrimitiveList": ["a"]}},
        400,
        "invalid patch format of primitive list",
    ),
    (containers(A), {"spec": {ORDER: "x"}}, 400, "invalid patch format of setElementOrder list"),
    (
        containers(A),
        containers(B, C, **{ORDER: [{"name": "c"}, {"name": "b"}]}),
        500,
        "The order in patch list:\n[map[image:b:1 name:b] map[image:c:1 name:c]]\n doesn't match "
        "$setElementOrder list:\n[map[name:c] map[name:b]]\n",
    ),
]


@pytest.mark.parametrize(("tree", "patch", "code", "message"), REFUSED, ids=[row[3][:40] for row in REFUSED])
def test_a_bad_strategic_patch_is_refused(tree: dict[str, Any], patch: dict[str, Any], code: int, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        strategic_patch(tree, patch, POD)
    assert (refused.value.code, refused.value.message) == (code, message)
