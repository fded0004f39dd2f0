"""Services take cluster IPs and node ports when they are written, and give them back.

After pkg/registry/core/service/storage/alloc.go; what a write leaves out of its spec was carried over from the old one before
(api/groups/core/service.py). Only one address family is served: what asks for two gets upstream's answer
of a single-stack cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from typing import Protocol

from sampan.api.errors import FieldError, StatusError, internal_error, invalid, invalid_object
from sampan.api.groups.core.service_validation import validate_cluster_ips
from sampan.api.resource import Tree
from sampan.apiserver.registry.allocators import AddressPool, AddressRanges, AllocationError, Exhausted, PortPool
from sampan.apiserver.registry.hooks import Hooks, Undo

NONE = "None"
_CLAIMS = 16
_WITH_PORTS = ("NodePort", "LoadBalancer")


def needs_address(spec: Tree) -> bool:
    return spec.get("type") != "ExternalName"


def addresses_of(spec: Tree) -> list[str]:
    """The cluster IPs it holds; a headless one holds none."""
    found = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in found if address and address != NONE]


def ports_of(spec: Tree) -> set[int]:
    """The node ports it holds; TCP and UDP of one number are one."""
    found = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        found.add(spec["healthCheckNodePort"])
    return found


class Claims(Protocol):
    """Who tells what the servers of one store have taken of what is each one's alone."""

    async def claim(self, address: str, namespace: str, name: str) -> bool:
        """False: it is another Service's. Raises StatusError."""
        ...

    def drop(self, addresses: Sequence[str]) -> None:
        """The Service that claimed them is not to be."""
        ...


class _Transaction:
    """What one write took, to be given back if it fails; and what it frees, once it is stored."""

    def __init__(self, addresses: AddressRanges, ports: PortPool, name: str) -> None:
        self._addresses = addresses
        self._ports = ports
        self._name = name
        self._taken_addresses: list[str] = []
        self._picked: set[str] = set()
        self._taken_ports: list[int] = []

    def address(self, spec: Tree, wanted: str) -> str:
        try:
            if wanted:
                self._addresses.take(wanted)
            else:
                wanted = self._addresses.pick()
                self._picked.add(wanted)
        except Exhausted as error:
            raise internal_error(f"failed to allocate a serviceIP: {error}") from None
        except AllocationError as error:
            raise self._invalid(invalid("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {error}")) from None
        self._taken_addresses.append(wanted)
        return wanted

    def port(self, wanted: int, path: str) -> int:
        if wanted in self._taken_ports:
            return wanted
        try:
            if wanted:
                self._ports.take(wanted)
            else:
                wanted = self._ports.pick()
        except Exhausted as error:
            raise internal_error(f"failed to allocate a nodePort: {error}") from None
        except AllocationError as error:
            raise self._invalid(invalid(path, wanted, str(error))) from None
        self._taken_ports.append(wanted)
        return wanted

    @property
    def addresses(self) -> list[str]:
        return list(self._taken_addresses)

    def another_address(self, lost: str) -> str:
        """In place of one that the server picked and that is somebody else's: which it stays. Raises StatusError."""
        self._taken_addresses.remove(lost)
        if lost not in self._picked:
            why = f"failed to allocate IP {lost}: provided IP is already allocated"
            raise self._invalid(invalid("spec.clusterIPs", [lost], why))
        return self.address({}, "")

    def undo(self) -> None:
        for address in self._taken_addresses:
            self._addresses.release(address)
        for port in self._taken_ports:
            self._ports.release(port)

    def _invalid(self, error: FieldError) -> StatusError:
        return invalid_object("Service", "", self._name, [error])


