"""Calls to an etcd cluster: its members' addresses, TLS, deadlines, and what a failure means.

Calls go by method path over grpcio's asyncio channels. Of several members one is spoken to until it fails, then the next: a
call that is known not to have reached etcd, or that changes nothing, is made again there until its deadline; a write that may
have been made is not. After etcd's own client (https://etcd.io/docs/v3.5/learning/design-client/).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import Message

from sampan.lib.log import get_logger
from sampan.store import etcd_pb2 as pb
from sampan.store.base import StoreTimeout, StoreUnavailable

M = TypeVar("M", bound=Message)

CALL_SECONDS = 10.0
"""More than the seven seconds after which etcd itself gives a request up, so that its own words are heard."""
_PAUSE_SECONDS = 0.1
"""Between rounds of all members."""
_COMPACTED = "etcdserver: mvcc: required revision has been compacted"
_FUTURE = "etcdserver: mvcc: required revision is a future revision"
_LEASE_GONE = "etcdserver: requested lease not found"
_NOT_SENT = ("failed to connect to all addresses", "DNS resolution failed")

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # As upstream's: a member that vanishes without a word is noticed within 40 seconds, also by a watch that hears nothing.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.min_reconnect_backoff_ms", 2000),
    # Two stores in one process do not share a connection: what one suffers the other does not.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

log = get_logger("store")


class RevisionCompacted(Exception):
    """etcd's answer to a read of forgotten history."""


class RevisionInFuture(Exception):
    """etcd's answer to a read of what has not happened."""


class LeaseGone(Exception):
    """etcd's answer to a put under a lease that has ended."""


@dataclass(frozen=True)
class Method:
    """A unary method of etcd's API. `repeatable`: to make the call twice is as good as once."""

    path: str
    answer: type[Message]
    repeatable: bool


RANGE = Method("/etcdserverpb.KV/Range", pb.RangeResponse, True)
TXN = Method("/etcdserverpb.KV/Txn", pb.TxnResponse, False)
COMPACT = Method("/etcdserverpb.KV/Compact", pb.CompactionResponse, True)
LEASE_GRANT = Method("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantResponse, True)
LEASE_TIME_TO_LIVE = Method("/etcdserverpb.Lease/LeaseTimeToLive", pb.LeaseTimeToLiveResponse, True)
STATUS = Method("/etcdserverpb.Maintenance/Status", pb.StatusResponse, True)
WATCH = "/etcdserverpb.Watch/Watch"
_REQUIRE_LEADER = (("hasleader", "true"),)
"""A member cut off from its leader then ends its watches instead of keeping quiet."""

WatchStream = grpc.aio.StreamStreamCall[pb.WatchRequest, pb.WatchResponse]


@dataclass(frozen=True)
class Credentials:
    """Files in PEM. `ca`: whose certificates are believed ("": the machine's own list); `cert`, `key`: what we show."""

    ca: str = ""
    cert: str = ""
    key: str = ""

    def read(self) -> grpc.ChannelCredentials:
        """Raises OSError."""
        ca, cert, key = (Path(path).read_bytes() if path else None for path in (self.ca, self.cert, self.key))
        return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)


class EtcdClient:
    """`endpoints` are host:port. Connects when first called; reconnects by itself."""

    def __init__(self, endpoints: Sequence[str], credentials: Credentials | None = None) -> None:
        self._endpoints = list(endpoints)
        self._credentials = credentials
        self._channels: list[grpc.aio.Channel] = []
        self._current = 0
        self._calls: dict[tuple[int, str], grpc.aio.UnaryUnaryMultiCallable[Message, Message]] = {}

    async def open(self) -> None:
        """Raises StoreUnavailable for certificates that cannot be read."""
        try:
            secure = self._credentials.read() if self._credentials is not None else None
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"cannot read the certificates for etcd: {error}") from error
        for endpoint in self._endpoints:
            if secure is None:
                self._channels.append(grpc.aio.insecure_channel(endpoint, options=_OPTIONS))
            else:
                self._channels.append(grpc.aio.secure_channel(endpoint, secure, options=_OPTIONS))

    @property
    def is_closed(self) -> bool:
        return not self._channels

    async def close(self) -> None:
        channels, self._channels = self._channels, []
        self._calls.clear()
        for channel in channels:
            await channel.close(None)

    async def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        return await self.call(RANGE, request, pb.RangeResponse)

    async def call(self, method: Method, request: Message, _answer: type[M]) -> M:
        """Raises StoreUnavailable, RevisionCompacted, RevisionInFuture, LeaseGone."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CALL_SECONDS
        tried = 0
        while True:
            index = self._current
            try:
                return cast(M, await self._invoke(index, method, request, deadline - loop.time()))
            except grpc.aio.AioRpcError as error:
                if not _is_unavailable(error) or not (method.repeatable or was_not_sent(error)):
                    raise failure(error) from None
                if loop.time() + _PAUSE_SECONDS >= deadline:
                    raise failure(error) from None
            self.leave(index)
            tried += 1
            if tried % len(self._endpoints) == 0:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _invoke(self, index: int, method: Method, request: Message, seconds: float) -> Message:
        call = self._calls.get((index, method.path))
        if call is None:
            call = self._calls[index, method.path] = self._channel(index).unary_unary(
                method.path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=method.answer.FromString,
            )
        try:
            return await call(request, timeout=seconds)
        except grpc.aio.UsageError as error:
            raise StoreUnavailable("the store is closed") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoreUnavailable("the store is closed") from None  # the channel's end cancels its calls

    def watch_stream(self) -> tuple[WatchStream, int]:
        """A new stream of watches and the member it goes to, for `leave`. Raises StoreUnavailable once closed."""
        index = self._current
        stream: grpc.aio.StreamStreamMultiCallable[pb.WatchRequest, pb.WatchResponse] = self._channel(index).stream_stream(
            WATCH,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.WatchResponse.FromString,
        )
        return stream(None, metadata=_REQUIRE_LEADER), index

    def leave(self, index: int) -> None:
        """That member failed: speak to the next, unless that was decided already."""
        if index == self._current and len(self._endpoints) > 1:
            self._current = (index + 1) % len(self._endpoints)
            log.info("going over to another etcd member", endpoint=self._endpoints[self._current])

    def _channel(self, index: int) -> grpc.aio.Channel:
        if not self._channels:
            raise StoreUnavailable("the store is closed")
        return self._channels[index]


def _is_unavailable(error: grpc.aio.AioRpcError) -> bool:
    return error.code() == grpc.StatusCode.UNAVAILABLE


def was_not_sent(error: grpc.aio.AioRpcError) -> bool:
    """Whether the call is known not to have reached etcd."""
    return (error.details() or "").startswith(_NOT_SENT)


def failure(error: grpc.aio.AioRpcError) -> Exception:
    """What a failed call means to us."""
    details = error.details() or ""
    if details == _COMPACTED:
        return RevisionCompacted(details)
    if details == _FUTURE:
        return RevisionInFuture(details)
    if details == _LEASE_GONE:
        return LeaseGone(details)
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return StoreTimeout("context deadline exceeded")
    if details.startswith("etcdserver: "):
        return StoreUnavailable(details)
    return StoreUnavailable(f"etcd: {details or error.code().name}")
