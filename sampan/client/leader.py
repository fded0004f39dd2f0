"""Leader election on a Lease, as upstream's client-go/tools/leaderelection.

    elector = LeaderElector(client, "kube-controller-manager", identity="host_1234")
    await elector.run(manager.run)      # runs it once we lead; raises LeadershipLost when another took over

A holder writes the lease every two seconds. Others take it when they have seen no write for fifteen seconds of their own
clock, so that clocks need not agree. A holder that cannot write for ten seconds gives up before anyone else can take over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from sampan.api.errors import StatusError
from sampan.api.types.coordination_v1 import Lease, LeaseSpec
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.codec import clone
from sampan.client.rest import Client
from sampan.lib.clock import rfc3339_micro
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

log = get_logger("leader")

LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10.0
RETRY_SECONDS = 2.0


class LeadershipLost(Exception):
    """The lease could not be renewed in time, or another holds it."""


class LeaderElector:
    def __init__(self, client: Client, name: str, *, identity: str, namespace: str = "kube-system") -> None:
        # A client of its own: the lease does not wait for a turn behind the work's requests.
        self._client = Client(client.transport, client.clock)
        self._clock = client.clock
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._observed: Lease | None = None
        self._observed_at = 0.0
        self._renewed_at = 0.0

    @property
    def leading(self) -> bool:
        return self._holds(self._observed)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait to lead, then do `work` while leading. Raises LeadershipLost.

        The lease is given up when the work ends or is cancelled, so that a successor need not wait for it to run out."""
        while not await self._try():
            await self._clock.sleep(RETRY_SECONDS * random.uniform(1.0, 2.2))
        log.info("leading", lease=self._name, identity=self._identity)
        lost = False
        try:
            async with Tasks() as tasks:
                tasks.start(self._keep(), f"lease-{self._name}")
                await work()
        except* LeadershipLost:
            # Not raised here: Python before 3.11.4 would wrap it into a group again.
            lost = True
        finally:
            await self._release()
        if lost:
            raise LeadershipLost(f"lost the lease {self._namespace}/{self._name}")

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(RETRY_SECONDS)
            left = self._renewed_at + RENEW_DEADLINE_SECONDS - self._clock.monotonic()
            if left <= 0 or (not await self._try_within(left) and not self.leading):
                raise LeadershipLost

    async def _try_within(self, seconds: float) -> bool:
        """One attempt that is dropped when the time is over: a request that hangs must not keep us from giving up."""
        async with Tasks() as tasks:
            attempt = tasks.start(self._try(), f"renew-{self._name}")
            alarm = tasks.start(self._clock.sleep(seconds), f"renew-deadline-{self._name}")
            await asyncio.wait((attempt, alarm), return_when=asyncio.FIRST_COMPLETED)
            if not attempt.done():
                raise LeadershipLost
            return bool(attempt.result())

    async def _try(self) -> bool:
        """One attempt to take or renew the lease."""
        try:
            await self._take()
        except StatusError as error:
            log.debug("lease not taken", lease=self._name, error=str(error))
            return False
        except (OSError, TimeoutError, EOFError) as error:
            log.warning("lease unreachable", lease=self._name, error=str(error))
            return False
        if self.leading:
            self._renewed_at = self._clock.monotonic()
        return self.leading

    async def _take(self) -> None:
        try:
            current = await self._client.get(Lease, self._name, self._namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            meta = ObjectMeta(name=self._name, namespace=self._namespace)
            self._observe(await self._client.create(self._claim(Lease(metadata=meta))))
            return
        self._observe(current)
        if self._holds(current) or self._expired(current):
            self._observe(await self._client.update(self._claim(clone(current))))

    def _claim(self, lease: Lease) -> Lease:
        now = rfc3339_micro(self._clock.now())
        spec = lease.spec
        if not self._holds(lease):
            transitions = (spec.leaseTransitions or 0) + 1 if spec.holderIdentity else spec.leaseTransitions or 0
            spec = LeaseSpec(holderIdentity=self._identity, acquireTime=now, leaseTransitions=transitions)
        spec.leaseDurationSeconds = LEASE_SECONDS
        spec.renewTime = now
        lease.spec = spec
        return lease

    def _observe(self, lease: Lease) -> None:
        if self._observed is None or self._observed.metadata.resourceVersion != lease.metadata.resourceVersion:
            self._observed_at = self._clock.monotonic()
        self._observed = lease

    def _holds(self, lease: Lease | None) -> bool:
        return lease is not None and lease.spec.holderIdentity == self._identity

    def _expired(self, lease: Lease) -> bool:
        seconds = lease.spec.leaseDurationSeconds or LEASE_SECONDS
        return not lease.spec.holderIdentity or self._observed_at + seconds < self._clock.monotonic()

    async def _release(self) -> None:
        if self._observed is None or not self.leading:
            return
        lease = clone(self._observed)
        lease.spec.holderIdentity = ""
        lease.spec.leaseDurationSeconds = 1
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await self._client.update(lease)
        except (StatusError, OSError, TimeoutError, EOFError) as error:
            log.debug("lease not released", lease=self._name, error=str(error))
