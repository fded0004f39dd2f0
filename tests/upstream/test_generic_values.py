"""Custom objects on upstream's server and ours: validation, defaulting, pruning and decoding."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import Side
from tests.upstream.test_generic_definitions import N, S

__all__ = ["both"]

KEYED: Tree = {
    "type": "array",
    "items": {**object_of(k=S, n={"type": "integer", "default": 1}), "required": ["k"]},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
}
FORMATS = (
    *("date", "date-time", "duration", "byte", "binary", "password", "uuid", "uuid3", "uuid4", "uuid5", "ipv4", "ipv6", "cidr"),
    *("mac", "uri", "email", "hostname", "isbn", "isbn10", "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "datetime"),
    *("bsonobjectid", "int32", "int64", "float", "double"),
)
SCHEMA = object_of(
    spec=object_of(
        s={"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$"},
        e={"type": "string", "enum": ["a", "b"]},
        i={"type": "integer", "minimum": 1, "maximum": 10, "multipleOf": 2},
        x={"type": "integer", "minimum": 1, "maximum": 10, "exclusiveMinimum": True, "exclusiveMaximum": True},
        f={"type": "number", "multipleOf": 0.5},
        i32={"type": "integer", "format": "int32"},
        i64={"type": "integer", "format": "int64"},
        b={"type": "boolean"},
        n={"type": "string", "nullable": True},
        nd={"type": "string", "nullable": True, "default": "d"},
        d={"type": "string", "default": "d"},
        l={"type": "array", "items": S, "minItems": 1, "maxItems": 3},
        set={"type": "array", "items": S, "x-kubernetes-list-type": "set"},
        keyed=KEYED,
        m={"type": "object", "additionalProperties": N, "minProperties": 1, "maxProperties": 2},
        o={**object_of(r=S, q=S), "required": ["r"]},
        od={**object_of(r={"type": "string", "default": "x"}), "default": {}},
        ios={"x-kubernetes-int-or-string": True},
        iosp={"x-kubernetes-int-or-string": True, "pattern": "^[0-9]+%?$", "maximum": 5},
        any={"x-kubernetes-preserve-unknown-fields": True},
        p={**object_of(known=object_of(a=S)), "x-kubernetes-preserve-unknown-fields": True},
        emb={
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        emb2={
            **object_of(metadata=object_of(name={"type": "string", "pattern": "^a"}), spec=object_of(a=S)),
            "x-kubernetes-embedded-resource": True,
        },
        one={"type": "object", "properties": {"a": N, "b": N}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        anyof={"type": "string", "anyOf": [{"minLength": 5}, {"pattern": "^x"}]},
        allof={"type": "integer", "allOf": [{"minimum": 3}, {"maximum": 5}]},
        no={"type": "string", "not": {"enum": ["bad"]}},
        deepno={"type": "object", "properties": {"a": S}, "not": {"required": ["a"]}},
        nested={"type": "array", "items": {"type": "array", "items": {**object_of(a=N), "required": ["a"]}}},
        fmt={"type": "object", "properties": {name: {"type": "string", "format": name} for name in FORMATS}},
    )
)

SPECS: dict[str, Tree] = {
    "empty": {},
    "short": {"s": "a"},
    "long": {"s": "abcdefg"},
    "pattern": {"s": "ABC"},
    "many at once": {"s": "A", "e": "c", "i": 11, "b": "x"},
    "runes": {"s": "äöüä"},
    "not a string": {"s": 1},
    "enum": {"e": "c"},
    "enum type": {"e": 1},
    "odd": {"i": 3},
    "small": {"i": -2},
    "big": {"i": 12},
    "float integer": {"i": 2.0},
    "float not integer": {"i": 2.5},
    "exclusive": {"x": 1},
    "exclusive high": {"x": 10},
    "multiple": {"f": 0.7},
    "multiple ok": {"f": 1.5},
    "int32": {"i32": 2**31},
    "int64 big": {"i64": 2**63 - 1},
    "string number": {"i64": "1"},
    "bool": {"b": "true"},
    "null not nullable": {"s": None},
    "null number": {"i": None},
    "null object": {"o": None},
    "null list": {"l": None},
    "nullable": {"n": None, "nd": None},
    "null defaulted": {"d": None},
    "empty list": {"l": []},
    "long list": {"l": list("abcd")},
    "list item": {"l": ["a", 1, None]},
    "list of object": {"l": {}},
    "set duplicates": {"set": ["a", "b", "a", "b"]},
    "keyed duplicates": {"keyed": [{"k": "a"}, {"k": "b"}, {"k": "a"}]},
    "keyed without key": {"keyed": [{"n": 1}]},
    "keyed ok": {"keyed": [{"k": "a"}, {"k": "b", "n": 3, "unknown": 1}]},
    "map": {"m": {"a": 1, "b": "x", "c": 3}},
    "map empty": {"m": {}},
    "map null": {"m": {"a": None, "b": 1}},
    "list null": {"set": [None]},
    "required": {"o": {}},
    "required and pruned": {"o": {"r": "a", "z": 1}},
    "default nested": {"od": {}},
    "ios": {"ios": 1, "iosp": "5%"},
    "ios bad": {"ios": True, "iosp": "x"},
    "ios float": {"ios": 1.5, "iosp": 7},
    "preserved": {"any": {"x": [1, {"y": None}]}, "p": {"known": {"a": "x", "b": 1}, "z": {"a": 1}}},
    "pruned": {"unknown": {"a": 1}, "keyed": [{"k": "a", "z": 1}]},
    "embedded": {
        "emb": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "b"}, "z": 1}, "spec": {"x": 1}}
    },
    "embedded bad": {
        "emb": {"apiVersion": "v1/v/1", "kind": "", "metadata": {"name": "A_", "labels": {"-": "b"}, "namespace": "X_"}}
    },
    "embedded not there": {"emb": {}},
    "embedded types": {"emb": {"apiVersion": 1, "kind": "Pod"}},
    "embedded label": {"emb": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": 1}}}},
    "embedded metadata type": {"emb": {"apiVersion": "v1", "kind": "Pod", "metadata": "x"}},
    "embedded pruned": {
        "emb2": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b", "x": 1}, "spec": {"b": 1}, "status": {}}
    },
    "one of none": {"one": {}},
    "one of both": {"one": {"a": 1, "b": 2}},
    "one of one": {"one": {"a": 1}},
    "any of none": {"anyof": "yz"},
    "any of": {"anyof": "xz"},
    "all of": {"allof": 7},
    "not": {"no": "bad"},
    "not required": {"deepno": {"a": "x"}},
    "nested": {"nested": [[{"a": 1}], [{"a": "x"}, {}], "y"]},
    "number as key": {"m": {"1": 1}},
    **{
        f"format {name} {value!r}": {"fmt": {name: value}}
        for name in FORMATS
        for value in ("", "x", "2020-01-01", "2020-01-01T00:00:00Z", "1h3m", "10.0.0.1", "::1", "a@b.example", "#fff", "QUJD")
    },
}

VALUES: dict[str, list[str]] = {
    "date-time": [
        "2020-01-01T00:00:00.123+02:00",
        "2020-01-01t00:00:00z",
        "2020-13-01T00:00:00Z",
        "2020-01-01 00:00:00Z",
        "2020-01-01T24:00:00Z",
    ],
    "date": ["2020-02-30", "2020-2-3", "20200203"],
    "duration": ["1d", "1w", "3 days", "1 hour", "-1h", "1.5h", "1y", "5", "1ns", "1us", "1h 3m", "PT1H"],
    "uuid": [
        "123e4567-e89b-12d3-a456-426614174000",
        "123e4567e89b12d3a456426614174000",
        "{123e4567-e89b-12d3-a456-426614174000}",
    ],
    "uuid4": ["123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    "uuid3": ["123e4567-e89b-32d3-a456-426614174000"],
    "uuid5": ["123e4567-e89b-52d3-a456-426614174000"],
    "ipv4": ["256.0.0.1", "1.2.3", "01.2.3.4"],
    "ipv6": ["::ffff:1.2.3.4", "fe80::1%eth0", "::g"],
    "cidr": ["10.0.0.0/8", "10.0.0.1/33", "::/0", "10.0.0.1/8"],
    "mac": ["01:23:45:67:89:ab", "01-23-45-67-89-ab", "0123.4567.89ab", "01:23"],
    "uri": ["http://a/b?c#d", "urn:a:b", "//a", "a b", "http://[::1]:80/", "http://%zz"],
    "email": ["a@b", "A <a@b.example>", "a@b@c", "a.b+c@d.example"],
    "hostname": ["a.b", "a_b", "a" * 64, "-a", "a.", "example.com", "A-b.c9"],
    "byte": ["QUI", "QUI=", "Q!I="],
    "isbn": ["978-3-16-148410-0", "0-306-40615-2"],
    "isbn10": ["0306406152", "0306406153"],
    "isbn13": ["9783161484100", "9783161484101"],
    "creditcard": ["4111111111111111", "4111111111111112", "4111-1111-1111-1111"],
    "ssn": ["123-45-6789", "000 00 0000", "123456789"],
    "hexcolor": ["#ffffff", "ffffff", "#ggg"],
    "rgbcolor": ["rgb(1,2,3)", "rgb(256,0,0)", "rgb( 1, 2 , 3 )"],
    "bsonobjectid": ["507f1f77bcf86cd799439011", "507f1f77bcf86cd79943901"],
}
SPECS |= {f"format {name} {value!r}": {"fmt": {name: value}} for name, values in VALUES.items() for value in values}


def judged(side: Side, path: str, tree: Tree, **query: Any) -> None:
    """Made, if it may be, and taken away."""
    made = side.create(path, tree, note=f"{tree.get('spec')} {tree['metadata']}"[:90], **query)
    if made.status == 201:
        side.ask("DELETE", f"{path}/{made['metadata']['name']}")


def test_values_are_judged_defaulted_and_pruned_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Value", SCHEMA))
        for spec in SPECS.values():
            judged(side, path, thing("Value", spec=spec))

    both(scenario)


METADATA: list[Tree] = [
    {"name": "A_"},
    {"name": "a" * 254},
    {"name": "a", "namespace": "other"},
    {"generateName": "gen-"},
    {"generateName": "gen_"},
    {},
    {"name": "a", "labels": {"-": "x", "a/b/c": "y", "ok": "_"}},
    {"name": "a", "annotations": {"-": "x"}},
    {"name": "a", "finalizers": ["x", "example.com/ok", "a b"]},
    {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod"}]},
    {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "x", "uid": "y"}]},
    {
        "name": "a",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in "xy"],
    },
    {"name": "a", "resourceVersion": "5"},
    {"name": "a", "uid": "x", "generation": 7, "creationTimestamp": "2020-01-01T00:00:00Z", "selfLink": "x"},
    {"name": "a", "deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5},
    {"name": "a", "labels": {"a": 1}},
    {"name": "a", "labels": None, "annotations": {}},
    {"name": 1},
    {"name": "a", "unknown": 1},
    {"name": "a", "creationTimestamp": "x"},
    {"name": "a", "managedFields": [{"manager": "x", "operation": "Odd"}]},
    {
        "name": "a",
        "managedFields": [
            {
                "manager": "x",
                "operation": "Update",
                "apiVersion": "{group}/v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:a": {}}},
            }
        ],
    },
    {"name": "a", "labels": "x"},
]


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
def test_metadata_is_judged_alike(both: Both, validation: str) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition(f"Meta{validation}", object_of(spec=object_of(a=S))))
        for metadata in METADATA:
            for entry in metadata.get("managedFields", []):
                entry["apiVersion"] = f"meta{validation}.example.com/v1".lower()
            tree = thing(f"Meta{validation}", spec={"a": "x"}) | {"metadata": metadata}
            judged(side, path, tree, fieldValidation=validation)
        plain = thing(f"Meta{validation}")
        for change in (
            {"apiVersion": "v1"},
            {"apiVersion": f"meta{validation}.example.com/v2".lower()},
            {"kind": "Other"},
            {"kind": ""},
            {"apiVersion": ""},
            {"metadata": None},
            {"metadata": "x"},
            {"spec": "x"},
            {"spec": None},
            {"spec": {"a": None}},
            {"spec": {"unknown": 1, "a": "x"}, "also": {"x": 1}},
        ):
            judged(side, path, {**plain, **change}, fieldValidation=validation)
        for text in (
            '{"apiVersion":"a","apiVersion":"b"}',
            '{"kind":"x","metadata":{"name":"a","name":"b"},"spec":{"a":"x","a":"y","b":1,"b":2}}',
            f'{{"apiVersion":"{plain["apiVersion"]}","kind":"{plain["kind"]}","metadata":{{"name":"a"}},"spec":{{"a":"x","a":"y","b":1}}}}',
            f'{{"apiVersion":"{plain["apiVersion"]}","Kind":"{plain["kind"]}","metadata":{{"Name":"a"}},"Spec":{{"A":"x"}}}}',
            "",
            "{",
            "[]",
            "null",
            '"x"',
            "{}",
            '{"a":',
            "{'a':1}",
        ):
            side.create(path, text, note=text[:40], fieldValidation=validation)
        for text in (
            f"apiVersion: {plain['apiVersion']}\nkind: {plain['kind']}\nmetadata:\n  name: y\nspec:\n  a: x\n  a: y\n  z: 1\n",
            "a: [",
            "a\nb: c",
            "- a",
            "\tx: 1",
        ):
            side.create(path, text, kind="application/yaml", note=text[:30], fieldValidation=validation)

    both(scenario)
