"""Custom resources come and go with their definitions: what a client was told of, it finds, and watches end cleanly."""

from __future__ import annotations

from tests.component.conftest import Api, Served
from tests.component.definitions import DEFINITIONS, conditions, crd, cron, crons, define, redefine, version


def test_what_a_definition_defines_is_served_once_it_is_established(api: Api) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.get(crons())).status == 404
        found = await define(served, crd())
        assert conditions(found) == {
            "NamesAccepted": ("True", "NoConflicts"),
            "Established": ("True", "InitialNamesAccepted"),
        }
        assert found["status"]["acceptedNames"] == found["spec"]["names"]
        assert found["status"]["storedVersions"] == ["v1"]
        made = await served.request("POST", crons(), cron("a", image="x", unknown=1))
        assert made.status == 201
        assert made.tree["spec"] == {"image": "x", "replicas": 1}
        listed = (await served.get(crons())).tree
        assert (listed["kind"], listed["apiVersion"]) == ("CronTabList", "stable.example.com/v1")
        assert listed["metadata"]["continue"] == ""
        assert listed["items"] == [made.tree]
        assert (await served.get(crons(name="a"))).tree == made.tree

    api(scenario)


def test_a_create_right_after_its_definition_waits_instead_of_failing(api: Api) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.request("POST", DEFINITIONS, crd())).status == 201
        assert (await served.request("POST", crons(), cron("a"))).status == 201

    api(scenario)


def test_a_watch_sees_every_write_and_ends_when_the_definition_goes(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        async with served.watch(crons()) as events:
            await served.request("POST", crons(), cron("a"))
            await served.patch(crons(name="a"), {"spec": {"replicas": 3}})
            await served.delete(f"{DEFINITIONS}/crontabs.stable.example.com")
            seen = [(type_, tree["metadata"]["name"]) for type_, tree in await events.rest()]
        assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        assert (await served.get(crons())).status == 404

    api(scenario)


def test_a_changed_definition_is_served_at_once_and_watches_of_the_old_one_end(api: Api) -> None:
    async def scenario(served: Served) -> None:
        found = await define(served, crd())
        await served.request("POST", crons(), cron("a"))
        async with served.watch(crons()) as events:
            assert (await events.next())[0] == "ADDED"
            await redefine(served, found, versions=[version(), version("v2", storage=False)])
            made = await served.request("POST", crons("v2"), cron("b", "v2"))
            assert (made.status, made.tree["apiVersion"]) == (201, "stable.example.com/v2")
            assert await events.rest() == []
        old = await served.get(crons(name="b"))
        assert old.tree["apiVersion"] == "stable.example.com/v1"
        assert [item["apiVersion"] for item in (await served.get(crons("v2"))).tree["items"]] == ["stable.example.com/v2"] * 2

    api(scenario)


def test_objects_are_shown_by_the_schema_of_today(api: Api) -> None:
    async def scenario(served: Served) -> None:
        found = await define(served, crd())
        made = await served.request("POST", crons(), cron("a", image="x"))
        schema = version()["schema"]["openAPIV3Schema"]
        schema = {
            **schema,
            "properties": {"spec": {"type": "object", "properties": {"tag": {"type": "string", "default": "t"}}}},
        }
        await redefine(served, found, versions=[version(schema=schema)])
        await served.request("POST", crons(), cron("b"))
        shown = (await served.get(crons(name="a"))).tree
        assert shown["spec"] == {"tag": "t"}
        assert shown["metadata"] == made.tree["metadata"]

    api(scenario)


def test_a_definition_goes_after_its_objects_and_takes_no_new_ones(api: Api) -> None:
    async def scenario(served: Served) -> None:
        await define(served, crd())
        held = cron("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await served.request("POST", crons(), held)
        await served.request("POST", crons(), cron("free"))
        path = f"{DEFINITIONS}/crontabs.stable.example.com"
        async with served.watch(DEFINITIONS, {"fieldSelector": "metadata.name=crontabs.stable.example.com"}) as events:
            deleted = (await served.delete(path)).tree
            assert deleted["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
            assert conditions(deleted)["Terminating"] == ("True", "InstanceDeletionPending")
            tree = deleted
            while conditions(tree).get("Terminating", ("", ""))[1] != "InstanceDeletionInProgress":
                _, tree = await events.next()
            refused = await served.request("POST", crons(), cron("late"))
            assert (refused.status, refused.message) == (
                405,
                "create not allowed while custom resource definition is terminating",
            )
            await served.patch(crons(name="held"), {"metadata": {"finalizers": None}})
            type_ = ""
            while type_ != "DELETED":
                type_, tree = await events.next()
        assert conditions(tree)["Terminating"] == ("True", "InstanceDeletionInProgress")
        assert (await served.get(crons())).status == 404
        assert (await served.get(path)).status == 404
        # Made anew, it begins empty.
        await define(served, crd())
        assert (await served.get(crons())).tree["items"] == []

    api(scenario)
