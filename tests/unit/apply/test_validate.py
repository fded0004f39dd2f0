from __future__ import annotations

from typing import Any

import pytest

from sampan.api.apply.places import place_of
from sampan.api.apply.validate import explain
from sampan.api.schema import schema_of
from tests.unit.apply.sets import TEXT, Tree, items, obj, place

DEPLOYMENT = place_of(schema_of("io.k8s.api.apps.v1.Deployment"))
POD = ".spec.template.spec"


def spec(**fields: Any) -> Tree:
    return {"spec": fields}


def pod(**fields: Any) -> Tree:
    return spec(template={"spec": fields})


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (spec(replicas=1, template={"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}]}}), ""),
        (spec(replicas=None), ""),
        (spec(strategy={"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}), ""),
        (spec(foo=1), ".spec.foo: field not declared in schema"),
        (spec(replicas="x"), ".spec.replicas: expected numeric (int or float), got string"),
        (spec(replicas=True), ".spec.replicas: expected numeric (int or float), got bool"),
        (spec(paused="x"), ".spec.paused: expected boolean, got &{x}"),
        (spec(strategy=5), ".spec.strategy: expected map, got &{5}"),
        (pod(containers={}), f"{POD}.containers: expected list, got &{{map[]}}"),
        (pod(containers=[5]), f"{POD}.containers: element 0: associative list with keys may not have non-map elements"),
        (pod(containers=[{"name": "a"}, {"name": "a"}]), f'{POD}.containers: duplicate entries for key [name="a"]'),
        (pod(containers=[{"name": "a", "args": [5]}]),
         f'{POD}.containers[name="a"].args[0]: expected string, got &value.valueUnstructured{{Value:5}}'),
        (pod(hostname=5, subdomain={}), f"errors:\n  {POD}.hostname: expected string, got &value.valueUnstructured{{Value:5}}\n"
                                        f"  {POD}.subdomain: expected string, got &value.valueUnstructured{{Value:map[]}}"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_told_as_upstream_tells_it(tree: Tree, why: str) -> None:
    assert explain(DEPLOYMENT, tree) == why


def test_items_without_their_keys_are_told() -> None:
    where = place(obj(list=items(obj(a=TEXT, b=TEXT), "b", "a"), set=items(TEXT)))
    why = (
        'associative list with keys has an element that omits all key fields ["a" "b"] '
        "(and doesn't have default values for any key fields)"
    )
    assert explain(where, {"list": [{"b": "x"}, {}]}) == f".list: element 1: {why}"
    assert explain(where, {"set": ["a", "a"]}) == '.set: duplicate entries for key [="a"]'


def test_where_unknown_fields_are_kept_none_is_wrong() -> None:
    where = place({**obj(a=obj(b=TEXT)), "x-kubernetes-preserve-unknown-fields": True})
    assert explain(where, {"a": {"c": 1}, "d": [{}]}) == ""
    assert explain(place(obj(a=obj(b=TEXT))), {"a": {"c": 1}}) == ".a.c: field not declared in schema"
