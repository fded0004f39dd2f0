"""Server-side apply and managedFields on upstream's server and ours."""

from __future__ import annotations

from typing import Any

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import APPLY, DEFINITIONS, JSON_PATCH, MERGE, YAML, Side
from tests.upstream.test_generic_definitions import N, S

__all__ = ["both"]

LAST = "kubectl.kubernetes.io/last-applied-configuration"
KEYED: Tree = {
    "type": "array",
    "items": {**object_of(k=S, v=S, w=S, d={"type": "string", "default": "x"}), "required": ["k"]},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
}
TWO_KEYS: Tree = {
    "type": "array",
    "items": {**object_of(p=N, q={"type": "string", "default": "TCP"}, v=S), "required": ["p"]},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["p", "q"],
}
SPEC = object_of(
    a=S,
    b=S,
    n={"type": "integer"},
    d={"type": "string", "default": "x"},
    set={"type": "array", "items": S, "x-kubernetes-list-type": "set"},
    atomic={"type": "array", "items": S},
    atomic_map={"type": "object", "additionalProperties": S, "x-kubernetes-map-type": "atomic"},
    map={"type": "object", "additionalProperties": S},
    keyed=KEYED,
    two=TWO_KEYS,
    open={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    obj=object_of(x=S, y=S, z=object_of(v=S)),
    nullable={"type": "object", "nullable": True, "properties": {"x": S}},
    ios={"x-kubernetes-int-or-string": True},
)
SCHEMA = object_of(spec=SPEC, status=object_of(phase=S, count=N))


NULLS: list[Tree] = [
    {"obj": None},
    {"map": {"a": None}},
    {"a": None},
    {"d": None},
    {"open": {"a": None}},
    {"keyed": [{"k": "a", "v": None, "d": None}]},
    {"keyed": [{"k": "a", "d": None}]},
    {"obj": {"x": None, "y": "1"}},
    {"set": None, "atomic": None},
]


def applied(side: Side, kind: str, steps: list[tuple[str, Tree, Tree]], **more: Any) -> None:
    """Each step: who applies, the spec, and further options of the request."""
    path = side.define(definition(kind, SCHEMA, **more))
    for manager, spec, options in steps:
        side.apply(f"{path}/a", thing(kind, spec=spec), manager, note=f"{manager} {spec}"[:70], **options)


def test_what_is_applied_is_merged_and_owned_alike(both: Both) -> None:
    both(
        lambda side: applied(
            side,
            "Apply",
            [
                ("one", {"a": "x", "b": "y"}, {}),
                ("one", {"a": "x", "b": "y"}, {}),
                ("two", {"a": "z"}, {}),
                ("two", {"a": "x"}, {}),
                ("one", {"b": "y"}, {}),
                ("two", {"a": "z"}, {}),
                ("one", {"a": "q", "b": "r"}, {}),
                ("one", {"a": "q", "b": "r"}, {"force": "true"}),
                ("one", {}, {}),
                ("one", {"set": ["a", "b"], "atomic": ["a", "b"], "map": {"a": "1"}, "atomic_map": {"a": "1"}}, {}),
                ("two", {"set": ["b", "c"], "atomic": ["c"], "map": {"b": "2"}, "atomic_map": {"b": "1"}}, {}),
                ("two", {"set": ["b", "c"], "map": {"b": "2"}}, {}),
                ("one", {"set": ["a"], "map": {}}, {}),
                ("one", {"set": ["a", "a"]}, {}),
                ("one", {"keyed": [{"k": "a", "v": "1"}, {"k": "b", "v": "2"}]}, {}),
                ("two", {"keyed": [{"k": "b", "w": "3"}, {"k": "c", "v": "4"}]}, {}),
                ("two", {"keyed": [{"k": "b", "v": "3"}]}, {}),
                ("one", {"keyed": [{"k": "b", "v": "2"}, {"k": "a", "v": "1"}]}, {}),
                ("one", {"keyed": [{"k": "b"}]}, {}),
                ("one", {"keyed": [{"k": "b"}, {"k": "b"}]}, {}),
                ("one", {"keyed": [{"v": "b"}]}, {}),
                ("one", {"keyed": []}, {}),
                ("two", {}, {}),
                ("one", {"two": [{"p": 1, "v": "a"}, {"p": 1, "q": "UDP"}, {"p": 2, "q": "TCP"}]}, {}),
                ("two", {"two": [{"p": 1, "q": "TCP", "v": "b"}]}, {}),
                ("one", {"two": [{"p": 2}]}, {}),
                ("one", {"open": {"x": {"y": [1, {"z": 2}]}, "w": []}, "obj": {"x": "1", "z": {"v": "q"}}}, {}),
                ("two", {"open": {"x": {"y": [2]}}, "obj": {"z": {"v": "p"}, "y": "2"}}, {}),
                ("two", {"open": {"x": {"q": 1}}, "obj": {"y": "2"}}, {}),
                ("one", {"obj": {}}, {}),
                ("one", {"nullable": None, "obj": None}, {}),
                ("one", {"nullable": {"x": "1"}, "ios": 5}, {}),
                ("two", {"nullable": None, "ios": "5"}, {}),
                ("two", {"unknown": 1, "a": "x"}, {}),
                ("two", {"unknown": 1, "a": "x"}, {"fieldValidation": "Strict"}),
                ("two", {"unknown": 1, "a": "x"}, {"fieldValidation": "Ignore"}),
                ("two", {"a": 5}, {}),
                ("two", {"n": 5.0}, {}),
                ("two", {"n": "5"}, {}),
                ("two", {"obj": "x"}, {}),
                ("two", {"keyed": {}}, {}),
                ("two", {"set": [None]}, {}),
                ("two", {"set": [{}]}, {}),
                *(("two", spec, {}) for spec in NULLS),
                ("", {"a": "x"}, {}),
                ("x" * 129, {"a": "x"}, {}),
                ("a\nb", {"a": "x"}, {}),
                ("two", {"a": "x"}, {"force": "maybe"}),
                ("two", {"a": "dry"}, {"dryRun": "All", "force": "true"}),
                ("two", {"a": "dry"}, {"dryRun": "Some", "force": "true"}),
            ],
        )
    )


def test_writers_of_all_kinds_own_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        kind = "Writer"
        subresources = {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.count"}}
        path = side.define(definition(kind, SCHEMA, subresources=subresources))
        one = f"{path}/a"
        made = side.create(path, thing(kind, spec={"a": "x", "n": 1}, status={"phase": "no"}), fieldManager="maker")
        side.update(one, {**made.tree, "spec": {"a": "y", "n": 1}}, headers={"User-Agent": "kubectl/v1.33 (linux)"})
        side.patch(one, {"spec": {"b": "m"}}, MERGE, fieldManager="merger")
        side.patch(one, [{"op": "add", "path": "/spec/obj", "value": {"x": "1"}}], JSON_PATCH, fieldManager="jsoner")
        side.patch(f"{one}/status", {"status": {"phase": "up"}, "spec": {"a": "no"}}, MERGE, fieldManager="controller")
        side.apply(f"{one}/status", thing(kind, status={"phase": "down"}), "statuser")
        side.apply(f"{one}/status", thing(kind, status={"phase": "down"}), "statuser", force="true")
        side.apply(f"{one}/status", thing(kind, spec={"a": "no"}, status={"count": 3}), "statuser")
        side.get(f"{one}/scale")
        scale = side.ask("GET", f"{one}/scale").tree
        side.update(f"{one}/scale", {**scale, "spec": {"replicas": 4}}, fieldManager="scaler")
        side.patch(f"{one}/scale", {"spec": {"replicas": 5}}, MERGE, fieldManager="scaler")
        applied = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": {"replicas": 6}}
        side.apply(f"{one}/scale", applied, "scale-applier")
        side.patch(f"{one}/scale", {"spec": {"replicas": -1}}, MERGE)
        side.update(f"{one}/scale", {**scale, "metadata": {"name": "b"}})
        side.update(f"{one}/scale", {"spec": {"replicas": 1}})
        side.apply(one, thing(kind, spec={"n": 9}), "one")
        side.get(one)
        side.patch(one, {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["e.com/f"]}}, MERGE)
        side.patch(one, {"metadata": {"labels": {"a": "c"}, "finalizers": None}}, MERGE, fieldManager="other")
        side.patch(one, {"metadata": {"labels": {"-": "c"}}}, MERGE)
        side.patch(one, {"metadata": {"uid": "c"}}, MERGE)
        side.patch(one, {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}}, MERGE)
        current = side.ask("GET", one).tree
        forgetting = {**current, "metadata": {**current["metadata"], "managedFields": []}}
        side.update(one, forgetting)
        side.patch(one, {"spec": {"a": "after"}}, MERGE)
        side.apply(one, thing(kind, spec={"a": "after all"}), "late")
        side.apply(one, thing(kind, spec={"a": "after all"}), "late", force="true")
        side.patch(one, {"metadata": {"managedFields": [{}]}}, MERGE)
        side.patch(one, [{"op": "remove", "path": "/metadata/managedFields"}], JSON_PATCH)
        side.patch(one, {"metadata": {"managedFields": [{"manager": "x", "operation": "Bad"}]}}, MERGE)
        side.update(one, {**current, "metadata": {"name": "a"}})
        side.update(one, {**current, "metadata": {"name": "a", "resourceVersion": "1"}})
        side.patch(one, {"spec": {"a": "x"}}, MERGE, fieldManager="x" * 129)
        side.patch(one, {"spec": {"a": "x"}}, MERGE, fieldManager="a\x01")
        side.patch(one, {"spec": {"a": "x"}}, MERGE, force="true")

    both(scenario)


