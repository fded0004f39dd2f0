"""Custom resources on several API servers over one store: what one server has established, all serve."""

from __future__ import annotations

import asyncio

import pytest

from tests.component.conftest import Served
from tests.component.definitions import DEFINITIONS, GROUP, crd, cron, crons, define, redefine, version
from tests.component.test_shared_store import Pair, etcd, pair

__all__ = ["etcd", "pair"]


def test_what_is_defined_at_one_server_is_served_by_the_other(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        for turn in range(5):
            kind, plural = f"Thing{turn}", f"thing{turn}s"
            await define(one, crd(kind))
            path = f"/apis/{GROUP}/v1/namespaces/default/{plural}"
            made = await other.request("POST", path, cron("a", kind=kind))
            assert made.status == 201, made.body
            assert (await one.get(f"{path}/a")).tree == made.tree
            listed = (await other.get(f"/apis/{GROUP}/v1")).tree["resources"]
            assert plural in {each["name"] for each in listed}

    pair(scenario)


def test_a_new_version_and_the_end_are_seen_everywhere(pair: Pair) -> None:
    async def scenario(one: Served, other: Served) -> None:
        found = await define(one, crd())
        assert (await other.request("POST", crons(), cron("a"))).status == 201
        await redefine(one, found, versions=[version(), version("v2", storage=False)])
        assert (await other.get(crons("v2", "a"))).tree["apiVersion"] == f"{GROUP}/v2"
        async with asyncio.timeout(20), other.watch(crons()) as events, one.watch(crons("v2")) as others:
            await other.delete(f"{DEFINITIONS}/crontabs.{GROUP}")
            for watch in (events, others):
                assert [type_ for type_, _ in await watch.rest()] == ["ADDED", "DELETED"]

    pair(scenario)


@pytest.mark.parametrize("turn", range(2))
def test_two_servers_give_a_name_to_one_definition_only(pair: Pair, turn: int) -> None:
    async def scenario(one: Served, other: Served) -> None:

        first, second = crd("CronTab"), crd("Other", names={"kind": "CronTab", "listKind": "OtherList"})
        await asyncio.gather(one.request("POST", DEFINITIONS, first), other.request("POST", DEFINITIONS, second))
        paths = [f"{DEFINITIONS}/{tree['metadata']['name']}" for tree in (first, second)]
        accepted: list[str] = []
        async with asyncio.timeout(20):
            while len(accepted) < 2:
                found = [(await one.get(path)).tree for path in paths]
                accepted = [
                    c["status"] for t in found for c in t["status"].get("conditions") or () if c["type"] == "NamesAccepted"
                ]
                await asyncio.sleep(0.01)
        assert sorted(accepted) == ["False", "True"]

    pair(scenario)
