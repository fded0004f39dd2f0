"""Validation of custom objects by their schemas, in upstream's words, and ratcheting."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.api.crd.custom_schema import CustomSchema
from sampan.api.crd.judging import Judge
from sampan.api.crd.values import judge
from sampan.api.crd.verdict import Place
from tests.unit.crd.objects import Tree, change_errors, foo, obj, object_errors, resource

STRING: Tree = {"type": "string"}
INTEGER: Tree = {"type": "integer"}
EITHER: Tree = {"x-kubernetes-int-or-string": True, "anyOf": [INTEGER, STRING]}

VALUES: list[tuple[Tree, Any, list[str]]] = [
    # (schema of spec.x, spec.x, errors)
    (STRING, "a", []),
    (STRING, 1, ['spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"']),
    (INTEGER, "1", ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"']),
    (INTEGER, 1.5, ['spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"']),
    (INTEGER, True, ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer: "boolean"']),
    ({"type": "number"}, 1, []),
    ({"type": "object"}, [], ['spec.x: Invalid value: "array": spec.x in body must be of type object: "array"']),
    (STRING, None, ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"']),
    ({**STRING, "nullable": True}, None, []),
    ({**STRING, "minLength": 3}, "äö", ['spec.x: Invalid value: "äö": spec.x in body should be at least 3 chars long']),
    ({**STRING, "maxLength": 2}, "äöü", ["spec.x: Too long: may not be more than 2 bytes"]),
    ({**STRING, "pattern": "^a+$"}, "b", ["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"]),
    ({**STRING, "pattern": "a+"}, "bab", []),
    ({**STRING, "pattern": r"^\pL{99}$"}, "é" * 99, []),
    ({**STRING, "pattern": r"^\pL{99}$"}, "b", [
        "spec.x: Invalid value: \"b\": spec.x in body should match '^\\pL{99}$'"]),
    ({**STRING, "enum": ["a", "b"]}, "c", ['spec.x: Unsupported value: "c": supported values: "a", "b"']),
    ({**INTEGER, "enum": [1, 2]}, 3, ['spec.x: Unsupported value: 3: supported values: "1", "2"']),
    ({**INTEGER, "enum": [1]}, 1, []),
    ({**INTEGER, "minimum": 2}, 1, ["spec.x: Invalid value: 1: spec.x in body should be greater than or equal to 2"]),
    ({**INTEGER, "minimum": 2, "exclusiveMinimum": True}, 2,
     ["spec.x: Invalid value: 2: spec.x in body should be greater than 2"]),
    ({**INTEGER, "maximum": 2}, 3, ["spec.x: Invalid value: 3: spec.x in body should be less than or equal to 2"]),
    ({"type": "number", "maximum": 2.5}, 2.6,
     ["spec.x: Invalid value: 2.6: spec.x in body should be less than or equal to 2.5"]),
    ({**INTEGER, "multipleOf": 3}, 4, ["spec.x: Invalid value: 4: spec.x in body should be a multiple of 3"]),
    ({"type": "number", "multipleOf": 0.5}, 1.5, []),
    ({"type": "array", "items": INTEGER, "minItems": 2}, [1],
     ["spec.x: Invalid value: 1: spec.x in body should have at least 2 items"]),
    ({"type": "array", "items": INTEGER, "maxItems": 1}, [1, 2], ["spec.x: Too many: 2: must have at most 1 items"]),
    ({"type": "array", "items": {**INTEGER, "minimum": 0}}, [0, -1],
     ["spec.x[1]: Invalid value: -1: spec.x[1] in body should be greater than or equal to 0"]),
    ({"type": "object", "additionalProperties": STRING, "maxProperties": 1}, {"a": "", "b": ""},
     ["spec.x: Too many: 2: must have at most 1 items"]),
    ({"type": "object", "additionalProperties": STRING, "maxProperties": 1}, {"a": "", "b": 1},
     ["spec.x: Too many: 2: must have at most 1 items",
      'spec.x.b: Invalid value: "integer": spec.x.b in body must be of type string: "integer"']),
    ({"type": "object", "additionalProperties": STRING, "minProperties": 1}, {},
     ["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"]),
    ({"type": "object", "additionalProperties": INTEGER}, {"a.b": "c"},
     ['spec.x.a.b: Invalid value: "string": spec.x.a.b in body must be of type integer: "string"']),
    ({**obj(a=STRING, b=STRING), "required": ["a", "b"]}, {"b": ""}, ["spec.x.a: Required value"]),
    ({**obj(a=STRING), "required": ["a"]}, {"a": None},
     ['spec.x.a: Invalid value: "null": spec.x.a in body must be of type string: "null"']),
    ({**STRING, "format": "date"}, "2024-13-01", ['spec.x: Invalid value: "2024-13-01": spec.x in body must be of type date: '
                                                  '"2024-13-01"']),
    ({**STRING, "format": "no-such-format"}, "x", []),
    ({**INTEGER, "format": "int32"}, 2**40, []),
    ({**STRING, "allOf": [{"minLength": 2}, {"pattern": "^a"}]}, "b",
     ['<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated',
      'spec.x: Invalid value: "b": spec.x in body should be at least 2 chars long',
      "spec.x: Invalid value: \"b\": spec.x in body should match '^a'"]),
    ({**obj(a=STRING, b=STRING), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": "", "b": ""},
     ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives']),
    ({**obj(a=STRING, b=STRING), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {},
     ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
      "spec.x.a: Required value"]),
    ({**obj(a=STRING), "anyOf": [{"required": ["a"]}, {"minProperties": 1}]}, {},
     ['<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)', "spec.x.a: Required value"]),
    ({**STRING, "not": {"pattern": "a"}}, "a", ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)']),
    (EITHER, 3, []),
    (EITHER, "80%", []),
    ({"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}, ["a", "b", "a", "a"],
     ['spec.x[2]: Duplicate value: "a"']),
    ({"type": "array", "items": obj(n=STRING, m=STRING), "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["n", "m"]}, [{"n": "a", "m": "b"}, {"n": "a"}, {"m": "b", "n": "a"}],
     ['spec.x[2]: Duplicate value: map[string]interface {}{"m":"b", "n":"a"}']),
    ({"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
     {"kind": "K", "apiVersion": "a/b/c", "metadata": {"labels": {"a b": ""}}},
     ['spec.x.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
      'spec.x.metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, \'-\', \'_\' or \'.\', '
      "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
      "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"]),
]  # fmt: skip


def in_any_order(errors: list[str]) -> list[str]:
    return sorted(errors)


@pytest.mark.parametrize(("schema", "value", "errors"), VALUES)
def test_a_value_is_held_to_its_schema(schema: Tree, value: Any, errors: list[str]) -> None:
    # Built as a definition of the past might say it: not all of these schemas would be accepted today.
    kind = resource(obj(spec=obj(x=schema)))
    assert in_any_order(object_errors(kind, {"x": value})) == in_any_order(errors)


def test_replicas_of_a_scaled_kind_are_a_number_that_fits() -> None:
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.s"}
    schema = obj(spec=obj(n={"x-kubernetes-preserve-unknown-fields": True}), status={**obj(), **{
        "x-kubernetes-preserve-unknown-fields": True}})  # fmt: skip
    kind = resource(schema, subresources={"scale": scale})
    assert object_errors(kind, {"n": -1}) == [".spec.n: Invalid value: -1: should be a non-negative integer"]
    assert object_errors(kind, {"n": 2**31}) == [
        f".spec.n: Invalid value: {2**31}: should be less than or equal to {2**31 - 1}"
    ]
    assert object_errors(kind, {"n": 1}, status={"s": 1}) == [
        '.status.s: Invalid value: "": .status.s accessor error: 1 is of the type int64, expected string'
    ]
    assert object_errors(kind, {}) == []


KEYED = {
    "type": "array",
    "items": obj(n=STRING, v={**INTEGER, "minimum": 5}),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["n"],
}
PLAIN = {"type": "array", "items": {**INTEGER, "minimum": 5}}
RATCHETED: list[tuple[Tree, Any, Any, int]] = [
    # (schema of spec.x, old, new, number of errors)
    ({**STRING, "enum": ["a"]}, "z", "z", 0),
    ({**STRING, "enum": ["a"]}, "z", "y", 1),
    (obj(a={**STRING, "minLength": 3}, b=STRING), {"a": "x"}, {"a": "x", "b": "new"}, 0),
    (obj(a={**STRING, "minLength": 3}, b=STRING), {"a": "x"}, {"a": "xx"}, 1),
    (KEYED, [{"n": "a", "v": 1}, {"n": "b"}], [{"n": "b"}, {"n": "a", "v": 1}], 0),
    (KEYED, [{"n": "a", "v": 1}], [{"n": "a", "v": 2}], 1),
    (PLAIN, [1, 2], [1, 2], 0),
    (PLAIN, [1, 2], [1, 2, 7], 2),
    ({**obj(a=STRING), "required": ["b"]}, {"a": "x"}, {"a": "x"}, 0),
    ({**obj(a=STRING), "required": ["b"]}, {"a": "x"}, {"a": "y"}, 1),
    ({"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}, ["a", "a"], ["a", "a", "b", "b"], 0),
    ({"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}, ["a"], ["a", "a"], 1),
]


@pytest.mark.parametrize(("schema", "old", "new", "count"), RATCHETED)
def test_an_update_may_leave_what_was_wrong_before(schema: Tree, old: Any, new: Any, count: int) -> None:
    kind = resource(obj(spec=obj(x=schema, other=STRING)))
    assert len(change_errors(kind, foo({"x": new, "other": "changed"}), foo({"x": old}))) == count


def test_a_status_update_is_judged_by_the_status_alone() -> None:
    schema = obj(spec=obj(a={**STRING, "minLength": 3}), status=obj(n={**INTEGER, "minimum": 0}))
    kind = resource(schema, subresources={"status": {}})
    old = foo({"a": "x"})
    assert kind.strategy.validate_status(foo({"a": "x"}, status={"n": 1}), old) == []
    (error,) = kind.strategy.validate_status(foo({"a": "x"}, status={"n": -1}), old)
    assert str(error) == "status.n: Invalid value: -1: n in body should be greater than or equal to 0"


leaves = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["", "a", "ab", "bcd", "80%", "2024-01-01"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abn"), inner), max_leaves=6
)
SCHEMAS: list[Tree] = [schema for schema, _, _ in VALUES] + [
    {**obj(a=INTEGER, b={**STRING, "nullable": True}), "required": ["a"], "maxProperties": 1},
    {**obj(a={**INTEGER, "default": 1}), "required": ["a"]},
    {"type": "object", "x-kubernetes-preserve-unknown-fields": True, **obj(a=INTEGER)},
    {**STRING, "nullable": True, "enum": ["a"]},
    {**INTEGER, "minimum": 1, "maximum": 3, "exclusiveMaximum": True},
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SCHEMAS), values)
def test_what_the_fast_pass_accepts_the_patient_one_does_as_well(schema: Tree, value: Any) -> None:
    custom = CustomSchema(obj(spec=obj(x=schema)))
    tree = foo({"x": value})
    custom.coerce(tree)
    assert judge(custom.structure.raw, tree, Place("")).is_good or not Judge(custom).is_good(tree)


@pytest.mark.parametrize(("schema", "value"), [(schema, value) for schema, value, errors in VALUES if not errors])
def test_what_is_good_needs_no_patience(schema: Tree, value: Any) -> None:
    tree = foo({"x": value})
    assert Judge(CustomSchema(obj(spec=obj(x=schema)))).is_good(tree)
