"""The typed client: verbs on the generated structs, errors as `StatusError`.

    client = Client(Transport(config))
    pod = await client.get(Pod, "web-0", "default")
    pods = await client.list(Pod, "default", labels="app=web")

The class says where its objects live (`Pod.api`). An answer 429 or 503 with Retry-After is tried again, as client-go does.
Network failures are ConnectionError and TimeoutError, as the transport raises them.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from sampan.api.errors import StatusError
from sampan.api.types.meta_v1 import DeleteOptions, Preconditions
from sampan.client.codec import Listed, PartialObject, T, decode, encode
from sampan.client.transport import HTTPResponse, Transport
from sampan.lib.clock import Clock, RealClock

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

MAX_TRIES = 10
MAX_IN_FLIGHT = 32
"""As many as the transport keeps connections: more at once would pay for a TLS handshake each."""

R = TypeVar("R")


@dataclass(slots=True)
class ListOf(Generic[T]):
    items: list[T]
    resource_version: str
    continue_: str = ""


def list_accept(cls: type[Any]) -> str:
    """What to ask a collection for: whole objects, or only metadata where the server can say just that."""
    if issubclass(cls, PartialObject):
        return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
    return "application/json"


def selection(labels: str = "", fields: str = "") -> dict[str, str]:
    """The query parameters of selectors."""
    return {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}


def failure(status: int, body: bytes) -> StatusError:
    """What an answer of 400 or above means; bodies that are no Status become its message."""
    try:
        tree = msgspec.json.decode(body)
    except msgspec.DecodeError:
        tree = None
    if isinstance(tree, dict) and tree.get("kind") == "Status":
        return StatusError.from_status(tree, status)
    text = body[:1024].decode(errors="replace").strip()
    return StatusError(status, "", text or f"the server answered {status}")


class Client:
    """`max_in_flight` bounds the requests under way at once; watches and streams do not count."""

    def __init__(
        self, transport: Transport, clock: Clock | None = None, *, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:  # fmt: skip
        self.transport = transport
        self.clock: Clock = clock or RealClock()
        self._turns = asyncio.Semaphore(max_in_flight)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "application/json",
        deadline_seconds: float = 30.0,
    ) -> bytes:
        """One call by path; the body of the answer. Raises StatusError for 400 and above."""
        for tries in range(MAX_TRIES):
            async with self._turns:
                answer = await self.transport.request(
                    method,
                    path,
                    query=query,
                    body=body,
                    content_type=content_type,
                    accept=accept,
                    deadline_seconds=deadline_seconds,
                )
            if answer.status < 400:
                return answer.body
            wait = _retry_after_seconds(answer)
            if wait is None or tries == MAX_TRIES - 1:
                break
            await self.clock.sleep(wait)
        raise failure(answer.status, answer.body)

    async def get(self, cls: type[T], name: str, namespace: str = "") -> T:
        return decode(cls, await self.request("GET", cls.api.path(namespace, name)))

    async def list(
        self,
        cls: type[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_: str = "",
    ) -> ListOf[T]:
        query = selection(labels, fields)
        if resource_version:
            query["resourceVersion"] = resource_version
        if limit:
            query["limit"] = str(limit)
        if continue_:
            query["continue"] = continue_
        body = await self.request(
            "GET", cls.api.path(namespace), query=query, accept=list_accept(cls), deadline_seconds=60.0
        )  # fmt: skip
        listed: Listed[T] = decode(Listed[cls], body)  # type: ignore[valid-type]
        return ListOf(listed.items, listed.metadata.resourceVersion, listed.metadata.continue_)

    async def create(self, obj: T) -> T:
        """In the namespace its metadata names."""
        path = obj.api.path(obj.metadata.namespace)
        return decode(type(obj), await self.request("POST", path, body=encode(obj)))

    async def update(self, obj: T) -> T:
        return await self._put(obj, "")

    async def update_status(self, obj: T) -> T:
        return await self._put(obj, "status")

    async def update_subresource(self, obj: T, subresource: str) -> T:
        """PUT of the whole object to one of its subresources, such as a Namespace to `finalize`."""
        return await self._put(obj, subresource)

    async def _put(self, obj: T, subresource: str) -> T:
        path = obj.api.path(obj.metadata.namespace, obj.metadata.name, subresource)
        return decode(type(obj), await self.request("PUT", path, body=encode(obj)))

    async def patch(
        self,
        cls: type[T],
        name: str,
        namespace: str,
        patch: Mapping[str, Any] | builtins.list[Any] | bytes,
        *,
        type: str = MERGE_PATCH,
        subresource: str = "",
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> T:
        body = patch if isinstance(patch, bytes) else encode(patch)
        path = cls.api.path(namespace, name, subresource)
        return decode(cls, await self.request("PATCH", path, query=query, body=body, content_type=type))

    async def delete(
        self,
        cls: type[T],
        name: str,
        namespace: str = "",
        *,
        grace_seconds: int | None = None,
        propagation: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """`propagation`: Background, Foreground or Orphan. `uid`, `resource_version`: delete only what they name (else 409)."""
        options = DeleteOptions(gracePeriodSeconds=grace_seconds, propagationPolicy=propagation)
        if uid or resource_version:
            options.preconditions = Preconditions(uid=uid, resourceVersion=resource_version)
        body = encode(options)
        await self.request("DELETE", cls.api.path(namespace, name), body=b"" if body == b"{}" else body)

    async def delete_collection(self, cls: type[T], namespace: str, *, propagation: str = "") -> None:
        """Every object of a kind in a namespace."""
        options = encode(DeleteOptions(propagationPolicy=propagation))
        await self.request("DELETE", cls.api.path(namespace), body=options, deadline_seconds=60.0)

    async def create_subresource(
        self, cls: type[T], name: str, namespace: str, subresource: str, body: msgspec.Struct, result: builtins.type[R]
    ) -> R:
        """POST to a subresource of an object: binding, token, eviction."""
        path = cls.api.path(namespace, name, subresource)
        return decode(result, await self.request("POST", path, body=encode(body)))


def _retry_after_seconds(answer: HTTPResponse) -> float | None:
    """How long the server asks us to wait before the same request; None: the answer is final."""
    if answer.status != 429 and answer.status < 500:
        return None
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None
