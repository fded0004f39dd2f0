"""Definitions that change while clients write and watch: no event is lost, none comes twice."""

from __future__ import annotations

import asyncio

from sampan.lib.clock import Clock, RealClock
from sampan.store.base import Page
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Served
from tests.component.definitions import DEFINITIONS, GROUP, SPEC, crd, cron, crons, define, redefine, version

OBJECTS, CHANGES = 150, 6


class SlowStore(MemoryStore):
    """Whose lists let others run first, as a real one's do."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Event()

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        page = await super().list(prefix, start=start, limit=limit, revision=revision)
        if self.gate is not None and GROUP in prefix:
            self.waiting.set()
            await self.gate.wait()
        return page


async def follow(served: Served, seen: list[tuple[str, str]], count: int) -> None:
    """As an informer does: watch on from the last revision whenever a watch ends."""
    revision = (await served.get(crons())).tree["metadata"]["resourceVersion"]
    while len(seen) < count:
        async with served.watch(crons(), {"resourceVersion": revision}) as events:
            while len(seen) < count:
                try:
                    type_, tree = await events.next()
                except StopAsyncIteration:
                    break
                revision = tree["metadata"]["resourceVersion"]
                seen.append((type_, tree["metadata"]["name"]))


def test_a_watcher_sees_each_write_once_while_the_definition_changes(api: Api) -> None:
    async def scenario(served: Served) -> None:
        found = await define(served, crd())
        seen: list[tuple[str, str]] = []
        wanted = [("ADDED", f"a{n}") for n in range(OBJECTS)] + [("MODIFIED", f"a{n}") for n in range(OBJECTS)]

        async def write() -> None:
            for number in range(OBJECTS):
                assert (await served.request("POST", crons(), cron(f"a{number}"))).status == 201
            for number in range(OBJECTS):
                assert (await served.patch(crons(name=f"a{number}"), {"spec": {"replicas": 2}})).status == 200

        async def change() -> None:
            for number in range(CHANGES):
                await redefine(served, found, versions=[version(schema={**SPEC, "description": f"{number}"})])

        async with asyncio.timeout(30):
            await asyncio.gather(follow(served, seen, len(wanted)), write(), change())
        assert seen == wanted
        assert len((await served.get(crons())).tree["items"]) == OBJECTS

    api(scenario)


async def _with_slow_store(api: Api, clock: Clock) -> None:
    store = SlowStore(clock)
    async with api.serve(clock, store) as served:
        found = await define(served, crd())
        await served.request("POST", crons(), cron("before"))
        store.gate = asyncio.Event()
        await redefine(served, found, versions=[version(schema={**SPEC, "description": "new"})])
        # Its cache is being filled: what happens now is in no list any more.
        await store.waiting.wait()
        await served.server.registry(GROUP, "crontabs").remove(
            served.server.registry(GROUP, "crontabs").get("default", "before")
        )
        pending = asyncio.gather(served.request("POST", crons(), cron("during")), served.get(crons()))
        store.gate.set()
        made, _ = await pending
        assert made.status == 201
        listed = await served.get(crons())
        assert [item["metadata"]["name"] for item in listed.tree["items"]] == ["during"]
        async with served.watch(crons(), {"resourceVersion": "0"}) as events:
            assert await events.names(1) == [("ADDED", "during")]
            await served.delete(f"{DEFINITIONS}/crontabs.{GROUP}")
            assert [type_ for type_, _ in await events.rest()] == ["DELETED"]


def test_what_happens_while_a_cache_is_filled_is_in_it_afterwards(api: Api) -> None:

    asyncio.run(asyncio.wait_for(_with_slow_store(api, RealClock()), 30))


def test_a_definition_that_is_changed_while_it_goes_still_goes_with_its_last_object(api: Api) -> None:
    async def scenario(served: Served) -> None:
        found = await define(served, crd())
        held = cron("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        assert (await served.request("POST", crons(), held)).status == 201
        path = f"{DEFINITIONS}/{found['metadata']['name']}"
        assert (await served.delete(path)).status == 200
        async with served.watch(crons(), {"resourceVersion": "0"}) as events:
            while "deletionTimestamp" not in (await events.next())[1]["metadata"]:
                pass
        await redefine(served, found, versions=[version(schema={**SPEC, "description": "another"})])
        async with asyncio.timeout(20):
            async with served.watch(DEFINITIONS, {"resourceVersion": "0"}) as events:
                assert (await served.patch(crons(name="held"), {"metadata": {"finalizers": None}})).status == 200
                while (await events.next())[0] != "DELETED":
                    pass
        assert (await served.get(path)).status == 404

    api(scenario)
