"""What upstream's server and ours say when a conversion webhook fails, or answers what it must not."""

from __future__ import annotations

from typing import Any

from tests.component.webhooks import authority, bundle
from tests.upstream.generic_fixture import both
from tests.upstream.generic_schemas import Tree, thing
from tests.upstream.generic_server import wait_until
from tests.upstream.generic_webhook import Converter, Converting, Fault, converting, each_object, saying
from tests.upstream.generic_wire import JSON_PATCH, Side
from tests.upstream.test_generic_conversion import in_version, of_versions, one, two
from tests.upstream.test_generic_reads import PARTIAL_LIST, TABLE

__all__ = ["both", "converting"]


def responding(**changes: Any) -> Fault:
    """With these fields of the response; None takes one out."""

    def fault(answer: Tree) -> Tree:
        answer["response"] = {key: value for key, value in {**answer["response"], **changes}.items() if value is not None}
        return answer

    return fault


def reviewing(**changes: Any) -> Fault:
    return lambda answer: {key: value for key, value in {**answer, **changes}.items() if value is not None}


def metadata(**changes: Any) -> Fault:
    return each_object(lambda tree: {**tree, "metadata": {**tree["metadata"], **changes}})


def with_fields(**changes: Any) -> Fault:
    return each_object(lambda tree: {key: value for key, value in {**tree, **changes}.items() if value is not None})


def _fewer(answer: Tree) -> Tree:
    answer["response"]["convertedObjects"].pop()
    return answer


def _more(answer: Tree) -> Tree:
    answer["response"]["convertedObjects"] *= 2
    return answer


FAULTS: dict[str, Fault] = {
    "Failing": responding(result={"status": "Failure", "message": "it does not work"}),
    "Mute": responding(result={"status": "Failure"}),
    "Coded": responding(result={"status": "Failure", "message": "no", "code": 409, "reason": "Conflict"}),
    "Resultless": responding(result=None),
    "Misnumbered": responding(uid="x"),
    "Unnumbered": responding(uid=None),
    "Objectless": responding(convertedObjects=None),
    "Fewer": _fewer,
    "More": _more,
    "Unanswered": reviewing(response=None),
    "Misversioned": reviewing(apiVersion="apiextensions.k8s.io/v1beta1"),
    "Miskinded": reviewing(kind="AdmissionReview"),
    "Unversioned": reviewing(apiVersion=None),
    "Unkinded": reviewing(kind=None),
    "Untyped": reviewing(kind=None, apiVersion=None),
    "Foreign": reviewing(apiVersion="example.com/v1"),
    "Renamed": metadata(name="other"),
    "Moved": metadata(namespace="other"),
    "Replaced": metadata(uid="other"),
    "Nameless": metadata(name=None),
    "Mislabelled": metadata(labels={"-": "x y"}),
    "Numbered": metadata(labels={"a": 1}),
    "Listed": metadata(annotations=["a"]),
    "Misnoted": metadata(annotations={"-/-": ""}),
    "Unturned": with_fields(apiVersion="example.com/v9"),
    "Otherkind": with_fields(kind="Other"),
    "Versionless": with_fields(apiVersion=None),
    "Kindless": with_fields(kind=None),
    "Metaless": with_fields(metadata=None),
    "Metatext": with_fields(metadata="x"),
    "Notjson": saying(200, b"{no"),
    "Lists": saying(200, b"[]"),
    "Null": saying(200, b"null"),
    "Nothing": saying(200, b""),
    "Number": saying(200, b"7"),
    "Broken": saying(500, b"it is broken"),
    "Told": saying(500, b"it is broken", "text/plain"),
    "Missing": saying(404, b"404 page not found\n", "text/plain"),
    "Denied": saying(403, b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"denied","code":403}'),
    "Accepted": saying(200, b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"refused","code":400}'),
}

FORGIVEN = ("Misnumbered", "Unnumbered", "Unversioned", "Unkinded", "Untyped")
"""These are good answers in v1beta1."""


def ask_everything(side: Side, path: str, kind: str, note: str = "") -> None:
    """Each verb through the version that is not stored; `a` is there."""
    shown = in_version(path, "v2")
    a = f"{shown}/a"
    side.get(a, note=note)
    side.get(f"{a}/status", note=note)
    side.get(f"{a}/scale", note=note)
    side.get(f"{shown}/none", note=note)
    side.create(shown, two(kind, "n"), note=note)
    side.create(shown, two(kind, "n"), dryRun="All", note=note)
    side.create(shown, two(kind, "bad", host="bad"), note=note)
    side.update(a, two(kind, "a"), note=note)
    side.patch(a, {"spec": {"port": "9"}}, note=note)
    side.patch(a, {"spec": {"port": "9"}}, dryRun="All", note=note)
    side.patch(a, [{"op": "add", "path": "/spec/port", "value": "9"}], kind=JSON_PATCH, note=note)
    side.patch(f"{a}/status", {"status": {"phase": "x"}}, note=note)
    side.patch(f"{a}/scale", {"spec": {"replicas": 1}}, note=note)
    side.apply(a, thing(kind, version="v2", spec={"port": "9"}), note=note)
    side.apply(f"{shown}/applied", thing(kind, "applied", version="v2", spec={"port": "9"}), note=note)
    side.delete(a, note=note)
    side.delete(f"{shown}/none", note=note)
    side.get(shown, limit="1", note=note)
    side.get(f"{path}/a", note=note)
    side.patch(f"{path}/a", {"metadata": {"annotations": {"last": note}}}, note=note)
    side.get(path, note=note)


