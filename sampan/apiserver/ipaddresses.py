"""The IPAddress of each cluster IP, and the default ServiceCIDR: whenever they differ they are put right.

Upstream writes the IPAddress before the Service (pkg/registry/core/service/ipallocator), and mends what went wrong meanwhile.
Here the Services themselves say which addresses are taken, so that the IPAddress follows the Service at once, and costs its
write nothing. Only where several servers write to one store does it come first: who has made it has the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sampan.api.errors import StatusError
from sampan.api.groups.columns import seconds_of
from sampan.api.groups.networking.ipaddress import FAMILY_LABEL, MANAGER_LABEL
from sampan.api.resource import Tree
from sampan.apiserver.bootstrap import ensure
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.metadata import timestamp
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.serviceaddresses import Holder, ServiceAddresses
from sampan.apiserver.registry.services import ServiceHooks
from sampan.apiserver.registry.updating import Present
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.store.base import Conflict, StoreUnavailable

GROUP = "networking.k8s.io"
DEFAULT_RANGE = "kubernetes"
MANAGER = "ipallocator.k8s.io"
_RANGE_SECONDS, _REPAIR_SECONDS = 10.0, 180.0
_GRACE_SECONDS = 60.0
_AT_ONCE = 64

log = get_logger("apiserver")


async def start_ip_addresses(context: Context) -> None:
    """Once the caches are filled: make the default range, and keep both up from then on."""
    services = context.registry("", "services")
    hooks = services.hooks
    assert isinstance(hooks, ServiceHooks), "installed with the server"
    ranges, objects = context.registry(GROUP, "servicecidrs"), context.registry(GROUP, "ipaddresses")
    addresses = ServiceAddresses(services.cache, ranges.cache, hooks.ranges)
    context.feed.on_fill(addresses.fill)
    keeper = _Keeper(addresses, objects)
    if not context.feed.local:
        hooks.claims = keeper
    await _keep_range(context, ranges)
    context.tasks.start(_keep_ranges(context, ranges), "default service range")
    context.tasks.start(keeper.run(), "ip addresses")
    context.tasks.start(keeper.repair(context.clock), "ip address repair")


async def _keep_ranges(context: Context, ranges: Registry) -> None:
    while True:
        await context.clock.sleep(_RANGE_SECONDS)
        try:
            await _keep_range(context, ranges)
        except (StatusError, StoreUnavailable) as error:
            log.warning("the default service range could not be written", error=str(error))


async def _keep_range(context: Context, ranges: Registry) -> None:
    """Made where there is none; a different one is left as it is, and a new one is ready."""
    cidrs = [context.config.service_cidr]
    await ensure(ranges, "", {"metadata": {"name": DEFAULT_RANGE}, "spec": {"cidrs": cidrs}})
    found = ranges.cache.get("", DEFAULT_RANGE)
    tree = found.tree() if found is not None else {"metadata": {}, "spec": {}}
    conditions = tree.get("status", {}).get("conditions", [])
    said = any(condition.get("type") == "Ready" for condition in conditions)
    if said or tree["spec"].get("cidrs") != cidrs or "deletionTimestamp" in tree["metadata"]:
        return
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": timestamp(context.clock.now()),
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }

    def change(present: Present) -> Tree:
        return {**present.own(), "status": {"conditions": [ready]}}

    await ranges.update("", DEFAULT_RANGE, change, Caller(), part=ranges.status, must_match=False)


class _Keeper:
    def __init__(self, addresses: ServiceAddresses, objects: Registry) -> None:
        self._addresses = addresses
        self._objects = objects

    async def claim(self, address: str, namespace: str, name: str) -> bool:
        holder = Holder(namespace, name)
        try:
            await self._objects.create(_address_of(address, holder), "", Caller())
        except StatusError as error:
            if error.code != 409:
                raise
            found = self._objects.cache.get("", address)
            return found is not None and _belongs(found, holder)
        return True

    def drop(self, addresses: Sequence[str]) -> None:
        self._addresses.give_back(set(addresses))

    def _is_young(self, obj: CachedObject) -> bool:
        feed = self._objects.feed
        return not feed.local and feed.clock.now() - seconds_of(obj.tree()["metadata"]["creationTimestamp"]) < _GRACE_SECONDS

    async def repair(self, clock: Clock) -> None:
        """Look at all of them now and then: somebody may have deleted or made one."""
        while True:
            self._addresses.look_at({*self._addresses.holders, *(obj.name for obj in self._objects.cache if _is_ours(obj))})
            await clock.sleep(_REPAIR_SECONDS)

    async def run(self) -> None:
        """Until cancelled."""
        changed, wake = self._addresses.changed, self._addresses.wake
        while True:
            await wake.wait()
            wake.clear()
            while changed:
                batch = [changed.pop() for _ in range(min(_AT_ONCE, len(changed)))]
                await asyncio.gather(*map(self._settle, batch))

    async def _settle(self, address: str) -> None:
        try:
            await self._keep(address)
        except Conflict:
            self._addresses.look_at({address})
        except (StatusError, StoreUnavailable) as error:
            # The next look at all of them finds it again.
            log.warning("an IP address could not be kept", address=address, error=str(error))

    async def _keep(self, address: str) -> None:
        holder, found = self._addresses.holders.get(address), self._objects.cache.get("", address)
        freed = address in self._addresses.freed
        self._addresses.freed.discard(address)
        if found is not None and (holder is None or not _belongs(found, holder)):
            if holder is None and not _is_ours(found):
                return
            if holder is None and not freed and self._is_young(found):
                return  # another server's, which is about to write the Service
            await self._objects.remove(found)
            found = None
        if found is None and holder is not None:
            await ensure(self._objects, "", _address_of(address, holder))


def _is_ours(obj: CachedObject) -> bool:
    return obj.labels.get(MANAGER_LABEL) == MANAGER


def _belongs(obj: CachedObject, holder: Holder) -> bool:
    parent = obj.tree().get("spec", {}).get("parentRef") or {}
    wanted = ("", "services", holder.namespace, holder.name)
    return tuple(parent.get(field, "") for field in ("group", "resource", "namespace", "name")) == wanted


def _address_of(address: str, holder: Holder) -> Tree:
    labels = {FAMILY_LABEL: "IPv6" if ":" in address else "IPv4", MANAGER_LABEL: MANAGER}
    parent = {"resource": "services", "namespace": holder.namespace, "name": holder.name}
    return {"metadata": {"name": address, "labels": labels}, "spec": {"parentRef": parent}}
