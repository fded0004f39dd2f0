from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.api.apply.compare import compare
from sampan.api.apply.fieldset import Fields, difference, encode, recursive_difference, union
from sampan.api.apply.outline import outline
from sampan.api.apply.places import Place, place_of
from sampan.api.apply.update import STRIPPED
from sampan.api.scheme import builtin
from tests.unit.apply.sets import NUMBER, TEXT, Tree, dotted, each, items, obj, place

SCHEME = builtin()
STATUS = dotted("status")
META: Tree = {
    "name": "a",
    "namespace": "b",
    "uid": "c",
    "creationTimestamp": "d",
    "generation": 1,
    "labels": {"k%s": "v", "a": "b"},
    "finalizers": ["x/y", "w"],
    "ownerReferences": [{"uid": "2", "name": "n", "kind": "k", "apiVersion": "v1"}],
}
CONTAINERS = [
    {
        "name": "b",
        "image": "i",
        "ports": [{"containerPort": 8080}, {"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80}],
    },
    {
        "name": "a",
        "resources": {},
        "env": [{"name": "X", "value": "1"}, {"name": "Y", "valueFrom": {"fieldRef": {"fieldPath": "p"}}}],
    },
]
POD_SPEC: Tree = {
    "containers": CONTAINERS,
    "securityContext": {},
    "nodeSelector": {"a": "b"},
    "volumes": [{"name": "v", "emptyDir": {}}],
}
CUSTOM = place(
    obj(
        metadata={"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
        spec=obj(
            map=each(each(TEXT)),
            set=items(NUMBER),
            list=items(obj(name=TEXT, value=NUMBER), "name"),
            free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            atom=obj(a=TEXT) | {"x-kubernetes-map-type": "atomic"},
        ),
        status=obj(a=TEXT),
    )
)


def built_in(group: str, version: str, plural: str) -> Place:
    resource = SCHEME.resource(group, version, plural)
    assert resource is not None
    return place_of(resource.schema)


OBJECTS: list[tuple[Place, Tree]] = [
    (built_in("", "v1", "pods"), {"spec": POD_SPEC, "status": {"phase": "x"}}),
    (built_in("", "v1", "pods"), {}),
    (built_in("", "v1", "configmaps"), {"data": {"a": "1", "%": "2", '"': "3"}, "immutable": True}),
    (built_in("", "v1", "configmaps"), {"data": {}}),
    (built_in("", "v1", "services"), {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, "clusterIPs": ["1"]}}),
    (built_in("apps", "v1", "deployments"),
     {"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "strategy": {"type": "x"},
               "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}}}),
    (built_in("rbac.authorization.k8s.io", "v1", "roles"), {"rules": [{"verbs": ["get"]}]}),
    (built_in("rbac.authorization.k8s.io", "v1", "roles"), {"rules": []}),
    (built_in("scheduling.k8s.io", "v1", "priorityclasses"), {"value": 0, "description": "d"}),
    (built_in("scheduling.k8s.io", "v1", "priorityclasses"), {"value": 5}),
    (CUSTOM, {"spec": {"map": {"a": {"b": "c"}, "d": {}}, "set": [10, 9, 9],
                       "list": [{"name": "x"}, {"name": "x"}, {"name": "a"}],
                       "free": {"a": {"b": [1]}, "c": None}, "atom": {"a": "b"}}, "status": {"a": "b"}}),
    (CUSTOM, {"spec": {"map": None, "list": []}}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "tree"), OBJECTS)
@pytest.mark.parametrize("excluded", [{}, STATUS, dotted("spec", "status")])
@pytest.mark.parametrize("meta", [META, {"name": "a"}, {}])
def test_the_outline_of_a_new_object_is_what_comparing_with_nothing_finds(
    where: Place, tree: Tree, excluded: Fields, meta: dict[str, Any]
) -> None:
    new = {"kind": "K", "apiVersion": "v1", "metadata": meta, **tree}
    added = recursive_difference(compare(where, {}, new).changed, excluded)
    expected = difference(added, STRIPPED)
    text = outline(where, union(STRIPPED, excluded))(new)
    assert (json.loads(text) if text else {}) == expected
    assert text.encode() == (encode(expected) if expected else b"")


def test_the_same_outline_serves_objects_of_many_shapes() -> None:
    write = outline(built_in("", "v1", "configmaps"), STRIPPED)
    for number in range(2000):
        found = json.loads(write({"metadata": {}, "data": {f"k{number}": "v", f"l{number % 7}": "w"}}))
        assert found == {"f:data": {".": {}, f"f:k{number}": {}, f"f:l{number % 7}": {}}}
