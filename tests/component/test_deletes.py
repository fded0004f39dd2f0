"""Deletes: at once, with grace, behind finalizers, many at a time; and the life's end of namespaces."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from sampan.lib.clock import ManualClock
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
        classes = "/apis/storage.k8s.io/v1/storageclasses"
        made = await server.request("POST", classes, {"metadata": {"name": "fast"}, "provisioner": "example.com/p"})
        assert (await server.delete(classes + "/fast")).tree["metadata"]["uid"] == made.tree["metadata"]["uid"]

    api(scenario)


@pytest.mark.parametrize(
    ("preconditions", "message"),
    [
        (
            {"uid": "another"},
            "the UID in the precondition (another) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated",
        ),
        (
            {"resourceVersion": "1"},
            "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({resourceVersion}). "
            "The object might have been modified",
        ),
    ],
)
def test_preconditions_protect_another_object(api: Api, preconditions: dict[str, str], message: str) -> None:
    async def scenario(server: Served) -> None:
        meta = (await make(server))["metadata"]
        for answer in (
            await server.delete(A, {"preconditions": preconditions}),
            await server.delete(A, query=preconditions),
        ):
            assert answer.status == 409
            assert answer.message == f'Operation cannot be fulfilled on ConfigMap "a": {message.format(**meta)}'
        assert (await server.get(A)).status == 200
        same = {field: meta[field] for field in ("uid", "resourceVersion")}
        assert (await server.delete(A, {"preconditions": same})).status == 200

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


INVALID = 'DeleteOptions.meta.k8s.io "" is invalid: '


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"propagationPolicy": ""},
            'propagationPolicy: Unsupported value: "": supported values: "Foreground", "Background", "Orphan", "nil"',
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
        ),
        ({"dryRun": ["Some"]}, 'dryRun: Unsupported value: []string{"Some"}: supported values: "All"'),
    ],
)
def test_options_that_make_no_sense_delete_nothing(api: Api, options: dict[str, Any], message: str) -> None:
    async def scenario(server: Served) -> None:
        await make(server)
        for path in (A, core("configmaps", "default")):
            wrong = await server.delete(path, options)
            assert (wrong.status, wrong.message) == (422, INVALID + message)
        assert (await server.get(A)).status == 200

    api(scenario)


def test_who_asks_the_old_way_for_a_cascade_is_told_that_it_goes_on(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server, finalizers=["example.com/hold"])
        assert (await server.delete(A, {"orphanDependents": False})).status == 202
        assert (await server.delete(A, query={"orphanDependents": "false"})).status == 202

    api(scenario)


def test_an_alpha_option_is_taken_and_does_nothing(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server, finalizers=["example.com/hold"])
        held = await server.delete(A, {"ignoreStoreReadErrorWithClusterBreakingPotential": True})
        assert (held.status, held.tree["metadata"]["deletionGracePeriodSeconds"]) == (200, 0)

    api(scenario)


def test_an_event_waits_for_no_collector(api: Api) -> None:
    async def scenario(server: Served) -> None:
        event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}}
        assert (await server.create("events", event)).status == 201
        assert (await server.delete(core("events", "default", "e"), {"propagationPolicy": "Orphan"})).status == 200
        assert (await server.get(core("events", "default", "e"))).status == 404

    api(scenario)


def test_a_name_is_not_free_until_its_object_is_gone(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await make(server, finalizers=["example.com/hold"])
        await server.delete(A)
        taken = await server.create("configmaps", {"metadata": {"name": "a"}})
        assert (taken.status, taken.message) == (409, 'object is being deleted: configmaps "a" already exists')

    api(scenario)


def test_a_shorter_grace_counts_from_the_first_delete(api: Api) -> None:
    clock = ManualClock()

    async def scenario(server: Served) -> None:
        await make_pod(server, node="n1", terminationGracePeriodSeconds=100)
        first = (await server.delete(P)).tree["metadata"]
        assert first["generation"] == 2, "a deletion is a change of what is wanted"
        await clock.advance(10)
        shorter = (await server.delete(P, {"gracePeriodSeconds": 30})).tree["metadata"]
        assert shorter["deletionGracePeriodSeconds"] == 30
        assert _seconds(first) - _seconds(shorter) == 70
        late = (await server.delete(P, {"gracePeriodSeconds": 5})).tree["metadata"]
        assert late["deletionGracePeriodSeconds"] == 1, "what is over already ends as soon as it can"
        assert _seconds(shorter) - _seconds(late) == 20
        assert (await server.delete(P, {"gracePeriodSeconds": -3})).tree["metadata"] == late

    api(scenario, clock=clock)


def _seconds(meta: dict[str, Any]) -> float:
    return datetime.fromisoformat(meta["deletionTimestamp"]).timestamp()


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


@pytest.mark.parametrize("node", ["", "n1"])
def test_watchers_see_the_grace_of_a_pod_end_before_it_goes(api: Api, node: str) -> None:
    async def scenario(server: Served) -> None:
        await make_pod(server, node=node)
        revision = (await server.get(P)).tree["metadata"]["resourceVersion"]
        async with server.watch(core("pods", "default"), {"resourceVersion": revision}) as events:
            answer = await server.delete(P, {"gracePeriodSeconds": 0})
            (first, marked), (last, gone) = await events.next(), await events.next()
        assert (first, last) == ("MODIFIED", "DELETED")
        assert marked["metadata"]["deletionTimestamp"] and marked["metadata"]["deletionGracePeriodSeconds"] == 0
        for tree in (marked, gone, answer.tree):
            del tree["metadata"]["resourceVersion"]
        assert marked == gone == answer.tree

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


def test_a_page_of_a_collection_is_deleted_and_shown_as_it_was(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for name in ("a", "b", "c"):
            await make(server, name, finalizers=["example.com/hold"])
        path = core("configmaps", "default")
        dry = await server.delete(path, {"dryRun": ["All"]})
        assert len(dry.tree["items"]) == 3
        page = await server.delete(path, query={"limit": "2"})
        assert [item["metadata"]["name"] for item in page.tree["items"]] == ["a", "b"]
        assert page.tree["metadata"]["continue"]
        assert not any("deletionTimestamp" in item["metadata"] for item in page.tree["items"])
        left = [item["metadata"]["name"] for item in (await server.get(path)).tree["items"] if _stays(item)]
        assert left == ["c"]
        wrong = await server.delete(path, query={"resourceVersionMatch": "Exact"})
        assert wrong.status == 422

    api(scenario)


def _stays(item: dict[str, Any]) -> bool:
    return "deletionTimestamp" not in item["metadata"]


def test_a_namespace_goes_in_two_steps(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await server.request("POST", core("namespaces"), {"metadata": {"name": "x"}})
        path = core("namespaces", "", "x")
        marked = (await server.delete(path)).tree
        assert marked["status"]["phase"] == "Terminating" and marked["metadata"]["deletionTimestamp"]
        assert "deletionGracePeriodSeconds" not in marked["metadata"]
        other = await server.delete(path, {"preconditions": {"uid": "u"}})
        assert (other.status, other.message) == (
            409,
            'Operation cannot be fulfilled on namespaces "x": Precondition failed: UID in precondition: u, '
            f"UID in object meta: {marked['metadata']['uid']}",
        )
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
