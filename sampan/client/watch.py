"""One watch connection: events until the server ends it.

Callers that must not miss anything go through `informer.py`, which reconnects and lists again where needed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic, NamedTuple

from sampan.api.errors import StatusError
from sampan.client.codec import PartialObject, T, WatchLine, decode
from sampan.client.rest import Client, failure, list_accept, selection

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"


class WatchEvent(NamedTuple, Generic[T]):
    """`object` is None for a bookmark, which only moves `resource_version` forward."""

    type: str
    object: T | None
    resource_version: str


async def watch(
    client: Client,
    cls: type[T],
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    resource_version: str = "",
    bookmarks: bool = True,
    timeout_seconds: int = 0,
) -> AsyncGenerator[WatchEvent[T], None]:
    """Raises StatusError (410 where the history asked for is gone), ConnectionError, TimeoutError."""
    batches = watch_batches(
        client, cls, namespace, labels=labels, fields=fields, resource_version=resource_version,
        bookmarks=bookmarks, timeout_seconds=timeout_seconds,
    )  # fmt: skip
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


async def watch_batches(
    client: Client,
    cls: type[T],
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    resource_version: str = "",
    bookmarks: bool = True,
    timeout_seconds: int = 0,
) -> AsyncGenerator[list[WatchEvent[T]], None]:
    """As `watch`, in the batches that came in one read; the first, empty, once the server has begun to answer."""
    query = {"watch": "true", **selection(labels, fields)}
    if resource_version:
        query["resourceVersion"] = resource_version
    if bookmarks:
        query["allowWatchBookmarks"] = "true"
    if timeout_seconds:
        query["timeoutSeconds"] = str(timeout_seconds)
    async with client.transport.stream("GET", cls.api.path(namespace), query=query, accept=list_accept(cls)) as stream:
        if stream.status >= 400:
            raise failure(stream.status, b"".join([chunk async for chunk in stream]))
        yield []
        rest = b""
        async for chunk in stream:
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            if batch := [_event(cls, line) for line in lines if line]:
                yield batch


def _event(cls: type[T], line: bytes) -> WatchEvent[T]:
    parsed = decode(WatchLine, line)
    if parsed.type == "ERROR":
        raise StatusError.from_status(decode(dict, parsed.object), 500)
    if parsed.type == BOOKMARK:
        return WatchEvent(BOOKMARK, None, decode(PartialObject, parsed.object).metadata.resourceVersion)
    obj = decode(cls, parsed.object)
    return WatchEvent(parsed.type, obj, obj.metadata.resourceVersion)
