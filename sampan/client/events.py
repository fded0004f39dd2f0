"""Recording Events about objects, without flooding the API.

    recorder = EventRecorder(client, "replicaset-controller")
    recorder.event(rs, "Normal", "SuccessfulCreate", "Created pod: web-x7k2p")   # returns at once; `run` sends

As upstream's client-go/tools/record: the same event again raises the count of the one that is there; more than ten
that differ only in their message within ten minutes are combined into one; a source gets 25 events about one object at
once and one more every five minutes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from sampan.api.errors import StatusError
from sampan.api.types.core_v1 import Event, EventSource, ObjectReference
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.codec import Object
from sampan.client.rest import Client
from sampan.lib.clock import rfc3339
from sampan.lib.log import get_logger

log = get_logger("events")

NORMAL = "Normal"
WARNING = "Warning"

QUEUE_LENGTH = 1000
REMEMBERED = 4096
SIMILAR_LIMIT = 10
SIMILAR_SECONDS = 600.0
SPAM_BURST = 25
SPAM_REFILL_SECONDS = 300.0
MAX_TRIES = 12
RETRY_SECONDS = 10.0
COMBINED = "(combined from similar events): "

V = TypeVar("V")


class _Remembered(OrderedDict[Any, V], Generic[V]):
    """A dict that forgets what was used longest ago."""

    def touch(self, key: Any, fresh: V) -> V:
        found = self.setdefault(key, fresh)
        self.move_to_end(key)
        if len(self) > REMEMBERED:
            self.popitem(last=False)
        return found


class _Note(NamedTuple):
    about: ObjectReference
    type: str
    reason: str
    message: str
    time: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


@dataclass(slots=True)
class _Similar:
    messages: set[str] = field(default_factory=set)
    last: float = 0.0


@dataclass(slots=True)
class _Sent:
    name: str = ""
    first: float = 0.0
    count: int = 0


def reference(obj: Object | ObjectReference, field_path: str = "") -> ObjectReference:
    """What an Event says it is about."""
    if isinstance(obj, ObjectReference):
        return obj
    meta = obj.metadata
    return ObjectReference(
        apiVersion=obj.api.group_version,
        kind=obj.api.kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
        fieldPath=field_path,
    )


class EventRecorder:
    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._clock = client.clock
        self._component = component
        self._host = host
        self._last_stamp = 0
        self._queue: asyncio.Queue[_Note] = asyncio.Queue(QUEUE_LENGTH)
        self._buckets: _Remembered[_Bucket] = _Remembered()
        self._similar: _Remembered[_Similar] = _Remembered()
        self._sent: _Remembered[_Sent] = _Remembered()

    def event(
        self, obj: Object | ObjectReference, type: str, reason: str, message: str, *, field_path: str = ""
    ) -> None:  # fmt: skip
        """Never blocks and never fails: when the API is slower than we are talkative, events are dropped."""
        note = _Note(reference(obj, field_path), type, reason, message[:1024], self._clock.now())
        try:
            self._queue.put_nowait(note)
        except asyncio.QueueFull:
            log.warning("event dropped", reason=reason, object=note.about.name)

    async def run(self) -> None:
        """Send what is recorded, until cancelled."""
        while True:
            note = await self._queue.get()
            if self._allowed(note):
                await self._deliver(self._combined(note))

    def _allowed(self, note: _Note) -> bool:
        now = self._clock.monotonic()
        bucket = self._buckets.touch(_identity(note.about), _Bucket(SPAM_BURST, now))
        bucket.tokens = min(SPAM_BURST, bucket.tokens + (now - bucket.filled_at) / SPAM_REFILL_SECONDS)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _combined(self, note: _Note) -> tuple[_Note, Any]:
        """The note as it shall be sent, and what identifies the Event that counts it."""
        kind = (*_identity(note.about), note.type, note.reason)
        similar = self._similar.touch(kind, _Similar())
        if note.time - similar.last > SIMILAR_SECONDS:
            similar.messages.clear()
        similar.last = note.time
        similar.messages.add(note.message)
        if len(similar.messages) < SIMILAR_LIMIT:
            return note, (*kind, note.about.fieldPath, note.message)
        similar.messages = set(list(similar.messages)[:SIMILAR_LIMIT])
        return note._replace(message=COMBINED + note.message), kind

    async def _deliver(self, combined: tuple[_Note, Any]) -> None:
        note, identity = combined
        for _ in range(MAX_TRIES):
            try:
                await self._send(note, self._sent.touch(identity, _Sent()))
                return
            except StatusError as error:
                # Refused: the namespace is terminating, say. Nobody waits for an event.
                log.debug("event refused", reason=note.reason, object=note.about.name, error=str(error))
                return
            except (OSError, TimeoutError, EOFError):
                await self._clock.sleep(RETRY_SECONDS)

    async def _send(self, note: _Note, sent: _Sent) -> None:
        namespace = note.about.namespace or "default"
        if sent.count:
            patch = {"count": sent.count + 1, "lastTimestamp": rfc3339(note.time), "message": note.message}
            try:
                await self._client.patch(Event, sent.name, namespace, patch)
                sent.count += 1
                return
            except StatusError as error:
                if error.code != 404:  # it outlived its TTL: begin a new one
                    raise
        self._last_stamp = max(self._last_stamp + 1, int(note.time * 1e9))  # no two events of one name
        name = f"{note.about.name}.{self._last_stamp:x}"
        first, count = (sent.first, sent.count + 1) if sent.count else (note.time, 1)
        await self._client.create(self._event(note, name, namespace, first, count))
        sent.name, sent.first, sent.count = name, first, count

    def _event(self, note: _Note, name: str, namespace: str, first: float, count: int) -> Event:
        return Event(
            metadata=ObjectMeta(name=name, namespace=namespace),
            involvedObject=note.about,
            type=note.type,
            reason=note.reason,
            message=note.message,
            source=EventSource(component=self._component, host=self._host),
            reportingComponent=self._component,
            reportingInstance=self._host,
            firstTimestamp=rfc3339(first),
            lastTimestamp=rfc3339(note.time),
            count=count,
        )


def _identity(about: ObjectReference) -> tuple[str, ...]:
    return (about.kind, about.namespace, about.name, about.uid, about.apiVersion)
