"""What schemas may say: each row a schema of Foo and what is wrong with it, in upstream's words."""

from __future__ import annotations

import pytest

from sampan.api.errors import StatusError
from tests.unit.crd.objects import Tree, created, definition, definition_errors, obj, version

ROOT = "spec.validation.openAPIV3Schema"
STRING: Tree = {"type": "string"}
EITHER = [{"type": "integer"}, {"type": "string"}]

GOOD = [
    {"type": "object"},
    obj(a={"x-kubernetes-int-or-string": True}),
    obj(a={"x-kubernetes-int-or-string": True, "anyOf": EITHER}),
    obj(a={"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": EITHER}, {"pattern": "a"}]}),
    obj(a={"x-kubernetes-preserve-unknown-fields": True}),
    obj(metadata=obj(name={"type": "string", "maxLength": 8})),
    obj(a={**obj(x=STRING), "anyOf": [{"required": ["x"]}, {"properties": {"x": {"minLength": 2}}}]}),
    obj(a={"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}),
    obj(a={"type": "object", "additionalProperties": {"type": "array", "items": obj(x={"type": "integer", "default": 1})}}),
    obj(a={**obj(x=STRING), "default": {"x": "y"}}),
    obj(a={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}),
]


@pytest.mark.parametrize("schema", GOOD)
def test_a_structural_schema_is_accepted(schema: Tree) -> None:
    assert definition_errors(definition(schema)) == []


MISTAKES: list[tuple[Tree, str]] = [
    ({"type": "string"}, '.type: Invalid value: "string": must be object at the root'),
    ({"description": "x"}, ".type: Required value: must not be empty at the root"),
    (obj(a={}), ".properties[a].type: Required value: must not be empty for specified object fields"),
    (obj(a={"type": "array"}), ".properties[a].items: Required value: must be specified"),
    (
        obj(a={"type": "array", "items": {}}),
        ".properties[a].items.type: Required value: must not be empty for specified array items",
    ),
    ({"type": "object", "additionalProperties": STRING}, ".additionalProperties: Forbidden: must not be used at the root"),
    (
        obj(a={**STRING, "pattern": "("}),
        '.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: '
        "error parsing regexp: missing closing ): `(`",
    ),
    (
        obj(a={**STRING, "anyOf": [{"type": "string"}]}),
        ".properties[a].anyOf[0].type: Forbidden: must be empty to be structural",
    ),
    (obj(a={**STRING, "not": {"default": "x"}}), ".properties[a].not.default: Forbidden: must be undefined to be structural"),
    (
        obj(a={**obj(x=STRING), "allOf": [{"additionalProperties": {}}]}),
        ".properties[a].allOf[0].additionalProperties: Forbidden: must be undefined to be structural",
    ),
    (
        obj(a={**STRING, "oneOf": [{"nullable": True}]}),
        ".properties[a].oneOf[0].nullable: Forbidden: must be false to be structural",
    ),
    (
        {**obj(a=STRING), "anyOf": [{"properties": {"b": {"minLength": 1}}}]},
        f".properties[b]: Required value: because it is defined in {ROOT}.anyOf[0].properties[b]",
    ),
    (
        obj(metadata=obj(labels={"type": "object"})),
        ".properties[metadata]: Forbidden: must not specify anything other than name and generateName, "
        "but metadata is implicitly specified",
    ),
    (obj(kind={"type": "integer"}), '.properties[kind].type: Invalid value: "integer": must be string'),
    (
        obj(a={"type": "object", "x-kubernetes-embedded-resource": True}),
        ".properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without "
        "x-kubernetes-preserve-unknown-fields",
    ),
    (
        obj(a={"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}),
        ".properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string "
        "is true",
    ),
    ({**obj(a=STRING), "nullable": True}, ".nullable: Forbidden: nullable cannot be true at the root"),
    (
        obj(a={**STRING, "uniqueItems": True}),
        ".properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes "
        "quadratic",
    ),
    (
        obj(a={**obj(x=STRING), "additionalProperties": STRING}),
        ".properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ),
    (obj(a={"$ref": "#/definitions/a"}), ".properties[a].$ref: Forbidden: $ref is not supported"),
    (
        obj(a={"type": "array", "items": [STRING]}),
        ".properties[a].items: Forbidden: items must be a schema object and not an array",
    ),
    (
        obj(a={**STRING, "x-kubernetes-preserve-unknown-fields": False}),
        ".properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
    ),
    (
        obj(a={"type": "number", "x-kubernetes-map-type": "atomic"}),
        '.properties[a].type: Invalid value: "number": must be object if x-kubernetes-map-type is specified',
    ),
    (
        obj(a={"type": "array", "items": obj(x=STRING), "x-kubernetes-list-type": "set"}),
        '.properties[a].items.x-kubernetes-map-type: Invalid value: "null": must be atomic as item of a list with '
        "x-kubernetes-list-type=set",
    ),
    (
        obj(a={"type": "array", "items": STRING, "x-kubernetes-list-type": "bag"}),
        '.properties[a].x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"',
    ),
    (
        obj(a={"type": "array", "items": obj(x=STRING), "x-kubernetes-list-type": "map"}),
        ".properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    ),
    (
        obj(a={"type": "array", "items": obj(x=STRING), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["x"]}),
        ".properties[a].items.properties[x].default: Required value: this property is in x-kubernetes-list-map-keys, "
        "so it must have a default or be a required property",
    ),
    (obj(a={"type": "integer", "default": "x"}),
     '.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'),
    (obj(a={**obj(x=STRING), "default": {"y": 1}}),
     '.properties[a].default: Invalid value: map[string]interface {}{"y":1}: must not have unknown fields'),
    (obj(metadata={"type": "object", "default": {}}),
     ".properties[metadata].default: Forbidden: must not be set in top-level metadata"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "mistake"), MISTAKES)
def test_a_schema_that_is_not_structural_is_refused(schema: Tree, mistake: str) -> None:
    assert definition_errors(definition(schema)) == [ROOT + mistake]


def test_schemas_that_differ_are_reported_by_version() -> None:
    crd = definition(versions=[version(), version("v2", obj(a={}))])
    found = definition_errors(crd)
    assert found == [
        "spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: "
        "must not be empty for specified object fields"
    ]


def test_a_wrong_type_below_items_is_found_while_decoding() -> None:
    with pytest.raises(StatusError) as refused:
        created(definition(obj(a={"type": "array", "items": {"type": 3}})))
    assert refused.value.code == 400
    assert "cannot unmarshal number into Go struct field JSONSchemaProps.type of type string" in refused.value.message


def test_a_schema_too_deep_to_walk_is_refused_while_decoding() -> None:
    schema: Tree = {"type": "string"}
    for _ in range(120):
        schema = obj(a=schema)
    with pytest.raises(StatusError) as refused:
        created(definition(schema))
    assert (refused.value.code, "exceeded max depth" in refused.value.message) == (400, True)
