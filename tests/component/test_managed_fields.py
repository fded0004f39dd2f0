"""Who is noted in metadata.managedFields for every way to write."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.lib.clock import ManualClock
from tests.component.applying import DEPLOYMENTS, A, D, apply, config_map, deployment, owners
from tests.component.conftest import Api, Served, core


def test_every_writer_is_noted_with_what_it_changed(api: Api) -> None:
    async def scenario(server: Served) -> None:
        clock = server.clock
        assert isinstance(clock, ManualClock)
        made = await server.create("configmaps", {"metadata": {"name": "a", "labels": {"l": "1"}}, "data": {"x": "1"}})
        assert owners(made) == {
            "Update sampan": {"f:metadata": {"f:labels": {".": {}, "f:l": {}}}, "f:data": {".": {}, "f:x": {}}}
        }
        (first,) = made.tree["metadata"]["managedFields"]
        await clock.advance(5)
        put = await server.update("configmaps", {**made.tree, "data": {"x": "1", "y": "2"}}, query={"fieldManager": "put"})
        assert owners(put)["Update put"] == {"f:data": {"f:y": {}}}
        merged = await server.patch(A, {"data": {"x": "3"}}, query={"fieldManager": "merge"})
        assert owners(merged)["Update merge"] == {"f:data": {"f:x": {}}}
        assert owners(merged)["Update sampan"]["f:data"] == {}, "the map, and no key of it"
        operations = [{"op": "remove", "path": "/data/x"}]
        removed = await server.patch(A, operations, "application/json-patch+json", query={"fieldManager": "json"})
        assert {"Update merge", "Update json"}.isdisjoint(owners(removed))
        left = {entry["manager"]: entry["time"] for entry in removed.tree["metadata"]["managedFields"]}
        assert left["sampan"] == first["time"] < left["put"]
        same = await server.update("configmaps", removed.tree, query={"fieldManager": "put"})
        assert same.tree == removed.tree, "nothing changed"

    api(scenario, clock=ManualClock())


def test_statuses_are_owned_apart_from_what_they_are_of(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await apply(server, D, deployment())
        status = {"status": {"replicas": 1, "observedGeneration": 1}, "spec": {"replicas": 5}}
        patched = await server.patch(f"{D}/status", status, query={"fieldManager": "manager"})
        assert owners(patched)["Update manager/status"] == {"f:status": {"f:observedGeneration": {}, "f:replicas": {}}}
        told = {**deployment(), "status": {"replicas": 2}}
        conflict = await apply(server, f"{D}/status", told)
        assert conflict.message == (
            'Apply failed with 1 conflict: conflict with "manager" with subresource "status" using apps/v1: .status.replicas'
        )
        forced = await apply(server, f"{D}/status", told, force="true")
        assert (forced.status, forced.tree["status"]["replicas"], forced.tree["spec"]["replicas"]) == (200, 2, 1)
        assert owners(forced)["Apply one/status"] == {"f:status": {"f:replicas": {}}}
        assert owners(forced)["Update manager/status"] == {"f:status": {"f:observedGeneration": {}}}
        through_main = await apply(server, D, {**deployment(), "status": {"replicas": 9}})
        assert "f:status" not in owners(through_main)["Apply one"]
        assert (await apply(server, f"{DEPLOYMENTS}/none/status", told)).status == 404

    api(scenario)


def test_scaling_takes_the_replicas_from_who_owns_them(api: Api) -> None:
    async def scenario(server: Served) -> None:
        await apply(server, D, deployment(replicas=2))
        await server.patch(f"{D}/scale", {"spec": {"replicas": 3}}, query={"fieldManager": "hpa"})
        scaled = await server.get(D)
        assert owners(scaled)["Update hpa/scale"] == {"f:spec": {"f:replicas": {}}}
        assert "f:replicas" not in owners(scaled)["Apply one"]["f:spec"]
        conflict = await apply(server, D, deployment(replicas=2))
        assert conflict.message == (
            'Apply failed with 1 conflict: conflict with "hpa" with subresource "scale" using apps/v1: .spec.replicas'
        )
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}
        assert (await apply(server, f"{D}/scale", scale, "two")).status == 409
        answer = await apply(server, f"{D}/scale", scale, "two", force="true")
        assert (answer.status, answer.tree["kind"], answer.tree["spec"]) == (200, "Scale", {"replicas": 4})
        taken = owners(await server.get(D))
        assert taken["Apply two/scale"] == {"f:spec": {"f:replicas": {}}} and "Update hpa/scale" not in taken

    api(scenario)


RESETS: list[tuple[str, Any]] = [
    ("application/merge-patch+json", {"metadata": {"managedFields": [{}]}}),
    ("application/merge-patch+json", {"metadata": {"managedFields": []}}),
    ("application/strategic-merge-patch+json", {"metadata": {"managedFields": [{}]}}),
    ("application/json-patch+json", [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]),
    ("application/json-patch+json", [{"op": "replace", "path": "/metadata/managedFields", "value": []}]),
]


@pytest.mark.parametrize(("kind", "patch"), RESETS)
def test_owners_are_forgotten_when_asked_and_noted_anew_with_the_next_apply(api: Api, kind: str, patch: Any) -> None:
    async def scenario(server: Served) -> None:
        await server.create("configmaps", config_map(x="1"))
        assert owners(await server.patch(A, patch, kind)) == {}
        assert owners(await server.patch(A, {"data": {"y": "1"}})) == {}, "nobody is noted until somebody applies"
        conflict = await apply(server, A, config_map(x="2"))
        assert conflict.message == ('Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x')
        noted = owners(await apply(server, A, config_map(x="1")))
        assert noted == {
            "Apply one": {"f:data": {"f:x": {}}},
            "Update before-first-apply": {"f:data": {".": {}, "f:x": {}, "f:y": {}}},
        }

    api(scenario)


def test_a_client_may_change_the_notes_but_not_break_them(api: Api) -> None:
    async def scenario(server: Served) -> None:
        made = (await server.create("configmaps", config_map(x="1"))).tree
        (entry,) = made["metadata"]["managedFields"]
        for bad in ({**entry, "operation": "x"}, {**entry, "fieldsV1": {"x": {}}}, {**entry, "apiVersion": ""}):
            made["metadata"]["managedFields"] = [bad]
            assert owners(await server.update("configmaps", made)) == {"Update sampan": entry["fieldsV1"]}
        made["metadata"]["managedFields"] = [{**entry, "manager": "renamed"}]
        assert owners(await server.update("configmaps", made)) == {"Update renamed": entry["fieldsV1"]}
        made["metadata"].pop("resourceVersion")
        made["metadata"]["managedFields"] = [{**entry, "manager": "m" * 129}]
        refused = await server.update("configmaps", made)
        assert refused.status == 422 and "metadata.managedFields[0].manager: Too long" in refused.message
        made["metadata"]["managedFields"] = []
        assert owners(await server.update("configmaps", made)) == {}

    api(scenario)


def test_an_update_owns_nothing_that_it_cannot_change(api: Api) -> None:
    async def scenario(server: Served) -> None:
        made = (await server.request("POST", DEPLOYMENTS, deployment())).tree
        made["status"] = {"replicas": 7}
        put = await server.request("PUT", D, made, query={"fieldManager": "put"})
        assert set(owners(put)) == {"Update sampan"}

    api(scenario)


def test_binding_and_deleting_are_noted_for_nobody(api: Api) -> None:
    async def scenario(server: Served) -> None:
        spec = {"containers": [{"name": "c", "image": "i"}]}
        await server.create("serviceaccounts", {"metadata": {"name": "default"}})
        made = await server.create("pods", {"metadata": {"name": "p", "finalizers": ["x/y"]}, "spec": spec})
        assert made.status == 201, made.tree
        assert "f:serviceAccount" not in owners(made)["Update sampan"]["f:spec"], "what admission adds is nobody's"
        target = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
        await server.request("POST", core("pods", "default", "p", "binding"), target)
        bound = await server.get(core("pods", "default", "p"))
        assert bound.tree["spec"]["nodeName"] == "n"
        await server.delete(core("pods", "default", "p"))
        deleted = await server.get(core("pods", "default", "p"))
        assert owners(made) == owners(bound) == owners(deleted)

    api(scenario)
