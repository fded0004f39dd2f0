"""PATCH in its three kinds, and writers who meet at one object."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.component.conftest import Api, Served, core

A = core("configmaps", "default", "a")
D = "/apis/apps/v1/namespaces/default/deployments/d"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"


async def make(server: Served) -> None:
    tree = {"metadata": {"name": "a", "labels": {"x": "1"}}, "data": {"k": "v"}}
    assert (await server.create("configmaps", tree)).status == 201


async def make_deployment(server: Served) -> dict[str, Any]:
    labels = {"app": "d"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]},
    }
    tree = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    answer = await server.request("POST", D.removesuffix("/d"), tree)
    assert answer.status == 201, answer.tree
    found: dict[str, Any] = answer.tree
    return found


def test_a_merge_patch_changes_what_it_names(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answer = await server.patch(A, {"data": {"k": None, "n": "1"}, "metadata": {"labels": {"y": "2"}}}, MERGE)
        assert (answer.status, answer.tree["data"], answer.tree["metadata"]["labels"]) == (
            200,
            {"n": "1"},
            {"x": "1", "y": "2"},
        )

    api(scenario)


def test_a_strategic_patch_merges_lists_by_their_keys(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_deployment(server)
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "b:2"}]}}}}
        answer = await server.patch(D, patch, STRATEGIC)
        containers = answer.tree["spec"]["template"]["spec"]["containers"]
        assert sorted((c["name"], c["image"]) for c in containers) == [("a", "a:1"), ("b", "b:2")]
        assert answer.tree["metadata"]["generation"] == 2

    api(scenario)


def test_a_json_patch_is_applied_in_order_or_not_at_all(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        test = {"op": "test", "path": "/data/k", "value": "v"}
        answer = await server.patch(A, [test, {"op": "replace", "path": "/data/k", "value": "w"}], JSON_PATCH)
        assert (answer.status, answer.tree["data"]) == (200, {"k": "w"})
        failed = await server.patch(A, [{"op": "add", "path": "/data/z", "value": "1"}, test], JSON_PATCH)
        assert failed.status == 422
        assert (await server.get(A)).tree["data"] == {"k": "w"}

    api(scenario)


@pytest.mark.parametrize(
    ("patch", "kind", "status"),
    [
        (b"{", MERGE, 400),
        (b"null", MERGE, 400),
        ([], MERGE, 400),
        ({}, JSON_PATCH, 400),
        ({"data": {"k": 5}}, MERGE, 422),
        ({"metadata": {"name": "b"}}, MERGE, 400),
        ({"metadata": {"namespace": "b"}}, MERGE, 400),
        ({"metadata": {"resourceVersion": "1"}}, MERGE, 409),
        ({"metadata": {"uid": "b"}}, MERGE, 422),
        ({"data": {"": "v"}}, MERGE, 422),
        ({"data": {}}, "application/json", 415),
        ({"data": {}}, "application/apply-patch+cbor", 415),
        ({"data": {}}, "application/apply-patch+yaml", 422),
    ],
)
def test_a_patch_that_cannot_be_is_refused(api: Api, patch: Any, kind: str, status: int) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answer = await server.patch(A, patch, kind)
        assert answer.status == status, answer.tree
        assert (await server.get(A)).tree["data"] == {"k": "v"}

    api(scenario)


@pytest.mark.parametrize(
    ("patch", "kind", "shown"),
    [({"foo": 1, "data": None}, STRATEGIC, "map[data:<nil> foo:1]"), ({"foo": 1, "data": None, "metadata": None}, MERGE, "")],
)
def test_an_unknown_field_of_a_patch_is_strictly_refused(api: Api, patch: Any, kind: str, shown: str) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answer = await server.patch(A, patch, kind, query={"fieldValidation": "Strict"})
        assert answer.status == 422
        assert answer.message.startswith(f' "" is invalid: patch: Invalid value: "{shown}')
        assert answer.message.endswith('strict decoding error: unknown field "foo"')

    api(scenario)


def test_patches_of_one_object_all_count(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answers = await asyncio.gather(*(server.patch(A, {"data": {f"n{index}": "1"}}) for index in range(40)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.tree["metadata"]["resourceVersion"] for answer in answers}) == 40
        assert len((await server.get(A)).tree["data"]) == 41

    api(scenario)


def test_a_write_beside_this_server_is_seen_before_the_next_patch(api: Api) -> None:
    """What several servers of one store do to each other, done to the store directly."""

    async def scenario(server: Served) -> None:
        await make(server)
        cache = server.server.registry("", "configmaps").cache
        key = cache.key("default", "a")
        entry = await server.store.get(key)
        assert entry is not None
        writing = server.store.update(key, entry.value.replace(b'"k":"v"', b'"k":"elsewhere"'), entry.revision)
        _, answer = await asyncio.gather(writing, server.patch(A, {"data": {"n": "1"}}))
        assert answer.tree["data"] == {"k": "elsewhere", "n": "1"}

    api(scenario)


def test_the_status_and_the_rest_are_written_apart(api: Api) -> None:
    async def scenario(server: Served) -> None:
        tree = await make_deployment(server)
        await server.patch(D, {"spec": {"replicas": 3}, "status": {"replicas": 9}})
        status = await server.patch(
            D + "/status", {"spec": {"replicas": 7}, "status": {"replicas": 2, "observedGeneration": 2}}
        )
        assert (status.status, status.tree["spec"]["replicas"], status.tree["status"]["replicas"]) == (200, 3, 2)
        assert status.tree["metadata"]["generation"] == tree["metadata"]["generation"] + 1
        assert (await server.get(D + "/status")).tree == status.tree

    api(scenario)


def test_replicas_are_scaled_through_the_scale(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_deployment(server)
        shown = (await server.get(D + "/scale")).tree
        assert (shown["kind"], shown["apiVersion"], shown["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
        assert shown["status"]["selector"] == "app=d"
        shown["spec"]["replicas"] = 4
        assert (await server.request("PUT", D + "/scale", shown)).tree["spec"] == {"replicas": 4}
        stale = await server.request("PUT", D + "/scale", shown)
        assert stale.status == 409
        patched = await server.patch(D + "/scale", {"spec": {"replicas": 2}})
        assert patched.tree["spec"] == {"replicas": 2}
        assert (await server.get(D)).tree["spec"]["replicas"] == 2
        negative = await server.patch(D + "/scale", {"spec": {"replicas": -1}})
        assert negative.status == 422
        other = await server.patch(D + "/scale", {"kind": "Deployment", "apiVersion": "apps/v1", "status": {"replicas": 5}})
        assert other.status == 422 and "converting (v1.Deployment) to (autoscaling.Scale): unknown" in other.message
        old = await server.request("PUT", D + "/scale", {**patched.tree, "apiVersion": "extensions/v1beta1"})
        assert (old.status, old.tree["apiVersion"]) == (200, "autoscaling/v1")

    api(scenario)
