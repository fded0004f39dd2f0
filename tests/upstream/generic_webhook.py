"""The conversion webhook that both servers ask, each at a port of its own, so that what each asks is known apart.

def test_something(converting: Converting) -> None:
    def scenario(side: Side, hook: Converter) -> None:
        path = side.define(definition("Kind", versions=…) with hook.conversion())
    converting(scenario)

An object is `at: "host:port"` in v1, `host` and `port` in v2, and `place: {host, port}` in v3.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest

from sampan.lib.http import Response
from tests.component.webhooks import Hook, Said, authority, webhook
from tests.upstream.generic_compare import normal
from tests.upstream.generic_fixture import Both
from tests.upstream.generic_schemas import Tree
from tests.upstream.generic_wire import Side

Fault = Callable[[Tree], Said]
"""Of a good answer, another."""
_START_SECONDS = 30.0


class Converter:
    """The webhook as one server sees it."""

    def __init__(self) -> None:
        self.hook = Hook(0, authority())
        self.fault: Fault | None = None

    def answer(self, review: Tree) -> Said:
        good = _answer(review)
        said = self.fault(good) if self.fault else good
        return Response(200, json.dumps(said, separators=(",", ":")).encode()) if isinstance(said, dict) else said

    def conversion(self, *review_versions: str, path: str = "/convert", **config: Any) -> Tree:
        client = {**self.hook.client_config(path), **config}
        return {
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": list(review_versions) or ["v1"], "clientConfig": client},
        }

    def asked(self, kind: str) -> Tree:
        """What it was asked of a kind, by what it was asked for and of which objects: each once, as who asked when differs."""
        found: Tree = {}
        for review in self.hook.asked:
            request = review["request"]
            assert request["uid"]
            assert set(review) <= {"kind", "apiVersion", "request", "response"}
            for tree in request["objects"]:
                # With a revision, upstream asks to find who owns what.
                if tree["kind"] == kind and "resourceVersion" not in tree["metadata"]:
                    asked = f"{review['kind']} {review['apiVersion']} {request['desiredAPIVersion']}"
                    found[f"{asked} {json.dumps(normal(tree), sort_keys=True)}"] = True
        return found


def converted(tree: Tree, target: str) -> Tree:
    """What a version does not know is lost: `color` in v3, `size` in the others."""
    spec = dict(tree.get("spec") or {})
    if "at" in spec:
        spec["host"], _, spec["port"] = spec.pop("at").partition(":")
    elif "place" in spec:
        spec |= spec.pop("place")
    version = target.rpartition("/")[2]
    spec.pop("color" if version == "v3" else "size", None)
    if version == "v1" and "host" in spec:
        spec["at"] = f"{spec.pop('host')}:{spec.pop('port', '')}"
    elif version == "v3" and "host" in spec:
        spec["place"] = {key: spec.pop(key) for key in ("host", "port") if key in spec}
    return {**tree, "apiVersion": target, **({"spec": spec} if "spec" in tree else {})}


def _answer(review: Tree) -> Tree:
    request = review["request"]
    found = [converted(tree, request["desiredAPIVersion"]) for tree in request["objects"]]
    response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": found}
    return {"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response}


def each_object(change: Callable[[Tree], Any]) -> Fault:
    """A fault in every converted object; `change` alters one in place, or gives another."""

    def fault(answer: Tree) -> Tree:
        objects = answer["response"]["convertedObjects"]
        answer["response"]["convertedObjects"] = [change(tree) or tree for tree in objects]
        return answer

    return fault


def saying(status: int, body: bytes, content_type: str = "application/json") -> Fault:
    return lambda _: Response(status, body, content_type)


class Converting:
    """`both` for scenarios that have a webhook."""

    def __init__(self, both: Both, converters: list[Converter]) -> None:
        self._both = both
        self._converters = converters

    def __call__(self, scenario: Callable[[Side, Converter], None]) -> None:
        for converter in self._converters:
            converter.fault = None
            converter.hook.asked.clear()
        theirs, mine = self._converters
        self._both(lambda side: scenario(side, theirs if side is self._both.upstream else mine))


@contextmanager
def _running(converters: list[Converter]) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def start() -> None:
        for converter in converters:
            converter.hook = await stack.enter_async_context(webhook(converter.answer))

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(_START_SECONDS)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(_START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def converting(both: Both) -> Iterator[Converting]:
    converters = [Converter(), Converter()]
    with _running(converters):
        yield Converting(both, converters)
