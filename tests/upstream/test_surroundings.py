"""What stands around objects: subresources, discovery, OpenAPI, refusals, reviews, server-side apply and who owns fields."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.scheme import builtin
from tests.upstream.pair import Pair
from tests.upstream.test_machinery import APPLY, AT_ONCE, DEPLOYMENTS, JSON_PATCH, MAPS, MERGE, POD_SPEC, PODS, STRATEGIC

Tree = dict[str, Any]
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
    },
}


@pytest.fixture(autouse=True)
def _clean(pair: Pair) -> Any:
    yield
    for plural in (MAPS, DEPLOYMENTS, PODS):
        pair.both("DELETE", plural, AT_ONCE)


def test_scales(pair: Pair) -> None:
    pair.ask("POST", DEPLOYMENTS + "?fieldManager=m", WEB)
    scale = DEPLOYMENTS + "/web/scale"
    pair.ask("GET", scale)
    for body in (
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 3}},
        {"metadata": {"name": "web"}, "spec": {"replicas": -1}},
        {"metadata": {"name": "other"}, "spec": {"replicas": 3}},
        {"metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 3}},
        {"metadata": {"name": "web"}},
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"}},
        {},
    ):
        pair.ask("PUT", scale + "?fieldManager=s", body)
    pair.ask("PATCH", scale + "?fieldManager=p", {"spec": {"replicas": 5}}, content_type=MERGE)
    pair.ask(
        "PATCH", scale + "?fieldManager=p", [{"op": "replace", "path": "/spec/replicas", "value": 6}], content_type=JSON_PATCH
    )
    pair.ask("PATCH", scale + "?fieldManager=p", {"spec": {"replicas": "x"}}, content_type=MERGE)
    pair.ask("PATCH", scale + "?fieldManager=p", {"spec": {"replicas": 7}}, content_type=STRATEGIC)
    pair.ask("GET", DEPLOYMENTS + "/web")
    pair.ask("DELETE", scale)
    pair.ask("POST", scale, {})
    pair.ask("GET", DEPLOYMENTS + "/nope/scale")
    pair.ask("GET", MAPS + "/nope/scale")
    pair.agree()


def test_pods_parts(pair: Pair) -> None:
    pair.ask("POST", PODS, {"metadata": {"name": "p"}, "spec": POD_SPEC})
    one = PODS + "/p"
    pair.ask("PUT", one + "/status", {"metadata": {"name": "p"}, "status": {"phase": "Running"}})
    pair.ask("PATCH", one + "/status?fieldManager=k", {"status": {"message": "m"}}, content_type=STRATEGIC)
    pair.ask("PATCH", one + "/status", {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "x"}}, content_type=MERGE)
    pair.ask("PATCH", one, {"spec": {"nodeName": "x"}}, content_type=MERGE)
    for query in ("", "?container=a", "?container=z", "?tailLines=-1", "?limitBytes=0", "?sinceSeconds=0", "?sinceSeconds=x",
        "?follow=x", "?sinceTime=x", "?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z"):  # fmt: skip
        pair.ask("GET", f"{one}/log{query}")
    for part in ("exec", "attach"):
        for query in (
            "",
            "?stdout=true",
            "?stdout=true&container=a",
            "?stdout=true&container=a&command=x",
            "?container=z&stdout=true&command=x",
        ):
            pair.ask("POST", f"{one}/{part}{query}")
    pair.ask("POST", one + "/binding", {"metadata": {"name": "p"}, "target": {"kind": "Pod", "name": "n"}})
    pair.ask("POST", one + "/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node"}})
    pair.ask("POST", one + "/binding", {"metadata": {"name": "q"}, "target": {"kind": "Node", "name": "n"}})
    pair.ask("POST", one + "/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}})
    pair.ask("POST", one + "/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "m"}})
    pair.ask("POST", PODS + "/nope/binding", {"metadata": {"name": "nope"}, "target": {"kind": "Node", "name": "m"}})
    pair.ask("GET", one + "/log")
    pair.ask("GET", one + "/binding")
    pair.ask("GET", one + "/eviction")
    pair.ask("GET", one + "/odd")
    pair.ask("POST", one + "/eviction", {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "q"}})
    pair.ask("DELETE", one, {"gracePeriodSeconds": 5})
    pair.ask("DELETE", one, {"gracePeriodSeconds": 60})
    pair.ask("DELETE", one, {"gracePeriodSeconds": 0})
    pair.ask("GET", one)
    pair.agree()


def test_namespaces_and_tokens(pair: Pair) -> None:
    space = "/api/v1/namespaces"
    pair.ask("POST", space, {"metadata": {"name": "ns"}})
    pair.ask(
        "PUT", space + "/ns/finalize", {"metadata": {"name": "ns"}, "spec": {"finalizers": ["kubernetes", "example.com/x"]}}
    )
    pair.ask("PUT", space + "/ns/finalize", {"metadata": {"name": "ns"}, "spec": {"finalizers": ["bad"]}})
    pair.ask("PUT", space + "/ns/status", {"metadata": {"name": "ns"}, "status": {"phase": "Terminating"}})
    pair.ask("DELETE", space + "/ns")
    pair.ask("POST", space + "/ns/configmaps", {"metadata": {"name": "late"}})
    pair.ask("DELETE", space + "/default")
    pair.ask("DELETE", space)
    account = space + "/default/serviceaccounts/default/token"
    for body in ({}, {"spec": {"expirationSeconds": 1}}, {"spec": {"expirationSeconds": 1 << 33}},
        {"spec": {"audiences": ["a"], "boundObjectRef": {"kind": "Node", "name": "x", "apiVersion": "v1"}}},
            {"spec": {"boundObjectRef": {"kind": "Pod", "name": "x", "apiVersion": "v1"}}}):  # fmt: skip
        pair.ask("POST", account, {**body, "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"})
    pair.ask("POST", space + "/default/serviceaccounts/nope/token", {})
    pair.ask("GET", account)
    pair.agree()


def test_methods_and_paths_that_are_not_there(pair: Pair) -> None:
    for method, path in (
        ("POST", MAPS + "/a"), ("PUT", MAPS), ("PATCH", MAPS), ("DELETE", "/api/v1/configmaps"), ("POST",
         "/api/v1/componentstatuses"),
        ("GET", "/api/v1/odds"), ("GET", "/api/v2"), ("GET", "/apis/odd"), ("GET", "/apis/apps/v9"), ("GET", "/odd"), ("GET",
         "/api/v1/namespaces/default/odds/x"),
        ("GET", "/api/v1/namespaces/default/nodes"), ("GET", "/apis/apps/v1/namespaces/default/deployments/x/y/z"), ("POST",
         "/api"), ("PUT", "/version"),
        ("GET", "/api/v1/configmaps/x"), ("OPTIONS", MAPS), ("HEAD", MAPS), ("TRACE", MAPS), ("GET", "/api//v1"),
        ("GET", "/apis/apps/v1/deployments/"), ("DELETE", "/apis/apps/v1"), ("GET", "/api/v1/bindings"), ("GET",
         "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ):  # fmt: skip
        pair.ask(method, path, {} if method in ("POST", "PUT") else None)
    pair.agree()


def test_discovery(pair: Pair) -> None:
    groups = {(resource.group, resource.version) for resource in builtin()}
    for group, version in sorted(groups):
        theirs, ours = pair.both("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
        if theirs.status == 200:
            pair.compare(f"GET discovery {group}/{version}", _by_name(theirs.tree), _by_name(ours.tree))
    for path in (
        "/api",
        "/version",
        "/healthz",
        "/livez",
        "/readyz",
        "/healthz/ping",
        "/healthz/odd",
        "/readyz?exclude=odd",
        "/apis/apps",
    ):
        pair.ask("GET", path)
    pair.agree()


def _by_name(tree: Tree) -> Tree:
    """Without the hashes of how things are stored."""
    entries = {entry["name"]: {**entry, "verbs": sorted(entry["verbs"])} for entry in tree["resources"]}
    for entry in entries.values():
        entry.pop("storageVersionHash", None)
    return {**tree, "resources": entries}


def test_openapi_of_kinds(pair: Pair) -> None:
    theirs, ours = (answer.tree["definitions"] for answer in pair.both("GET", "/openapi/v2", deadline_seconds=60))
    for name in sorted(theirs.keys() & ours.keys()):
        pair.compare(f"GET definition {name}", _outline(theirs[name]), _outline(ours[name]))
    pair.agree()


def _outline(schema: Tree) -> Tree:
    """What clients go by: the names and kinds of fields, how lists merge; only of fields that both may have."""
    kept = {
        key: value
        for key, value in schema.items()
        if key.startswith("x-kubernetes-") or key in ("type", "format", "required", "$ref")
    }
    fields = {name: _outline(field) for name, field in schema.get("properties", {}).items()}
    return kept | ({"properties": fields} if fields else {})


def test_refusals_and_reviews(pair: Pair) -> None:
    by = {name: pair.connect(name, *groups) for name, groups in {"alice": (), "system:node:n1": ("system:nodes",)}.items()}
    for user, transports in by.items():
        for method, path in (
            ("GET", MAPS), ("GET", MAPS + "/x"), ("POST", MAPS), ("PUT", MAPS + "/x"), ("DELETE", MAPS + "/x"), ("DELETE",
             MAPS), ("GET", "/api/v1/nodes"), ("GET", "/api/v1/nodes/n2"),
            ("GET", PODS + "/x/log"), ("GET", "/apis/apps/v1/deployments"), ("GET", "/metrics"), ("GET", "/odd"), ("GET",
             "/version"), ("GET", "/apis/odd.example.com/v1/things"),
            ("PATCH", "/api/v1/nodes/n1/status"), ("GET", "/api/v1/namespaces/default/secrets/x"), ("GET",
             "/api/v1/namespaces/default"), ("GET", MAPS + "?watch=1"),
        ):  # fmt: skip
            body = {"metadata": {"name": "x"}} if method in ("POST", "PUT", "PATCH") else None
            pair.ask(method, path, body, by=transports, note=user, **({"content_type": MERGE} if method == "PATCH" else {}))
        for kind, spec in (
            ("SelfSubjectAccessReview", {"resourceAttributes": {"verb": "get", "resource": "pods"}}),
            ("SelfSubjectAccessReview", {"nonResourceAttributes": {"verb": "get", "path": "/version"}}),
            ("SelfSubjectAccessReview", {}),
            ("SelfSubjectAccessReview", {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"verb": "get"}}),
            ("SubjectAccessReview", {"user": "x", "resourceAttributes": {"verb": "get", "resource": "pods"}}),
            ("SelfSubjectRulesReview", {"namespace": "default"}),
            ("SelfSubjectRulesReview", {}),
        ):
            path = f"/apis/authorization.k8s.io/v1/{kind.lower()}s"
            pair.ask(
                "POST", path, {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}, by=transports, note=user
            )
    for spec in ({"user": "system:admin", "groups": ["system:masters"], "resourceAttributes": {"verb": "get",
        "resource": "pods"}}, {"user": "bob", "resourceAttributes": {"verb": "*", "resource": "*"}},
        {"resourceAttributes": {"verb": "get"}}, {"user": "u"}):  # fmt: skip
        pair.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        pair.ask("POST", "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews", {"spec": spec})
    for spec in ({"token": "x"}, {}, {"token": "x", "audiences": ["a"]}):
        pair.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": spec})
    headers = [("Impersonate-User", "alice")]
    pair.ask("GET", MAPS, headers=headers)
    pair.ask("GET", MAPS, headers=[("Impersonate-Group", "g")])
    pair.ask("GET", MAPS, headers=headers, by=by["alice"])
    pair.agree()


def test_server_side_apply(pair: Pair) -> None:
    where = DEPLOYMENTS + "/web"

    def applied(change: Tree, manager: str = "a", query: str = "") -> None:
        tree = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, **change}
        pair.ask("PATCH", f"{where}?fieldManager={manager}{query}", tree, content_type=APPLY)

    applied({"spec": WEB["spec"]})
    applied({"spec": WEB["spec"]})
    applied({"spec": {"replicas": 3}}, "b")
    applied({"spec": {"replicas": 2}}, "b")
    applied({"spec": {"replicas": 3}}, "b", "&force=true")
    applied({"spec": {**WEB["spec"], "replicas": 4}})
    applied({"spec": {key: value for key, value in WEB["spec"].items() if key != "replicas"}})
    applied({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:2"}, {"name": "b", "image": "b"}]}}}}, "b")
    applied({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:2"}]}}}}, "b", "&force=true")
    applied({"metadata": {"name": "web", "labels": {"l": "1"}, "finalizers": ["example.com/f"]}}, "c")
    applied({"metadata": {"name": "web", "labels": {"l": "2"}}}, "d")
    applied({"metadata": {"name": "web"}}, "c")
    pair.ask("PATCH", where + "?fieldManager=u", {"spec": {"replicas": 9}}, content_type=MERGE)
    applied({"spec": {"replicas": 8}}, "b")
    pair.ask("PATCH", where + "/status?fieldManager=s", {"status": {"replicas": 1}}, content_type=MERGE)
    pair.ask("GET", where)
    for query, body in (
        ("", WEB), ("?fieldManager=", WEB), ("?fieldManager=a", {}), ("?fieldManager=a", {"kind": "Deployment"}),
         ("?fieldManager=a&force=x", WEB), ("?fieldManager=a", {**WEB, "metadata": {"name": "other"}}),
        ("?fieldManager=a", {**WEB, "metadata": {"name": "web", "managedFields": [{"manager": "x"}]}}), ("?fieldManager=a",
         {**WEB, "spec": {"odd": 1}}), ("?fieldManager=a", {**WEB, "spec": {"replicas": "x"}}),
        ("?fieldManager=a", {**WEB, "apiVersion": "apps/v9"}), ("?fieldManager=a", {**WEB, "kind": "Pod"}),
         ("?fieldManager=a", {**WEB, "metadata": {"name": "web", "uid": "x"}}),
        ("?fieldManager=a", {**WEB, "metadata": {"name": "web", "resourceVersion": "1"}}), ("?fieldManager=a&dryRun=All",
         WEB), ("?fieldManager=a", b"a: b: c"), ("?fieldManager=a", b"[]"), ("?fieldManager=a", b""),
    ):  # fmt: skip
        pair.ask("PATCH", where + query, body, content_type=APPLY)
    pair.both("PATCH", where, {"metadata": {"finalizers": None}}, content_type=MERGE)
    pair.agree()
