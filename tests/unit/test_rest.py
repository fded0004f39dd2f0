"""The typed client against a server that is slow or says to wait."""

from __future__ import annotations

import asyncio

import pytest

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Pod
from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.http import Request, Response
from sampan.lib.httpserver import HTTPServer
from tests.unit.fakeapi import FakeAPI, failure, run, serving, until

LISTED = Response(200, b'{"metadata":{"resourceVersion":"1"},"items":[]}')


def test_no_more_requests_are_under_way_than_the_client_may_have() -> None:
    async def scenario() -> None:
        open_ = asyncio.Event()
        waiting = 0

        async def handle(request: Request) -> Response:
            nonlocal waiting
            waiting += 1
            await open_.wait()
            return LISTED

        server = HTTPServer(handle, tls=None)
        transport = Transport(ClientConfig(f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"))
        client = Client(transport, max_in_flight=2)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(client.list(Pod)) for _ in range(5)]
            await until(lambda: waiting >= 2)
            # One that does not go by turns comes through, so the other three would have come as well.
            group.create_task(transport.request("GET", "/"))
            await until(lambda: waiting >= 3)
            assert waiting == 3
            open_.set()
        assert [len(task.result().items) for task in asked] == [0] * 5
        await transport.close()
        await server.stop(0)

    run(scenario())


@pytest.mark.parametrize("seconds", ["soon", "-1", ""])
def test_a_wait_that_is_no_number_is_a_final_answer(seconds: str) -> None:
    async def scenario() -> None:
        api = FakeAPI()
        refusal = failure(429, "TooManyRequests")
        api.answers = [Response(429, refusal.body, headers=(("Retry-After", seconds),))]
        async with serving(api) as (client, _):
            with pytest.raises(StatusError):
                await client.list(Pod)
        assert len(api.requests) == 1

    run(scenario())