def test_bad_configurations_are_refused_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        kind = "Config"
        path = side.define(definition(kind, SCHEMA))
        one, plain = f"{path}/a", thing(kind, spec={"a": "x"})
        changes: tuple[Tree, ...] = (
            {"apiVersion": "v1"},
            {"apiVersion": "config.example.com/v2"},
            {"kind": "Other"},
            {"kind": None},
            {"apiVersion": None},
            {"metadata": {"name": "b"}},
            {"metadata": {}},
            {"metadata": None},
            {"metadata": {"name": "a", "namespace": "other"}},
            {"metadata": {"name": "a", "managedFields": []}},
            {"metadata": {"name": "a", "managedFields": [{"manager": "x"}]}},
            {"metadata": {"name": "a", "uid": "x"}},
            {"metadata": {"name": "a", "resourceVersion": "1"}},
            {"metadata": {"name": "a", "generateName": "x-"}},
            {"metadata": {"name": "a", "labels": {"-": "b"}}},
            {"metadata": {"name": "a", "unknown": "b"}},
            {"metadata": {"name": "a", "labels": {"a": 1}}},
        )
        for change in changes:
            side.apply(one, {**plain, **change}, note=str(change)[:50])
            side.ask("DELETE", one)
        for text in (
            "",
            "[]",
            "x",
            "{",
            "a: b: c",
            "null",
            "5",
            f"apiVersion: config.example.com/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{a: x, a: y}}",
        ):
            side.apply(one, text, note=text[:20])
            side.ask("DELETE", one)
        side.apply(one, plain, "", headers={"User-Agent": "x"})
        side.send("PATCH", one, plain, kind="application/apply-patch+json", fieldManager="x")
        side.send("PATCH", one, plain, kind="application/apply-patch+cbor", fieldManager="x")
        side.send("PATCH", one, plain, kind=APPLY + "; charset=utf-8", fieldManager="x")
        side.send("PATCH", one, plain, kind=YAML, fieldManager="x")
        side.ask("DELETE", one)
        made = side.apply(one, plain)
        for meta in (
            {"uid": "other"},
            {"uid": made["metadata"]["uid"]},
            {"resourceVersion": "1"},
            {"resourceVersion": made.revision},
        ):
            side.apply(one, {**plain, "metadata": {"name": "a", **meta}, "spec": {"a": "z"}}, note=next(iter(meta)))
        side.apply(f"{path}/b", {**plain, "metadata": {"name": "b", "finalizers": ["e.com/f"]}}, dryRun="All")
        side.get(f"{path}/b")

    both(scenario)


