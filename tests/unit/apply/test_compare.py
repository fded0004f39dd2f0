from __future__ import annotations

from typing import Any

import pytest

from sampan.api.apply.compare import all_fields, compare
from sampan.api.apply.elements import ElementError
from sampan.api.apply.places import DEDUCED, Kind, Place, place_of
from sampan.api.schema import schema_of
from tests.unit.apply.sets import NUMBER, TEXT, Tree, each, fields, items, json, obj, place

ITEM = obj(name=TEXT, value=NUMBER, inner=each(TEXT))
ROOT = place(
    obj(
        text=TEXT,
        number=NUMBER,
        map=each(TEXT),
        atom={**each(TEXT), "x-kubernetes-map-type": "atomic"},
        plain={"type": "array", "items": TEXT},
        set=items(TEXT),
        list=items(ITEM, "name"),
        struct=obj(a=TEXT, b=obj(c=TEXT)),
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )
)
POD = place_of(schema_of("io.k8s.api.core.v1.Pod"))

COMPARED: list[tuple[Place, Tree, Tree, str, str, str]] = [
    (ROOT, {}, {}, "{}", "{}", "{}"),
    (ROOT, {"text": "a"}, {"text": "a"}, "{}", "{}", "{}"),
    (ROOT, {"text": "a"}, {"text": "b"}, "{}", '{"f:text":{}}', "{}"),
    (ROOT, {"text": "a"}, {"number": 1}, '{"f:text":{}}', "{}", '{"f:number":{}}'),
    (ROOT, {}, {"map": {"k": "v"}}, "{}", "{}", '{"f:map":{".":{},"f:k":{}}}'),
    (ROOT, {"map": {"k": "v"}}, {"map": {"k": "w", "l": "v"}}, "{}", '{"f:map":{"f:k":{}}}', '{"f:map":{"f:l":{}}}'),
    (ROOT, {"map": {"k": "v"}}, {}, '{"f:map":{".":{},"f:k":{}}}', "{}", "{}"),
    (ROOT, {"map": {}}, {"map": {"k": "v"}}, "{}", "{}", '{"f:map":{"f:k":{}}}'),
    (ROOT, {}, {"map": {}}, "{}", "{}", '{"f:map":{}}'),
    (ROOT, {"map": None}, {"map": {}}, "{}", '{"f:map":{}}', "{}"),
    (ROOT, {"atom": {"k": "v"}}, {"atom": {"k": "w"}}, "{}", '{"f:atom":{}}', "{}"),
    (ROOT, {"plain": ["a"]}, {"plain": ["a", "b"]}, "{}", '{"f:plain":{}}', "{}"),
    (ROOT, {"set": ["a", "b"]}, {"set": ["c", "b"]}, r'{"f:set":{"v:\"a\"":{}}}', "{}", r'{"f:set":{"v:\"c\"":{}}}'),
    (ROOT, {"set": ["a", "b"]}, {"set": ["b", "a"]}, "{}", "{}", "{}"),
    (ROOT, {"set": ["a", "a"]}, {"set": ["a"]}, r'{"f:set":{"v:\"a\"":{}}}', "{}", r'{"f:set":{"v:\"a\"":{}}}'),
    (
        ROOT,
        {"list": [{"name": "a", "value": 1}]},
        {"list": [{"name": "b", "value": 1}, {"name": "a", "value": 2}]},
        "{}",
        r'{"f:list":{"k:{\"name\":\"a\"}":{"f:value":{}}}}',
        r'{"f:list":{"k:{\"name\":\"b\"}":{".":{},"f:name":{},"f:value":{}}}}',
    ),
    (ROOT, {}, {"struct": {"b": {"c": "x"}}}, "{}", "{}", '{"f:struct":{".":{},"f:b":{".":{},"f:c":{}}}}'),
    (ROOT, {"free": {"a": [1]}}, {"free": {"a": [2], "b": {"c": 1}}}, "{}", '{"f:free":{"f:a":{}}}',
     '{"f:free":{"f:b":{".":{},"f:c":{}}}}'),
    (ROOT, {"free": {"a": {"b": 1}}}, {"free": {"a": 2}}, '{"f:free":{"f:a":{"f:b":{}}}}', '{"f:free":{"f:a":{}}}', "{}"),
    (DEDUCED, {"a": {"b": 1}}, {"a": {"b": 2}, "c": [1]}, "{}", '{"f:a":{"f:b":{}}}', '{"f:c":{}}'),
    # What a Go struct always has is no field that came, and no zero that it always writes.
    (POD, {}, {"spec": {"hostname": "a"}, "status": {}}, "{}", "{}", '{"f:spec":{"f:hostname":{}}}'),
    (POD, {}, {"spec": {"containers": [{"name": "a"}]}}, "{}", "{}",
     r'{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:name":{}}}}}'),
    (POD, {"metadata": {"labels": {"a": "b"}}}, {}, '{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}', "{}", "{}"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "old", "new", "removed", "modified", "added"), COMPARED)
