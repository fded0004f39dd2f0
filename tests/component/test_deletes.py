"""Deletes: at once, with grace, behind finalizers, many at a time; and the life's end of namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.conftest import Api, Served, core

A = core("configmaps", "default", "a")
P = core("pods", "default", "p")


async def make(server: Served, name: str = "a", **metadata: Any) -> dict[str, Any]:
    answer = await server.create("configmaps", {"metadata": {"name": name, **metadata}})
    assert answer.status == 201
    tree: dict[str, Any] = answer.tree
    return tree


async def make_pod(server: Served, *, node: str = "", **spec: Any) -> None:
    await server.create("serviceaccounts", {"metadata": {"name": "default"}})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    assert (await server.create("pods", pod)).status == 201
    if node:
        target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": node}}
        assert (await server.request("POST", P + "/binding", target)).status == 201


def test_a_delete_answers_with_what_it_deleted(api: Api) -> None:
    async def scenario(server: Served) -> None:
        uid = (await make(server))["metadata"]["uid"]
        answer = await server.delete(A)
        assert (answer.status, answer.tree["status"]) == (200, "Success")
        assert answer.tree["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
        again = await server.delete(A)
        assert (again.status, again.message) == (404, 'configmaps "a" not found')

    api(scenario)


@pytest.mark.parametrize(
    ("preconditions", "message"),
    [
        ({"uid": "another"}, "Precondition failed: UID in precondition: another, UID in object meta: "),
        ({"resourceVersion": "1"}, "Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: "),
    ],
)
def test_preconditions_protect_another_object(api: Api, preconditions: dict[str, str], message: str) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answer = await server.delete(A, {"preconditions": preconditions})
        assert answer.status == 409 and message in answer.message
        assert (await server.get(A)).status == 200

    api(scenario)


def test_finalizers_hold_an_object_until_the_last_is_gone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server, finalizers=["example.com/hold"])
        held = await server.delete(A)
        meta = held.tree["metadata"]
        assert held.status == 200 and meta["deletionTimestamp"] and meta["deletionGracePeriodSeconds"] == 0
        added = await server.patch(A, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
        assert added.status == 422 and "no new finalizers can be added if the object is being deleted" in added.message
        freed = await server.patch(A, {"metadata": {"finalizers": None}})
        assert freed.status == 200
        assert (await server.get(A)).status == 404

    api(scenario)


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        ({"propagationPolicy": "Orphan"}, ["orphan"]),
        ({"orphanDependents": True}, ["orphan"]),
    ],
)
def test_a_propagation_policy_leaves_work_for_the_collector(api: Api, options: dict[str, Any], finalizers: list[str]) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        answer = await server.delete(A, options)
        assert answer.tree["metadata"]["finalizers"] == finalizers
        wrong = await server.delete(A, {"propagationPolicy": "Sideways"})
        assert wrong.status == 422 and "Unsupported value" in wrong.message

    api(scenario)


def test_a_scheduled_pod_gets_its_grace(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server, node="n1", terminationGracePeriodSeconds=20)
        first = (await server.delete(P)).tree["metadata"]
        assert first["deletionGracePeriodSeconds"] == 20 and first["deletionTimestamp"]
        again = (await server.delete(P)).tree["metadata"]
        assert again["resourceVersion"] == first["resourceVersion"], "a grace period that runs goes on"
        shorter = (await server.delete(P, {"gracePeriodSeconds": 5})).tree["metadata"]
        assert shorter["deletionGracePeriodSeconds"] == 5
        longer = (await server.delete(P, {"gracePeriodSeconds": 50})).tree["metadata"]
        assert longer["deletionGracePeriodSeconds"] == 5
        assert (await server.get(P)).status == 200
        gone = await server.delete(P, {"gracePeriodSeconds": 0})
        assert (gone.status, gone.tree["kind"]) == (200, "Pod")
        assert (await server.get(P)).status == 404

    api(scenario)


def test_a_pod_that_no_kubelet_has_goes_at_once(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server)
        assert (await server.delete(P, {"gracePeriodSeconds": 100})).status == 200
        assert (await server.get(P)).status == 404

    api(scenario)


def test_a_collection_is_deleted_by_selection(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name, app in (("a", "web"), ("b", "web"), ("c", "db")):
            await make(server, name, labels={"app": app})
        answer = await server.delete(core("configmaps", "default"), query={"labelSelector": "app=web"})
        assert [item["metadata"]["name"] for item in answer.tree["items"]] == ["a", "b"]
        left = await server.get(core("configmaps", "default"))
        assert [item["metadata"]["name"] for item in left.tree["items"]] == ["c"]

    api(scenario)


def test_a_namespace_goes_in_two_steps(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", core("namespaces"), {"metadata": {"name": "x"}})
        path = core("namespaces", "", "x")
        marked = (await server.delete(path)).tree
        assert marked["status"]["phase"] == "Terminating" and marked["metadata"]["deletionTimestamp"]
        refused = await server.create("configmaps", {"metadata": {"name": "a"}}, "x")
        assert (refused.status, refused.message) == (
            403,
            'configmaps "a" is forbidden: unable to create new content in namespace x because it is being terminated',
        )
        assert refused.tree["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        assert (await server.delete(path)).status == 200
        assert (await server.get(path)).status == 200
        marked["spec"]["finalizers"] = []
        assert (await server.request("PUT", path + "/finalize", marked)).status == 200
        assert (await server.get(path)).status == 404

    api(scenario)


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_three_namespaces_never_go(api: Api, name: str) -> None:
    async def scenario(server: Served) -> None:
        answer = await server.delete(core("namespaces", "", name))
        assert (answer.status, answer.message) == (403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')

    api(scenario)
