"""A store in an etcd cluster, for several API servers at once. Keys are upstream's, values JSON.

    etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379?ca=ca.crt&cert=client.crt&key=client.key

A write is a transaction that compares the key's revision and puts or deletes it, or else reads what the key holds. The etcd
should be this cluster's alone: watches that follow the revision see every key there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.lib.clock import Clock, RealClock
from sampan.lib.tasks import Tasks
from sampan.store import etcd_pb2 as pb
from sampan.store.base import (
    Compacted,
    Conflict,
    Entry,
    Expected,
    FutureRevision,
    Handed,
    KeyExists,
    Page,
    StoreUnavailable,
    Watch,
    revision_of,
)
from sampan.store.etcdclient import (
    COMPACT,
    STATUS,
    TXN,
    Credentials,
    EtcdClient,
    LeaseGone,
    RevisionCompacted,
    RevisionInFuture,
)
from sampan.store.etcdleases import LeasePool
from sampan.store.etcdwatch import EtcdWatch
from sampan.store.sharedread import SharedRead
from sampan.store.watching import after_prefix

PAGE_ENTRIES = 2000
"""How many entries of a list without a limit come in one answer."""
COMPACTION_KEY = b"compact_rev_key"
"""Where servers agree on who compacts; upstream's name, so that its servers may stand beside ours."""
_FIRST_KEY = b"\0"
"""Less than every key; a key must not be empty."""
_NO_KEY = b"\0\0"
"""Nobody's: what is read for its answer's revision alone."""


