"""etcd leases for keys with a time to live: one lease for all keys that are to end at about the same time.

Leases are dear in etcd, so a new one is granted a little longer than was asked for and serves every write of the next while, as
upstream does (k8s.io/apiserver/pkg/storage/etcd3/lease_manager.go). A key lives up to a twentieth, at most a minute, longer
than it must; keys of one lease are deleted in one revision.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sampan.lib.clock import Clock
from sampan.store import etcd_pb2 as pb
from sampan.store.etcdclient import LEASE_GRANT, LEASE_TIME_TO_LIVE, EtcdClient, LeaseGone

_REUSE_SECONDS = 60
_REUSE_SHARE = 0.05
_MOST_KEYS = 1000


@dataclass(slots=True)
class _Lease:
    id: int
    expires: float
    keys: int


class LeasePool:
    """The lease now in use for each time to live."""

    def __init__(self, client: EtcdClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._leases: dict[int, _Lease] = {}
        self._granting = asyncio.Lock()

    async def lease(self, ttl_seconds: int) -> int:
        """The id of a lease for a key to be put now; 0 where it lives for ever. Raises StoreUnavailable."""
        if not ttl_seconds:
            return 0
        found = self._usable(ttl_seconds)
        if found is None:
            async with self._granting:  # those who wait here find what the first of them was granted
                found = self._usable(ttl_seconds) or await self._grant(ttl_seconds)
        found.keys += 1
        return found.id

    def forget(self, lease_id: int) -> None:
        """etcd does not know the lease any more."""
        for ttl_seconds, lease in list(self._leases.items()):
            if lease.id == lease_id:
                del self._leases[ttl_seconds]

    async def seconds_left(self, lease_id: int) -> float:
        """0 for a lease that has ended."""
        try:
            request = pb.LeaseTimeToLiveRequest(ID=lease_id)
            answer = await self._client.call(LEASE_TIME_TO_LIVE, request, pb.LeaseTimeToLiveResponse)
        except LeaseGone:
            return 0.0
        return float(max(answer.TTL, 0))

    def _usable(self, ttl_seconds: int) -> _Lease | None:
        lease = self._leases.get(ttl_seconds)
        if lease is None or lease.keys >= _MOST_KEYS:
            return None
        return lease if self._clock.monotonic() + ttl_seconds <= lease.expires else None

    async def _grant(self, ttl_seconds: int) -> _Lease:
        began = self._clock.monotonic()
        longer = ttl_seconds + min(int(ttl_seconds * _REUSE_SHARE), _REUSE_SECONDS)
        answer = await self._client.call(LEASE_GRANT, pb.LeaseGrantRequest(TTL=longer), pb.LeaseGrantResponse)
        lease = self._leases[ttl_seconds] = _Lease(answer.ID, began + longer, 0)
        return lease
