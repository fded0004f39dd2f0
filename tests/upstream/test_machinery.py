"""What every kind has, and what refuses it: reads, writes, patches, deletes, lists, watches and their options.

But for `pretty`: a 1.20 dies of it that a newer Go has built."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.upstream.pair import Pair

Tree = dict[str, Any]

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
AT_ONCE = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}

POD_SPEC: Tree = {
    "containers": [
        {
            "name": "a",
            "image": "a:1",
            "ports": [{"containerPort": 80}, {"containerPort": 81}],
            "env": [{"name": "A", "value": "1"}],
        },
        {"name": "b", "image": "b:1", "args": ["x", "y"]},
    ],
    "tolerations": [{"key": "t", "operator": "Exists"}],
}
DEPLOYMENT: Tree = {
    "metadata": {"name": "web", "labels": {"a": "b"}, "finalizers": ["example.com/a", "example.com/b"]},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC},
    },
}


def config_map(name: str, **labels: str) -> Tree:
    return {"metadata": {"name": name, "labels": labels}, "data": {"k": "v"}}


def in_spec(**change: Any) -> Tree:
    return {"spec": {"template": {"spec": change}}}


@pytest.fixture(autouse=True)
def _clean(pair: Pair) -> Any:
    yield
    for plural in (MAPS, DEPLOYMENTS, PODS):
        pair.both("DELETE", plural, AT_ONCE)


STRATEGIC_PATCHES = (
    {},
    {"metadata": {"labels": {"a": None, "c": "d"}}},
    {"metadata": {"labels": None}},
    {"metadata": {"finalizers": ["example.com/c"]}},
    {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}},
    {"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/a"]}},
    {"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/c"], "finalizers": ["example.com/c"]}},
    {"metadata": {"$setElementOrder/finalizers": ["example.com/b"], "finalizers": ["example.com/c"]}},
    {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
    {"metadata": {"$patch": "replace", "labels": {"only": "this"}, "name": "web", "namespace": "default"}},
    {"spec": {"$patch": "delete"}},
    {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
    {"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}},
    {"spec": {"strategy": {"$retainKeys": "type", "type": "Recreate"}}},
    {"spec": {"strategy": {"type": "Recreate"}}},
    in_spec(containers=[{"name": "a", "image": "a:2"}]),
    in_spec(containers=[{"name": "c", "image": "c:1"}]),
    in_spec(containers=[{"image": "c:1"}]),
    in_spec(containers=[{"name": "a", "$patch": "delete"}]),
    in_spec(containers=[{"name": "z", "$patch": "delete"}]),
    in_spec(containers=[{"$patch": "replace"}, {"name": "z", "image": "z"}]),
    in_spec(containers=[{"$patch": "merge"}, {"name": "z", "image": "z"}]),
    in_spec(containers=[{"name": "a", "$patch": "replace", "image": "r"}]),
    in_spec(containers=[{"name": "a", "$patch": "odd"}]),
    {"spec": {"template": {"spec": {"containers": [{"name": "b"}, {"name": "a"}],
    "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}},
    {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}]}}}},
    {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"image": "b"}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "c"}],
    "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}]}}}},
    in_spec(containers=[{"name": "a", "ports": [{"containerPort": 81, "protocol": "UDP"}, {"containerPort": 80,
    "$patch": "delete"}]}]),
    in_spec(containers=[{"name": "a", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}]),
    in_spec(containers=[{"name": "b", "args": ["z"]}]),
    in_spec(containers="x"),
    in_spec(tolerations=[{"key": "u"}]),
    in_spec(volumes=[{"name": "v", "emptyDir": {}}]),
    in_spec(nodeSelector={"x": "y"}),
    {"spec": {"replicas": "x"}},
    {"spec": {"replicas": None}},
    {"spec": {"odd": 1}},
    {"odd": 1},
    {"metadata": {"name": "other"}},
    {"metadata": {"resourceVersion": "1"}},
    {"kind": "Other"},
    {"apiVersion": "apps/v1beta1"},
    [],
    "x",
    1,
    None,
)  # fmt: skip


def test_strategic_merge_patches(pair: Pair) -> None:
    pair.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    for patch in STRATEGIC_PATCHES:
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All&fieldManager=m", json.dumps(patch).encode(), content_type=STRATEGIC)
    for raw in (b"", b"{", b"{}x", b'{"metadata":', b"metadata: {}"):
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All", raw, content_type=STRATEGIC)
    pair.both("PATCH", DEPLOYMENTS + "/web", {"metadata": {"finalizers": None}}, content_type=MERGE)
    pair.agree()


def test_merge_patches(pair: Pair) -> None:
    pair.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    for patch in (
        *STRATEGIC_PATCHES[:4],
        *STRATEGIC_PATCHES[14:18],
        *STRATEGIC_PATCHES[30:],
        {"spec": None},
        {"metadata": {"annotations": {"a": {"b": None}}}},
        {"metadata": {"annotations": {"a": 1}}},
        {"metadata": {"uid": "x"}},
        {"metadata": {"namespace": "other"}},
        {"status": {"replicas": 5}},
    ):
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All&fieldManager=m", json.dumps(patch).encode(), content_type=MERGE)
    for raw in (b"", b"{", b"{}x", b'{"a":1,"a":2}'):
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All", raw, content_type=MERGE)
    for kind in (
        "application/json",
        "text/plain",
        "application/yaml",
        "application/odd",
        "application/merge-patch+json; charset=utf-8",
        "x",
    ):
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All", b"{}", content_type=kind)
    pair.both("PATCH", DEPLOYMENTS + "/web", {"metadata": {"finalizers": None}}, content_type=MERGE)
    pair.agree()


def test_json_patches(pair: Pair) -> None:
    pair.ask("POST", DEPLOYMENTS, DEPLOYMENT)
    for patch in (
        [],
        [{"op": "add", "path": "/metadata/labels/c", "value": "d"}],
        [{"op": "add", "path": "/metadata/annotations/c", "value": "d"}],
        [{"op": "add", "path": "/metadata/annotations", "value": {"c": "d"}}],
        [{"op": "remove", "path": "/metadata/labels/a"}],
        [{"op": "remove", "path": "/metadata/labels/nope"}],
        [{"op": "replace", "path": "/metadata/labels/nope", "value": "x"}],
        [{"op": "replace", "path": "/spec/replicas", "value": 3}],
        [{"op": "replace", "path": "/spec/replicas", "value": "3"}],
        [{"op": "test", "path": "/spec/replicas", "value": 1}],
        [{"op": "test", "path": "/spec/replicas", "value": 2}],
        [{"op": "test", "path": "/spec/nope", "value": 2}],
        [{"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/e"}],
        [{"op": "move", "from": "/metadata/labels/a", "path": "/metadata/labels/e"}],
        [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "c", "image": "c"}}],
        [{"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "c", "image": "c"}}],
        [{"op": "add", "path": "/spec/template/spec/containers/9", "value": {"name": "c", "image": "c"}}],
        [{"op": "remove", "path": "/spec/template/spec/containers/1"}],
        [{"op": "remove", "path": "/spec/template/spec/containers/5"}],
        [{"op": "remove", "path": "/spec/template/spec/containers/x"}],
        [{"op": "add", "path": "/metadata/labels/a~1b", "value": "d"}],
        [{"op": "replace", "path": "", "value": {}}],
        [{"op": "odd", "path": "/a"}],
        [{"path": "/a"}],
        [{"op": "add"}],
        [1],
        {"op": "add"},
        [{"op": "add", "path": "/metadata/labels/c", "value": "d"}] * 10001,
    ):
        pair.ask("PATCH", DEPLOYMENTS + "/web?dryRun=All&fieldManager=m", json.dumps(patch).encode(), content_type=JSON_PATCH)
    pair.both("PATCH", DEPLOYMENTS + "/web", {"metadata": {"finalizers": None}}, content_type=MERGE)
    pair.agree()


def test_writes_and_their_options(pair: Pair) -> None:
    pair.ask("POST", MAPS, config_map("a"), keep={"rv": "metadata.resourceVersion", "uid": "metadata.uid"})
    pair.ask("POST", MAPS, config_map("a"))
    pair.ask("POST", MAPS, {"metadata": {"generateName": "generated-"}})
    pair.ask("POST", MAPS, {"metadata": {}})
    pair.ask("POST", MAPS, {"metadata": {"name": "b", "namespace": "other"}})
    pair.ask("POST", MAPS, {"metadata": {"name": "b", "resourceVersion": "5"}})
    pair.ask(
        "POST", MAPS, {"metadata": {"name": "b", "uid": "x", "creationTimestamp": "2020-01-01T00:00:00Z", "selfLink": "/x"}}
    )
    pair.ask("POST", MAPS, {"metadata": {"name": "B"}})
    pair.ask("POST", MAPS, {"metadata": {"name": "x" * 254}})
    pair.ask("POST", MAPS, {"metadata": {"name": "c", "labels": {"-": "x"}, "annotations": {"a b": "c"}}})
    pair.ask("POST", MAPS, {"metadata": {"name": "c", "labels": {"a": "b c"}}})
    pair.ask("POST", MAPS, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "c"}})
    pair.ask("POST", MAPS, {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "c"}})
    pair.ask("POST", MAPS, {"kind": "ConfigMap", "apiVersion": "a/b/c", "metadata": {"name": "c"}})
    pair.ask("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    pair.ask("POST", "/api/v1/configmaps", config_map("a"))
    pair.ask("POST", MAPS + "/a", config_map("a"))
    for raw in (
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"x",
        b'{"metadata": 1}',
        b'{"data": {"a": 1}}',
        b'{"metadata": {"name": 1}}',
    ):
        pair.ask("POST", MAPS, raw)
    for kind in (
        "text/plain",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "application/json; charset=utf-8",
        "*/*",
    ):
        pair.ask("POST", MAPS, b'{"metadata": {"name": "typed"}}', content_type=kind)
    for query in ("dryRun=All", "dryRun=all", "dryRun=None", "dryRun=", "dryRun=All&dryRun=All",
        "dryRun=All&fieldManager=" + "x" * 129,
                  "dryRun=All&fieldManager=%01", "dryRun=All&odd=x", "dryRun=All&timeout=1s",
                  "dryRun=All&timeout=x"):  # fmt: skip
        pair.ask("POST", f"{MAPS}?{query}", config_map("q"))
    pair.ask("PUT", MAPS + "/a", config_map("a", x="y"))
    pair.ask("PUT", MAPS + "/a?fieldManager=n", {**config_map("a"), "data": {"k": "w"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "resourceVersion": "{rv}"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "resourceVersion": "x"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "uid": "other"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "b"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "namespace": "other"}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "finalizers": ["x"]}})
    pair.ask("PUT", MAPS + "/a", {"metadata": {"name": "a", "generation": 7, "deletionTimestamp": "2020-01-01T00:00:00Z"}})
    pair.ask("PUT", MAPS + "/nope", config_map("nope"))
    pair.ask("PUT", MAPS + "/nope", {"metadata": {"name": "nope", "uid": "x"}})
    pair.ask("PUT", MAPS, config_map("nope"))
    pair.ask("PATCH", MAPS + "/nope", {}, content_type=MERGE)
    pair.agree()


def test_deletes(pair: Pair) -> None:
    for index, (query, body) in enumerate(
        (
            ("", None),
            ("", {}),
            ("?gracePeriodSeconds=0", None),
            ("?gracePeriodSeconds=x", None),
            ("?gracePeriodSeconds=-1", None),
            ("?propagationPolicy=Foreground", None),
            ("?propagationPolicy=Orphan", None),
            ("?propagationPolicy=odd", None),
            ("?orphanDependents=true", None),
            ("?orphanDependents=true&propagationPolicy=Orphan", None),
            ("?dryRun=All", None),
            ("?dryRun=odd", None),
            ("", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}),
            ("", {"kind": "DeleteOptions", "apiVersion": "apps/v1", "propagationPolicy": "Background"}),
            ("", {"kind": "Pod", "apiVersion": "v1"}),
            ("", {"propagationPolicy": "odd"}),
            ("", {"gracePeriodSeconds": "x"}),
            ("", {"dryRun": ["All"]}),
            ("", {"dryRun": ["odd"]}),
            ("", {"preconditions": {"uid": "other"}}),
            ("", {"preconditions": {"resourceVersion": "1"}}),
            ("", {"orphanDependents": True, "propagationPolicy": "Orphan"}),
            ("", {"odd": 1}),
        )
    ):
        pair.ask("POST", MAPS, config_map(f"d{index}"))
        pair.ask("DELETE", f"{MAPS}/d{index}{query}", body)
        pair.ask("GET", f"{MAPS}/d{index}")
    pair.ask("DELETE", MAPS + "/nope")
    pair.ask("DELETE", MAPS + "?labelSelector=a%3Db")
    pair.ask("DELETE", MAPS + "?labelSelector=(")
    pair.ask("DELETE", MAPS + "?limit=1&fieldSelector=metadata.name%3Dd3")
    pair.ask("DELETE", MAPS + "?dryRun=All")
    pair.both("DELETE", MAPS)
    for name in ("f5", "f6"):
        pair.both("PATCH", f"{MAPS}/{name}", {"metadata": {"finalizers": None}}, content_type=MERGE)
    pair.agree()


@pytest.fixture
def five(pair: Pair) -> None:
    pair.both("DELETE", MAPS)
    for index in range(5):
        names = {"last": "metadata.resourceVersion"} | ({"first": "metadata.resourceVersion"} if not index else {})
        pair.ask("POST", MAPS, config_map(f"m{index}", n=str(index), even=str(index % 2 == 0)), keep=names)


@pytest.mark.usefixtures("five")
def test_lists_by_revision_and_page(pair: Pair) -> None:
    for query in (
        "", "resourceVersion=0", "resourceVersion={first}", "resourceVersion={last}", "resourceVersion=x", "resourceVersion=-1",
        "resourceVersion=0&resourceVersionMatch=Exact", "resourceVersion={first}&resourceVersionMatch=Exact",
        "resourceVersion={first}&resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Exact",
        "resourceVersionMatch=NotOlderThan",
        "resourceVersion={first}&resourceVersionMatch=odd", "limit=2", "limit=2&resourceVersion=0",
        "limit=2&resourceVersion={first}",
        "limit=2&resourceVersion={first}&resourceVersionMatch=Exact",
        "limit=2&resourceVersion={last}&resourceVersionMatch=NotOlderThan",
        "limit=0", "limit=-1", "limit=x", "limit=500", "continue=x", "continue=e30", "odd=1",
        "limit=2&labelSelector=even%3DTrue",
        "limit=1&fieldSelector=metadata.name%3Dm4",
    ):  # fmt: skip
        pair.ask("GET", f"{MAPS}?{query}")
    pair.ask("GET", MAPS + "?limit=2", keep={"next": "metadata.continue"})
    pair.ask("POST", MAPS, config_map("m1a"))
    pair.ask("GET", MAPS + "?limit=2&continue={next}", keep={"further": "metadata.continue"})
    pair.ask("GET", MAPS + "?limit=2&continue={further}")
    pair.ask("GET", MAPS + "?continue={further}")
    pair.ask("GET", MAPS + "?limit=2&continue={next}&resourceVersion=1")
    pair.ask("GET", MAPS + "?limit=2&continue={next}&resourceVersion=0")
    pair.ask("GET", MAPS + "?limit=2&continue={next}&resourceVersionMatch=Exact")
    for query in ("resourceVersion={first}", "resourceVersion=0", "resourceVersion=x", "odd=1"):
        pair.ask("GET", f"{MAPS}/m0?{query}")
    for accept in (TABLE, PARTIALS, PARTIAL, "text/plain", "application/json;as=Table;v=v2;g=meta.k8s.io", "*/*",
        "application/json;as=Odd;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
        "application/json, */*", "odd"):  # fmt: skip
        pair.ask("GET", MAPS + "?limit=2", accept=accept, note=accept)
        pair.ask("GET", MAPS + "/m0", accept=accept, note=accept)
    for query in ("includeObject=None", "includeObject=Object", "includeObject=Metadata", "includeObject=odd"):
        pair.ask("GET", f"{MAPS}?{query}", accept=TABLE)
        pair.ask("GET", f"{MAPS}/m0?{query}", accept=TABLE)
    pair.agree()


@pytest.mark.usefixtures("five")
def test_selectors(pair: Pair) -> None:
    for selector in (
        "even=True", "even==True", "even!=True", "even in (True,False)", "even notin (True)", "even", "!even", "n>2", "n<2",
        "n>x",
        "(", "=", "a=", "a=b=c", "a b", "a in b", "a in ()", "a in (b", "even=True,n>1", ",", "a,", "é", "a=é", "-a", "a=-",
        "a/b/c", "x" * 64,
        "a=" + "x" * 64, " even = True ", "even in (True), n in (2,4)", "a in (b,,c)", "a in (,)", "!", "!a=b",
    ):  # fmt: skip
        pair.ask("GET", MAPS, note=selector, query_extra={"labelSelector": selector})
    for selector in (
        "metadata.name=m1", "metadata.name==m1", "metadata.name!=m1", "metadata.namespace=default", "metadata.namespace=x",
        "metadata.name=m1,metadata.namespace=default", "data.k=v", "=", "metadata.name", "metadata.name=",
        "metadata.name=a\\", "a=b",
        "metadata.name in (a)", "metadata.name=m1,", ",", "metadata.labels.a=b", "metadata.uid=x",
        "metadata.name=m1,metadata.name=m2",
        "metadata.name=a\\,b", "metadata.name>m1", "spec.nodeName=x",
    ):  # fmt: skip
        pair.ask("GET", MAPS, note=selector, query_extra={"fieldSelector": selector})
    for plural in (
        "pods",
        "nodes",
        "events",
        "secrets",
        "namespaces",
        "services",
        "replicationcontrollers",
        "jobs",
        "certificatesigningrequests",
    ):
        group = {"jobs": "/apis/batch/v1", "certificatesigningrequests": "/apis/certificates.k8s.io/v1"}.get(plural, "/api/v1")
        for selector in ("spec.nodeName=x", "status.phase=Running", "type=x", "spec.unschedulable=true", "reason=x",
            "involvedObject.name=x", "spec.signerName=x", "status.successful=1", "status.replicas=1", "spec.clusterIP=x",
            "spec.type=x", "source=x", "reportingComponent=x", "status.podIP=x", "spec.schedulerName=x",
            "spec.hostNetwork=true", "metadata.name=x,spec.odd=x"):  # fmt: skip
            pair.ask("GET", f"{group}/{plural}", note=selector, query_extra={"fieldSelector": selector})
    pair.agree()


@pytest.mark.usefixtures("five")
def test_watches(pair: Pair) -> None:
    for query in (
        "resourceVersion={first}", "resourceVersion={last}", "resourceVersion=0", "", "resourceVersion=x", "resourceVersion=-1",
        "resourceVersion={first}&labelSelector=even%3DTrue", "resourceVersion={first}&fieldSelector=metadata.name%3Dm3",
        "resourceVersion={first}&resourceVersionMatch=NotOlderThan",
        "resourceVersion={first}&limit=1", "resourceVersion={first}&continue=x", "resourceVersion=1", "labelSelector=(",
        "fieldSelector=a%3Db",
    ):  # fmt: skip
        pair.ask("GET", f"{MAPS}?watch=1&timeoutSeconds=1&{query}")
    for query in ("watch=x", "watch=false", "watch=0", "watch=true&timeoutSeconds=x", "watch=true&timeoutSeconds=-1"):
        if "timeout" not in query or "x" in query:
            pair.ask("GET", f"{MAPS}?{query}&resourceVersion={{last}}" + ("" if "timeout" in query else "&timeoutSeconds=1"))
    pair.ask("GET", "/api/v1/watch/namespaces/default/configmaps?timeoutSeconds=1&resourceVersion={first}")
    pair.ask("GET", "/api/v1/watch/namespaces/default/configmaps/m3?timeoutSeconds=1&resourceVersion={first}")
    pair.ask("GET", MAPS + "/m3?watch=1&timeoutSeconds=1&resourceVersion={first}")
    for accept in (TABLE, PARTIAL, PARTIALS, "text/plain"):
        pair.ask("GET", MAPS + "?watch=1&timeoutSeconds=1&resourceVersion={first}", accept=accept, note=accept)
    pair.agree()
