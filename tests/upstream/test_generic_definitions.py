"""CustomResourceDefinitions on upstream's server and ours: what is refused, in which words, and what is made of the rest."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of
from tests.upstream.generic_wire import DEFINITIONS, Side

__all__ = ["both"]

S: Tree = {"type": "string"}
N: Tree = {"type": "integer"}
SPEC = "spec.versions.0"
SCHEMA = f"{SPEC}.schema.openAPIV3Schema"


def rule(text: str, **more: Any) -> list[Tree]:
    return [{"rule": text, **more}]


def schema(**properties: Tree) -> Tree:
    return {SCHEMA: object_of(**properties)}


REMOVED = object()

# By name: the fields of a good definition that are replaced, by their paths.
CHANGES: dict[str, Tree] = {
    "group without dot": {"spec.group": "example"},
    "no group": {"spec.group": ""},
    "group upper": {"spec.group": "Example.com"},
    "name mismatch": {"metadata.name": "foo.example.com"},
    "no name": {"metadata": {}},
    "generateName": {"metadata": {"generateName": "gen-"}},
    "empty": {"spec": {}},
    "no spec": {"spec": REMOVED},
    "scope wrong": {"spec.scope": "Cluster-ish"},
    "no scope": {"spec.scope": REMOVED},
    "no names": {"spec.names": {}},
    "kind lower and list": {"spec.names": {"plural": "Bads", "singular": "Bad", "kind": "bad_", "listKind": "bad_"}},
    "kind equals listKind": {"spec.names.listKind": "Bad"},
    "short names": {"spec.names.shortNames": ["B", "ok", "a_b"], "spec.names.categories": ["All", ""]},
    "protected group": {"spec.group": "bad.k8s.io", "metadata.name": "bads.bad.k8s.io"},
    "protected group wrong annotation": {
        "spec.group": "bad.k8s.io",
        "metadata": {"name": "bads.bad.k8s.io", "annotations": {"api-approved.kubernetes.io": "nonsense"}},
    },
    "no versions": {"spec.versions": []},
    "no storage": {f"{SPEC}.storage": False},
    "two storage": {
        "spec.versions": [
            {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            for name in ("v1", "v2")
        ]
    },
    "same version twice": {
        "spec.versions": [
            {"name": "v1", "served": True, "storage": first, "schema": {"openAPIV3Schema": {"type": "object"}}}
            for first in (True, False)
        ]
    },
    "version name": {f"{SPEC}.name": "V1_"},
    "no schema": {f"{SPEC}.schema": REMOVED},
    "empty schema": {f"{SPEC}.schema": {}},
    "schema without type": {SCHEMA: {}},
    "schema string": {SCHEMA: {"type": "string"}},
    "unknown type": schema(a={"type": "text"}),
    "no type": schema(a={}),
    "preserve at top": {"spec.preserveUnknownFields": True},
    "deprecation without flag": {f"{SPEC}.deprecationWarning": "gone"},
    "deprecation long": {f"{SPEC}.deprecated": True, f"{SPEC}.deprecationWarning": "x" * 257},
    "deprecation lines": {f"{SPEC}.deprecated": True, f"{SPEC}.deprecationWarning": "a\nb"},
    "deprecation empty": {f"{SPEC}.deprecated": True, f"{SPEC}.deprecationWarning": ""},
    "conversion none with webhook": {"spec.conversion": {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}},
    "conversion webhook without": {"spec.conversion": {"strategy": "Webhook"}},
    "conversion strategy": {"spec.conversion": {"strategy": "Magic"}},
    "conversion empty": {"spec.conversion": {}},
    "conversion webhook client": {
        "spec.conversion": {"strategy": "Webhook", "webhook": {"conversionReviewVersions": [], "clientConfig": {}}}
    },
    "conversion review versions": {
        "spec.conversion": {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v9", "V", "v9"],
                "clientConfig": {"url": "http://x/y?z#f", "service": {"name": "", "namespace": "", "port": 0, "path": "x//"}},
            },
        }
    },
    "conversion ca": {
        "spec.conversion": {
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://a/b", "caBundle": "QUJD"}},
        }
    },
    "conversion ca service": {
        "spec.conversion": {
            "strategy": "Webhook",
            "webhook": {
                "conversionReviewVersions": ["v2"],
                "clientConfig": {"service": {"name": "a", "namespace": "b", "path": "/x/"}, "caBundle": "QUJD"},
            },
        }
    },
    "status path": {f"{SPEC}.subresources": {"status": {}, "scale": {}}},
    "scale paths": {
        f"{SPEC}.subresources": {
            "scale": {"specReplicasPath": ".status.x", "statusReplicasPath": ".spec.y", "labelSelectorPath": ".metadata.z"}
        }
    },
    "scale paths bad": {
        f"{SPEC}.subresources": {
            "scale": {"specReplicasPath": "spec.x", "statusReplicasPath": ".status[0]", "labelSelectorPath": "["}
        }
    },
    "columns": {
        f"{SPEC}.additionalPrinterColumns": [
            {"name": "", "type": "", "jsonPath": ""},
            {"name": "a", "type": "text", "format": "word", "jsonPath": ".spec["},
            {"name": "b", "type": "date", "jsonPath": "spec.a"},
            {"name": "b", "type": "integer", "format": "int32", "jsonPath": ".spec.a[?(@.b=='c')]"},
            {"name": "c", "type": "string", "jsonPath": ".spec.a[*", "priority": -1},
            {"name": "d", "type": "string", "jsonPath": "{.spec.a}"},
            {"name": "e", "type": "string", "jsonPath": ".spec..a"},
            {"name": "f", "type": "string", "jsonPath": ".spec.a[?(@.b=~'c')]"},
            {"name": "g", "type": "string", "jsonPath": ".spec.a[-1:]"},
            {"name": "h", "type": "string", "jsonPath": ".spec.a['b','c']"},
            {"name": "i", "type": "string", "jsonPath": ".spec.a\\.b"},
        ]
    },
    "selectable": {
        SCHEMA: object_of(spec=object_of(a=S, b={"type": "array", "items": S}, c=object_of(d=N), e={"type": "number"})),
        f"{SPEC}.selectableFields": [
            {"jsonPath": ".spec.a"},
            {"jsonPath": ".spec.a"},
            {"jsonPath": ".spec.b"},
            {"jsonPath": ".spec.c"},
            {"jsonPath": ".spec.c.d"},
            {"jsonPath": ".spec.e"},
            {"jsonPath": ".spec.nothing"},
            {"jsonPath": "spec.a"},
            {"jsonPath": ".metadata.name"},
            {"jsonPath": ".metadata.labels.a"},
            {"jsonPath": ".spec.b[0]"},
            {"jsonPath": ""},
        ],
    },
    "selectable many": {
        SCHEMA: object_of(spec=object_of(**{f"a{n}": S for n in range(10)})),
        f"{SPEC}.selectableFields": [{"jsonPath": f".spec.a{n}"} for n in range(9)],
    },
    # Structure.
    "items array": schema(a={"type": "array", "items": [S]}),
    "items missing": schema(a={"type": "array"}),
    "properties and additional": schema(a={"type": "object", "properties": {"b": S}, "additionalProperties": S}),
    "additional false": schema(a={"type": "object", "additionalProperties": False}),
    "additional true": schema(a={"type": "object", "additionalProperties": True}),
    "forbidden keywords": schema(
        a={"type": "string", "$ref": "#/x", "id": "i", "$schema": "s", "definitions": {"a": S}, "dependencies": {"a": ["b"]}}
    ),
    "more forbidden": schema(
        a={"type": "object", "patternProperties": {"a": S}, "additionalItems": True, "deprecated": True, "uniqueItems": True}
    ),
    "unique items": schema(a={"type": "array", "items": S, "uniqueItems": True}),
    "uniqueItems false": schema(a={"type": "array", "items": S, "uniqueItems": False}),
    "nested value validation": schema(
        a={
            "type": "object",
            "anyOf": [
                {"type": "object", "properties": {"b": {"type": "string", "default": "x"}}, "description": "d"},
                {"additionalProperties": S, "nullable": True, "title": "t"},
                {"x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-int-or-string": True},
                {"x-kubernetes-validations": rule("true"), "x-kubernetes-list-type": "set"},
            ],
        }
    ),
    "not in the structure": schema(
        a={"type": "object", "properties": {"c": S}, "not": {"required": ["b"], "properties": {"b": {"minLength": 1}}}}
    ),
    "metadata restricted": {
        SCHEMA: object_of(metadata=object_of(name={"type": "string", "pattern": "^a"}, labels={"type": "object"}))
    },
    "metadata type": {SCHEMA: object_of(metadata={"type": "string"}, apiVersion=N, kind=N)},
    "metadata in anyOf": {SCHEMA: {"type": "object", "allOf": [{"properties": {"metadata": {"required": ["x"]}}}]}},
    "embedded without preserve": schema(a={"type": "object", "x-kubernetes-embedded-resource": True}),
    "embedded of string": schema(a={"type": "string", "x-kubernetes-embedded-resource": True}),
    "embedded metadata": schema(
        a={"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"metadata": object_of(name=S, x=S)}}
    ),
    "preserve of string": schema(a={"type": "string", "x-kubernetes-preserve-unknown-fields": True}),
    "preserve false": schema(a={"type": "object", "x-kubernetes-preserve-unknown-fields": False}),
    "int or string with type": schema(a={"type": "string", "x-kubernetes-int-or-string": True}),
    "int or string": schema(
        a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        b={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "string"}, {"type": "integer"}]},
    ),
    "list type of string": schema(a={"type": "string", "x-kubernetes-list-type": "set"}),
    "list type unknown": schema(a={"type": "array", "items": S, "x-kubernetes-list-type": "bag"}),
    "list map of strings": schema(
        a={"type": "array", "items": S, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]}
    ),
    "list map without keys": schema(a={"type": "array", "items": object_of(a=S), "x-kubernetes-list-type": "map"}),
    "list map bad keys": schema(
        a={
            "type": "array",
            "items": object_of(a=S, b=S, c=object_of()),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a", "a", "b", "c", "d"],
        }
    ),
    "list map optional key": schema(
        a={"type": "array", "items": object_of(a=S), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"]}
    ),
    "list keys without map": schema(a={"type": "array", "items": object_of(a=S), "x-kubernetes-list-map-keys": ["a"]}),
    "set of objects": schema(a={"type": "array", "items": object_of(a=S), "x-kubernetes-list-type": "set"}),
    "set of nullable": schema(
        a={"type": "array", "items": {"type": "string", "nullable": True}, "x-kubernetes-list-type": "set"}
    ),
    "set of lists": schema(a={"type": "array", "items": {"type": "array", "items": S}, "x-kubernetes-list-type": "set"}),
    "map type": schema(
        a={"type": "object", "x-kubernetes-map-type": "tree"},
        b={"type": "array", "items": S, "x-kubernetes-map-type": "atomic"},
    ),
    "nullable key": schema(
        a={
            "type": "array",
            "items": {**object_of(a={"type": "string", "nullable": True}), "required": ["a"]},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
        }
    ),
    # Values.
    "bad pattern": schema(
        a={"type": "string", "pattern": "a(b"},
        b={"type": "string", "pattern": "(?=x)"},
        c={"type": "string", "pattern": "a{2000}"},
    ),
    "enum": schema(a={"type": "string", "enum": ["a", 1, "a", None]}, b={"type": "integer", "enum": []}),
    "numbers": schema(
        a={"type": "integer", "minimum": 5, "maximum": 1, "multipleOf": 0, "exclusiveMinimum": True},
        b={"type": "string", "minLength": -1, "maxLength": -2, "minItems": 1},
        c={"type": "number", "multipleOf": -1.5},
    ),
    "formats": schema(
        a={"type": "string", "format": "odd"}, b={"type": "integer", "format": "date"}, c={"type": "string", "format": "int32"}
    ),
    # Defaults.
    "default of wrong type": schema(a={"type": "string", "default": 1}, b={"type": "object", "default": {"x": 1}}),
    "default pruned": schema(a={**object_of(b=S), "default": {"b": "x", "c": 1}}),
    "default invalid": schema(
        a={"type": "string", "minLength": 3, "default": "x"}, b={"type": "string", "enum": ["a"], "default": "b"}
    ),
    "default null": schema(a={"type": "string", "default": None}, b={"type": "string", "nullable": True, "default": None}),
    "default in metadata": {SCHEMA: object_of(metadata=object_of(name={"type": "string", "default": "x"}))},
    "default in embedded metadata": schema(
        a={
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
            "default": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A_"}},
        }
    ),
    "default with failing rule": schema(
        a={"type": "string", "default": "x", "x-kubernetes-validations": rule("self == 'y'", message="no")}
    ),
    "default set duplicates": schema(a={"type": "array", "items": S, "x-kubernetes-list-type": "set", "default": ["a", "a"]}),
    "default of list map key": schema(
        a={
            "type": "array",
            "items": object_of(a={"type": "string", "default": "x"}),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["a"],
        }
    ),
}


def changed(base: Tree, changes: Tree) -> Tree:
    tree = deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = tree
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return tree


def offer(side: Side, tree: Tree) -> None:
    """Made, if it may be, and taken away."""
    made = side.create(DEFINITIONS, tree)
    if made.status == 201:
        side.ask("DELETE", f"{DEFINITIONS}/{made['metadata']['name']}")
        side.gone(f"{DEFINITIONS}/{made['metadata']['name']}")


@pytest.mark.parametrize("name", CHANGES)
def test_a_definition_is_judged_alike(both: Both, name: str) -> None:
    both(lambda side: offer(side, changed(definition("Bad", object_of()), CHANGES[name])))
