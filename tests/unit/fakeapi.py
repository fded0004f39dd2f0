"""A tiny API of one collection, /api/v1/pods, whose misbehaviour tests choose; served over plain HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import uvloop

from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.lib.http import Request, Response, Sink, Stream
from sampan.lib.httpserver import HTTPServer

Tree = dict[str, Any]
Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(work, 20))


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a condition that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions are about many things
            await asyncio.sleep(0.002)


def pod(name: str, namespace: str = "default", **labels: str) -> Tree:
    meta: Tree = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": []}}


class FakeAPI:
    def __init__(self) -> None:
        self.objects: dict[str, Tree] = {}
        self.revision = 100
        self.oldest = 0
        self.events: list[tuple[int, Tree]] = []
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        """Given instead of the real answers, first first."""
        self.watches = 0
        self._changed = asyncio.Event()
        self._cut = asyncio.Event()

    def put(self, obj: Tree) -> None:
        kind = "MODIFIED" if obj["metadata"]["name"] in self.objects else "ADDED"
        self._write(kind, obj)
        self.objects[obj["metadata"]["name"]] = obj

    def delete(self, name: str) -> None:
        self._write("DELETED", self.objects.pop(name))

    def bookmark(self) -> None:
        self._write("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": {}})

    def compact(self) -> None:
        """Forget history: watches from before now get 410."""
        self.oldest = self.revision
        self.events.clear()

    def cut(self) -> None:
        """End the running watches."""
        self._cut.set()
        self._cut = asyncio.Event()

    def _write(self, kind: str, obj: Tree) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self.events.append((self.revision, {"type": kind, "object": json.loads(json.dumps(obj))}))
        self._changed.set()
        self._changed = asyncio.Event()

    def handle(self, request: Request) -> Response | Stream:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        parameters = request.parameters()
        if parameters.get("watch") == "true":
            return self._watch(int(parameters["resourceVersion"]))
        listed = {"metadata": {"resourceVersion": str(self.revision)}, "items": list(self.objects.values())}
        return Response(200, json.dumps(listed).encode())

    def _watch(self, after: int) -> Response | Stream:
        if after < self.oldest:
            return failure(410, "Expired")
        self.watches += 1
        cut = self._cut

        async def produce(sink: Sink) -> None:
            last = after
            while not cut.is_set():
                for revision, event in list(self.events):
                    if revision > last:
                        sink.write(json.dumps(event).encode() + b"\n")
                        last = revision
                changed = self._changed
                waits = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(cut.wait())]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()

        return Stream(produce)


def failure(code: int, reason: str, message: str = "no") -> Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}
    return Response(code, json.dumps(status).encode())


@asynccontextmanager
async def serving(api: FakeAPI, port: int = 0) -> AsyncIterator[tuple[Client, int]]:
    server = HTTPServer(api.handle, tls=None)
    port = await server.start("127.0.0.1", port)
    transport = Transport(ClientConfig(f"http://127.0.0.1:{port}"))
    try:
        yield Client(transport), port
    finally:
        await transport.close()
        await server.stop(grace_seconds=0)