class EtcdStore:
    """See `sampan.store.base.Store`. `endpoints` are host:port; credentials make it TLS."""

    in_process = False

    def __init__(self, endpoints: Sequence[str], credentials: Credentials | None = None, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or RealClock()
        self._client = EtcdClient(endpoints, credentials)
        self._leases = LeasePool(self._client, self._clock)
        self._tasks: Tasks | None = None
        self._newest_read = SharedRead(self._read_newest)
        self._compactions = 0
        """How often the compaction key was written, as far as we know."""
        self._revision = 0

    async def open(self) -> None:
        """Raises StoreUnavailable when etcd does not answer."""
        await self._client.open()
        self._tasks = Tasks()
        await self._tasks.__aenter__()
        self._newest_read.open(self._tasks)
        try:
            await self.current_revision()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is not None:
            await tasks.__aexit__(None, None, None)
            await self._client.close()

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def next_revision(self) -> int:
        return 0  # other servers write, too

    async def current_revision(self) -> int:
        """One quorum read serves all who ask before it begins."""
        self._opened()
        return await self._newest_read.result()

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        answer = await self._range(pb.RangeRequest(key=key.encode(), revision=revision))
        return _entry(answer.kvs[0]) if answer.kvs else None

    async def list(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        request = pb.RangeRequest(
            key=max(prefix, start).encode() or _FIRST_KEY,
            range_end=after_prefix(prefix).encode(),
            limit=limit or PAGE_ENTRIES,
            revision=revision,
        )
        answer = await self._range(request)
        entries = [_entry(kv) for kv in answer.kvs]
        at = request.revision = revision or answer.header.revision
        while answer.more and not limit:
            request.key = answer.kvs[-1].key + b"\0"
            answer = await self._range(request)
            entries += [_entry(kv) for kv in answer.kvs]
        return Page(entries, at, answer.count - len(answer.kvs))

    async def create(self, key: str, value: bytes, *, ttl_seconds: int = 0) -> int:
        answer = await self._put(key, value, 0, ttl_seconds)
        if not answer.succeeded:
            raise KeyExists(key)
        return self._saw(answer.header)

    async def update(
        self, key: str, value: bytes, expected: Expected, *, ttl_seconds: int = 0, handed: Handed | None = None
    ) -> int:
        # At 0, which to etcd means a key that is not there, a get is all that is left to do.
        answer = await self._put(key, value, revision_of(expected) or -1, ttl_seconds)
        if not answer.succeeded:
            raise Conflict(key, _held(answer))
        return self._saw(answer.header)

    async def delete(self, key: str, expected: Expected) -> int:
        delete = pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key.encode()))
        answer = await self._transact(key, revision_of(expected) or -1, delete)
        if not answer.succeeded:
            raise Conflict(key, _held(answer))
        return self._saw(answer.header)

    def watch(self, prefix: str, after_revision: int, *, progress: bool = False, previous: bool = True) -> Watch:
        return EtcdWatch(
            self._client, self._clock, self.current_revision, prefix, after_revision, progress=progress, previous=previous
        )

    async def compact(self, revision: int) -> None:
        self._opened()
        if revision <= 0:
            return
        try:
            await self._client.call(COMPACT, pb.CompactionRequest(revision=revision), pb.CompactionResponse)
        except RevisionCompacted:
            return
        except RevisionInFuture:
            raise FutureRevision(await self.current_revision()) from None

    async def compact_in_turn(self, revision: int) -> None:
        """By upstream's protocol (k8s.io/apiserver/pkg/storage/etcd3/compact.go): whoever writes the key first since his own
        last turn compacts; who finds it written by another learns only how often it was."""
        key = COMPACTION_KEY
        request = pb.TxnRequest(
            compare=[pb.Compare(target=pb.Compare.VERSION, result=pb.Compare.EQUAL, key=key, version=self._compactions)],
            success=[pb.RequestOp(request_put=pb.PutRequest(key=key, value=str(revision).encode()))],
            failure=[pb.RequestOp(request_range=pb.RangeRequest(key=key))],
        )
        self._opened()
        answer = await self._client.call(TXN, request, pb.TxnResponse)
        self._saw(answer.header)
        if not answer.succeeded:
            self._compactions = answer.responses[0].response_range.kvs[0].version
            return
        self._compactions += 1
        await self.compact(revision)

    async def seconds_left(self, page: Page) -> dict[str, float]:
        if not page.entries:
            return {}
        first, last = page.entries[0].key.encode(), page.entries[-1].key.encode() + b"\0"
        answer = await self._range(pb.RangeRequest(key=first, range_end=last, keys_only=True, revision=page.revision))
        leases = {kv.key.decode(): kv.lease for kv in answer.kvs if kv.lease}
        left = {lease: await self._leases.seconds_left(lease) for lease in set(leases.values())}
        return {key: left[lease] for key, lease in leases.items()}

    async def size_bytes(self) -> int:
        self._opened()
        return (await self._client.call(STATUS, pb.StatusRequest(), pb.StatusResponse)).dbSize

    def _opened(self) -> None:
        if self._tasks is None:
            raise StoreUnavailable("the store is closed")

    def _saw(self, header: pb.ResponseHeader) -> int:
        self._revision = max(self._revision, header.revision)
        return header.revision

    async def _read_newest(self) -> int:
        return self._saw((await self._client.range(pb.RangeRequest(key=_NO_KEY, count_only=True))).header)

    async def _range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        self._opened()
        try:
            answer = await self._client.range(request)
        except RevisionCompacted:
            raise Compacted(await self._compacted_at(request.revision)) from None
        except RevisionInFuture:
            raise FutureRevision(await self.current_revision()) from None
        self._saw(answer.header)
        return answer

    async def _compacted_at(self, revision: int) -> int:
        """etcd tells its compaction's revision to watches only."""
        watch = EtcdWatch(self._client, self._clock, self.current_revision, "\0", revision - 1, progress=False, previous=False)
        try:
            async with asyncio.timeout(1):
                await anext(watch)
        except Compacted as error:
            return error.compacted
        except TimeoutError:
            pass
        finally:
            watch.close()
        return revision + 1

    async def _put(self, key: str, value: bytes, expected: int, ttl_seconds: int) -> pb.TxnResponse:
        self._opened()
        while True:
            lease = await self._leases.lease(ttl_seconds)
            put = pb.RequestOp(request_put=pb.PutRequest(key=key.encode(), value=value, lease=lease))
            try:
                return await self._transact(key, expected, put)
            except LeaseGone:  # a machine that slept: its clock did not count, etcd's did
                self._leases.forget(lease)

    async def _transact(self, key: str, expected: int, operation: pb.RequestOp) -> pb.TxnResponse:
        name = key.encode()
        request = pb.TxnRequest(
            compare=[pb.Compare(target=pb.Compare.MOD, result=pb.Compare.EQUAL, key=name, mod_revision=expected)],
            success=[operation],
            failure=[pb.RequestOp(request_range=pb.RangeRequest(key=name))],
        )
        self._opened()
        answer = await self._client.call(TXN, request, pb.TxnResponse)
        self._saw(answer.header)
        return answer


def _entry(kv: pb.KeyValue) -> Entry:
    return Entry(kv.key.decode(), kv.value, kv.mod_revision, kv.create_revision)


def _held(answer: pb.TxnResponse) -> Entry | None:
    """What the key of a refused transaction holds."""
    found = answer.responses[0].response_range.kvs
    return _entry(found[0]) if found else None