class ServiceHooks(Hooks):
    """Addresses are given back when the feed tells that nobody has them any more (see serviceaddresses.py), which it does also
    of what other servers of the same store write; ports when this server frees them."""

    may_overlap = False

    def __init__(self, addresses: AddressPool, ports: PortPool) -> None:
        self.ranges = AddressRanges(addresses)
        self.claims: Claims | None = None
        """Of a store that other servers write, too, which may pick the same address at the same moment."""
        self._ports = ports
        self._unclaimed: dict[str, _Transaction] = {}

    def rebuild(self, services: Iterator[Tree]) -> None:
        """Take what stored Services hold, and nothing else."""
        specs = [service.get("spec", {}) for service in services]
        self.ranges.reset(address for spec in specs for address in addresses_of(spec))
        self._ports.reset(port for spec in specs for port in ports_of(spec))

    def begin_create(self, new: Tree, dry_run: bool) -> Undo:
        if needs_address(new.get("spec", {})) and (errors := validate_cluster_ips(new.get("spec", {}))):
            raise invalid_object("Service", "", new["metadata"]["name"], errors)
        return self._begin(new, {}, dry_run)

    def begin_update(self, new: Tree, old: Tree, dry_run: bool) -> Undo:
        return self._begin(new, old["spec"], dry_run)

    def after_update(self, new: Tree, old: Tree) -> None:
        self._release(ports_of(old["spec"]) - ports_of(new["spec"]))

    def after_delete(self, old: Tree) -> None:
        self._release(ports_of(old["spec"]))

    def _release(self, ports: set[int]) -> None:
        for port in ports:
            self._ports.release(port)

    def _begin(self, new: Tree, before: Tree, dry_run: bool) -> Undo:
        spec: Tree = new.setdefault("spec", {})
        taking = _Transaction(self.ranges, self._ports, new["metadata"].get("name", ""))
        try:
            self._take_address(taking, spec, before)
            self._take_ports(taking, spec, before)
        except StatusError:
            taking.undo()
            raise
        if dry_run:
            # The answer shows what the write would have got; nobody holds it.
            taking.undo()
            return lambda: None
        if self.claims is None or not taking.addresses:
            return taking.undo
        uid = new["metadata"]["uid"]
        self._unclaimed[uid] = taking

        def undo() -> None:
            self._unclaimed.pop(uid, None)
            taking.undo()
            if self.claims is not None:
                self.claims.drop(taking.addresses)

        return undo

    def claim(self, new: Tree) -> Awaitable[None] | None:
        taking = self._unclaimed.pop(new["metadata"].get("uid", ""), None)
        return None if taking is None or self.claims is None else self._claim(self.claims, new, taking)

    async def _claim(self, claims: Claims, new: Tree, taking: _Transaction) -> None:
        spec, meta = new["spec"], new["metadata"]
        [address] = taking.addresses
        for _ in range(_CLAIMS):
            if await claims.claim(address, meta["namespace"], meta["name"]):
                return
            address = spec["clusterIP"] = taking.another_address(address)
            spec["clusterIPs"] = [address]
        raise internal_error("failed to allocate a serviceIP: range is full")

    def _take_address(self, taking: _Transaction, spec: Tree, before: Tree) -> None:
        if not needs_address(spec):
            return
        _pair_addresses(spec)
        if not spec.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = "SingleStack"
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = [self.ranges.family]
        address = spec.get("clusterIP", "")
        if address == NONE or (before and needs_address(before)):  # which keeps what it has; validation says so
            return
        spec["clusterIP"] = taking.address(spec, address)
        spec["clusterIPs"] = [spec["clusterIP"]]

    def _take_ports(self, taking: _Transaction, spec: Tree, before: Tree) -> None:
        if spec.get("type") not in _WITH_PORTS:
            return
        held = ports_of(before)
        chosen: dict[int, int] = {}
        for index, port in enumerate(spec.get("ports", ())):
            wanted = port.get("nodePort", 0)
            if wanted in held and wanted:
                continue
            if not wanted and spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
                continue
            # The same port for another protocol shares the node port.
            wanted = wanted or chosen.get(port.get("port", 0), 0)
            port["nodePort"] = taking.port(wanted, f"spec.ports[{index}].nodePort")
            chosen[port.get("port", 0)] = port["nodePort"]
        if spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            wanted = spec.get("healthCheckNodePort", 0)
            if not wanted or wanted not in held:
                spec["healthCheckNodePort"] = taking.port(wanted, "spec.healthCheckNodePort")


def _pair_addresses(spec: Tree) -> None:
    """clusterIP and the first of clusterIPs are the same thing under two names; whichever is given makes the other."""
    if spec.get("clusterIPs"):
        if not spec.get("clusterIP"):
            spec["clusterIP"] = spec["clusterIPs"][0]
    elif spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