def test_two_objects_differ_field_by_field(where: Place, old: Tree, new: Tree, removed: str, modified: str, added: str) -> None:
    assert tuple(map(json, compare(where, old, new))) == (removed, modified, added)


@pytest.mark.parametrize(
    ("where", "value", "found"),
    [
        (ROOT, {}, "{}"),
        (ROOT, {"text": "a", "number": 1}, '{"f:number":{},"f:text":{}}'),
        (ROOT, {"text": None}, '{"f:text":{}}'),
        # Of what a struct says by name only the leaves are fields, of a map each key is one.
        (ROOT, {"struct": {"b": {"c": "x"}}}, '{"f:struct":{"f:b":{"f:c":{}}}}'),
        (ROOT, {"map": {"k": "v"}}, '{"f:map":{"f:k":{}}}'),
        (ROOT, {"map": {}, "struct": {}}, '{"f:map":{},"f:struct":{}}'),
        (ROOT, {"atom": {"k": "v"}, "plain": ["a"]}, '{"f:atom":{},"f:plain":{}}'),
        (ROOT, {"set": ["b", "a"]}, r'{"f:set":{"v:\"a\"":{},"v:\"b\"":{}}}'),
        (ROOT, {"set": []}, "{}"),
        (ROOT, {"list": [{"name": "a", "inner": {"x": "y"}}]},
         r'{"f:list":{"k:{\"name\":\"a\"}":{".":{},"f:inner":{"f:x":{}},"f:name":{}}}}'),
        (DEDUCED, {"a": {"b": {"c": 1}}}, '{"f:a":{".":{},"f:b":{".":{},"f:c":{}}}}'),
        (POD, {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}},
         r'{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:name":{},"f:ports":'
         r'{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}'),
    ],
)  # fmt: skip
def test_a_configuration_says_the_fields_that_it_wants(where: Place, value: Tree, found: str) -> None:
    assert json(all_fields(where, value)) == found
    assert fields(found) == all_fields(where, value)


@pytest.mark.parametrize(
    "bad", [{"list": [{"value": 1}]}, {"list": [5]}, {"list": [None]}, {"set": [{}]}, {"set": [[]]}, {"set": [None]}]
)
def test_items_that_cannot_be_told_apart_are_an_error(bad: Tree) -> None:
    with pytest.raises(ElementError):
        compare(ROOT, {}, bad)


@pytest.mark.parametrize(
    ("definition", "path", "kind", "keys"),
    [
        ("core.v1.PodSpec", "containers", Kind.KEYED, ("name",)),
        ("core.v1.Container", "ports", Kind.KEYED, ("containerPort", "protocol")),
        ("core.v1.Container", "args", Kind.WHOLE, ()),
        ("core.v1.ServiceSpec", "ports", Kind.KEYED, ("port", "protocol")),
        ("core.v1.ServiceSpec", "selector", Kind.WHOLE, ()),
        ("core.v1.PodSpec", "tolerations", Kind.WHOLE, ()),
        ("core.v1.PodStatus", "conditions", Kind.KEYED, ("type",)),
        ("core.v1.ConfigMap", "data", Kind.FIELDS, ()),
        ("core.v1.SecretVolumeSource", "items", Kind.WHOLE, ()),
        ("apps.v1.DeploymentSpec", "selector", Kind.WHOLE, ()),
        ("apps.v1.ControllerRevision", "data", Kind.WHOLE, ()),
        ("apps.v1.StatefulSetSpec", "volumeClaimTemplates", Kind.WHOLE, ()),
    ],
)
def test_built_in_kinds_merge_as_their_definitions_say(definition: str, path: str, kind: Kind, keys: tuple[str, ...]) -> None:
    found = place_of(schema_of(f"io.k8s.api.{definition}")).field(path)
    assert (found.kind, found.keys) == (kind, keys)


def test_keys_that_an_item_lacks_are_what_the_schema_says() -> None:
    port: dict[str, Any] = obj(port=NUMBER, protocol={**TEXT, "default": "TCP"})
    where = place(obj(ports=items(port, "port", "protocol")))
    assert where.field("ports").element({"port": 80}) == 'k:{"port":80,"protocol":"TCP"}'
    container = place_of(schema_of("io.k8s.api.core.v1.Container"))
    assert container.field("ports").element({"containerPort": 80}) == 'k:{"containerPort":80,"protocol":"TCP"}'
