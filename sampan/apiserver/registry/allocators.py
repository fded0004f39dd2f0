"""Cluster IPs and node ports: each given to one Service at a time.

The sets are rebuilt from the cached Services at start and kept by the hooks of Services after that; nothing awaits between the
choice of an address and its being taken, so concurrent creates cannot get the same one.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class AllocationError(Exception):
    """The message is upstream's."""


class Exhausted(AllocationError):
    pass


class NumberPool:
    """Numbers of [first, last], each taken or free. Picks at random, the upper band first: the lower is for the choosy."""

    def __init__(self, first: int, last: int, band: int) -> None:
        self.first = first
        self.last = last
        self._upper = min(first + band, last)
        self._taken: set[int] = set()

    def __contains__(self, number: int) -> bool:
        return number in self._taken

    def __len__(self) -> int:
        return len(self._taken)

    def fits(self, number: int) -> bool:
        return self.first <= number <= self.last

    def take(self, number: int) -> bool:
        """False: it is taken already."""
        if number in self._taken:
            return False
        self._taken.add(number)
        return True

    def pick(self) -> int:
        """Raises Exhausted."""
        for low, high in ((self._upper, self.last), (self.first, self._upper - 1)):
            number = self._free_between(low, high)
            if number is not None:
                self._taken.add(number)
                return number
        raise Exhausted("range is full")

    def _free_between(self, low: int, high: int) -> int | None:
        size = high - low + 1
        if size <= 0:
            return None
        start = random.randrange(size)
        for step in range(min(size, len(self._taken) + 1)):
            number = low + (start + step) % size
            if number not in self._taken:
                return number
        return None

    def release(self, number: int) -> None:
        self._taken.discard(number)

    def reset(self, numbers: Iterable[int]) -> None:
        self._taken = set(numbers)


def _address_band(size: int) -> int:
    """How many addresses at the start are left for Services that name theirs: https://kep.k8s.io/3070."""
    return 0 if size < 16 else min(max(16, size // 16), 256)


def _port_band(size: int) -> int:
    """https://kep.k8s.io/3668."""
    return 0 if size < 16 else min(max(16, size // 32), 128)


class AddressPool:
    """Addresses of the service CIDR; neither its first (the network's) nor an IPv4 network's last is handed out."""

    def __init__(self, cidr: str) -> None:
        self.network: IPNetwork = ipaddress.ip_network(cidr)
        self.family = "IPv6" if self.network.version == 6 else "IPv4"
        first = int(self.network.network_address) + 1
        last = int(self.network.broadcast_address) - (1 if self.network.version == 4 else 0)
        self._numbers = NumberPool(first, last, _address_band(self.network.num_addresses))

    @property
    def first(self) -> str:
        """The address of the Service `kubernetes`."""
        return str(self.network[1])

    def __contains__(self, address: str) -> bool:
        number = _number(address)
        return number is None or not self._numbers.fits(number) or number in self._numbers

    def take(self, address: str) -> None:
        """Raises AllocationError for an address outside the range or in use."""
        number = _number(address)
        if number is None or ipaddress.ip_address(address).version != self.network.version or not self._numbers.fits(number):
            raise AllocationError(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
            )
        if not self._numbers.take(number):
            raise AllocationError("provided IP is already allocated")

    def pick(self) -> str:
        return str(ipaddress.ip_address(self._numbers.pick()))

    def release(self, address: str) -> None:
        number = _number(address)
        if number is not None:
            self._numbers.release(number)

    def reset(self, addresses: Iterable[str]) -> None:
        self._numbers.reset(number for address in addresses if (number := _number(address)) is not None)


def _number(address: str) -> int | None:
    try:
        return int(ipaddress.ip_address(address))
    except ValueError:
        return None


class AddressRanges:
    """The address pools of all ranges of one family. The first stays; others come and go with ServiceCIDRs.

    A range inside another counts as part of that. After pkg/registry/core/service/ipallocator/cidrallocator.go.
    """

    def __init__(self, first: AddressPool) -> None:
        self._first = first
        self._pools = [first]
        self.family = first.family

    def set_ranges(self, cidrs: Iterable[str], held: Iterable[str]) -> None:
        """Hand out addresses of these ranges as well; `held` are the addresses in use."""
        networks = {self._first.network, *(ipaddress.ip_network(cidr) for cidr in cidrs)}
        mine = [network for network in networks if network.version == self._first.network.version]
        outer = [network for network in mine if not any(_is_inside(network, other) for other in mine)]
        known = {pool.network: pool for pool in self._pools}
        added = [network for network in outer if network not in known]
        self._pools = [known.get(network) or AddressPool(str(network)) for network in sorted(outer, key=self._order)]
        if added:
            self.reset(held)

    def _order(self, network: IPNetwork) -> tuple[bool, str]:
        """The range that holds the first one first."""
        return self._first.network.network_address not in network, str(network)

    def take(self, address: str) -> None:
        """Raises AllocationError."""
        pool = self._pool_of(address)
        if pool is None:
            raise AllocationError("the provided network does not match the current range")
        pool.take(address)

    def mark(self, address: str) -> None:
        """Somebody else has taken it."""
        pool = self._pool_of(address)
        if pool is not None and address not in pool:
            pool.take(address)

    def pick(self) -> str:
        """Raises Exhausted."""
        for pool in self._pools:
            try:
                return pool.pick()
            except Exhausted:
                continue
        raise Exhausted("range is full")

    def release(self, address: str) -> None:
        pool = self._pool_of(address)
        if pool is not None:
            pool.release(address)

    def reset(self, addresses: Iterable[str]) -> None:
        held = list(addresses)
        for pool in self._pools:
            pool.reset(address for address in held if self._pool_of(address) is pool)

    def _pool_of(self, address: str) -> AddressPool | None:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return None
        return next((pool for pool in self._pools if found in pool.network), None)


def _is_inside(network: IPNetwork, other: IPNetwork) -> bool:
    return network != other and network.network_address in other and network.prefixlen > other.prefixlen


class PortPool:
    """Node ports."""

    def __init__(self, first: int, last: int) -> None:
        self._numbers = NumberPool(first, last, _port_band(last - first + 1))

    def take(self, port: int) -> None:
        """Raises AllocationError."""
        numbers = self._numbers
        if not numbers.fits(port):
            raise AllocationError(
                f"provided port is not in the valid range. The range of valid ports is {numbers.first}-{numbers.last}"
            )
        if not numbers.take(port):
            raise AllocationError("provided port is already allocated")

    def pick(self) -> int:
        return self._numbers.pick()

    def release(self, port: int) -> None:
        self._numbers.release(port)

    def reset(self, ports: Iterable[int]) -> None:
        self._numbers.reset(ports)
