from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import ConfigMap
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.informer import InformerFactory
from sampan.controllers.ownership import controller_reference
from sampan.controllers.runtime import Context, Controller, Key, Requeue, Runner
from sampan.lib.tasks import Tasks
from tests.component.conftest import Api, Served
from tests.unit.fakeapi import until


def config(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


@asynccontextmanager
async def running(served: Served, reconcile: Callable[[Context, Key], Awaitable[Requeue | None]]) -> AsyncIterator[Runner]:
    factory = InformerFactory(served.client)
    runner = Runner(Controller("test", for_=ConfigMap, owns=(ConfigMap,), reconcile=reconcile), factory)
    async with Tasks() as tasks:
        tasks.start(factory.run(), "informers")
        tasks.start(runner.run(), "runner")
        yield runner


def test_a_key_is_never_reconciled_twice_at_once_and_no_change_is_lost(api: Api) -> None:
    async def scenario(served: Served) -> None:
        busy: set[Key] = set()
        seen: dict[str, str] = {}

        async def reconcile(ctx: Context, key: Key) -> None:
            assert key not in busy
            busy.add(key)
            await asyncio.sleep(0.005)
            busy.discard(key)
            found = ctx.get(ConfigMap, key)
            seen[key.name] = found.data.get("n", "") if found is not None else "gone"

        async with running(served, reconcile):
            await served.client.create(config("a", n="0"))
            for n in range(1, 21):
                await served.client.patch(ConfigMap, "a", "default", {"data": {"n": str(n)}})
            await until(lambda: seen.get("a") == "20")
            await served.client.delete(ConfigMap, "a", "default")
            await until(lambda: seen.get("a") == "gone")

    api(scenario)


def test_a_failure_is_tried_again_and_does_not_stop_the_others(api: Api) -> None:
    async def scenario(served: Served) -> None:
        tries: dict[str, int] = {}

        async def reconcile(ctx: Context, key: Key) -> None:
            tries[key.name] = tries.get(key.name, 0) + 1
            if key.name == "bad" and tries["bad"] < 4:
                raise StatusError(500, "InternalError", "no") if tries["bad"] % 2 else ValueError("broken")

        async with running(served, reconcile):
            await served.client.create(config("bad"))
            await served.client.create(config("good"))
            await until(lambda: tries.get("bad") == 4 and "good" in tries)

    api(scenario)


def test_a_reconciler_always_sees_what_it_wrote(api: Api) -> None:
    async def scenario(served: Served) -> None:
        made: list[str] = []

        async def reconcile(ctx: Context, key: Key) -> Requeue | None:
            parent = ctx.get(ConfigMap, key)
            if parent is None or key.name != "parent":
                return None
            children = ctx.owned(ConfigMap, parent)
            assert sorted(c.metadata.name for c in children) == sorted(made), "a stale cache"
            if len(made) < 10:
                child = config(f"child-{len(made)}")
                child.metadata.ownerReferences = [controller_reference(parent)]
                await ctx.create(child)
                made.append(child.metadata.name)
                return Requeue(0)
            return None

        async with running(served, reconcile):
            await served.client.create(config("parent"))
            await until(lambda: len(made) == 10)

    api(scenario)


def test_a_delete_is_seen_before_the_next_look(api: Api) -> None:
    async def scenario(served: Served) -> None:
        looks = 0

        async def reconcile(ctx: Context, key: Key) -> Requeue | None:
            nonlocal looks
            victim = ctx.get(ConfigMap, Key("default", "victim"))
            if key.name != "actor":
                return None
            looks += 1
            if looks == 1:
                assert victim is not None
                await ctx.delete(victim)
                return Requeue(0)
            assert victim is None
            return None

        await served.client.create(config("victim"))
        await served.client.create(config("actor"))
        async with running(served, reconcile):
            await until(lambda: looks >= 2)

    api(scenario)


def test_deleting_what_has_been_replaced_leaves_the_new_one(api: Api) -> None:
    async def scenario(served: Served) -> None:
        done = asyncio.Event()

        async def reconcile(ctx: Context, key: Key) -> None:
            found = ctx.get(ConfigMap, key)
            if found is not None and key.name == "a":
                await ctx.delete(replace(found, metadata=replace(found.metadata, uid="another life")))
                done.set()

        async with running(served, reconcile):
            await served.client.create(config("a"))
            await done.wait()
            assert (await served.client.get(ConfigMap, "a", "default")).metadata.uid

    api(scenario)


def test_a_reconciler_that_asks_to_be_called_again_is(api: Api) -> None:
    async def scenario(served: Served) -> None:
        calls: list[float] = []

        async def reconcile(ctx: Context, key: Key) -> Requeue | None:
            if key.name != "a":
                return None
            calls.append(ctx.clock.monotonic())
            return Requeue(0.05) if len(calls) < 3 else None

        async with running(served, reconcile):
            await served.client.create(config("a"))
            await until(lambda: len(calls) == 3)
            assert calls[2] - calls[0] >= 0.1

    api(scenario)
