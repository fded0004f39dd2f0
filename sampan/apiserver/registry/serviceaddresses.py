"""Which Service has which cluster IP, by what the feed tells: of this server's writes and of any other's.

The pools of addresses follow it: an address that a Service lost, or left behind, is free again when its event comes, and one
that a Service of another server got is taken here. ServiceCIDRs widen the pools. What must be looked at anew is in `changed`,
for whoever keeps the IPAddress objects (apiserver/ipaddresses.py).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from sampan.api.groups.validation.ranges import sloppy_cidr
from sampan.api.resource import Tree
from sampan.apiserver.registry.allocators import AddressRanges
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import CacheEvent, WatchCache

_FIELD = "spec.clusterIP"


class Holder(NamedTuple):
    """The Service that has an address."""

    namespace: str
    name: str


class ServiceAddresses:
    def __init__(self, services: WatchCache, cidrs: WatchCache, ranges: AddressRanges) -> None:
        self.holders: dict[str, Holder] = {}
        """By address in its canonical form."""
        self.changed: set[str] = set()
        self.freed: set[str] = set()
        """Those of `changed` that a Service is known to have given back."""
        self.wake = asyncio.Event()
        self._services = services
        self._cidrs = cidrs
        self._ranges = ranges
        self._place = services.shape.field_names.index(_FIELD)
        services.listen(self._hear_services)
        cidrs.listen(self._hear_ranges)
        self.fill()

    def fill(self) -> None:
        """Start over with what the caches hold."""
        before = set(self.holders)
        self.holders = {}
        for service in self._services:
            if address := self._address_of(service):
                self.holders[address] = Holder(service.namespace, service.name)
        self._ranges.reset(self.holders)
        self._set_ranges()
        self.look_at({*before, *self.holders})

    def look_at(self, addresses: set[str]) -> None:
        if addresses:
            self.changed |= addresses
            self.wake.set()

    def give_back(self, addresses: set[str]) -> None:
        self.freed |= addresses
        self.look_at(addresses)

    def _address_of(self, service: CachedObject | None) -> str:
        text = "" if service is None else service.fields[self._place]
        try:
            return str(ipaddress.ip_address(text)) if text else ""
        except ValueError:
            return ""  # "None", of a headless one

    def _hear_services(self, events: Sequence[CacheEvent]) -> None:
        for event in events:
            now = "" if event.deleted else self._address_of(event.object)
            before = self._address_of(event.previous)
            holder = Holder(event.object.namespace, event.object.name)
            if before and before != now and self.holders.get(before) == holder:
                del self.holders[before]
                self._ranges.release(before)
                self.give_back({before})
            if now and self.holders.get(now) != holder:
                self.holders.setdefault(now, holder)
                self._ranges.mark(now)
                self.look_at({now})

    def _hear_ranges(self, events: Sequence[CacheEvent]) -> None:
        self._set_ranges()

    def _set_ranges(self) -> None:
        ready = (tree for cached in self._cidrs if _is_ready(tree := cached.tree()))
        cidrs = [cidr for tree in ready for cidr in tree["spec"].get("cidrs", ()) if sloppy_cidr(cidr)]
        self._ranges.set_ranges(cidrs, self.holders)


def _is_ready(tree: Tree) -> bool:
    """A range of which nothing is said is ready: there may be nobody to say it."""
    if "deletionTimestamp" in tree["metadata"]:
        return False
    conditions = tree.get("status", {}).get("conditions", ())
    return all(condition.get("status") == "True" for condition in conditions if condition.get("type") == "Ready")
