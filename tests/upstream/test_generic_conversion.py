"""Custom resources whose versions a webhook converts, on upstream's server and ours."""

from __future__ import annotations

from typing import Any

from tests.upstream.generic_fixture import both
from tests.upstream.generic_schemas import INTEGER, STRING, Tree, definition, object_of, thing
from tests.upstream.generic_webhook import Converter, Converting, converting
from tests.upstream.generic_wire import DEFINITIONS, JSON_PATCH, Reply, Side
from tests.upstream.test_generic_reads import PARTIAL, PARTIAL_LIST, TABLE

__all__ = ["both", "converting"]

STATUS = object_of(phase=STRING, replicas=INTEGER)
COMMON: Tree = {"replicas": INTEGER, "note": STRING}
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
RULE = {"rule": "!has(self.host) || self.host != 'bad'", "message": "no bad host"}
SPECS: dict[str, Tree] = {
    "v1": object_of(at={"type": "string", "maxLength": 12}, color={"type": "string", "default": "red"}, **COMMON),
    "v2": {
        **object_of(host=STRING, port=STRING, color={"type": "string", "default": "blue"}, **COMMON),
        "x-kubernetes-validations": [RULE],
    },
    "v3": object_of(place=object_of(host=STRING, port=STRING), size={"type": "integer", "default": 3}, **COMMON),
}
SHOWN = {"v1": ".spec.at", "v2": ".spec.host", "v3": ".spec.place.host"}


def version(name: str, *, storage: str = "v1", served: bool = True) -> Tree:
    return {
        "name": name,
        "served": served,
        "storage": name == storage,
        "schema": {"openAPIV3Schema": object_of(spec=SPECS[name], status=STATUS)},
        "subresources": {"status": {}, "scale": SCALE},
        "additionalPrinterColumns": [{"name": name.upper(), "type": "string", "jsonPath": SHOWN[name]}],
        "selectableFields": [{"jsonPath": SHOWN[name]}],
    }


def of_versions(kind: str, conversion: Tree, *names: str, storage: str = "v1", unserved: str = "") -> Tree:
    tree = definition(kind, versions=[version(n, storage=storage, served=n != unserved) for n in names or ("v1", "v2")])
    tree["spec"]["conversion"] = conversion
    return tree


def is_there(reply: Reply) -> bool:
    """Where upstream begins anew, it is not for a moment."""
    return reply.status == 200


def in_version(path: str, version: str) -> str:
    return path.replace("/v1/", f"/{version}/", 1)


def one(kind: str, name: str, **spec: Any) -> Tree:
    tree = thing(kind, name, spec={"at": f"{name}:1", **spec})
    tree["metadata"]["labels"] = {"name": name}
    return tree


def two(kind: str, name: str, **spec: Any) -> Tree:
    tree = thing(kind, name, "v2", spec={"host": name, "port": "2", **spec})
    tree["metadata"]["labels"] = {"name": name}
    return tree


def test_the_webhook_is_asked_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        for kind, reviews in (
            ("Asked", ("v1",)),
            ("Older", ("v1beta1", "v1")),
            ("Newer", ("v7", "v1", "v1beta1")),
        ):
            path = side.define(of_versions(kind, hook.conversion(*reviews), "v1", "v2", "v3"))
            for name in "abc":
                side.create(path, one(kind, name))
            side.create(in_version(path, "v2"), two(kind, "d"))
            for version in ("v1", "v2", "v3"):
                shown = in_version(path, version)
                side.get(f"{shown}/a")
                side.get(f"{shown}/d")
                side.get(shown)
                side.watch(shown, resourceVersion="0", timeoutSeconds="1")
            side.note(f"asked of {kind}", hook.asked(kind))
        unknown = of_versions("Unknown", hook.conversion("v7"))
        side.create(DEFINITIONS, unknown)

    converting(scenario)


