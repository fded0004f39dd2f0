"""What becomes of definitions: which names they get, what their conditions say, what outlasts a restart."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from sampan.apiserver.server import APIServer
from sampan.lib.clock import RealClock
from sampan.store.sqlite import SQLiteStore
from tests.component.conftest import Api, Credentials, Served
from tests.component.definitions import (
    DEFINITIONS,
    GROUP,
    SPEC,
    Tree,
    conditions,
    crd,
    cron,
    crons,
    define,
    established,
    version,
)


async def until_condition(served: Served, tree: Tree, type_: str, wanted: tuple[str, str]) -> Tree:
    query = {
        "fieldSelector": f"metadata.name={tree['metadata']['name']}",
        "resourceVersion": tree["metadata"]["resourceVersion"],
    }
    async with served.watch(DEFINITIONS, query) as events:
        while conditions(tree).get(type_) != wanted:
            _, tree = await events.next()
    return tree


def test_of_two_definitions_that_want_one_name_the_first_gets_it_until_it_goes(api: Api) -> None:
    async def scenario(served: Served) -> None:
        first = await define(served, crd("CronTab", names={"shortNames": ["ct"]}))
        second = (await served.request("POST", DEFINITIONS, crd("Other", names={"kind": "CronTab", "shortNames": ["ct"]}))).tree
        second = await until_condition(served, second, "NamesAccepted", ("False", "ListKindConflict"))
        assert conditions(second)["Established"] == ("False", "NotAccepted")
        assert second["status"]["acceptedNames"]["plural"] == "others"
        others = await served.get(f"/apis/{GROUP}/v1/others")
        assert (others.status, others.body) == (404, b"404 page not found\n")
        await served.delete(f"{DEFINITIONS}/{first['metadata']['name']}")
        second = await established(served, second["metadata"]["name"], second)
        assert second["status"]["acceptedNames"] == second["spec"]["names"]
        assert (await served.get(f"/apis/{GROUP}/v1/others")).status == 200

    api(scenario)


APPROVALS = [
    ({}, ("False", "MissingAnnotation")),
    ({"api-approved.kubernetes.io": "https://github.com/kubernetes/enhancements/pull/1"}, ("True", "ApprovedAnnotation")),
    ({"api-approved.kubernetes.io": "unapproved, a test"}, ("False", "UnapprovedAnnotation")),
    ({"api-approved.kubernetes.io": "yes"}, ("False", "InvalidAnnotation")),
]


@pytest.mark.parametrize(("annotations", "wanted"), APPROVALS)
def test_a_protected_group_says_whether_it_is_approved(api: Api, annotations: Tree, wanted: tuple[str, str]) -> None:
    async def scenario(served: Served) -> None:
        tree = crd("CronTab", group="tests.k8s.io")
        tree["metadata"]["annotations"] = annotations
        found = await put_unchecked(served, tree)
        await until_condition(served, found, "KubernetesAPIApprovalPolicyConformant", wanted)

    api(scenario)


def test_a_definition_with_a_broken_bundle_is_not_established(api: Api) -> None:
    async def scenario(served: Served) -> None:
        config = {"url": "https://localhost/", "caBundle": "Cg=="}
        webhook = {"conversionReviewVersions": ["v1"], "clientConfig": config}
        tree = crd("Other", conversion={"strategy": "Webhook", "webhook": webhook})
        found = await put_unchecked(served, tree)
        found = await until_condition(served, found, "Established", ("False", "InvalidCABundle"))
        assert conditions(found)["NamesAccepted"] == ("True", "NoConflicts")

    api(scenario)


def test_a_webhook_that_says_nothing_is_none(api: Api) -> None:
    async def scenario(served: Served) -> None:
        made = await served.request("POST", DEFINITIONS, crd("Other", conversion={"strategy": "None", "webhook": {}}))
        assert (made.status, made.tree["spec"]["conversion"]) == (201, {"strategy": "None"})

    api(scenario)


async def put_unchecked(served: Served, tree: Tree) -> Tree:
    """A definition as an older server may have left it in the store: new ones like it are refused."""
    name = tree["metadata"]["name"]
    meta = {**tree["metadata"], "uid": "8f1c2d3e-0000-4000-8000-000000000001", "creationTimestamp": "2026-01-01T00:00:00Z"}
    names = {**tree["spec"]["names"], "listKind": f"{tree['spec']['names']['kind']}List"}
    stored = {
        "kind": tree["kind"],
        "apiVersion": tree["apiVersion"],
        "metadata": {**meta, "generation": 1},
        "spec": {**tree["spec"], "names": names},
        "status": {"storedVersions": ["v1"]},
    }
    key = f"/registry/apiextensions.k8s.io/customresourcedefinitions/{name}"
    await served.server.feed.reach(await served.store.create(key, json.dumps(stored, separators=(",", ":")).encode()))
    found: Tree = (await served.get(f"{DEFINITIONS}/{name}")).tree
    return found


def test_a_definition_that_was_never_established_goes_at_once(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        second = (await served.request("POST", DEFINITIONS, crd("Other", names={"kind": "CronTab"}))).tree
        second = await until_condition(served, second, "NamesAccepted", ("False", "ListKindConflict"))
        name = second["metadata"]["name"]
        async with served.watch(DEFINITIONS, {"fieldSelector": f"metadata.name={name}"}) as events:
            await served.delete(f"{DEFINITIONS}/{name}")
            while (await events.next())[0] != "DELETED":
                pass

    api(scenario)


def test_a_hundred_definitions_at_once_are_all_served_and_listed(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async with asyncio.timeout(20):
            made = await asyncio.gather(*(served.request("POST", DEFINITIONS, crd(f"Thing{n}")) for n in range(100)))
            assert {answer.status for answer in made} == {201}
            await asyncio.gather(*(established(served, a.tree["metadata"]["name"], a.tree) for a in made))
        listed = (await served.get(f"/apis/{GROUP}/v1")).tree["resources"]
        assert len(listed) == 100
        assert len([path for path in (await served.get("/openapi/v2")).tree["paths"] if GROUP in path]) >= 300

    api(scenario)


def test_a_change_moves_the_hash_of_its_own_group_version_only(api: Api) -> None:
    async def scenario(served: Served) -> None:
        before = (await served.get("/openapi/v3")).tree["paths"]
        etag = (await served.get("/apis", accept=AGGREGATED)).header("etag")
        (old,) = (await served.get("/openapi/v2")).header("etag")
        assert (await served.get("/openapi/v2", headers=[("If-None-Match", old)])).status == 304
        await define(served, crd())
        assert (await served.get("/openapi/v2", headers=[("If-None-Match", old)])).status == 200
        after = (await served.get("/openapi/v3")).tree["paths"]
        assert after.keys() - before.keys() == {f"apis/{GROUP}", f"apis/{GROUP}/v1"} & after.keys()
        assert {path: after[path] for path in before} == before
        assert (await served.get("/apis", accept=AGGREGATED)).header("etag") != etag
        await served.delete(f"{DEFINITIONS}/crontabs.{GROUP}")

    api(scenario)


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_discovery_says_all_of_a_custom_resource(api: Api) -> None:
    async def scenario(served: Served) -> None:
        scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        one = version(subresources={"status": {}, "scale": scale})
        names = {"shortNames": ["ct"], "categories": ["all"]}
        await define(served, crd("CronTab", one, names=names))
        listed = (await served.get(f"/apis/{GROUP}/v1")).tree["resources"]
        assert [each["name"] for each in listed] == ["crontabs", "crontabs/status", "crontabs/scale"]
        assert {**listed[0], "storageVersionHash": ""} == {
            "name": "crontabs",
            "singularName": "crontab",
            "namespaced": True,
            "kind": "CronTab",
            "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            "shortNames": ["ct"],
            "categories": ["all"],
            "storageVersionHash": "",
        }
        groups = (await served.get("/apis", accept=AGGREGATED)).tree["items"]
        (group,) = (each for each in groups if each["metadata"]["name"] == GROUP)
        (found,) = group["versions"][0]["resources"]
        assert found["responseKind"] == {"group": GROUP, "version": "v1", "kind": "CronTab"}
        assert [(s["subresource"], s["responseKind"]["kind"]) for s in found["subresources"]] == [
            ("status", "CronTab"),
            ("scale", "Scale"),
        ]
        explained = (await served.get(f"/openapi/v3/apis/{GROUP}/v1")).tree["components"]["schemas"]
        properties = explained["com.example.stable.v1.CronTab"]["properties"]
        assert properties["spec"] == SPEC["properties"]["spec"]
        assert set(properties) == {"apiVersion", "kind", "metadata", "spec", "status"}

    api(scenario)


def test_custom_resources_outlast_a_restart(credentials: Credentials, tmp_path: Path) -> None:
    async def life(first: bool) -> None:
        clock = RealClock()
        server = APIServer(SQLiteStore(tmp_path / "state.db"), config=replace(credentials.config), clock=clock)
        await server.start()
        served = Served(server, credentials, clock, None)  # type: ignore[arg-type]
        try:
            if first:
                await define(served, crd())
                assert (await served.request("POST", crons(), cron("a", image="x"))).status == 201
            else:
                # With the first request there is: nothing has to be waited for.
                assert (await served.get(crons(name="a"))).tree["spec"] == {"image": "x", "replicas": 1}
                assert (await served.request("POST", crons(), cron("b"))).status == 201
        finally:
            await served.close()
            await server.stop(grace_seconds=1)

    for first in (True, False):
        uvloop.run(life(first))


def test_a_definition_may_come_back_with_another_scope(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        assert (await served.request("POST", crons(), cron("a"))).status == 201
        assert (await served.request("POST", crons(namespace="absent"), cron("a"))).status == 404
        unscoped = await served.request("POST", crons(namespace=""), cron("a"))
        assert (unscoped.status, unscoped.body) == (404, b"404 page not found\n")
        path = f"{DEFINITIONS}/crontabs.{GROUP}"
        async with served.watch(DEFINITIONS, {"fieldSelector": f"metadata.name=crontabs.{GROUP}"}) as events:
            await served.delete(path)
            while (await events.next())[0] != "DELETED":
                pass
        await define(served, crd("CronTab", scope="Cluster"))
        assert (await served.request("POST", crons(namespace=""), cron("a"))).status == 201
        assert (await served.get(crons(name="a", namespace=""))).status == 200
        assert (await served.get(crons())).status == 404

    api(scenario)
