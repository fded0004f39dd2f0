"""What is kept of a custom object: pruning, nulls, defaults, metadata, and what strict decoding has against it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.api.errors import StatusError
from tests.unit.crd.objects import Tree, admitted, foo, obj, resource

STRING: Tree = {"type": "string"}
KEEPS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True}

PRUNED: list[tuple[Tree, Any, Any, list[str]]] = [
    # (schema of spec, spec as sent, spec as kept, unknown fields)
    (obj(a=STRING), {"a": "x", "b": 1, "c": {}}, {"a": "x"}, ["spec.b", "spec.c"]),
    (obj(a=STRING), {"a": ""}, {"a": ""}, []),
    (obj(n={"type": "integer"}, on={"type": "boolean"}), {"n": 0, "on": False}, {"n": 0, "on": False}, []),
    (obj(l={"type": "array", "items": obj(x=STRING)}), {"l": [{"x": "1", "y": 2}]}, {"l": [{"x": "1"}]}, ["spec.l[0].y"]),
    ({"type": "object", "additionalProperties": obj(x=STRING)}, {"k": {"y": 1}}, {"k": {}}, ["spec.k.y"]),
    ({"type": "object", "additionalProperties": True}, {"k": 1, "m": {"y": 1}}, {"k": 1, "m": {}}, ["spec.m.y"]),
    ({"type": "object"}, {"k": 1}, {}, ["spec.k"]),
    (KEEPS, {"k": {"deep": [1, None]}}, {"k": {"deep": [1, None]}}, []),
    ({**KEEPS, **obj(a=obj(x=STRING))}, {"k": 1, "a": {"x": "1", "y": 2}}, {"k": 1, "a": {"x": "1"}}, ["spec.a.y"]),
    ({**KEEPS, **obj(a=KEEPS)}, {"k": 1, "a": {"y": 2}}, {"k": 1, "a": {"y": 2}}, []),
    (obj(a={"x-kubernetes-preserve-unknown-fields": True}), {"a": [{"b": 1}]}, {"a": [{"b": 1}]}, []),
    # Wrong types are no matter of decoding.
    (obj(a=STRING, n={"type": "integer"}), {"a": 1, "n": "x"}, {"a": 1, "n": "x"}, []),
    (obj(a=STRING), [1], [1], []),
    # Nulls go where they may not stand.
    (obj(a=STRING), {"a": None}, {}, []),
    (obj(a={**STRING, "nullable": True}), {"a": None}, {"a": None}, []),
    (obj(a={**STRING, "default": "x"}), {"a": None}, {"a": "x"}, []),
    (obj(a={**STRING, "nullable": True, "default": "x"}), {"a": None}, {"a": None}, []),
    (obj(l={"type": "array", "items": STRING}), {"l": [None]}, {"l": [None]}, []),
    # Defaults, also within what a default or a client brought.
    (obj(a={**STRING, "default": "x"}), {}, {"a": "x"}, []),
    (obj(a={**obj(b={"type": "integer", "default": 3}), "default": {}}), {}, {"a": {"b": 3}}, []),
    (obj(a=obj(b={"type": "integer", "default": 3})), {}, {}, []),
    (obj(l={"type": "array", "items": obj(b={"type": "integer", "default": 3})}), {"l": [{}]}, {"l": [{"b": 3}]}, []),
    ({"type": "object", "additionalProperties": obj(b={**STRING, "default": "x"})}, {"k": {}}, {"k": {"b": "x"}}, []),
    # A number is written without a fraction that says nothing.
    (obj(n={"type": "number"}, i={"type": "integer"}), {"n": 1.0, "i": 2.0}, {"n": 1, "i": 2}, []),
    (obj(n={"type": "number"}), {"n": 1.5}, {"n": 1.5}, []),
    # Embedded objects have metadata whether their schema says so or not.
    ({**EMBEDDED, **obj(x=STRING)},
     {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "labels": {}, "foo": 1}, "x": "1", "y": 1},
     {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "x": "1"},
     ["spec.y", "spec.metadata.foo"]),
    ({**EMBEDDED, **KEEPS}, {"apiVersion": "v1", "kind": "K", "metadata": {"foo": 1}, "y": 1},
     {"apiVersion": "v1", "kind": "K", "metadata": {}, "y": 1}, ["spec.metadata.foo"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "sent", "kept", "unknown"), PRUNED)
def test_an_object_keeps_what_its_schema_specifies(schema: Tree, sent: Any, kept: Any, unknown: list[str]) -> None:
    tree, strict = admitted(resource(obj(spec=schema)), foo(sent))
    assert tree["spec"] == kept
    assert strict == [f'unknown field "{path}"' for path in unknown]


def test_whole_numbers_are_written_as_such() -> None:
    tree, _ = admitted(resource(obj(spec=obj(n={"type": "number"}))), foo({"n": 3.0}))
    assert json.dumps(tree["spec"]) == '{"n": 3}'


def test_unknown_fields_beside_the_spec_and_in_metadata_are_found() -> None:
    sent = foo(more=1, metadata={"name": "a", "color": "red"})
    tree, strict = admitted(resource(), sent)
    assert strict == ['unknown field "metadata.color"', 'unknown field "more"']
    assert tree == {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}


def test_a_schema_that_keeps_unknown_fields_keeps_them_at_the_root() -> None:
    kind = resource({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    tree, strict = admitted(kind, foo(more={"x": None}))
    assert (tree["more"], strict) == ({"x": None}, [])


def test_repeated_fields_are_named_before_unknown_ones() -> None:
    kind = resource(obj(spec=obj(a=STRING)))
    body = b'{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"name":"x"},"spec":{"a":"1","a":"2","b":1}}'
    found = kind.schema.admit(body, kind="Foo", version="example.com/v1")
    assert found.strict == ['duplicate field "spec.a"', 'unknown field "spec.b"']
    assert found.tree["spec"] == {"a": "2"}


def test_yaml_is_read_alike() -> None:
    kind = resource(obj(spec=obj(a=STRING)))
    body = b"apiVersion: example.com/v1\nkind: Foo\nmetadata:\n  name: x\nspec:\n  a: word\n  b: 1\n"
    found = kind.schema.admit(body, yaml=True, kind="Foo", version="example.com/v1")
    assert (found.tree["spec"], found.strict) == ({"a": "word"}, ['unknown field "spec.b"'])


REFUSED: list[tuple[str, str]] = [
    ("{}", "the object provided is unrecognized (must be of type Foo): Object 'Kind' is missing in '{}' ({})"),
    (
        '{"kind":"Foo"}',
        "the API version in the data () does not match the expected API version (example.com/v1)",
    ),
    (
        '{"kind":"Foo","apiVersion":"example.com/v1","metadata":{"name":3}}',
        'Foo in version "v1" cannot be handled as a Foo: json: cannot unmarshal number into Go struct field ObjectMeta.name '
        "of type string",
    ),
    (
        '{"kind":"Foo","apiVersion":"example.com/v1","metadata":[]}',
        'Foo in version "v1" cannot be handled as a Foo: json: cannot unmarshal array into Go value of type v1.ObjectMeta',
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_what_is_no_object_of_the_kind_is_refused(body: str, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        resource().schema.admit(body.encode(), kind="Foo", version="example.com/v1")
    assert (refused.value.code, refused.value.message) == (400, message)


def test_a_stored_object_is_served_as_its_definition_would_have_it_now() -> None:
    kind = resource(obj(spec=obj(a={**STRING, "default": "x"})))
    stored = foo({"gone": 1})
    schema = kind.schema
    settled = getattr(schema, "settle")(stored)  # noqa: B009 - of custom schemas alone
    assert settled["spec"] == {"a": "x"}
    assert stored["spec"] == {"gone": 1}


def test_a_schema_says_how_lists_merge() -> None:
    ports = {"type": "array", "items": obj(n={"type": "integer"}), "x-kubernetes-list-type": "map"}
    schema = resource(obj(spec=obj(ports={**ports, "x-kubernetes-list-map-keys": ["n"]}, o={**EMBEDDED, **KEEPS}))).schema
    spec = schema.field("spec")
    assert spec is not None
    place, inner = spec.field("ports"), spec.field("o")
    assert place is not None and (place.list_type, place.map_keys) == ("map", ("n",))
    assert inner is not None and inner.preserves_unknown
    meta = inner.field("metadata")
    assert meta is not None and meta.field("labels") is not None