def failing(side: Side, hook: Converter, kind: str, fault: Fault | None, conversion: Tree | None = None) -> str:
    """The path of a kind whose objects were never shown in v2."""
    path = side.define(of_versions(kind, conversion or hook.conversion()))
    hook.fault = fault
    for name in "ab":
        side.create(path, one(kind, name, replicas=1))
    return path


def test_a_bad_answer_fails_each_verb_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = failing(side, hook, "Failing", FAULTS["Failing"])
        for name, fault in FAULTS.items():
            hook.fault = fault
            ask_everything(side, path, "Failing", name)

    converting(scenario)


def test_a_bad_answer_in_v1beta1_fails_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = failing(side, hook, "Older", FAULTS["Failing"], hook.conversion("v1beta1"))
        hook.fault = reviewing(apiVersion="apiextensions.k8s.io/v1")
        side.get(in_version(f"{path}/a", "v2"), note="v1")
        for name in ("Unanswered", "Miskinded", "Foreign", "Failing", "Resultless", "Renamed", "Accepted", *FORGIVEN):
            hook.fault = FAULTS[name]
            side.get(in_version(f"{path}/a", "v2"), note=name)

    converting(scenario)


def test_a_webhook_that_cannot_be_reached_fails_each_verb_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        for kind, config in (
            ("Refusing", {"url": "https://127.0.0.1:1/convert"}),
            ("Distrusted", {"caBundle": bundle(authority("other"))}),
            ("Hostless", {"url": None, "service": {"namespace": "default", "name": "none"}}),
        ):
            conversion = hook.conversion(**config)
            ask_everything(side, failing(side, hook, kind, None, conversion), kind)

    converting(scenario)


def test_lists_and_watches_of_what_cannot_be_converted_fail_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = failing(side, hook, "Broken", FAULTS["Failing"])
        shown = in_version(path, "v2")
        # At revision 0 upstream goes on showing what there was before, for as long as it does not begin anew.
        for query in ({}, {"limit": "1"}, {"labelSelector": "name=a"}):
            side.get(shown, **query)
        side.get(shown, headers={"Accept": TABLE})
        side.get(shown, headers={"Accept": PARTIAL_LIST})
        side.delete(shown)
        hook.fault = None
        side.until(shown, lambda reply: reply.status == 200)
        start = side.ask("GET", shown).revision
        hook.fault = FAULTS["Failing"]
        side.patch(f"{path}/a", {"spec": {"at": "x:1"}})
        side.watch(shown, note="from there", resourceVersion=start)
        side.delete(f"{path}/b")
        side.watch(shown, note="from there on", resourceVersion=start)
        side.watch(path, note="stored", resourceVersion=start)

    converting(scenario)


def test_metadata_that_may_change_changes_alike(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = failing(side, hook, "Relabelled", None)
        shown = in_version(path, "v2")
        for name, changes in (
            ("labels", {"labels": {"a": "b"}}),
            ("annotations", {"annotations": {"a": "b"}}),
            ("neither", {"labels": None, "annotations": None}),
            ("the rest", {"finalizers": ["a.com/b"], "generation": 9, "resourceVersion": "7", "managedFields": []}),
            ("unknown", {"other": 1}),
        ):
            hook.fault = metadata(**changes)
            tree = two("Relabelled", name.replace(" ", "-"))
            side.create(shown, tree, note=name)
            one_ = f"{shown}/{tree['metadata']['name']}"
            side.get(one_, note=name)
            side.patch(one_, {"spec": {"port": "8"}}, note=name)
            side.get(one_.replace("/v2/", "/v1/"), note=name)
        # What the others are like in a list depends on what the webhook did to them when the server's cache last read them.
        wait_until("all can be listed", lambda: side.ask("GET", shown).status == 200)
        side.note("listed", [item["metadata"]["name"] for item in side.ask("GET", shown)["items"]])

    converting(scenario)


def test_a_collection_goes_alike_through_a_version_that_is_not_stored(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = failing(side, hook, "Collected", None)
        shown = in_version(path, "v2")
        for name in "cde":
            side.create(shown, two("Collected", name))
        side.delete(shown, fieldSelector="spec.host=c")
        side.delete(shown, labelSelector="name in (a,d)", dryRun="All")
        side.delete(shown, labelSelector="name in (a,d)")
        side.delete(shown, limit="1")
        side.delete(shown)
        side.get(path)

    converting(scenario)
