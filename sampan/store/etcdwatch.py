"""A watch of etcd that goes on over lost connections, and tells how far it has come.

It looks at all keys where its reader wants to hear of progress: then every revision brings an event, and the watch stands at a
revision once that revision's event has come. etcd's own progress notifications are not asked for; servers before 3.4.25
send them ahead of events that are still on their way (https://github.com/etcd-io/etcd/issues/15220).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import grpc.aio

from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.store import etcd_pb2 as pb
from sampan.store.base import Compacted, Entry, Event, StoreUnavailable
from sampan.store.etcdclient import EtcdClient, WatchStream
from sampan.store.watching import after_prefix

_RETRY_SECONDS = 0.2
_ALL = b"\0"

log = get_logger("store")


class SetBack(Exception):
    """etcd stands at a revision before one that it has told of: it was restored from a backup."""


class EtcdWatch:
    """See `sampan.store.base.Watch`."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        current_revision: Callable[[], Awaitable[int]],
        prefix: str,
        after_revision: int,
        *,
        progress: bool,
        previous: bool,
    ) -> None:
        self.revision = after_revision
        self._client = client
        self._clock = clock
        self._current_revision = current_revision
        self._prefix = prefix
        self._progress = progress
        self._previous = previous
        self._stream: WatchStream | None = None
        self._member = 0
        self._has_moved = False
        self._closed = False

    def __aiter__(self) -> EtcdWatch:
        return self

    async def __anext__(self) -> Sequence[Event]:
        while not self._closed:
            try:
                events = await self._receive()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    self._drop()  # the reader's own: the stream went with it, and the next read begins another
                    raise
                self._drop()  # the stream's: it or its channel was closed, which the next turn will find
                continue
            except (grpc.aio.AioRpcError, StoreUnavailable) as error:
                self._drop()
                if self._closed:
                    break
                if self._client.is_closed:
                    raise StoreUnavailable("the store is closed") from None
                why = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
                log.info("a watch of etcd goes on by another connection", error=why)
                self._client.leave(self._member)
                await self._clock.sleep(_RETRY_SECONDS)
                continue
            if events or (events is not None and self._progress):
                return events
        raise StopAsyncIteration

    def close(self) -> None:
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    async def _receive(self) -> list[Event] | None:
        """The next events of the stream, None for a word of the server's that brings none. Raises AioRpcError,
        StoreUnavailable, Compacted."""
        if self._stream is None:
            self._stream = await self._begin()
        stream = self._stream
        answer = await stream.read()
        if not isinstance(answer, pb.WatchResponse):  # the stream's end
            self._drop()
            return None
        if answer.compact_revision:
            self.close()
            raise Compacted(answer.compact_revision)
        if answer.canceled:
            raise StoreUnavailable(f"etcd ended the watch: {answer.cancel_reason}")
        if not answer.events:
            return None
        events = [self._event(event) for event in answer.events if event.kv.mod_revision > self.revision]
        self.revision = max(self.revision, answer.events[-1].kv.mod_revision)
        self._has_moved = True
        return [event for event in events if event.key.startswith(self._prefix)] if self._progress else events

    async def _begin(self) -> WatchStream:
        if self._has_moved:
            newest = await self._current_revision()
            if newest < self.revision:
                self.close()
                raise SetBack(f"etcd was set back from revision {self.revision} to {newest}")
        request = pb.WatchCreateRequest(start_revision=self.revision + 1, prev_kv=self._previous)
        if self._progress or not self._prefix:
            request.key = request.range_end = _ALL
        else:
            request.key, request.range_end = self._prefix.encode(), after_prefix(self._prefix).encode()
        stream, self._member = self._client.watch_stream()
        # Of a stream that has failed already, the next read tells why.
        with contextlib.suppress(asyncio.InvalidStateError):
            await stream.write(pb.WatchRequest(create_request=request))
        return stream

    def _event(self, event: pb.Event) -> Event:
        kv = event.kv
        key, revision = kv.key.decode(errors="surrogateescape"), kv.mod_revision
        previous: Entry | None = None
        if event.HasField("prev_kv"):
            old = event.prev_kv
            previous = Entry(key, old.value, old.mod_revision, old.create_revision)
        elif self._previous and kv.create_revision != revision:
            # etcd leaves out what compaction took between the event and its delivery; then the history is not whole any more.
            self.close()
            raise Compacted(revision)
        if event.type == pb.Event.DELETE:
            return Event(key, revision, None, previous.create_revision if previous else 0, previous)
        return Event(key, revision, kv.value, kv.create_revision, previous)