def test_client_side_apply_is_taken_over_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        kind = "Upgrade"
        path = side.define(definition(kind, SCHEMA))
        one = f"{path}/a"
        last = '{"apiVersion":"upgrade.example.com/v1","kind":"Upgrade","metadata":{"name":"a"},"spec":{"a":"x","b":"y"}}\n'
        tree = thing(kind, spec={"a": "x", "b": "y"})
        tree["metadata"]["annotations"] = {LAST: last}
        side.create(path, tree, fieldManager="kubectl-client-side-apply")
        side.apply(one, thing(kind, spec={"a": "x", "b": "z"}), "kubectl")
        side.apply(one, thing(kind, spec={"a": "x", "b": "z", "d": "<&>"}), "kubectl", force="true")
        side.apply(one, thing(kind, spec={"a": "x"}), "kubectl")
        side.patch(one, {"spec": {"a": "other"}}, MERGE, fieldManager="kubectl-edit")
        side.apply(one, thing(kind, spec={"a": "x"}), "kubectl")
        side.apply(one, thing(kind, spec={"a": "x"}), "helm")
        side.delete(one)
        tree["metadata"]["annotations"][LAST] = "{"
        side.create(path, tree, fieldManager="kubectl-client-side-apply")
        side.apply(one, thing(kind, spec={"a": "x", "b": "z"}), "kubectl")

    both(scenario)


def test_definitions_are_applied_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        tree = definition("Applied", SCHEMA)
        name = f"{DEFINITIONS}/{tree['metadata']['name']}"
        side.apply(name, tree)
        side.served(tree)
        side.get(name)
        tree["spec"]["names"]["shortNames"] = ["ap"]
        side.apply(name, tree, "two")
        side.ask("PATCH", f"{name}?fieldManager=two&force=true", tree, kind=APPLY)
        side.until(name, lambda reply: reply["status"]["acceptedNames"].get("shortNames") == ["ap"])
        side.patch(name, {"spec": {"names": {"categories": ["all"]}}}, "application/strategic-merge-patch+json")
        side.until(name, lambda reply: reply["status"]["acceptedNames"].get("categories") == ["all"])
        side.apply(name, {**tree, "spec": {**tree["spec"], "unknown": 1}})
        side.apply(f"{name}/status", {**tree, "status": {"storedVersions": ["v2"]}})
        side.patch(f"{name}/status", {"status": {"storedVersions": []}}, MERGE)

    both(scenario)
