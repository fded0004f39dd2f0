"""Whether the servers behind APIServices are there, as the condition Available, and what they say of themselves.

After the remote available-controller and the discovery manager of k8s.io/kube-aggregator.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from sampan.api import openapi_v2_proto
from sampan.api.discovery import AGGREGATED_V2, AGGREGATED_V2BETA1
from sampan.api.errors import StatusError
from sampan.api.foreign import (
    DiscoveredGroups,
    Foreign,
    LegacyResources,
    OpenAPIEntry,
    OpenAPIIndex,
    OpenAPIV2,
    legacy_resources,
)
from sampan.api.resource import Tree
from sampan.apiserver.aggregation.frontproxy import identity_headers
from sampan.apiserver.aggregation.remotes import GROUP, Remote, Remotes
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Caller
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.registry.watchcache import CacheEvent, Listener
from sampan.apiserver.user import User
from sampan.apiserver.webhooks.resolve import SERVICE_NAME, ready_places
from sampan.client.transport import HTTPResponse, Transport
from sampan.lib.clock import rfc3339
from sampan.lib.decoders import make_decoder
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

_AGGREGATOR = User("system:kube-aggregator", groups=("system:masters",))
_SECONDS = 30.0
_UNAVAILABLE_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_MOST_BYTES = 64 * 1024 * 1024

T = TypeVar("T")

log = get_logger("apiserver")


class Verdict(NamedTuple):
    available: bool
    reason: str
    message: str


class Availability:
    """`foreign` is what the other servers serve, by the last that was heard of them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changed = asyncio.Event()
        self.foreign: Sequence[Foreign] = ()
        self.remotes = Remotes(context, self._changed.set)
        context.registry("", "services").cache.listen(self._hearing(lambda obj: obj.name))
        slices = context.registry("discovery.k8s.io", "endpointslices")
        slices.cache.listen(self._hearing(lambda obj: obj.labels.get(SERVICE_NAME, "")))

    def _hearing(self, service_of: Callable[[CachedObject], str]) -> Listener:
        """Hears of what concerns the Services behind APIServices, of which each look asks a few requests."""

        def heard(events: Sequence[CacheEvent]) -> None:
            services = {remote.service[:2] for remote in self.remotes.all()}
            if services and any((event.object.namespace, service_of(event.object)) in services for event in events):
                self._changed.set()

        return heard

    async def run(self) -> None:
        """Until cancelled: look at all of them when anything about them changes, and now and then."""
        while True:
            self._changed.clear()
            remotes = self.remotes.all()
            await asyncio.gather(*(self._look_at(remote) for remote in remotes))
            self._tell()
            seconds = _SECONDS if all(remote.available for remote in remotes) else _UNAVAILABLE_SECONDS
            await self._wait(seconds if remotes else None)

    async def _wait(self, seconds: float | None) -> None:
        async with Tasks() as tasks:
            changed = tasks.start(self._changed.wait(), "an APIService changes")
            waits = [changed]
            if seconds is not None:
                waits.append(tasks.start(self._context.clock.sleep(seconds), "look again"))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    def _tell(self) -> None:
        """Documents tell of what is served elsewhere."""
        foreign = tuple(remote.foreign() for remote in self.remotes.all())
        if foreign != self.foreign:
            self.foreign = foreign
            self._context.scheme.touch()

    async def _look_at(self, remote: Remote) -> None:
        try:
            await self._look(remote)
        except Exception as error:  # the boundary of one APIService: the others, and this server, go on
            log.warning("an APIService's condition could not be told", name=remote.name, error=repr(error))

    async def _look(self, remote: Remote) -> None:
        verdict = await self._judge(remote)
        if verdict.available:
            remote.known = await _described(remote)
        elif remote.known is not None:
            remote.known = replace(remote.known, fresh=False, v3_url="", v2={})
        await self._write(remote.name, verdict)

    async def _judge(self, remote: Remote) -> Verdict:
        namespace, name, port = remote.service
        registries = self._context.registries
        found = registries.get("", "services").cache.get(namespace, name)
        if found is None:
            return Verdict(False, "ServiceNotFound", f'service/{name} in "{namespace}" is not present')
        spec = found.tree()["spec"]
        if spec.get("type") == "ClusterIP":
            wanted = next((each for each in spec.get("ports", ()) if each["port"] == port), None)
            where = f'service/{name} in "{namespace}"'
            if wanted is None:
                return Verdict(False, "ServicePortError", f"{where} is not listening on port {port}")
            if not ready_places(registries, namespace, name, wanted.get("name", "")):
                why = f'endpoints for {where} have no addresses with port name "{wanted.get("name", "")}"'
                return Verdict(False, "MissingEndpoints", why)
        return await _ask(remote)

    async def _write(self, name: str, verdict: Verdict) -> None:
        condition = {
            "type": "Available",
            "status": "True" if verdict.available else "False",
            "reason": verdict.reason,
            "message": verdict.message,
        }
        registry = self._context.registry(GROUP, "apiservices")
        current = registry.cache.get("", name)
        if current is None:
            return
        conditions = current.tree().get("status", {}).get("conditions", ())
        before: Tree = next((each for each in conditions if each["type"] == "Available"), {})
        if condition.items() <= before.items():
            return
        same = before.get("status") == condition["status"]
        since = before["lastTransitionTime"] if same else rfc3339(self._context.clock.now())

        def change(present: Present) -> Tree:
            tree = present.own()
            others = [each for each in tree.get("status", {}).get("conditions", ()) if each["type"] != "Available"]
            tree["status"] = {"conditions": [*others, {**condition, "lastTransitionTime": since}]}
            return tree

        try:
            await registry.update("", name, change, Caller(), part=registry.status, must_match=False)
        except StatusError as error:
            if error.code != 404:
                raise


