"""Paths, verbs, media types, discovery and OpenAPI on upstream's server and ours."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import APPLY, DEFINITIONS, JSON_PATCH, MERGE, STRATEGIC, YAML, Side
from tests.upstream.test_generic_definitions import N, S

__all__ = ["both"]

SCHEMA = object_of(spec=object_of(a=S, n=N), status=object_of(phase=S))
ACCEPTED: Final = (
    "text/plain",
    "text/html",
    "*/*",
    "application/*",
    "application/json;q=0",
    "application/yaml",
    "text/plain, application/yaml;q=0.5",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf,application/json",
    "application/json;as=Table;v=v2;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=x",
    "application/json;as=Nothing;v=v1;g=meta.k8s.io",
    "application/json;stream=watch",
    "application/json;pretty=1",
    "",
    ";",
    "application/cbor",
)
SENT: Final = (
    "text/plain",
    "application/json; charset=utf-8",
    YAML,
    "application/vnd.kubernetes.protobuf",
    "x",
    "application/cbor",
    "*/*",
    "",
)
JSON_PATCHES: Final[tuple[Tree, ...]] = (
    {"op": "replace", "path": "/spec/a", "value": "q"},
    {"op": "test", "path": "/spec/a", "value": "no"},
    {"op": "remove", "path": "/spec/none"},
    {"op": "odd", "path": "/a"},
    {"op": "add", "path": "spec"},
    {"op": "copy", "from": "/spec/a", "path": "/spec/n"},
    {"op": "replace", "path": "/kind", "value": "X"},
    {"op": "replace", "path": "/metadata/name", "value": "b"},
    {"op": "replace", "path": "/apiVersion", "value": "v1"},
    {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
)
MERGE_PATCHES: Final[tuple[Any, ...]] = (
    {"kind": "X"},
    {"apiVersion": "v1"},
    {"metadata": {"name": "b"}},
    {"metadata": {"namespace": "b"}},
    {"metadata": None},
    {"metadata": {"labels": {"a": 1}}},
    {"spec": None},
    {"spec": {"a": 1}},
    {"spec": {"unknown": 1}},
    {"metadata": {"resourceVersion": "1"}},
    [],
    "x",
    None,
    5,
)


def test_paths_are_found_or_not_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Path", SCHEMA))
        side.ask("POST", path, thing("Path", spec={"a": "x"}))
        group = "/apis/path.example.com"
        for where in (
            f"{group}/v2",
            f"{group}/v1/none",
            f"{group}/v1/namespaces/default/none",
            f"{path}/a/none",
            f"{path}/a/status",
            f"{path}/a/scale",
            f"{path}/a/b/c",
            f"{group}/v1/paths/a",
            "/apis/none.example.com",
            "/apis/none.example.com/v1",
            f"{path}/",
            f"{path}//a",
            f"{path}/..",
            f"{group}/",
            f"{group}/v1/",
            f"{path}/A_b",
            f"{path}/a%20b",
            f"{path}/a%2fb",
            f"{group}/v1/namespaces//paths",
            f"{group}/v1/proxy/paths",
            f"{path}?a=%zz",
            f"{path}?limit=1&limit=2",
            f"{path}?unknown=1",
            "/healthz/none",
            f"{DEFINITIONS}/none",
            f"{DEFINITIONS}/paths.path.example.com/none",
            f"{group}/v1/namespaces/none/paths",
            f"{path}/" + "a" * 300,
        ):
            side.get(where)

    both(scenario)


def test_verbs_are_taken_or_not_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Verb", SCHEMA))
        side.ask("POST", path, thing("Verb", spec={"a": "x"}))
        group = "/apis/verb.example.com"
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"):
            for where in (path, f"{path}/a", group, f"{group}/v1/verbs", f"{path}/a/status"):
                if method != "DELETE" or where not in (path, f"{path}/a"):
                    side.send(method, where)
        side.create(f"{group}/v1/namespaces/none/verbs", thing("Verb", "b"))
        side.create(f"{group}/v1/verbs", thing("Verb", "b"))
        side.create(path, thing("Verb", "b", "v2"))

    both(scenario)


def test_bodies_are_taken_by_their_media_type_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Sent", SCHEMA))
        side.ask("POST", path, thing("Sent", spec={"a": "x"}))
        for kind in SENT:
            side.create(path, thing("Sent", "c"), kind=kind, note=kind, dryRun="All")
        for kind in (STRATEGIC, "application/json", "text/plain", f"{MERGE}; charset=utf-8", JSON_PATCH, APPLY, ""):
            side.patch(f"{path}/a", {"spec": {"a": "y"}}, kind, note=kind)

    both(scenario)


def test_answers_have_the_media_type_that_is_accepted_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Form", SCHEMA))
        side.ask("POST", path, thing("Form", spec={"a": "x"}))
        group = "/apis/form.example.com"
        for accept in ACCEPTED:
            for where in (path, f"{path}/a", f"{path}/none", group, f"{group}/v1", "/version", "/openapi/v3", "/none"):
                side.get(where, headers={"Accept": accept}, note=accept)
        for query in ({"pretty": "true"}, {"pretty": "1"}, {"pretty": "x"}, {"pretty": ""}):
            side.get(f"{path}/a", **query)
            side.get(f"{path}/none", **query)
        side.get(f"{path}/a", headers={"User-Agent": "curl/8.0"})
        side.get(path, headers={"Accept-Encoding": "gzip"})
        side.get(path, headers={"Accept": "application/yaml"})

    both(scenario)


def test_json_patches_are_carried_out_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Step", SCHEMA))
        side.ask("POST", path, thing("Step", spec={"a": "x"}))
        for change in JSON_PATCHES:
            side.patch(f"{path}/a", [change], JSON_PATCH, note=json.dumps(change))

    both(scenario)


def test_merge_patches_are_carried_out_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Merge", SCHEMA))
        side.ask("POST", path, thing("Merge", spec={"a": "x"}))
        for patch in MERGE_PATCHES:
            side.patch(f"{path}/a", json.dumps(patch), MERGE, note=json.dumps(patch), dryRun="All", fieldValidation="Strict")
        side.patch(f"{path}/a", "{", MERGE)
        side.patch(f"{path}/none", {}, MERGE)
        side.patch(f"{path}/a", '{"spec":{"a":"x","a":"y"}}', MERGE, fieldValidation="Strict")
        side.patch(f"{path}/a", '{"spec":{"a":"x","a":"y","z":1}}', MERGE, fieldValidation="Warn")
        side.patch(f"{path}/a", {}, MERGE, fieldValidation="Bad")

    both(scenario)


def versions() -> list[Tree]:
    return [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}, "subresources": {"status": {}}},
        {
            "name": "v1beta1",
            "served": True,
            "storage": False,
            "deprecated": True,
            "deprecationWarning": "go on to v1",
            "schema": {"openAPIV3Schema": SCHEMA},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
        },
        {"name": "v2alpha1", "served": True, "storage": False, "deprecated": True, "schema": {"openAPIV3Schema": SCHEMA}},
        {"name": "v3", "served": False, "storage": False, "schema": {"openAPIV3Schema": SCHEMA}},
    ]


def operations(item: Tree) -> Tree:
    """What programs go by; descriptions are in other words, and media types are those that are served."""
    kept = ("operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind", "tags")
    found = {verb: {key: operation.get(key) for key in kept} for verb, operation in item.items() if isinstance(operation, dict)}
    if "patch" in item:
        found["patch"]["takes"] = sorted(item["patch"].get("requestBody", {}).get("content", item["patch"].get("consumes", ())))
    return found


def test_discovery_and_openapi_publish_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        tree = definition("Told", versions=versions())
        tree["spec"]["names"] |= {"shortNames": ["tl", "td"], "categories": ["all", "told"]}
        side.define(tree)
        group = "told.example.com"
        side.until(f"/apis/{group}", lambda reply: reply.status == 200)
        for version in ("v1", "v1beta1", "v2alpha1", "v3"):
            side.get(f"/apis/{group}/{version}")
        wanted = f"apis/{group}/v1"
        index = side.await_document(wanted)
        url = index["paths"][wanted]["serverRelativeURL"]
        document = side.ask("GET", url)
        side.note("openapi v3 paths", {path: operations(item) for path, item in document["paths"].items()})
        side.note(
            "openapi v3 schemas", {name: schema for name, schema in document["components"]["schemas"].items() if "Told" in name}
        )
        side.note(
            "openapi v3 rest",
            {key: value for key, value in document.tree.items() if key not in ("paths", "components")} | {"info": None},
        )
        side.note("headers", [document.headers.get(name) for name in ("cache-control", "content-type")])
        side.note("etag is the hash", document.headers["etag"][0].strip('"') in url)
        side.note("304", side.ask("GET", url, headers={"If-None-Match": document.headers["etag"][0]}).status)
        plain = url.partition("?")[0]
        wrong = side.ask("GET", f"{plain}?hash=WRONG")
        side.note("wrong hash", [wrong.status, wrong.headers.get("location") == [url]])
        second = side.ask("GET", "/openapi/v2").tree
        side.note("openapi v2 paths", {path: operations(item) for path, item in second["paths"].items() if group in path})
        side.note("openapi v2 schemas", {name: schema for name, schema in second["definitions"].items() if "told" in name})
        path = f"/apis/{group}/v1beta1/namespaces/default/tolds"
        side.create(path, thing("Told", version="v1beta1", spec={"n": 1}))
        side.get(path)
        side.get(path.replace("v1beta1", "v2alpha1"))
        side.get(path.replace("v1beta1", "v1"))
        side.get(path.replace("v1beta1", "v3"))
        side.delete(f"{path}/a")

    both(scenario)


def test_definitions_change_and_go_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        tree = definition("Life", versions=versions())
        path = side.define(tree)
        name = f"{DEFINITIONS}/{tree['metadata']['name']}"
        side.get(name)
        other = definition("Life", SCHEMA)
        other["metadata"]["name"] = "lives.life.example.com"
        other["spec"]["names"] = {"plural": "lives", "singular": "life", "kind": "Life", "shortNames": ["lifes"]}
        side.ask("POST", DEFINITIONS, other)
        conflicted = f"{DEFINITIONS}/lives.life.example.com"
        side.until(conflicted, lambda reply: len(reply["status"].get("conditions") or ()) == 2)
        side.get("/apis/life.example.com/v1/namespaces/default/lives")
        for change in (
            {"scope": "Cluster"},
            {"group": "x.example.com"},
            {"names": {"kind": "Other"}},
            {"names": {"plural": "others"}},
            {"versions": versions()[1:]},
            {"versions": [{**versions()[0], "storage": False}, *versions()[1:]]},
            {"preserveUnknownFields": True},
            {"conversion": {"strategy": "Webhook"}},
        ):
            side.patch(name, {"spec": change}, MERGE, note=str(change)[:60])
        side.patch(f"{name}/status", {"status": {"storedVersions": ["v1", "v9"]}}, MERGE)
        side.patch(f"{name}/status", {"status": {"storedVersions": []}}, MERGE)
        side.patch(
            f"{name}/status",
            {"status": {"conditions": [{"type": "Established", "status": "False"}]}, "spec": {"scope": "X"}},
            MERGE,
            dryRun="All",
        )
        side.ask("DELETE", conflicted)
        held = thing("Life")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        side.ask("POST", path, held)
        side.ask("DELETE", name)
        side.until(name, lambda reply: "InstanceDeletionInProgress" in str(reply.tree))
        side.until(f"{path}/a", lambda reply: "deletionTimestamp" in reply["metadata"])
        side.patch(f"{path}/a", {"metadata": {"finalizers": None}}, MERGE)
        side.gone(name)
        side.gone(path)
        side.get(name)
        side.get(path)

    both(scenario)
