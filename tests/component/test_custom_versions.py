"""Several versions of one custom resource: one is stored, each is shown by its own schema, by renaming or through a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.component.conftest import Api, Served
from tests.component.definitions import DEFINITIONS, GROUP, Tree, crd, cron, crons, define, redefine, version
from tests.component.webhooks import Hook, webhook

NAME = f"crontabs.{GROUP}"
ONE: Tree = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"at": {"type": "string"}}}}}
TWO: Tree = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "string"}}}},
}


def converted(tree: Tree, target: str) -> Tree:
    """`spec.at` of v1, "host:port", is two fields in v2."""
    spec = dict(tree["spec"])
    if target.endswith("/v2") and "at" in spec:
        spec["host"], _, spec["port"] = spec.pop("at").partition(":")
    elif target.endswith("/v1") and "host" in spec:
        spec["at"] = f"{spec.pop('host')}:{spec.pop('port', '')}"
    return {**tree, "apiVersion": target, "spec": spec}


def answer(review: Tree) -> Tree:
    request = review["request"]
    found = [converted(tree, request["desiredAPIVersion"]) for tree in request["objects"]]
    response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": found}
    return {"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response}


def conversion(hook: Hook) -> Tree:
    return {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": hook.client_config()},
    }


def both(storage: str = "v1") -> list[Tree]:
    return [version(name, storage=name == storage, schema=schema) for name, schema in (("v1", ONE), ("v2", TWO))]


async def spec_of(served: Served, shown: str, name: str) -> Any:
    found = await served.get(crons(shown, name))
    assert found.status == 200, found.body
    assert found.tree["apiVersion"] == f"{GROUP}/{shown}"
    return found.tree["spec"]


async def stored(served: Served, name: str) -> bytes:
    entry = await served.store.get(f"/registry/{GROUP}/crontabs/default/{name}")
    assert entry is not None
    return entry.value


def test_without_a_webhook_a_version_loses_what_the_storage_version_does_not_know(api: Api) -> None:
    async def scenario(served: Served) -> None:
        wide = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}
        await define(served, crd("CronTab", version(schema=ONE), version("v2", storage=False, schema=wide)))
        made = await served.request("POST", crons("v2"), cron("a", "v2", at="x", more=1))
        assert made.tree["spec"] == {"at": "x"}
        assert await spec_of(served, "v2", "a") == {"at": "x"}
        await served.patch(crons("v2", "a"), {"spec": {"at": "y"}})
        assert await spec_of(served, "v1", "a") == {"at": "y"}
        assert (await stored(served, "a")).startswith(b'{"kind":"CronTab","apiVersion":"stable.example.com/v1"')

    api(scenario)


def test_a_change_of_the_storage_version_leaves_old_objects_readable_until_they_are_written(api: Api) -> None:
    async def scenario(served: Served) -> None:
        found = await define(served, crd("CronTab", version(), version("v2", storage=False)))
        await served.request("POST", crons(), cron("a", image="x"))
        changed = await redefine(served, found, versions=[version(storage=False), version("v2")])
        assert changed["status"]["storedVersions"] == ["v1", "v2"]
        await served.request("POST", crons("v2"), cron("b", "v2"))
        assert b"/v1" in await stored(served, "a")
        assert await spec_of(served, "v2", "a") == await spec_of(served, "v1", "a") == {"image": "x", "replicas": 1}
        # To replace an object by itself brings it into the storage version.
        again = await served.get(crons("v2", "a"))
        replaced = await served.request("PUT", crons("v2", "a"), again.tree)
        assert replaced.tree["metadata"]["generation"] == 1
        assert replaced.tree["metadata"]["resourceVersion"] > again.tree["metadata"]["resourceVersion"]
        assert b"/v2" in await stored(served, "a")
        once_more = await served.request("PUT", crons("v2", "a"), replaced.tree)
        assert once_more.tree == replaced.tree

    api(scenario)


def test_a_webhook_converts_reads_writes_and_watches(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            made = await served.request("POST", crons("v1"), cron("a", at="h:1"))
            assert made.status == 201
            assert hook.asked == []
            async with served.watch(crons("v2")) as events:
                type_, first = await events.next()
                assert (type_, first["spec"]) == ("ADDED", {"host": "h", "port": "1"})
                assert first["metadata"] == made.tree["metadata"]
                two = await served.request("POST", crons("v2"), cron("b", "v2", host="i", port="2"))
                assert (two.status, two.tree["spec"]) == (201, {"host": "i", "port": "2"})
                await served.patch(crons("v1", "a"), {"spec": {"at": "j:3"}})
                await served.delete(crons("v2", "b"))
                seen = [await events.next() for _ in range(3)]
            assert [(type_, tree["apiVersion"], tree["spec"]) for type_, tree in seen] == [
                ("ADDED", f"{GROUP}/v2", {"host": "i", "port": "2"}),
                ("MODIFIED", f"{GROUP}/v2", {"host": "j", "port": "3"}),
                ("DELETED", f"{GROUP}/v2", {"host": "i", "port": "2"}),
            ]
            assert b'"at":"j:3"' in await stored(served, "a")
            assert await spec_of(served, "v2", "a") == {"host": "j", "port": "3"}
            old = await served.get(crons("v2"), query={"resourceVersion": "0"})
            assert old.tree["items"][0]["spec"] == {"host": "j", "port": "3"}

    api(scenario)


def test_a_list_is_converted_in_one_call(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            for number in range(20):
                await served.request("POST", crons(), cron(f"a{number:02}", at=f"h:{number}"))
            listed = (await served.get(crons("v2"))).tree
            assert [item["spec"]["port"] for item in listed["items"]] == [str(number) for number in range(20)]
            assert len(hook.asked) == 1
            assert (await served.get(crons("v2"))).status == 200
            assert len(hook.asked) == 1
            page = (await served.get(crons("v2"), query={"limit": "15"})).tree
            await served.request("POST", crons(), cron("a99", at="h:99"))
            rest = (await served.get(crons("v2"), query={"limit": "15", "continue": page["metadata"]["continue"]})).tree
            assert [item["metadata"]["name"] for item in rest["items"]] == [f"a{number}" for number in range(15, 20)]

    api(scenario)


def test_with_a_webhook_a_new_storage_version_shows_old_objects_converted(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            found = await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            await served.request("POST", crons(), cron("a", at="h:1"))
            await redefine(served, found, versions=both("v2"))
            assert await spec_of(served, "v2", "a") == {"host": "h", "port": "1"}
            assert await spec_of(served, "v1", "a") == {"at": "h:1"}
            current = await served.get(crons("v2", "a"))
            await served.request("PUT", crons("v2", "a"), current.tree)
            assert b"/v2" in await stored(served, "a")
            await served.patch(f"{DEFINITIONS}/{NAME}/status", {"status": {"storedVersions": ["v2"]}})
            await served.request("POST", crons("v2"), cron("b", "v2", host="i", port="2"))
            asked = len(hook.asked)
            assert await spec_of(served, "v2", "a") == {"host": "h", "port": "1"}
            assert len(hook.asked) == asked
            # The definition goes, and with it objects that must be converted to be read.
            assert (await served.delete(f"{DEFINITIONS}/{NAME}")).status == 200

    api(scenario)


Fault = Callable[[Tree], Any]


def result(review: Tree, **changes: Any) -> Tree:
    good = answer(review)
    return {**good, "response": {**good["response"], **changes}}


def changed_object(review: Tree, **changes: Any) -> Tree:
    good = answer(review)
    (tree,) = good["response"]["convertedObjects"]
    return result(review, convertedObjects=[{**tree, **changes}])


def changed_meta(review: Tree, **changes: Any) -> Tree:
    return changed_object(review, metadata={**review["request"]["objects"][0]["metadata"], **changes})


KIND = f"{GROUP}/v1, Kind=CronTab"
FAULTS: dict[str, tuple[Fault, str]] = {
    "failure": (
        lambda r: result(r, result={"status": "Failure", "message": "no way"}),
        f"conversion webhook for {KIND} failed: no way",
    ),
    "no success": (
        lambda r: result(r, result={}),
        f"conversion webhook for {KIND} failed: response.result.status was '', not 'Success'",
    ),
    "no response": (lambda r: {**answer(r), "response": None}, f"conversion webhook for {KIND} failed: no response provided"),
    "other question": (lambda r: result(r, uid="x"), f'conversion webhook for {KIND} failed: expected response.uid="'),
    "other kind of answer": (
        lambda r: {**answer(r), "kind": "Review"},
        f'conversion webhook for {KIND} failed: no kind "Review" is registered for version "apiextensions.k8s.io/v1" in ',
    ),
    "no kind of answer": (
        lambda r: {**answer(r), "apiVersion": ""},
        f"conversion webhook for {KIND} failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, "
        "got /, Kind=ConversionReview",
    ),
    "another version of answers": (
        lambda r: {**answer(r), "apiVersion": "apiextensions.k8s.io/v1beta1"},
        f"conversion webhook for {KIND} failed: converting (v1beta1.ConversionReview) to (v1.ConversionReview): unknown ",
    ),
    "too few": (lambda r: result(r, convertedObjects=[]), f"conversion webhook for {KIND} returned 0 objects, expected 1"),
    "not converted": (
        lambda r: changed_object(r, apiVersion=f"{GROUP}/v1"),
        f"conversion webhook for {KIND} returned invalid object at index 0: invalid groupVersion (expected {GROUP}/v2, "
        f"received {GROUP}/v1)",
    ),
    "another kind": (
        lambda r: changed_object(r, kind="Other"),
        f"conversion webhook for {KIND} returned invalid object at index 0: invalid kind (expected CronTab, received Other)",
    ),
    "no kind": (lambda r: changed_object(r, kind=""), "Object 'Kind' is missing in '{\"apiVersion\":\""),
    "another name": (
        lambda r: changed_meta(r, name="b"),
        f"conversion webhook for {KIND} returned invalid object: must have the same name: a != b",
    ),
    "another uid": (
        lambda r: changed_meta(r, uid="u"),
        f"conversion webhook for {KIND} returned invalid object: must have the same UID: ",
    ),
    "bad label": (
        lambda r: changed_meta(r, labels={"a": "?"}),
        f'conversion webhook for {KIND} returned invalid metadata: metadata.labels: Invalid value: "?": ',
    ),
    "no string": (
        lambda r: changed_meta(r, annotations={"a": 1}),
        f"conversion webhook for {KIND} returned invalid metadata: metadata.annotations[a] must be a string, but is int64",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_webhook_that_answers_badly_is_told_so_in_upstreams_words(api: Api, fault: str) -> None:
    change, words = FAULTS[fault]

    async def scenario(served: Served) -> None:
        faulty = True
        async with webhook(lambda review: change(review) if faulty else answer(review)) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            await served.request("POST", crons(), cron("a", at="h:1"))
            for path, query in ((crons("v2", "a"), {}), (crons("v2"), {}), (crons("v2"), {"resourceVersion": "0"})):
                failed = await served.get(path, query=query)
                assert (failed.status, failed.message[: len(words)]) == (500, words)
            assert await spec_of(served, "v1", "a") == {"at": "h:1"}
            faulty = False
            assert await spec_of(served, "v2", "a") == {"host": "h", "port": "1"}

    api(scenario)


def test_labels_and_annotations_are_the_webhooks_all_other_metadata_is_not(api: Api) -> None:
    async def scenario(served: Served) -> None:
        def reply(review: Tree) -> Tree:
            return changed_meta(review, labels={"a": "b"}, annotations=None, finalizers=["x/y"], generation=7)

        async with webhook(reply) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            tree = cron("a", at="h:1")
            tree["metadata"]["annotations"] = {"c": "d"}
            made = await served.request("POST", crons(), tree)
            shown = (await served.get(crons("v2", "a"))).tree["metadata"]
            kept = {key: value for key, value in made.tree["metadata"].items() if key != "annotations"}
            assert shown == {**kept, "labels": {"a": "b"}}

    api(scenario)


def test_a_write_is_answered_with_what_is_read_back(api: Api) -> None:
    def lossy(review: Tree) -> Tree:
        good = answer(review)
        for tree in good["response"]["convertedObjects"]:
            if tree["apiVersion"].endswith("/v1"):
                tree["spec"]["at"] = tree["spec"]["at"].lower()
        return good

    async def scenario(served: Served) -> None:
        async with webhook(lossy) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            for query in ({"dryRun": "All"}, {}):
                made = await served.request("POST", crons("v2"), cron("a", "v2", host="H", port="1"), query=query)
                assert (made.status, made.tree["spec"]) == (201, {"host": "h", "port": "1"})
            for query in ({"dryRun": "All"}, {}):
                patched = await served.patch(crons("v2", "a"), {"spec": {"host": "I"}}, query=query)
                assert (patched.status, patched.tree["spec"]) == (200, {"host": "i", "port": "1"})
            assert (await served.get(crons("v2", "a"))).tree == patched.tree

    api(scenario)


def test_objects_that_a_webhook_cannot_convert_together_are_converted_alone(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(
            lambda review: result(review, convertedObjects=answer(review)["response"]["convertedObjects"][:1])
        ) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            for name in "abc":
                await served.request("POST", crons(), cron(name, at=f"{name}:1"))
            listed = await served.get(crons("v2"))
            assert [item["spec"]["host"] for item in listed.tree["items"]] == ["a", "b", "c"]
            assert [len(review["request"]["objects"]) for review in hook.asked] == [3, 1, 1, 1]

    api(scenario)


def test_watches_end_when_the_webhook_fails_and_others_go_on(api: Api) -> None:
    async def scenario(served: Served) -> None:
        faulty = False

        def reply(review: Tree) -> Tree:
            return result(review, result={"status": "Failure"}) if faulty else answer(review)

        async with webhook(reply) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            async with served.watch(crons("v2")) as converted_, served.watch(crons("v1")) as plain:
                await served.request("POST", crons(), cron("a", at="h:1"))
                assert (await converted_.next())[0] == "ADDED"
                faulty = True
                await served.request("POST", crons(), cron("b", at="h:2"))
                assert await converted_.rest() == []
                faulty = False
                await served.request("POST", crons(), cron("c", at="h:3"))
                assert [name for _, name in await plain.names(3)] == ["a", "b", "c"]
            assert [item["metadata"]["name"] for item in (await served.get(crons("v2"))).tree["items"]] == ["a", "b", "c"]

    api(scenario)


def test_many_requests_for_a_version_begin_its_conversion_once(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            await served.request("POST", crons(), cron("a", at="h:1"))
            found = await asyncio.gather(*(served.get(crons("v2", "a")) for _ in range(20)))
            assert {answer_.status for answer_ in found} == {200}
            assert len(hook.asked) == 1

    api(scenario)


def test_who_manages_what_in_one_version_is_kept_by_writes_in_another(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with webhook(answer) as hook:
            await define(served, crd("CronTab", *both(), conversion=conversion(hook)))
            tree = cron("a", at="h:1")
            tree["metadata"]["labels"] = {"a": "b"}
            await served.request("POST", crons(), tree, query={"fieldManager": "one"})
            patched = await served.patch(crons("v2", "a"), {"spec": {"port": "2"}}, query={"fieldManager": "two"})
            managed = {entry["manager"]: entry for entry in patched.tree["metadata"]["managedFields"]}
            assert (managed["one"]["apiVersion"], managed["two"]["apiVersion"]) == (f"{GROUP}/v1", f"{GROUP}/v2")
            assert managed["two"]["fieldsV1"] == {"f:spec": {"f:port": {}}}
            assert managed["one"]["fieldsV1"]["f:metadata"]["f:labels"] == {".": {}, "f:a": {}}

    api(scenario)