async def _get(transport: Transport, path: str, accept: str = "application/json") -> HTTPResponse:
    return await transport.request(
        "GET",
        path,
        accept=accept,
        headers=identity_headers(_AGGREGATOR),
        deadline_seconds=_ANSWER_SECONDS,
        most_bytes=_MOST_BYTES,
    )


async def _ask(remote: Remote) -> Verdict:
    group, version = remote.key
    transport = remote.checking
    if transport is None:
        return Verdict(False, "FailedDiscoveryCheck", remote.problem)
    path = f"/apis/{group}/{version}"
    url = transport.config.server + path
    try:
        answer = await _get(transport, path)
    except (ConnectionError, TimeoutError, StatusError) as error:
        why = f'failing or missing response from {url}: Get "{url}": {error}'
        return Verdict(False, "FailedDiscoveryCheck", why)
    if not 200 <= answer.status < 300:
        why = f"failing or missing response from {url}: bad status from {url}: {answer.status}"
        return Verdict(False, "FailedDiscoveryCheck", why)
    return Verdict(True, "Passed", "all checks passed")


async def _described(remote: Remote) -> Foreign:
    """Its discovery and OpenAPI documents; what it does not answer, or what cannot be read, is left out."""
    group, version = remote.key
    spec, transport = remote.spec, remote.transport
    priorities = spec.get("groupPriorityMinimum", 0), spec.get("versionPriority", 0)
    if transport is None:
        return Foreign(group, version, *priorities)
    resources = await _resources(transport, group, version)
    if resources is None and remote.known is not None:
        return replace(remote.known, fresh=False)  # it fell ill between the two questions
    index = await _read(transport, "/openapi/v3", OpenAPIIndex)
    entry = index.paths.get(f"apis/{group}/{version}") or OpenAPIEntry()
    v2 = (await _read(transport, "/openapi/v2", OpenAPIV2)).part(group, version)
    if not _is_sound(v2):
        log.warning("an extension server's OpenAPI v2 document cannot be joined to ours", name=remote.name)
        v2 = {}
    found = resources is not None
    return Foreign(group, version, *priorities, resources or (), found, entry.serverRelativeURL, v2)


def _is_sound(v2: Tree) -> bool:
    """Whether it can be a part of our document in every form that has."""
    try:
        openapi_v2_proto.encode(v2)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError, struct.error):
        return False
    return True


async def _resources(transport: Transport, group: str, version: str) -> Sequence[Tree] | None:
    whole = await _read(transport, "/apis", DiscoveredGroups, f"{AGGREGATED_V2},{AGGREGATED_V2BETA1}")
    found = whole.resources(group, version)
    if found is not None:
        return found
    legacy = await _read(transport, f"/apis/{group}/{version}", LegacyResources)
    return legacy_resources(legacy.resources or ()) if legacy.kind == "APIResourceList" else None


@cache
def _decoder(form: Any) -> msgspec.json.Decoder[Any]:
    return make_decoder(form)


async def _read(transport: Transport, path: str, form: type[T], accept: str = "application/json") -> T:
    """The document at a path; an empty one where there is none, or none of that form."""
    try:
        answer = await _get(transport, path, accept)
        found: T = _decoder(cast(Any, form)).decode(answer.body) if answer.status == 200 else form()
        return found
    except (ConnectionError, TimeoutError, StatusError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return form()
