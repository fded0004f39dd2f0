"""IP addresses and networks: `ip('10.0.0.1')`, `cidr('10.0.0.0/8').containsIP('10.0.0.1')`.

After k8s.io/apiserver/pkg/cel/library/{ip,cidr}.go and Go's net/netip.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from typing import Final

from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.libraries.netip import complaint
from sampan.api.cel.types import opaque
from sampan.api.cel.values import Opaque, Value
from sampan.api.gotext import quoted

IP: Final = opaque("net.IP")
CIDR: Final = opaque("net.CIDR")
Address = IPv4Address | IPv6Address

_ADDRESSES = """
    string_to_ip                  ip(string) -> ip
    ip_family                     <ip>.family() -> int
    ip_is_canonical               ip.isCanonical(string) -> bool
    ip_is_unspecified             <ip>.isUnspecified() -> bool
    ip_is_loopback                <ip>.isLoopback() -> bool
    ip_is_link_local_multicast    <ip>.isLinkLocalMulticast() -> bool
    ip_is_link_local_unicast      <ip>.isLinkLocalUnicast() -> bool
    ip_is_global_unicast          <ip>.isGlobalUnicast() -> bool
    is_ip                         isIP(string) -> bool
    ip_to_string                  string(ip) -> string
"""
_NETWORKS = """
    string_to_cidr               cidr(string) -> cidr
    cidr_contains_ip_string      <cidr>.containsIP(string) -> bool
    cidr_contains_ip_ip          <cidr>.containsIP(ip) -> bool
    cidr_contains_cidr_string    <cidr>.containsCIDR(string) -> bool
    cidr_contains_cidr           <cidr>.containsCIDR(cidr) -> bool
    cidr_ip                      <cidr>.ip() -> ip
    cidr_prefix_length           <cidr>.prefixLength() -> int
    cidr_masked                  <cidr>.masked() -> cidr
    is_cidr                      isCIDR(string) -> bool
    cidr_to_string               string(cidr) -> string
"""
_digits = re.compile("0|[1-9][0-9]*", re.ASCII).fullmatch


class IPValue(Opaque):
    """An address."""

    __slots__ = ("address",)
    cel_type = IP

    def __init__(self, address: Address) -> None:
        self.address = address

    @property
    def size(self) -> int:
        return 4 if self.address.version == 4 else 16

    def equals(self, other: Value) -> bool:
        if not isinstance(other, IPValue):
            raise no_such_overload()
        return self.address == other.address


class CIDRValue(Opaque):
    """An address and how many of its bits are the network's."""

    __slots__ = ("address", "bits")
    cel_type = CIDR

    def __init__(self, address: Address, bits: int) -> None:
        self.address = address
        self.bits = bits

    @property
    def size(self) -> int:
        return -(-self.bits // 8)

    def equals(self, other: Value) -> bool:
        if not isinstance(other, CIDRValue):
            raise no_such_overload()
        return (self.address, self.bits) == (other.address, other.bits)

    def __str__(self) -> str:
        return f"{self.address}/{self.bits}"

    def masked(self) -> CIDRValue:
        return CIDRValue(ip_interface(str(self)).network.network_address, self.bits)

    def contains(self, address: Address) -> bool:
        if address.version != self.address.version:
            return False
        other = self.address.max_prefixlen - self.bits
        return int(address) >> other == int(self.address) >> other


def _parse(text: str) -> Address:
    """Raises ValueError in Go's words."""
    try:
        return ip_address(text)
    except ValueError:
        raise ValueError(complaint(text)) from None


def parse_ip(text: str) -> IPValue:
    """Raises CelRuntimeError."""
    if not isinstance(text, str):
        raise no_such_overload()
    try:
        address = _parse(text)
    except ValueError as error:
        raise CelRuntimeError(f"IP Address {quoted(text)} parse error during conversion from string: {error}") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise CelRuntimeError(f"IP address {quoted(text)} with zone value is not allowed")
        _refuse_mapped(address, text)
    return IPValue(address)


def _refuse_mapped(address: IPv6Address, text: str) -> None:
    if address.ipv4_mapped is not None:
        raise CelRuntimeError(f"IPv4-mapped IPv6 address {quoted(text)} is not allowed")


def _prefix(text: str) -> tuple[Address, int]:
    """Raises ValueError in Go's words."""
    left, slash, bits = text.rpartition("/")
    if not slash:
        raise ValueError("no '/'")
    address = _parse(left)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError("IPv6 zones cannot be present in a prefix")
    if _digits(bits) is None or len(bits) > 3:
        raise ValueError(f"bad bits after slash: {quoted(bits)}")
    if int(bits) > address.max_prefixlen:
        raise ValueError("prefix length out of range")
    return address, int(bits)


def parse_cidr(text: str) -> CIDRValue:
    """Raises CelRuntimeError."""
    if not isinstance(text, str):
        raise no_such_overload()
    failed = "network address parse error during conversion from string: "
    try:
        address, bits = _prefix(text)
    except ValueError as error:
        raise CelRuntimeError(f"{failed}{failed}netip.ParsePrefix({quoted(text)}): {error}") from None
    if isinstance(address, IPv6Address):
        try:
            _refuse_mapped(address, text)
        except CelRuntimeError as error:
            raise CelRuntimeError(f"{failed}{error}") from None
    return CIDRValue(address, bits)


def _reads(parse: Binding) -> Binding:
    def reads(text: str) -> bool:
        try:
            parse(text)
        except CelRuntimeError:
            return False
        return True

    return reads


def _link_local_multicast(address: Address) -> bool:
    if address.version == 4:
        return int(address) >> 8 == 0xE00000
    return int(address) >> 112 & 0xFF0F == 0xFF02


def _global_unicast(address: Address) -> bool:
    if address.version == 4 and int(address) == 0xFFFFFFFF:
        return False
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local)