def test_reads_are_converted_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = side.define(of_versions("Read", hook.conversion(), "v1", "v2", "v3"))
        start = side.ask("GET", path).revision
        for name in "abc":
            side.create(path, one("Read", name))
        side.create(in_version(path, "v2"), two("Read", "d"))
        side.patch(f"{path}/b", {"spec": {"at": "moved:9"}})
        side.patch(in_version(f"{path}/c", "v3"), {"spec": {"place": {"host": "far"}}})
        side.delete(f"{path}/a")
        for version in ("v1", "v2", "v3"):
            shown = in_version(path, version)
            for name in "abd":
                for accept in ("application/json", TABLE, PARTIAL):
                    side.get(f"{shown}/{name}", headers={"Accept": accept}, note=accept[17:30])
            for accept in ("application/json", TABLE, PARTIAL_LIST):
                side.get(shown, headers={"Accept": accept}, note=accept[17:30])
                side.get(shown, headers={"Accept": accept}, note=accept[17:30], resourceVersion="0")
                page = side.get(shown, headers={"Accept": accept}, note=accept[17:30], limit="2")
                token = page["metadata"]["continue"]
                side.get(shown, headers={"Accept": accept}, note=accept[17:30], limit="2", **{"continue": token})
            side.get(shown, resourceVersion=start, resourceVersionMatch="Exact")
            side.get(shown, labelSelector="name in (b,d)")
            for field in ("spec.at=moved:9", "spec.host=moved", "spec.place.host=far", "metadata.name!=b"):
                side.get(shown, fieldSelector=field)
                side.watch(shown, fieldSelector=field, resourceVersion=start)
            for accept in ("application/json", TABLE, PARTIAL):
                for revision in ("0", start):
                    side.watch(
                        shown, headers={"Accept": accept}, note=f"{accept[17:30]} {revision == start}", resourceVersion=revision
                    )
            side.watch(shown, sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true")

    converting(scenario)


def test_writes_are_converted_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = side.define(of_versions("Written", hook.conversion(), "v1", "v2", "v3"))
        shown = in_version(path, "v2")
        a = f"{shown}/a"
        side.create(shown, two("Written", "a", unknown=1), dryRun="All")
        made = side.create(shown, two("Written", "a", unknown=1))
        side.create(shown, two("Written", "a"))
        side.create(shown, {**two("Written", ""), "metadata": {"generateName": "gen-"}})
        side.create(shown, two("Written", "bad", host="bad"))
        side.create(shown, two("Written", "long", host="much-longer-than-v1-takes"))
        side.create(shown, one("Written", "other"))
        side.create(shown, two("Written", "e", port=1))
        side.get(f"{path}/long")
        side.patch(f"{path}/long", {"spec": {"note": "x"}})
        side.patch(f"{path}/long", {"spec": {"at": "also-much-longer"}})
        side.update(a, made.tree)
        tree = {**made.tree, "spec": {"host": "h", "port": "3", "more": 1}}
        side.update(a, tree, dryRun="All")
        side.update(a, tree)
        side.update(a, tree)
        side.update(a, {**tree, "apiVersion": "written.example.com/v1"}, note="of another version")
        side.patch(a, {"spec": {"host": "bad"}})
        side.patch(a, {"spec": {"port": "4", "color": None}})
        side.patch(a, {"spec": {"port": "4"}})
        side.patch(a, [{"op": "test", "path": "/spec/port", "value": "4"}, {"op": "remove", "path": "/spec/port"}],
                   kind=JSON_PATCH)  # fmt: skip
        side.patch(f"{a}/status", {"status": {"phase": "Good", "replicas": 2}, "spec": {"host": "ignored"}})
        side.get(f"{a}/status")
        side.get(f"{a}/scale")
        side.patch(f"{a}/scale", {"spec": {"replicas": 5}})
        side.get(in_version(f"{a}/scale", "v2").replace("/v2/", "/v3/"))
        for version in ("v1", "v2", "v3"):
            side.get(in_version(f"{path}/a", version))
        side.delete(a, dryRun="All")
        side.delete(a, {"preconditions": {"uid": "x"}})
        side.delete(a)
        side.delete(a)
        held = two("Written", "held")
        held["metadata"]["finalizers"] = ["example.com/a"]
        side.create(shown, held)
        side.delete(f"{shown}/held")
        side.patch(f"{shown}/held", {"metadata": {"finalizers": None}})
        side.delete(shown, labelSelector="name=long", dryRun="All")
        side.delete(shown, labelSelector="name=long")
        side.get(path)

    converting(scenario)


def test_appliers_own_fields_of_a_version_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = side.define(of_versions("Applied", hook.conversion(), "v1", "v2", "v3"))
        first, second = f"{path}/a", in_version(f"{path}/a", "v2")
        side.apply(first, thing("Applied", spec={"at": "h:1", "note": "x"}), "one")
        side.apply(second, thing("Applied", version="v2", spec={"note": "y"}), "two")
        side.apply(second, thing("Applied", version="v2", spec={"note": "y"}), "two", force="true")
        side.apply(second, thing("Applied", version="v2", spec={"note": "y", "replicas": 1}), "two")
        side.patch(second, {"spec": {"replicas": 2}})
        side.patch(first, {"spec": {"replicas": 7}})
        side.apply(second, thing("Applied", version="v2", spec={"replicas": 8}), "four")
        side.apply(f"{second}/status", thing("Applied", version="v2", status={"phase": "x"}), "four")
        side.apply(f"{first}/status", thing("Applied", status={"phase": "y"}), "five")
        side.apply(second, thing("Applied", version="v2", spec={"replicas": 8}), "four", dryRun="All", force="true")
        side.apply(second, thing("Applied", version="v2"), "two")
        side.apply(f"{second}2", thing("Applied", "a2", "v2", spec={"host": "h"}), "two")
        side.apply(f"{second}2", thing("Applied", "a2", "v2", spec={"host": "bad"}), "two")
        for version in ("v1", "v2", "v3"):
            side.get(in_version(first, version))
        other = in_version(f"{path}/b", "v2")
        side.apply(f"{path}/b", thing("Applied", "b", spec={"at": "h:1"}), "one")
        side.apply(
            other, thing("Applied", "b", "v2", spec={"host": "i", "port": "1"}), "two", note="in another form", dryRun="All"
        )
        side.apply(other, thing("Applied", "b", "v2", spec={"host": "i"}), "two", note="in another form", force="true")
        side.apply(in_version(f"{path}/b", "v3"), thing("Applied", "b", "v3", spec={"size": 9}), "five", note="in another form")
        side.get(in_version(f"{path}/b", "v3"), note="in another form")

    converting(scenario)


def test_another_storage_version_is_taken_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        conversion = hook.conversion()
        path = side.define(of_versions("Switched", conversion))
        shown = in_version(path, "v2")
        side.create(path, one("Switched", "a"))
        side.create(path, one("Switched", "b"))
        name = f"{DEFINITIONS}/switcheds.switched.example.com"
        versions = [version("v1", storage="v2"), version("v2", storage="v2")]
        side.patch(name, {"spec": {"versions": versions}})
        side.until(name, lambda reply: reply["status"]["storedVersions"] == ["v1", "v2"])
        side.create(path, one("Switched", "c"))
        side.create(shown, two("Switched", "d"))
        for where in (path, shown):
            side.until(where, is_there)
            side.watch(where, resourceVersion="0")
            side.watch(where)
        again = side.get(f"{shown}/a")
        side.update(f"{shown}/a", again.tree)
        side.patch(f"{path}/b", {"spec": {"note": "x"}})
        side.until(shown, is_there)
        # Upstream may have written these as it did before it took note of the change.
        for last in "cd":
            side.patch(f"{shown}/{last}", {"spec": {"note": "moved"}})
        side.patch(name, {"spec": {"versions": [version("v1", storage="v2", served=False), version("v2", storage="v2")]}})
        side.gone(path)
        side.get(f"{path}/a")
        side.until(shown, is_there)
        side.patch(name, {"spec": {"versions": [version("v2", storage="v2")]}})
        side.patch(f"{name}/status", {"status": {"storedVersions": ["v2"]}})
        side.patch(name, {"spec": {"versions": [version("v2", storage="v2")]}})
        side.until(name, lambda reply: len(reply["spec"]["versions"]) == 1)
        side.until(shown, is_there)

    converting(scenario)
