"""Bodies and queries that mean harm, sent to a real server: upstream's status, little memory, nobody else kept waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.component.conftest import Credentials
from tests.component.siege import CONFIG_MAPS, KEPT, Siege, besieged

JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
DEFAULT = "/api/v1/namespaces/default"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PODS = f"{DEFAULT}/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
LIMIT = 3 << 20
NAMED = {"metadata": {"name": "new"}}
DRY = {"dryRun": "All"}
QUERY = {"fieldManager": "siege", "dryRun": "All"}


@pytest.fixture(scope="module")
def siege(credentials: Credentials, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    web = {"metadata": {"name": "web"}, "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}}
    with besieged(credentials, tmp_path_factory.mktemp("siege")) as found:
        assert found.run(found.ask("POST", DEPLOYMENTS, web)).status == 201
        yield found


def nested(levels: int) -> list[bytes]:
    """Objects, lists, and both, as deep as that or as a body can be."""
    shapes = [(b'{"a":', b"1", b"}"), (b"[", b"", b"]"), (b'{"a":[', b"", b"]}")]
    return [begin * (fit := min(levels, LIMIT // 2 // len(begin))) + inner + end * fit for begin, inner, end in shapes]


POSITIONS: dict[str, tuple[str, str, str, bytes]] = {
    "an object": ("POST", CONFIG_MAPS, JSON, b"%b"),
    "a field of an object": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"new","annotations":%b}}'),
    "an unknown field": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"new"},"unknown":%b}'),
    "YAML": ("POST", CONFIG_MAPS, YAML, b"%b"),
    "a replacement": ("PUT", KEPT, JSON, b'{"metadata":{"name":"kept"},"data":%b}'),
    "a merge patch": ("PATCH", KEPT, MERGE, b'{"data":%b}'),
    "a strategic patch": ("PATCH", KEPT, STRATEGIC, b'{"data":%b}'),
    "a JSON patch": ("PATCH", KEPT, JSON_PATCH, b'[{"op":"add","path":"/data","value":%b}]'),
    "a configuration": ("PATCH", KEPT, APPLY, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"},"data":%b}'),
    "options of a delete": ("DELETE", KEPT, JSON, b'{"preconditions":%b}'),
    "a review": ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", JSON, b'{"spec":%b}'),
    "an eviction": ("POST", f"{PODS}/none/eviction", JSON, b'{"metadata":{"name":"none"},"deleteOptions":%b}'),
    "a scale": ("PUT", f"{DEPLOYMENTS}/web/scale", JSON, b'{"spec":%b}'),
    "a token request": ("POST", f"{DEFAULT}/serviceaccounts/default/token", JSON, b'{"spec":%b}'),
    "a definition": ("POST", DEFINITIONS, JSON, b'{"spec":{"versions":[{"schema":{"openAPIV3Schema":%b}}]}}'),
}


@pytest.mark.parametrize("position", POSITIONS)
def test_what_is_nested_without_measure_is_refused(siege: Siege, position: str) -> None:
    method, path, media, around = POSITIONS[position]

    async def scenario() -> None:
        async with siege.bounded(40):
            for levels in (10_000, 1_000_000):
                for deep in nested(levels):
                    query = {"fieldManager": "siege"} if media == APPLY else {}
                    answer = await siege.ask(method, path, around % deep, media, query=query)
                    assert answer.status == 400, answer.body[:300]

    siege.run(scenario())


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


def sized(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def envelope(raw: bytes, kind: bytes = b"ConfigMap") -> bytes:
    return b"k8s\0" + sized(1, sized(1, b"v1") + sized(2, kind)) + sized(2, raw)


def pod(**container: Any) -> dict[str, Any]:
    return {**NAMED, "spec": {"containers": [{"name": "c", "image": "i", **container}]}}


OWNERS = [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": f"u{number}"} for number in range(10_000)]
FINALIZERS = [f"x/y{number}" for number in range(10_000)]
MANAGED = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
BODIES: dict[str, tuple[str, str, str, Any, int, int]] = {
    # method, path, media type, body, status, MiB
    "a YAML number without end": ("POST", CONFIG_MAPS, YAML, b"a: " + b"1" * 2_000_000 + b"x", 422, 40),
    "YAML underscores": ("POST", CONFIG_MAPS, YAML, b"a: 1" + b"_" * 2_000_000 + b"x", 422, 40),
    "a YAML sign alone": ("POST", CONFIG_MAPS, YAML, b"a: -_", 422, 24),
    "100,000 anchors": ("POST", CONFIG_MAPS, YAML, b"a: [" + b",".join(b"&a%d x" % n for n in range(100_000)) + b"]", 422, 60),
    "merge keys that multiply": (
        "POST", CONFIG_MAPS, YAML,
        b"a0: &a0 {x: 1}\n" + b"".join(b"a%d: &a%d {<<: *a%d, k%d: 1}\n" % (n, n, n - 1, n) for n in range(1, 1500)), 400, 40),
    "YAML of half a million brackets": ("POST", CONFIG_MAPS, YAML, b"[" * 500_000, 400, 24),
    "a YAML tag of Python": ("POST", CONFIG_MAPS, YAML, b"metadata: {name: !!python/object/apply:os.getcwd []}", 400, 24),
    "a YAML tab": ("POST", CONFIG_MAPS, YAML, b"a:\n\t\tb: c", 400, 24),
    "NO, which is no text": ("POST", CONFIG_MAPS, YAML, b"metadata: {name: new}\ndata: {a: NO}", 400, 24),
    "a protobuf number for a version": (
        "POST", CONFIG_MAPS, PROTOBUF, b"k8s\0" + sized(1, b"\x08" + varint(2_000_000_000)), 400, 24),
    "protobuf that is cut": ("POST", CONFIG_MAPS, PROTOBUF, envelope(sized(1, sized(1, b"new")))[:-2], 400, 24),
    "a protobuf length beyond the body": ("POST", CONFIG_MAPS, PROTOBUF, b"k8s\0\x12\xff\xff\xff\xff\x7f", 400, 24),
    "a protobuf wire type that is none": ("POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x0e"), 400, 24),
    "protobuf that is no text": ("POST", CONFIG_MAPS, PROTOBUF, envelope(sized(1, sized(1, b"\xff"))), 400, 24),
    "a kind that is no text": ("POST", CONFIG_MAPS, PROTOBUF, envelope(b"", b"\xff\xfe"), 400, 24),
    "deep JSON in protobuf": (
        "POST", CONFIG_MAPS, PROTOBUF, envelope(sized(1, sized(17, sized(7, sized(1, b"[" * 100_000))))), 400, 24),
    "a million digits": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"generation":' + b"9" * 1_000_000 + b"}}", 400, 40),
    "an exponent of millions": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"new","generation":1e9999999}}', 400, 24),
    "not a number": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"new","generation":NaN}}', 400, 24),
    "half a character for a key": ("POST", CONFIG_MAPS, JSON, b'{"metadata":{"name":"new"},"data":{"\\ud800":"a"}}', 422, 24),
    "a byte order mark": ("POST", CONFIG_MAPS, JSON, b'\xef\xbb\xbf{"metadata":{"name":"new"}}', 400, 24),
    "a million empty objects": ("POST", CONFIG_MAPS, JSON, b'{"a":[' + b"{}," * 1_000_000 + b"{}]}", 422, 140),
    "a million quotes and no end": ("POST", CONFIG_MAPS, JSON, b'{"a":"' + b"\\u0041" * 500_000, 400, 40),
    "what is said to be packed": ("POST", CONFIG_MAPS, JSON, b"\x1f\x8b" + b"\0" * 1000, 400, 24),
    "10,001 operations": ("PATCH", KEPT, JSON_PATCH, [{"op": "test", "path": "", "value": {}}] * 10_001, 413, 40),
    "copies that double": (
        "PATCH", KEPT, JSON_PATCH, [{"op": "add", "path": "/data", "value": {"a": "x"}}]
        + [{"op": "copy", "from": "/data", "path": f"/data/k{n}"} for n in range(40)], 422, 60),
    "a path of a million steps": ("PATCH", KEPT, JSON_PATCH, [{"op": "test", "path": "/a" * 1_000_000, "value": 1}], 422, 60),
    "things moved into things": (
        "PATCH", KEPT, JSON_PATCH, [{"op": "add", "path": "/z", "value": {}}, *[
            {"op": "add", "path": "/y", "value": {}}, {"op": "move", "from": "/z", "path": "/y/n"},
            {"op": "move", "from": "/y", "path": "/z"}] * 3000], 422, 40),
    "a digit too many": ("POST", PODS, JSON, pod(resources={"limits": {"cpu": "9" * 1_000_000 + "!"}}), 400, 40),
    "an initiator's name": (
        "POST", PODS, JSON, {**pod(), "spec": {**pod()["spec"], "volumes": [
            {"name": "v", "iscsi": {"targetPortal": "a", "iqn": "iqn.2001-01." * 80_000, "lun": 0}}]}}, 422, 40),
    "10,000 owners that are one": ("POST", CONFIG_MAPS, JSON, {"metadata": {"ownerReferences": OWNERS[:1] * 10_000}}, 422, 40),
    "10,000 owners": ("POST", CONFIG_MAPS, JSON, {"metadata": {"name": "A", "ownerReferences": OWNERS}}, 422, 60),
    "10,000 finalizers": ("POST", CONFIG_MAPS, JSON, {"metadata": {"finalizers": FINALIZERS}}, 422, 40),
    "a name of 100,000 characters": ("POST", CONFIG_MAPS, JSON, {"metadata": {"name": "x" * 100_000}}, 422, 24),
}  # fmt: skip


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_would_cost_much_costs_little(siege: Siege, what: str) -> None:
    method, path, media, body, status, mebibytes = BODIES[what]

    async def scenario() -> None:
        async with siege.bounded(mebibytes):
            answer = await siege.ask(method, path, body, media)
            assert answer.status == status, answer.body[:500]

    siege.run(scenario())


def test_the_largest_of_what_is_allowed_is_taken(siege: Siege) -> None:
    padding = LIMIT - len(b'{"metadata":{"name":"large"},"z":""}')
    operations = [{"op": "add", "path": f"/data/k{n}", "value": "v"} for n in range(9_999)]
    managed = {**MANAGED, "fieldsV1": {"f:data": {f"f:k{n}": {} for n in range(50_000)}}}

    async def scenario() -> None:
        async with siege.bounded(80):
            for extra, status in ((0, 201), (1, 413)):
                body = b'{"metadata":{"name":"large"},"z":"' + b"x" * (padding + extra) + b'"}'
                assert (await siege.ask("POST", CONFIG_MAPS, body, query=DRY)).status == status
            patch = [{"op": "add", "path": "/data", "value": {}}, *operations]
            assert (await siege.ask("PATCH", KEPT, patch, JSON_PATCH, query=DRY)).status == 200
            tree = {"metadata": {"name": "kept", "managedFields": [managed]}}
            assert (await siege.ask("PUT", KEPT, tree, query=DRY)).status == 200
            many = [{**MANAGED, "manager": f"m{n}", "fieldsV1": {"f:data": {f"f:k{n}": {}}}} for n in range(15_000)]
            tree = {"metadata": {"name": "kept", "managedFields": many}}
            assert (await siege.ask("PUT", KEPT, tree, query=DRY)).status == 200
            wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
            wanted["data"] = {f"k{n}": "v" for n in range(20_000)}
            assert (await siege.ask("PATCH", KEPT, wanted, APPLY, query=QUERY)).status == 200

    siege.run(scenario())


BROKEN = b'{"a":[' + b"1," * 1_000_000
LONG_YAML = b"metadata: {name: new}\nx:\n" + b"- a\n" * 300_000
REPEATING = b'{"x":[' + b'{"a":1,"a":1},' * 200_000 + b"{}]}"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
LENGTHY: dict[str, tuple[str, str, str, bytes, int]] = {
    "an object": ("POST", CONFIG_MAPS, JSON, BROKEN, 400),
    "an object in YAML": ("POST", CONFIG_MAPS, YAML, LONG_YAML, 201),
    "a replacement": ("PUT", KEPT, JSON, BROKEN, 400),
    "a merge patch": ("PATCH", KEPT, MERGE, BROKEN, 400),
    "a JSON patch": ("PATCH", KEPT, JSON_PATCH, BROKEN, 400),
    "a patch that repeats keys": ("PATCH", KEPT, MERGE, REPEATING, 200),
    "a patch for nobody": ("PATCH", f"{CONFIG_MAPS}/nobody", MERGE, BROKEN, 404),
    "a configuration": ("PATCH", KEPT, APPLY, b"a: [" + b"x," * 400_000, 400),
    "options of a delete": ("DELETE", KEPT, JSON, BROKEN, 400),
    "options of a delete of all": ("DELETE", CONFIG_MAPS, JSON, BROKEN, 400),
    "a review": ("POST", REVIEWS, JSON, BROKEN, 400),
    "an eviction": ("POST", f"{PODS}/none/eviction", JSON, BROKEN, 400),
    "a binding": ("POST", f"{PODS}/none/binding", JSON, BROKEN, 400),
    "a scale": ("PUT", f"{DEPLOYMENTS}/web/scale", JSON, BROKEN, 400),
    "a patch of a scale": ("PATCH", f"{DEPLOYMENTS}/web/scale", MERGE, BROKEN, 400),
    "a token request": ("POST", f"{DEFAULT}/serviceaccounts/default/token", JSON, BROKEN, 400),
}
WHILE_READING = 5
"""So many requests of others are never answered while a body is on its way, but while it is decoded."""


@pytest.mark.parametrize("what", LENGTHY)
def test_others_are_answered_while_a_body_is_decoded(siege: Siege, what: str) -> None:
    method, path, media, body, status = LENGTHY[what]

    async def scenario() -> None:
        query = QUERY if media == APPLY else DRY
        answer, answered = await siege.meanwhile(siege.ask(method, path, body, media, query=query))
        assert answer.status == status, answer.body[:300]
        assert answered > WHILE_READING

    siege.run(scenario())


MANY = [f"x/y{number}" for number in range(30_000)]
STRATEGIC_PATCHES: dict[str, dict[str, Any]] = {
    "30,000 values that go": {"finalizers": MANY, "$deleteFromPrimitiveList/finalizers": MANY},
    "30,000 values in order": {"finalizers": MANY, "$setElementOrder/finalizers": MANY},
    "30,000 items that go": {"ownerReferences": [{"$patch": "delete", "uid": name} for name in MANY]},
    "10,000 items in order": {
        "ownerReferences": OWNERS, "$setElementOrder/ownerReferences": [{"uid": owner["uid"]} for owner in OWNERS]},
}  # fmt: skip


@pytest.mark.parametrize("what", STRATEGIC_PATCHES)
def test_a_strategic_patch_of_long_lists_is_applied(siege: Siege, what: str) -> None:
    async def scenario() -> None:
        async with siege.bounded(80):
            answer = await siege.ask("PATCH", KEPT, {"metadata": STRATEGIC_PATCHES[what]}, STRATEGIC, query=DRY)
            assert answer.status == 200, answer.body[:300]

    siege.run(scenario())


def repeated(validation: str) -> dict[str, str]:
    return {"fieldValidation": validation, "dryRun": "All"}


def test_300_000_repeated_keys_are_refused_warned_of_or_passed_over(siege: Siege) -> None:
    body = b'{"metadata":{"name":"new"},"data":{' + b",".join([b'"k":"v"'] * 300_000) + b"}}"

    async def scenario() -> None:
        async with siege.bounded(60):
            for validation, status in (("Strict", 400), ("Warn", 201), ("Ignore", 201)):
                for media in (JSON, YAML):
                    some = body if media == JSON else b"metadata: {name: new}\ndata:\n" + b"  k: v\n" * 20_000
                    answer = await siege.ask("POST", CONFIG_MAPS, some, media, query=repeated(validation))
                    assert answer.status == status, answer.body[:300]
                    assert sum(len(value) for name, value in answer.headers.items() if name == "warning") < 10_000

    siege.run(scenario())


def definition(schema: dict[str, Any], versions: int = 1) -> dict[str, Any]:
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    whole = {"type": "object", "properties": {"spec": schema}}
    served = [
        {"name": f"v{n}", "served": True, "storage": n == 1, "schema": {"openAPIV3Schema": whole}}
        for n in range(1, versions + 1)
    ]
    spec = {"group": "siege.example.com", "names": names, "scope": "Namespaced", "versions": served}
    return {"metadata": {"name": "things.siege.example.com"}, "spec": spec}


TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMAS: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "a pattern that would explode": ({"type": "string", "pattern": "^(a+)+$"}, 1, 201, 24),
    "a pattern of a million states": ({"type": "string", "pattern": r"^\pL{1000}$"}, 1, 201, 24),
    "patterns of a million states": (
        {"type": "object", "properties": {f"p{n}": {"type": "string", "pattern": rf"^\pL{{{n}}}$"} for n in range(700, 1000)}},
        1, 201, 60),
    "rules of a million states": (
        {"type": "object", "properties": {
            f"p{n}": {"type": "string", "maxLength": 9, "x-kubernetes-validations": [
                {"rule": rf"self.matches('^\\pL{{{n}}}$')"}]}
            for n in range(900, 950)}}, 1, 201, 60),
    "a pattern that is too large": ({"type": "string", "pattern": r"((\pL{100}){100}){100}"}, 1, 422, 120),
    "a rule without bounds": (
        {**TEXTS, "x-kubernetes-validations": [{"rule": "self.all(x, self.all(y, self.all(z, x != z)))"}]}, 1, 422, 24),
    "a rule of a thousand brackets": (
        {"type": "string", "x-kubernetes-validations": [{"rule": "(" * 1000 + "true" + ")" * 1000}]}, 1, 422, 40),
    "10,000 properties": ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(10_000)}}, 1, 201, 120),
    "50 versions": (TEXTS, 50, 201, 60),
    "an enum of 50,000": ({"type": "string", "enum": [f"e{n}" for n in range(50_000)]}, 1, 201, 120),
    "a default of a megabyte": ({"type": "string", "default": "x" * (1 << 20)}, 1, 201, 60),
}  # fmt: skip


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_definition_that_would_cost_much_costs_little(siege: Siege, what: str) -> None:
    schema, versions, status, mebibytes = SCHEMAS[what]

    async def scenario() -> None:
        async with siege.bounded(mebibytes):
            answer = await siege.ask("POST", DEFINITIONS, definition(schema, versions), query=DRY)
            assert answer.status == status, answer.body[:600]

    siege.run(scenario())


def test_custom_objects_that_keep_whatever_they_hold_are_bounded_too(siege: Siege) -> None:
    kept = definition({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    kept["metadata"]["name"], kept["spec"]["group"] = "things.kept.example.com", "kept.example.com"
    where = "/apis/kept.example.com/v1/namespaces/default/things"
    object_ = b'{"apiVersion":"kept.example.com/v1","kind":"Thing","metadata":{"name":"new"},"spec":%b}'

    async def scenario() -> None:
        assert (await siege.ask("POST", DEFINITIONS, kept)).status == 201
        async with siege.bounded(80):
            for levels in (10_000, 1_000_000):
                for deep in nested(levels):
                    for media in (JSON, YAML):
                        answer = await siege.ask("POST", where, object_ % deep, media)
                        assert answer.status == 400, answer.body[:300]
                    answer = await siege.ask("PATCH", f"{where}/new", object_ % deep, APPLY, query={"fieldManager": "siege"})
                    assert answer.status == 400, answer.body[:300]
            for spec, status in ((b'{"a":' + b"9" * 1_000_000 + b"}", 400), (b'{"a":1e9999999}', 400), (b'{"\\ud800":1}', 201)):
                answer = await siege.ask("POST", where, object_ % spec, query=DRY)
                assert answer.status == status, answer.body[:300]

    siege.run(scenario())


QUERIES: dict[str, tuple[dict[str, str], int]] = {
    "10,000 requirements": ({"labelSelector": ",".join(f"a{n}=b" for n in range(10_000))}, 400),
    "a set of 10,000": ({"labelSelector": "a in (" + ",".join(f"b{n}" for n in range(10_000)) + ")"}, 200),
    "100,000 brackets": ({"labelSelector": "(" * 100_000}, 400),
    "a label of 100,000": ({"labelSelector": "a" * 100_000}, 400),
    "5,000 fields": ({"fieldSelector": ",".join(f"metadata.name=a{n}" for n in range(5_000))}, 400),
    "100,000 escapes": ({"fieldSelector": "metadata.name=" + "\\," * 50_000}, 200),
    "no token": ({"continue": "x" * 100_000}, 400),
    "a limit below zero": ({"limit": "-1"}, 200),
    "a limit beyond 64 bits": ({"limit": "1" + "0" * 19}, 400),
    "a revision of 31 digits": ({"resourceVersion": "1" + "0" * 30}, 400),
    "a revision below zero": ({"resourceVersion": "-1"}, 400),
    "a revision in letters": ({"resourceVersion": "abc"}, 400),
}


@pytest.mark.parametrize("what", QUERIES)
def test_a_query_of_any_size_is_answered(siege: Siege, what: str) -> None:
    query, status = QUERIES[what]

    async def scenario() -> None:
        async with siege.bounded(40):
            answer = await siege.ask("GET", CONFIG_MAPS, query=query)
            assert answer.status == status, answer.body[:300]
            assert status == 200 or json.loads(answer.body)["reason"] == "BadRequest"

    siege.run(scenario())
