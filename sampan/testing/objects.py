"""The objects of a cluster as trees, by "kind/name" as kubectl names them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sampan.api.errors import ALREADY_EXISTS, CONFLICT, NOT_FOUND, StatusError
from sampan.client.rest import MERGE_PATCH, Client
from sampan.testing.apply import merged, noted
from sampan.testing.resources import Resource, discover, find_kind, find_name

Tree = dict[str, Any]

MAX_TRIES = 10


class Objects:
    """All raise StatusError as the API does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._resources: builtins.list[Resource] = []

    async def apply(self, tree: Tree, default_namespace: str) -> Tree:
        resource = await self._looked_up(lambda known: find_kind(known, tree["apiVersion"], tree["kind"]))
        metadata = tree["metadata"]
        namespace = metadata.get("namespace") or default_namespace
        if not metadata.get("name"):
            return await self._call("POST", resource.path(namespace), tree)  # generateName: a new one each time
        wanted = noted(tree)
        path = resource.path(namespace, metadata["name"])
        for tries in range(MAX_TRIES):
            try:
                current = await self._call("GET", path)
                result = merged(current, wanted)
                return current if result == current else await self._call("PUT", path, result)
            except StatusError as error:
                missing = error.reason == NOT_FOUND
                raced = error.reason == CONFLICT and "resourceVersion" not in metadata
                if not (missing or raced) or tries == MAX_TRIES - 1:
                    raise
            if missing:
                try:
                    return await self._call("POST", resource.path(namespace), wanted)
                except StatusError as error:
                    if error.reason != ALREADY_EXISTS:
                        raise
        raise AssertionError("the last try raises or returns")

    async def get(self, what: str, namespace: str) -> Tree:
        return await self._call("GET", await self._path(what, namespace))

    async def list(self, kind: str, namespace: str, labels: str, fields: str) -> builtins.list[Tree]:
        resource = await self._looked_up(lambda known: find_name(known, kind))
        query = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}
        body = await self._client.request("GET", resource.path(namespace), query=query)
        items: builtins.list[Tree] = msgspec.json.decode(body)["items"]
        for item in items:
            # A list says it once for all; alone, an object says it itself.
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return items

    async def patch(self, what: str, patch: Mapping[str, Any], namespace: str, subresource: str) -> Tree:
        path = await self._path(what, namespace) + (f"/{subresource}" if subresource else "")
        return await self._call("PATCH", path, patch, MERGE_PATCH)

    async def delete(self, what: str, namespace: str, grace_seconds: int | None, propagation: str) -> None:
        options: Tree = {}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if propagation:
            options["propagationPolicy"] = propagation
        await self._call("DELETE", await self._path(what, namespace), options or None)

    async def log(self, what: str, namespace: str, container: str, previous: bool) -> str:
        query = {"container": container} if container else {}
        if previous:
            query["previous"] = "true"
        path = await self._path(what, namespace)
        return (await self._client.request("GET", f"{path}/log", query=query, accept="*/*")).decode()

    async def events(self, what: str, namespace: str) -> builtins.list[Tree]:
        """What was told about an object, the oldest first."""
        kind, name = _split(what)
        resource = await self._looked_up(lambda known: find_name(known, kind))
        fields = f"involvedObject.kind={resource.kind},involvedObject.name={name}"
        found = await self.list("events.", namespace if resource.namespaced else "", "", fields)
        return sorted(found, key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])

    async def _path(self, what: str, namespace: str) -> str:
        kind, name = _split(what)
        return (await self._looked_up(lambda known: find_name(known, kind))).path(namespace, name)

    async def _call(
        self, method: str, path: str, tree: Mapping[str, Any] | None = None, type: str = "application/json"
    ) -> Tree:
        body = b"" if tree is None else msgspec.json.encode(tree)
        answer: Tree = msgspec.json.decode(await self._client.request(method, path, body=body, content_type=type))
        return answer

    async def _looked_up(self, find: Callable[[builtins.list[Resource]], Resource]) -> Resource:
        """What was known may be out of date: a custom resource may have come since."""
        try:
            return find(self._resources)
        except StatusError:
            self._resources = await discover(self._client)
            return find(self._resources)


def _split(what: str) -> tuple[str, str]:
    kind, slash, name = what.partition("/")
    if not slash or not name:
        raise ValueError(f'{what!r} is not of the form "kind/name"')
    return kind, name
