"""What clients should not send, over plain HTTP: upstream's code, reason, message and causes, and nothing is changed by it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.component.conftest import Answer, Api, Served, core

CMS = core("configmaps", "default")
A = core("configmaps", "default", "a")
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
NAMED = {"metadata": {"name": "b"}}
OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


async def furnish(server: Served) -> Any:
    answer = await server.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "v"}})
    assert answer.status == 201
    return answer.tree


async def untouched(server: Served, before: Any) -> None:
    listed = (await server.get(CMS)).tree["items"]
    mine = [item for item in listed if item["metadata"]["name"] != "kube-root-ca.crt"]
    assert [(item["metadata"], item["data"]) for item in mine] == [(before["metadata"], before["data"])]


def told(answer: Answer, code: int, reason: str, message: str) -> None:
    tree = answer.tree
    assert (tree["kind"], tree["apiVersion"], tree["status"]) == ("Status", "v1", "Failure")
    assert (answer.status, tree["code"], tree.get("reason", ""), tree["message"]) == (code, code, reason, tree["message"])
    assert message in tree["message"]


BODIES: list[tuple[Any, str, int, str, str]] = [
    (b"", "application/json", 400, "BadRequest", UNRECOGNIZED + "unexpected end of JSON input (<empty>)"),
    (b"{", "application/json", 400, "BadRequest", UNRECOGNIZED + "unexpected end of JSON input ({)"),
    (b"x: y", "application/json", 400, "BadRequest", UNRECOGNIZED + "invalid character 'x' looking for beginning of value"),
    (b"[]", "application/json", 400, "BadRequest", UNRECOGNIZED + "json: cannot unmarshal array into Go value of type struct"),
    (b'{"kind":5}', "application/json", 400, "BadRequest", "cannot unmarshal number into Go struct field .kind of type string"),
    (b"null", "application/json", 422, "Invalid", "metadata.name: Required value: name or generateName is required"),
    (b'{"metadata":{"name":"b"}} x', "application/json", 400, "BadRequest", "invalid character 'x' after top-level value"),
    (b'{"metadata":' + b"[" * 20_000, "application/json", 400, "BadRequest", "exceeded max depth"),
    (b"a: [1", "application/yaml", 400, "BadRequest", "yaml: line 1: did not find expected ',' or ']'"),
    (b"x", "text/plain", 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted"),
    (b"xx", "application/vnd.kubernetes.protobuf", 400, "BadRequest", "does not appear to be a protobuf message"),
    (b'{"metadata":{"name":"b"},"data":{"k":"' + b"x" * (3 << 20) + b'"}}', "application/json", 413, "RequestEntityTooLarge",
     "limit is 3145728"),
    ({"metadata": 5}, "", 400, "BadRequest", "into Go struct field ConfigMap.metadata of type v1.ObjectMeta"),
    ({**NAMED, "data": {"k": 5}}, "", 400, "BadRequest", "number into Go struct field ConfigMap.data of type string"),
    ({**NAMED, "immutable": "yes"}, "", 400, "BadRequest", "cannot unmarshal string into Go struct field ConfigMap.immutable"),
    ({**NAMED, "binaryData": {"k": "?"}}, "", 400, "BadRequest", "illegal base64 data at input byte 0"),
    ({"metadata": {"name": "b", "creationTimestamp": "x"}}, "", 400, "BadRequest", 'parsing time "x" as'),
    ({"metadata": {"name": "b", "generation": 10**30}}, "", 400, "BadRequest", "cannot unmarshal number 1000"),
    ({"kind": "Pod", **NAMED}, "", 400, "BadRequest",
     'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion'),
    ({"apiVersion": "v2", **NAMED}, "", 400, "BadRequest",
     'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in '),
    ({"apiVersion": "a/b/c", **NAMED}, "", 400, "BadRequest",
     "the object provided is unrecognized (must be of type ConfigMap): unexpected GroupVersion string: a/b/c ("),
    ({"apiVersion": "events.k8s.io/v1", "kind": "Event", **NAMED}, "", 400, "BadRequest",
     'Event in version "v1" cannot be handled as a ConfigMap: converting (v1.Event) to (core.ConfigMap): unknown conversion'),
    (b"{}", "*/*", 415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted"),
    (b"{}", "application/vnd.kubernetes.protobuf", 400, "BadRequest",
     "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf "),
    ({"metadata": {"name": "b", "namespace": "other"}}, "", 400, "BadRequest", OTHER_NAMESPACE),
    ({"metadata": {"name": "b", "resourceVersion": "5"}}, "", 400, "BadRequest", "resourceVersion should not be set on"),
    ({"metadata": {"name": "A"}}, "", 422, "Invalid", f'"A" is invalid: metadata.name: Invalid value: "A": {SUBDOMAIN}'),
    ({"metadata": {"name": "x" * 254}}, "", 422, "Invalid", "must be no more than 253 characters"),
    ({"metadata": {"generateName": "x" * 254}}, "", 422, "Invalid", "metadata.generateName: Invalid value"),
    ({"metadata": {"name": "b", "labels": {"a b": "c"}}}, "", 422, "Invalid", 'metadata.labels: Invalid value: "a b": name'),
    ({"metadata": {"name": "b", "annotations": {"a": "x" * 300_000}}}, "", 422, "Invalid",
     "metadata.annotations: Too long: may not be more than 262144 bytes"),
    ({"metadata": {"name": "b", "finalizers": ["x y"]}}, "", 422, "Invalid", "metadata.finalizers"),
    ({"metadata": {"name": "b", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod"}]}}, "", 422, "Invalid",
     'metadata.ownerReferences.name: Invalid value: "": name must not be empty'),
    ({**NAMED, "data": {"a b": "c"}}, "", 422, "Invalid", "data[a b]: Invalid value"),
    ({**NAMED, "data": {"k": "x" * (1 << 20) + "x"}}, "", 422, "Invalid", "Too long: may not be more than 1048576 bytes"),
    ({"metadata": {"name": "a"}}, "", 409, "AlreadyExists", 'configmaps "a" already exists'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "code", "reason", "message"), BODIES)
def test_a_bad_body_makes_nothing(api: Api, body: Any, kind: str, code: int, reason: str, message: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        told(await server.request("POST", CMS, body, content_type=kind or "application/json"), code, reason, message)
        await untouched(server, before)

    api(scenario)


def test_a_bomb_of_aliases_is_refused(api: Api) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    bomb = "\n".join(lines).encode()

    async def scenario(server: Served) -> None:
        before = await furnish(server)
        for method, path in (("POST", CMS), ("PUT", A), ("DELETE", A)):
            answer = await server.request(method, path, bomb, content_type="application/yaml")
            told(answer, 400, "BadRequest", "yaml: document contains excessive aliasing")
        await untouched(server, before)

    api(scenario)


OPTIONS = [
    ("GET", "limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("GET", "timeoutSeconds=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("GET", "resourceVersion=x", 400, 'resourceVersion: Invalid value: "x"'),
    ("GET", "labelSelector=(", 400, "found '(', expected: !, identifier, or 'end of string'"),
    ("GET", "labelSelector=a%3D%3D%3D", 400, "unable to parse requirement: found '=', expected: identifier"),
    ("GET", "fieldSelector=a", 400, "invalid selector: 'a'; can't understand 'a'"),
    ("GET", "fieldSelector=a%3Db", 400, '"a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ("GET", "continue=x", 400, "invalid continue token: continue key is not valid"),
    ("GET", "resourceVersionMatch=Exact", 422,
     "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ("GET", "sendInitialEvents=true", 422, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
    ("POST", "dryRun=x", 422,
     'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"x"}: supported values: "All"'),
    ("POST", "fieldValidation=x", 422,
     'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "x": supported values: "", "Ignore", '
     '"Strict", "Warn"'),
    ("POST", "fieldManager=" + "x" * 129, 422, "fieldManager: Too long: may not be more than 128 bytes"),
    ("POST", "fieldManager=a%01", 422, "fieldManager: Invalid value: "),
    ("PUT", "dryRun=x", 422, 'UpdateOptions.meta.k8s.io "" is invalid: dryRun'),
    ("PATCH", "dryRun=x", 422, 'PatchOptions.meta.k8s.io "" is invalid: dryRun'),
    ("PATCH", "force=true", 422, "force: Forbidden: may not be specified for non-apply patch"),
    ("DELETE", "propagationPolicy=x", 422,
     'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "x": supported values: "Foreground", '
     '"Background", "Orphan", "nil"'),
    ("DELETE", "gracePeriodSeconds=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("DELETE", "dryRun=x", 422, 'DeleteOptions.meta.k8s.io "" is invalid: dryRun'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "query", "code", "message"), OPTIONS)
def test_a_bad_option_is_refused(api: Api, method: str, query: str, code: int, message: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        path = CMS if method in ("GET", "POST") else A
        body = (
            {"metadata": {"name": "a" if path == A else "b"}, "data": {"k": "w"}}
            if method in ("POST", "PUT", "PATCH")
            else None
        )
        kind = MERGE if method == "PATCH" else "application/json"
        answer = await server.request(method, path, body, content_type=kind, query=parse_qsl(query))
        told(answer, code, "BadRequest" if code == 400 else "Invalid", message)
        if code == 422:
            assert answer.tree["details"]["group"] == "meta.k8s.io" and answer.tree["details"]["causes"]
        await untouched(server, before)

    api(scenario)


PATCHES: list[tuple[Any, str, int, str, str]] = [
    (b" ", MERGE, 400, "BadRequest", "error decoding patch: unexpected end of JSON input"),
    (b"[]", MERGE, 400, "BadRequest", "error decoding patch: json: cannot unmarshal array into Go value of type map"),
    (b"[]", STRATEGIC, 400, "BadRequest", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    (b"{}", JSON_PATCH, 400, "BadRequest", "error decoding patch: json: cannot unmarshal object into Go value of type []"),
    ([5], JSON_PATCH, 400, "BadRequest", "cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
    ([{"op": 5}], JSON_PATCH, 400, "BadRequest", "cannot unmarshal number into Go struct field jsonPatchOp.op of type string"),
    (b'{"x":' * 20_000, MERGE, 400, "BadRequest", "exceeded max depth"),
    ([{"op": "test", "path": "/data/k", "value": "v"}] * 10_001, JSON_PATCH, 413, "RequestEntityTooLarge",
     "The allowed maximum operations in a JSON patch is 10000, got 10001"),
    ([{"op": "remove", "path": "/data/x"}], JSON_PATCH, 422, "Invalid", "the server rejected our request due to an error"),
    ({"data": {"k": 5}}, STRATEGIC, 422, "Invalid",
     ' "" is invalid: patch: Invalid value: "map[data:map[k:5]]": cannot convert int64 to string'),
    ({"data": {"k": True}}, STRATEGIC, 422, "Invalid", '"map[data:map[k:true]]": unrecognized type: string'),
    ({"immutable": "yes"}, STRATEGIC, 422, "Invalid", '"map[immutable:yes]": unrecognized type: bool'),
    ({"data": "x"}, STRATEGIC, 422, "Invalid", '"map[data:x]": cannot restore map from string'),
    ({"metadata": {"generation": 1.5}}, STRATEGIC, 422, "Invalid", "cannot convert float64 to int64"),
    ({"metadata": {"managedFields": {}}}, STRATEGIC, 422, "Invalid", "cannot restore slice from map"),
    ({"binaryData": {"k": "?"}}, STRATEGIC, 422, "Invalid", "error decoding from json: illegal base64 data at input byte 0"),
    ({"data": 5}, MERGE, 422, "Invalid", ' "" is invalid: patch: Invalid value: "{'),
    ({"kind": "Pod"}, MERGE, 422, "Invalid", "converting (v1.Pod) to (core.ConfigMap): unknown conversion"),
    ({"metadata": {"name": "b"}}, MERGE, 400, "BadRequest", "name of the object (b) does not match the name on the URL (a)"),
    ({"metadata": {"namespace": "b"}}, MERGE, 400, "BadRequest", OTHER_NAMESPACE),
    ({"metadata": {"resourceVersion": "1"}}, MERGE, 409, "Conflict", "the object has been modified; please apply your changes"),
    ({"metadata": {"uid": "x"}}, MERGE, 422, "Invalid", 'metadata.uid: Invalid value: "x": field is immutable'),
    ({"$patch": "x"}, STRATEGIC, 500, "", "unknown patch type: x in map: map[$patch:x]"),
    ({"data": {"k": "w"}}, "application/apply-patch+cbor", 415, "UnsupportedMediaType", "accepted media types include: "),
]  # fmt: skip


@pytest.mark.parametrize(("patch", "kind", "code", "reason", "message"), PATCHES)
def test_a_bad_patch_changes_nothing(api: Api, patch: Any, kind: str, code: int, reason: str, message: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        told(await server.patch(A, patch, kind), code, reason, message)
        await untouched(server, before)
        if code != 415:
            told(await server.patch(A + "-not", patch, kind), 404, "NotFound", 'configmaps "a-not" not found')

    api(scenario)


@pytest.mark.parametrize(
    ("patch", "kind", "problem"),
    [
        (b'{"data":{"k":"1"},"data":{"k":"2"}}', MERGE, 'duplicate field "data"'),
        (b'{"data":{"k":"1","k":"2"}}', STRATEGIC, 'duplicate field "data.k"'),
        (b'[{"op":"add","path":"/data/x","path":"/data/k","value":"2"}]', JSON_PATCH, 'json patch duplicate field "[0].path"'),
        (b'[{"op":"add","path":"/data/k","value":"2","and":1}]', JSON_PATCH, 'json patch unknown field "[0].and"'),
    ],
)
def test_what_is_odd_in_a_patch_itself_is_warned_of_or_refused(api: Api, patch: bytes, kind: str, problem: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        answer = await server.patch(A, patch, kind, query={"fieldValidation": "Strict"})
        told(answer, 422, "Invalid", "strict decoding error: " + problem)
        await untouched(server, before)
        warned = await server.patch(A, patch, kind)
        quoted = problem.replace('"', '\\"')
        assert (warned.status, warned.header("Warning")) == (200, [f'299 - "{quoted}"'])
        ignored = await server.patch(A, patch, kind, query={"fieldValidation": "Ignore"})
        assert (ignored.status, ignored.header("Warning"), ignored.tree["data"]["k"]) == (200, [], "2")

    api(scenario)


REPLACEMENTS: list[tuple[Any, int, str, str]] = [
    ({"metadata": {"name": "b"}}, 400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"),
    ({}, 400, "BadRequest", "the name of the object (a based on URL) was undeterminable: name must be provided"),
    ({"metadata": {"name": "a", "namespace": "b"}}, 400, "BadRequest", OTHER_NAMESPACE),
    ({"metadata": {"name": "a", "resourceVersion": "1"}}, 409, "Conflict", "the object has been modified"),
    ({"metadata": {"name": "a", "uid": "x"}}, 409, "Conflict", "Precondition failed: UID in precondition: x"),
    ({"kind": "Pod", "metadata": {"name": "a"}}, 400, "BadRequest", 'Pod in version "v1" cannot be handled as a ConfigMap'),
    ({"metadata": {"name": "a"}, "data": {"a b": "c"}}, 422, "Invalid", "data[a b]: Invalid value"),
]


@pytest.mark.parametrize(("body", "code", "reason", "message"), REPLACEMENTS)
def test_a_bad_replacement_changes_nothing(api: Api, body: Any, code: int, reason: str, message: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        told(await server.request("PUT", A, body), code, reason, message)
        await untouched(server, before)

    api(scenario)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        ([], "json: cannot unmarshal array into Go value of type struct"),
        ({"kind": "Pod"}, 'Pod in version "v1" cannot be handled as a DeleteOptions'),
        (
            {"preconditions": 5},
            "cannot unmarshal number into Go struct field DeleteOptions.preconditions of type v1.Preconditions",
        ),
        (
            {"gracePeriodSeconds": "x"},
            "cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
        ),
        ({"dryRun": "All"}, "cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string"),
    ],
)
def test_a_bad_body_deletes_nothing(api: Api, body: Any, message: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        told(await server.request("DELETE", A, body), 400, "BadRequest", message)
        told(await server.request("DELETE", CMS, body), 400, "BadRequest", message)
        await untouched(server, before)

    api(scenario)


PATHS = [
    ("GET", "/api/v1/bindings", 404, "NotFound"),
    ("GET", "/api/v1/nothing", 404, "NotFound"),
    ("GET", "/api/v1/namespaces/default/nodes", 404, "NotFound"),
    ("GET", "/api/v1/namespaces/default/configmaps/a/nothing", 404, "NotFound"),
    ("POST", "/api/v1/configmaps", 405, "MethodNotAllowed"),
    ("DELETE", "/api/v1/configmaps", 405, "MethodNotAllowed"),
    ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
    ("PUT", CMS, 405, "MethodNotAllowed"),
    ("PATCH", CMS, 405, "MethodNotAllowed"),
    ("POST", A, 405, "MethodNotAllowed"),
    ("PROPFIND", A, 405, "MethodNotAllowed"),
    ("NONESUCH", A, 405, "MethodNotAllowed"),
    ("PROPFIND", f"{A}/proxy", 404, "NotFound"),
    ("PROPFIND", "/api/v1/nodes/n/proxy/x", 405, "MethodNotAllowed"),
    ("GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews", 405, "MethodNotAllowed"),
    ("GET", "/api/v1/namespaces/default/serviceaccounts/default/token", 405, "MethodNotAllowed"),
]
WORDS = {
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
}


@pytest.mark.parametrize(("method", "path", "code", "reason"), PATHS)
def test_where_nothing_is_done_that_is_said(api: Api, method: str, path: str, code: int, reason: str) -> None:
    async def scenario(server: Served) -> None:
        before = await furnish(server)
        told(await server.request(method, path, NAMED if method in ("POST", "PUT") else None), code, reason, WORDS[code])
        await untouched(server, before)

    api(scenario)


@pytest.mark.parametrize("path", ["/nothing", "/apis/nothing", "/apis/apps/v9/deployments", "/api/v9"])
def test_a_path_that_never_was_is_not_even_an_api(api: Api, path: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.get(path)
        assert (answer.status, answer.body) == (404, b"404 page not found\n")

    api(scenario)


WRONG: list[Any] = [
    5,
    "x",
    [5],
    {"metadata": 5},
    {"metadata": {"name": 5}},
    {"spec": 5},
    {"status": []},
    {"spec": {"replicas": "x"}},
    {"target": 5},
    {"deleteOptions": 5},
    {"spec": {"audiences": 5}},
    {"kind": "Other"},
    {"kind": {}},
]
CONTAINERS = [{"name": "c", "image": "x"}]
DEPLOYED = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": CONTAINERS}},
}


def test_no_body_whatever_is_an_internal_error(api: Api) -> None:
    """Every kind and subresource that takes a body, and bodies that are nothing like what it takes."""

    async def scenario(server: Served) -> None:
        assert (await server.request("POST", DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": DEPLOYED})).status == 201
        assert (await server.create("serviceaccounts", {"metadata": {"name": "s"}})).status == 201
        pod = {"metadata": {"name": "p"}, "spec": {"containers": CONTAINERS, "serviceAccountName": "s"}}
        assert (await server.create("pods", pod)).status == 201
        posts = [core("pods", "default", "p", sub) for sub in ("binding", "eviction")]
        posts += [core("serviceaccounts", "default", "s", "token"), core("bindings", "default")]
        writes = [
            f"{DEPLOYMENTS}/d",
            f"{DEPLOYMENTS}/d/scale",
            f"{DEPLOYMENTS}/d/status",
            core("pods", "default", "p", "status"),
        ]
        for group in (await server.get("/apis")).tree["groups"]:
            for version in group["versions"]:
                served = (await server.get(f"/apis/{version['groupVersion']}")).tree["resources"]
                posts += [
                    _collection(f"/apis/{version['groupVersion']}", found) for found in served if "/" not in found["name"]
                ]
        served = (await server.get("/api/v1")).tree["resources"]
        posts += [_collection("/api/v1", found) for found in served if "/" not in found["name"]]
        for body in WRONG:
            requests = [("POST", path, "application/json") for path in posts]
            requests += [("PUT", path, "application/json") for path in writes]
            requests += [("PATCH", path, kind) for path in writes for kind in (MERGE, STRATEGIC, JSON_PATCH)]
            for method, path, kind in requests:
                answer = await server.request(method, path, json.dumps(body).encode(), content_type=kind)
                assert answer.status < 500, (method, path, body, answer.tree)

    api(scenario)


def _collection(root: str, resource: Any) -> str:
    return f"{root}/namespaces/default/{resource['name']}" if resource["namespaced"] else f"{root}/{resource['name']}"
