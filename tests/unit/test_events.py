from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sampan.api.types.core_v1 import Pod
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.config import ClientConfig
from sampan.client.events import EventRecorder
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.clock import ManualClock
from sampan.lib.http import Request, Response
from sampan.lib.httpserver import HTTPServer
from sampan.lib.tasks import Tasks
from tests.unit.fakeapi import failure, run, until

POD = Pod(metadata=ObjectMeta(name="web", namespace="shop", uid="1", resourceVersion="7"))


class Events:
    """An API that takes events."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.refuse: Response | None = None
        self.calls: list[str] = []

    def handle(self, request: Request) -> Response:
        self.calls.append(request.method)
        if self.refuse is not None:
            return self.refuse
        tree = json.loads(request.body)
        if request.method == "POST":
            assert request.path == "/api/v1/namespaces/shop/events"
            self.stored[tree["metadata"]["name"]] = tree
            return Response(201, request.body)
        name = request.path.rpartition("/")[2]
        if name not in self.stored:
            return failure(404, "NotFound")
        self.stored[name].update(tree)
        return Response(200, json.dumps(self.stored[name]).encode())


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[Events, EventRecorder, ManualClock]]:
    events, clock = Events(), ManualClock()
    server = HTTPServer(events.handle, tls=None)
    port = await server.start("127.0.0.1", 0)
    async with Transport(ClientConfig(f"http://127.0.0.1:{port}")) as transport, Tasks() as tasks:
        recorder = EventRecorder(Client(transport, clock), "kubelet", "node-1")
        tasks.start(recorder.run(), "events")
        yield events, recorder, clock
    await server.stop(grace_seconds=0)


def test_an_event_says_who_what_and_when() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, _):
            recorder.event(POD, "Warning", "BackOff", "Back-off restarting", field_path="spec.containers{web}")
            await until(lambda: events.stored)
            (event,) = events.stored.values()
            assert event["metadata"]["name"].startswith("web.")
            assert event["involvedObject"] == {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": "shop",
                "name": "web",
                "uid": "1",
                "resourceVersion": "7",
                "fieldPath": "spec.containers{web}",
            }
            assert event["source"] == {"component": "kubelet", "host": "node-1"}
            assert (event["reason"], event["type"], event["count"]) == ("BackOff", "Warning", 1)
            assert event["firstTimestamp"] == event["lastTimestamp"] == "2023-11-14T22:13:20Z"

    run(work())


def test_the_same_event_again_raises_its_count() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, clock):
            for _ in range(3):
                recorder.event(POD, "Normal", "Pulled", "Pulled image")
                await clock.advance(60)
            await until(lambda: len(events.calls) == 3)
            (event,) = events.stored.values()
            assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (
                3, "2023-11-14T22:13:20Z", "2023-11-14T22:15:20Z",
            )  # fmt: skip

    run(work())


def test_an_event_that_expired_is_made_anew_with_its_count() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, clock):
            recorder.event(POD, "Normal", "Pulled", "Pulled image")
            await until(lambda: events.stored)
            events.stored.clear()
            await clock.advance(1)
            recorder.event(POD, "Normal", "Pulled", "Pulled image")
            await until(lambda: events.stored)
            assert [e["count"] for e in events.stored.values()] == [2]

    run(work())


def test_many_similar_events_are_combined() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, clock):
            for number in range(12):
                recorder.event(POD, "Warning", "FailedCreate", f"Error creating: {number}")
                await clock.advance(1)
            await until(lambda: len(events.calls) == 12)
            assert len(events.stored) == 10
            combined = [e for e in events.stored.values() if e["message"].startswith("(combined from similar events): ")]
            assert [(e["count"], e["message"][-2:]) for e in combined] == [(3, "11")]

    run(work())


def test_a_talkative_source_is_cut_to_its_budget() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, clock):
            for number in range(40):
                recorder.event(POD, "Normal", f"Reason{number}", "x")
            other = Pod(metadata=ObjectMeta(name="other", namespace="shop", uid="2"))
            recorder.event(other, "Normal", "Mine", "x")
            await until(lambda: any(e["reason"] == "Mine" for e in events.stored.values()))
            assert len(events.stored) == 25 + 1
            await clock.advance(300)
            recorder.event(POD, "Normal", "Later", "x")
            await until(lambda: any(e["reason"] == "Later" for e in events.stored.values()))

    run(work())


def test_a_refused_event_is_dropped_and_the_next_is_sent() -> None:
    async def work() -> None:
        async with recording() as (events, recorder, _):
            events.refuse = failure(403, "Forbidden")
            recorder.event(POD, "Normal", "One", "x")
            await until(lambda: events.calls == ["POST"])
            events.refuse = None
            recorder.event(POD, "Normal", "Two", "x")
            await until(lambda: [e["reason"] for e in events.stored.values()] == ["Two"])

    run(work())