def _contains_ip(network: CIDRValue, of: IPValue | str) -> bool:
    return network.contains((of if isinstance(of, IPValue) else parse_ip(of)).address)


def _contains_cidr(network: CIDRValue, of: CIDRValue | str) -> bool:
    other = of if isinstance(of, CIDRValue) else parse_cidr(of)
    return network.bits <= other.bits and network.contains(other.address)


_BINDINGS: Final[dict[str, Binding]] = {
    "string_to_ip": parse_ip,
    "ip_family": lambda of: of.address.version,
    "ip_is_canonical": lambda text: str(parse_ip(text).address) == text,
    "ip_is_unspecified": lambda of: of.address.is_unspecified,
    "ip_is_loopback": lambda of: of.address.is_loopback,
    "ip_is_link_local_multicast": lambda of: _link_local_multicast(of.address),
    "ip_is_link_local_unicast": lambda of: of.address.is_link_local,
    "ip_is_global_unicast": lambda of: _global_unicast(of.address),
    "is_ip": _reads(parse_ip),
    "ip_to_string": lambda of: str(of.address),
    "string_to_cidr": parse_cidr,
    "cidr_contains_ip_string": _contains_ip,
    "cidr_contains_ip_ip": _contains_ip,
    "cidr_contains_cidr_string": _contains_cidr,
    "cidr_contains_cidr": _contains_cidr,
    "cidr_ip": lambda of: IPValue(of.address),
    "cidr_prefix_length": lambda of: of.bits,
    "cidr_masked": lambda of: of.masked(),
    "is_cidr": _reads(parse_cidr),
    "cidr_to_string": str,
}
_OWN: Final = {"ip": IP, "cidr": CIDR}

ADDRESSES: Final = Library("kubernetes.net.ip", declared(_ADDRESSES, _BINDINGS, _OWN), types=(IP,), since=30)
NETWORKS: Final = Library("kubernetes.net.cidr", declared(_NETWORKS, _BINDINGS, _OWN), types=(CIDR,), since=30)
