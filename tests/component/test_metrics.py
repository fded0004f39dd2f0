"""What the server tells of its requests under /metrics, by upstream's names."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.component.admission import configure, entry, respond
from tests.component.conftest import Api, Served, core
from tests.component.webhooks import webhook

Tree = dict[str, Any]
MAPS = core("configmaps", "default")


async def metric(served: Served, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have the labels."""
    lines = (await served.get("/metrics")).body.decode().splitlines()
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    found = [line for line in lines if line.startswith(f"{name}{{") and all(each in line for each in wanted)]
    assert found, name
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_requests_are_counted_by_what_they_ask_for_and_are_answered(api: Api) -> None:
    async def scenario(served: Served) -> None:
        async def counted(verb: str, code: int) -> float:
            labels = {"verb": verb, "resource": "configmaps", "code": str(code)}
            return await metric(served, "apiserver_request_total", **labels)

        steps = (
            (served.create("configmaps", {"metadata": {"name": "a"}}), "POST", 201),
            (served.get(f"{MAPS}/a"), "GET", 200),
            (served.get(f"{MAPS}/b"), "GET", 404),
            (served.patch(f"{MAPS}/a", {"data": {"k": "v"}}), "PATCH", 200),
        )
        for request, verb, code in steps:
            assert (await request).status == code
            assert await counted(verb, code) >= 1
        before = await counted("GET", 200)
        await served.get(f"{MAPS}/a")
        assert await counted("GET", 200) == before + 1

    api(scenario)


def test_requests_count_as_running_while_they_are_answered(api: Api) -> None:
    async def scenario(served: Served) -> None:
        held, go_on = asyncio.Event(), asyncio.Event()

        async def reply(review: Tree) -> Tree:
            held.set()
            await go_on.wait()
            return respond(review)

        async def running() -> list[float]:
            kinds = [
                await metric(served, "apiserver_current_inflight_requests", request_kind=k) for k in ("mutating", "readOnly")
            ]
            seats = await metric(served, "apiserver_flowcontrol_current_executing_requests", priority_level="exempt")
            return [*kinds, seats]

        async with webhook(reply) as hook:
            await configure(served, "validating", "v", entry(hook))
            before = await running()
            async with asyncio.TaskGroup() as tasks:
                made = tasks.create_task(served.create("configmaps", {"metadata": {"name": "a"}}))
                await held.wait()
                assert await running() == [before[0] + 1, before[1], before[2] + 1]
                go_on.set()
            assert made.result().status == 201
            assert await running() == before

    api(scenario)
