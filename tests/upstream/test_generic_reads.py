"""Lists, pages, watches, tables and deletes of custom objects on upstream's server and ours."""

from __future__ import annotations

from typing import Any

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import DEFINITIONS, MERGE, Side
from tests.upstream.test_generic_definitions import N, S

__all__ = ["both"]

FUTURE = "1000000000"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
COLUMNS = [
    {"name": "A", "type": "string", "jsonPath": ".spec.a", "description": "what a is"},
    {"name": "N", "type": "integer", "jsonPath": ".spec.n", "format": "int32"},
    {"name": "B", "type": "boolean", "jsonPath": ".spec.b"},
    {"name": "F", "type": "number", "jsonPath": ".spec.f", "priority": 1},
    {"name": "L", "type": "string", "jsonPath": ".spec.l"},
    {"name": "Items", "type": "string", "jsonPath": ".spec.l[*].x"},
    {"name": "Last", "type": "string", "jsonPath": ".spec.l[-1:].x"},
    {"name": "Chosen", "type": "string", "jsonPath": ".spec.l[?(@.x=='q')].x"},
    {"name": "O", "type": "string", "jsonPath": ".spec.o"},
    {"name": "Dotted", "type": "string", "jsonPath": ".metadata.labels.example\\.com/a"},
    {"name": "When", "type": "date", "jsonPath": ".spec.when"},
    {"name": "Wrong", "type": "integer", "jsonPath": ".spec.a"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
SPEC = object_of(
    a=S,
    n=N,
    b={"type": "boolean"},
    f={"type": "number"},
    when={"type": "string"},
    l={"type": "array", "items": object_of(x=S)},
    o={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
)
SELECTABLE = [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.n"}, {"jsonPath": ".spec.b"}]
SCHEMA = object_of(spec=SPEC, status=object_of(phase=S))
SPECS: list[Tree] = [
    {"a": "x", "n": 1, "b": True, "f": 1.5, "l": [{"x": "p"}, {"x": "q"}], "o": {"z": 1, "y": [None, "<"]}},
    {"a": "y", "n": 2, "when": "2020-01-01T00:00:00Z", "l": []},
    {"a": "", "b": False, "when": "nonsense", "f": 1e21},
    {},
]


def filled(side: Side, kind: str, **more: Any) -> str:
    """Four objects."""
    path = side.define(definition(kind, SCHEMA, **more))
    for index, spec in enumerate(SPECS):
        tree = thing(kind, f"o{index}", spec=spec)
        tree["metadata"]["labels"] = {"example.com/a": f"v{index}", "even": str(index % 2 == 0)}
        assert side.ask("POST", path, tree).status == 201
    return path


def test_tables_and_metadata_are_shown_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Shown", additionalPrinterColumns=COLUMNS)
        plain = side.define(definition("Plain", SCHEMA))
        side.ask("POST", plain, thing("Plain"))
        side.ask("POST", DEFINITIONS, definition("Shown2", SCHEMA))
        for where in (path, f"{path}/o0", f"{path}/o1", f"{path}/o2", f"{path}/o3", plain, f"{plain}/a"):
            for accept in (TABLE, TABLE.replace("v1", "v1beta1"), PARTIAL, PARTIAL_LIST, f"{TABLE},application/json"):
                side.get(where, headers={"Accept": accept}, note=accept[:30])
            for include in ("None", "Object", "Metadata", "Bad"):
                side.get(where, headers={"Accept": TABLE}, includeObject=include)
            side.get(where, headers={"Accept": TABLE}, limit="1")
        side.get(f"{path}/none", headers={"Accept": TABLE})
        side.create(path, thing("Shown", "made"), headers={"Accept": TABLE})
        side.delete(f"{path}/made", headers={"Accept": TABLE})
        side.create(path, thing("Shown", "made"), headers={"Accept": PARTIAL})
        side.delete(f"{path}/made", headers={"Accept": PARTIAL})

    both(scenario)


def test_selectors_pick_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Picked", selectableFields=SELECTABLE)
        for fields in (
            "spec.a=x",
            "spec.a!=x",
            "spec.a=",
            "spec.n=2",
            "spec.b=true",
            "spec.b=false",
            "spec.f=1.5",
            "spec.a==y",
            "metadata.name=o1",
            "metadata.namespace=default",
            "metadata.namespace=other",
            "metadata.name!=o1,spec.a=x",
            "metadata.labels.a=b",
            "spec",
            "spec.a",
            "=x",
            "spec.a=x,",
            "spec.a in (x)",
            "nothing=x",
            "status.phase=x",
            "spec.a=\\",
            "spec.a=x\\,y",
            "kind=Picked",
        ):
            side.get(path, fieldSelector=fields)
        for labels in (
            "even=True",
            "even!=True",
            "even in (True,x)",
            "even notin (True)",
            "even",
            "!even",
            "even==False,example.com/a=v1",
            "even=",
            "a=b=c",
            "in (a)",
            "even in ()",
            "even in True",
            "even>1",
            "even>x",
            "-a=b",
            "even=-",
            ",",
            "even=True,",
            "even in (a",
            "é=1",
            "example.com/a in (v0, v1),even",
        ):
            side.get(path, labelSelector=labels)
        side.get(path.replace("/namespaces/default", ""), fieldSelector="spec.a=x")
        side.watch(path, fieldSelector="spec.a=x")
        side.watch(path, fieldSelector="spec.f=1")
        side.get(path.replace("default", "other"), fieldSelector="spec.a=x")
        side.delete(path, fieldSelector="spec.a=y")
        side.delete(path, labelSelector="even=True", propagationPolicy="Bad")
        side.delete(path, labelSelector="even=True", dryRun="All")
        side.delete(path, labelSelector="even=True")
        side.get(path)

    both(scenario)


def test_every_revision_and_match_is_listed_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Listed")
        first = side.get(path)
        side.ask("POST", path, thing("Listed", "later"))
        now = side.ask("GET", path).revision
        revisions = {
            "unset": {},
            "zero": "0",
            "first": first.revision,
            "now": now,
            "future": FUTURE,
            "bad": "x",
            "negative": "-1",
        }
        for name, revision in revisions.items():
            asked = {"resourceVersion": revision} if isinstance(revision, str) else {}
            for match in (None, "Exact", "NotOlderThan", "Bad"):
                for limit in (None, "2", "0", "-1"):
                    query = asked | ({"resourceVersionMatch": match} if match else {}) | ({"limit": limit} if limit else {})
                    if name == "future" and (limit not in (None, "2") or match == "Bad"):
                        continue
                    side.get(path, note=f"{name} {match} {limit}", **query)
            side.get(f"{path}/o1", note=name, **asked)
            side.delete(path, note=f"delete {name}", dryRun="All", labelSelector="even=none", **asked)

    both(scenario)


def test_pages_go_on_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Paged")
        page = side.get(path, limit="1")
        token = page["metadata"]["continue"]
        side.ask("POST", path, thing("Paged", "o15"))
        side.get(path, limit="1", **{"continue": token})
        side.get(path, **{"continue": token})
        side.get(path, limit="2", labelSelector="even=True")
        side.get(path, limit="2", fieldSelector="metadata.name!=o0")
        side.get(path, limit="1", **{"continue": token, "resourceVersion": page.revision})
        side.get(path, limit="1", **{"continue": token, "resourceVersion": "0"})
        side.get(path, limit="1", **{"continue": token, "resourceVersionMatch": "Exact"})
        side.get(path, limit="x")
        for bad in ("x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0", "eyJ2IjoidjIifQ", "e30", "!!", "%00"):
            side.get(path, limit="1", note=bad, **{"continue": bad})
        side.get(path, limit="1", headers={"Accept": TABLE})
        side.get(path, limit="1", headers={"Accept": PARTIAL_LIST})
        side.get(path.replace("/namespaces/default", ""), limit="3")

    both(scenario)


def test_what_is_forgotten_is_expired_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Expired")
        page = side.get(path, limit="1")
        side.ask("POST", path, thing("Expired", "o9"))
        side.ask("POST", path, thing("Expired", "p"))
        side.compact()
        expired = side.get(path, limit="1", **{"continue": page["metadata"]["continue"]})
        side.get(path, limit="2", **{"continue": expired["metadata"]["continue"]})
        side.get(path, **{"continue": expired["metadata"]["continue"]})
        side.get(path, resourceVersion=page.revision, resourceVersionMatch="Exact")
        side.get(path, resourceVersion=page.revision, limit="1")
        side.get(path, resourceVersion=page.revision)
        side.get(f"{path}/o1", resourceVersion=page.revision)
        side.delete(path, limit="1", dryRun="All", **{"continue": page["metadata"]["continue"]})

    both(scenario)


def test_watches_tell_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Watched")
        start = side.ask("GET", path).revision
        one = side.ask("POST", path, thing("Watched", "new", spec={"a": "x"})).tree
        side.ask("PATCH", f"{path}/new", {"metadata": {"labels": {"even": "True"}}}, kind=MERGE)
        side.ask("PATCH", f"{path}/new", {"spec": {"a": "z"}}, kind=MERGE)
        side.ask("PATCH", f"{path}/new", {"metadata": {"labels": {"even": "False"}}}, kind=MERGE)
        side.ask("DELETE", f"{path}/new")
        assert one
        for query in (
            {},
            {"resourceVersion": "0"},
            {"resourceVersion": start},
            {"resourceVersion": start, "labelSelector": "even=True"},
            {"resourceVersion": start, "fieldSelector": "metadata.name=new"},
            {"resourceVersion": start, "fieldSelector": "metadata.name=other"},
            {"resourceVersion": "x"},
            {"resourceVersion": start, "resourceVersionMatch": "Exact"},
            {"resourceVersion": start, "resourceVersionMatch": "NotOlderThan"},
            {"sendInitialEvents": "true"},
            {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"},
            {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"},
            {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan", "resourceVersion": start},
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"},
            {
                "sendInitialEvents": "true",
                "resourceVersionMatch": "NotOlderThan",
                "allowWatchBookmarks": "true",
                "resourceVersion": start,
            },
            {
                "sendInitialEvents": "true",
                "resourceVersionMatch": "NotOlderThan",
                "allowWatchBookmarks": "true",
                "resourceVersion": "0",
            },
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true", "limit": "1"},
            {"sendInitialEvents": "maybe", "resourceVersionMatch": "NotOlderThan"},
            {"limit": "1"},
            {"continue": "x"},
            {"timeoutSeconds": "x"},
            {"allowWatchBookmarks": "x"},
        ):
            accepts = ("application/json", TABLE, PARTIAL) if "resourceVersion" in query or not query else ("application/json",)
            for accept in accepts:
                side.watch(path, headers={"Accept": accept}, note=accept[17:30], **query)
            side.get(path, note="list", **query)
        side.watch(path, headers={"Accept": "application/yaml"})
        side.watch(path, headers={"Accept": "application/json;stream=watch"}, resourceVersion=start)
        side.watch(path, headers={"Accept": "application/vnd.kubernetes.protobuf"}, resourceVersion=start)
        side.watch(f"{path}/o1")
        side.watch(f"{path}/none")
        side.watch(path.replace("/v1/", "/v1/watch/"))
        side.watch(path.replace("/v1/", "/v1/watch/") + "/o1")
        side.watch(path.replace("/namespaces/default", ""), resourceVersion=start)
        side.watch(path.replace("default", "other"), resourceVersion=start)
        side.watch(path, headers={"Accept": TABLE}, includeObject="Object")
        side.watch(path, headers={"Accept": TABLE}, includeObject="None")

    both(scenario)


def test_objects_go_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = filled(side, "Gone")
        held = thing("Gone", "held")
        held["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
        made = side.create(path, held)
        uid, revision = made["metadata"]["uid"], made.revision
        one = f"{path}/held"
        side.delete(one, {"preconditions": {"uid": "x"}})
        side.delete(one, {"preconditions": {"resourceVersion": "1"}})
        side.delete(one, {"preconditions": {"uid": uid, "resourceVersion": revision}}, dryRun="All")
        side.delete(one, {"dryRun": ["Bad"]})
        side.delete(one, {"propagationPolicy": "Bad"})
        side.delete(one, {"propagationPolicy": "Orphan", "orphanDependents": True})
        side.delete(one, {"gracePeriodSeconds": -1}, dryRun="All")
        side.delete(one, {"kind": "Other", "apiVersion": "v1"})
        side.delete(one, {"kind": "DeleteOptions", "apiVersion": "v2"})
        side.delete(one, {"unknown": 1}, dryRun="All")
        side.delete(one, "{")
        side.delete(one, gracePeriodSeconds="x")
        side.delete(one, {"gracePeriodSeconds": 5})
        side.delete(one)
        side.get(one)
        side.patch(one, {"metadata": {"finalizers": ["example.com/a", "example.com/c"]}})
        side.patch(one, {"metadata": {"finalizers": ["example.com/a"]}, "spec": {"a": "x"}})
        side.patch(one, {"metadata": {"deletionTimestamp": None}})
        side.create(path, thing("Gone", "held"))
        side.apply(one, thing("Gone", "held", spec={"n": 1}))
        side.patch(one, {"metadata": {"finalizers": None}})
        side.get(one)
        for policy in ("Orphan", "Foreground", "Background"):
            side.delete(f"{path}/o1", propagationPolicy=policy, note=policy, dryRun="All")
        side.delete(f"{path}/o0", propagationPolicy="Foreground")
        side.get(f"{path}/o0")
        side.delete(f"{path}/o1", propagationPolicy="Orphan")
        side.get(f"{path}/o1")
        side.delete(f"{path}/o1", orphanDependents="false")
        side.get(f"{path}/o1")
        side.delete(path, {"preconditions": {"uid": "x"}})
        side.delete(path, limit="1")
        side.delete(path, propagationPolicy="Background")
        side.get(path)
        side.create(path, thing("Gone", "dry"), dryRun="All")
        side.create(path, thing("Gone", "dry"), dryRun="Some")
        side.create(path, thing("Gone", "dry"), dryRun=["All", "All"])
        side.create(path, thing("Gone", "dry"), dryRun="")
        side.update(f"{path}/dry", thing("Gone", "dry"))
        side.update(f"{path}/other", thing("Gone", "other"))
        side.update(f"{path}/other", thing("Gone", "dry"))
        side.update(f"{path}/dry", {**thing("Gone", "dry"), "metadata": {"name": "dry", "namespace": "other"}})

    both(scenario)
