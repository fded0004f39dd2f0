"""How long a request may take, and what becomes of one that takes longer."""

from __future__ import annotations

from sampan.lib.clock import ManualClock
from tests.component.conftest import Api, Served, core

CONFIG_MAPS = core("configmaps", "default")
INVALID = "invalid timeout specified in the request URL - time: "


def test_a_client_may_name_a_shorter_time_than_the_servers(api: Api) -> None:
    # The server's own clock stands still, so that what it waits for on it never comes.
    async def scenario(server: Served) -> None:
        never = {"resourceVersion": "999999"}
        late = await server.get(CONFIG_MAPS, query={**never, "timeout": "30ms"})
        assert (late.status, late.tree["reason"]) == (504, "Timeout")
        assert late.message == "Timeout: request did not complete within the allotted timeout"
        assert late.tree["details"] == {}
        for text in ("30ms", "0s", "-1s", ""):
            assert (await server.get(CONFIG_MAPS, query={"timeout": text})).status == 200

    api(scenario, clock=ManualClock())


def test_the_servers_time_is_the_longest(api: Api) -> None:
    async def scenario(server: Served) -> None:
        for query in ({}, {"timeout": "1h"}, {"timeout": "0s"}):
            late = await server.get(CONFIG_MAPS, query={"resourceVersion": "999999", **query})
            assert late.status == 504 and late.message.endswith("within the allotted timeout")

    api(scenario, clock=ManualClock(), request_timeout_seconds=0.05)


def test_a_timeout_that_is_none_is_refused_but_where_requests_last(api: Api) -> None:
    async def scenario(server: Served) -> None:
        refused = await server.get(CONFIG_MAPS, query={"timeout": "5"})
        assert (refused.status, refused.message) == (400, f'{INVALID}missing unit in duration "5"')
        async with server.watch(CONFIG_MAPS, {"timeout": "5", "timeoutSeconds": "0"}) as events:
            await server.create("configmaps", {"metadata": {"name": "a"}})
            assert await events.names(1) == [("ADDED", "a")]

    api(scenario)
