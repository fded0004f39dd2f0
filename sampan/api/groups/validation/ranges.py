"""IP addresses and CIDRs in the two strictnesses of upstream: of old fields, and of those that came with its newer rules.

After k8s.io/apimachinery/pkg/util/validation/ip.go. The old fields take what Go's parser once took: zeros before a number, and
IPv4 addresses in IPv6 clothes; a warning tells who writes so. New fields take one form of each address alone.
"""

from __future__ import annotations

import ipaddress
import re

from sampan.api import names
from sampan.api.errors import FieldError, invalid

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_plain = re.compile(r"((0|[1-9][0-9]{0,2})(\.(?!$)|$)){4}").fullmatch
"""Whatever else it is, written as it should be."""
_dotted = re.compile(r"[0-9]+(\.[0-9]+){3}").fullmatch


def sloppy_ip(value: str) -> IPAddress | None:
    """ParseIPSloppy: None for what is no address. An IPv4 address in IPv6 clothes is that IPv4 address."""
    if _dotted(value):
        value = ".".join(str(int(part)) if len(part) < 20 else part for part in value.split("."))
    if "%" in value:
        return None
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def sloppy_cidr(value: str) -> tuple[IPAddress, IPNetwork] | None:
    """ParseCIDRSloppy: the address as it stands and the network it is in."""
    text, slash, bits = value.partition("/")
    address = sloppy_ip(text)
    if address is None or not slash or not bits.isdecimal() or not bits.isascii() or len(bits) > 9:
        return None
    length = int(bits)
    if ":" in text and address.version == 4:
        length -= 96
    if not 0 <= length <= address.max_prefixlen:
        return None
    return address, ipaddress.ip_network((address, length), strict=False)


def _is_mapped(text: str) -> bool:
    address = sloppy_ip(text)
    return address is not None and address.version == 4 and ":" in text


def _is_strict(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def strict_ip(value: str) -> list[str]:
    """IsValidIP: why a new field may not say this."""
    address = sloppy_ip(value)
    if address is None:
        return [names.BAD_IP]
    if not _is_strict(value):
        return ["must not have leading 0s"]
    if _is_mapped(value):
        return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(address) == value else [f'must be in canonical form ("{address}")']


def strict_cidr(value: str) -> list[str]:
    """IsValidCIDR."""
    parsed = sloppy_cidr(value)
    if parsed is None:
        return [names.BAD_CIDR]
    address, network = parsed
    text, _, bits = value.partition("/")
    if not _is_strict(text) or (len(bits) > 1 and bits[0] == "0"):
        return ["must not have leading 0s in IP or prefix length"]
    if _is_mapped(text):
        return ["must not have an IPv4-mapped IPv6 address"]
    if address != network.network_address:
        return ["must not have bits set beyond the prefix length"]
    return [] if str(network) == value else [f'must be in canonical form ("{network}")']


def validate_sloppy_ip(value: str, path: str) -> list[FieldError]:
    """IsValidIPForLegacyField."""
    return [] if sloppy_ip(value) is not None else [invalid(path, value, names.BAD_IP)]


def validate_sloppy_cidr(value: str, path: str) -> list[FieldError]:
    """IsValidCIDRForLegacyField."""
    return [] if sloppy_cidr(value) is not None else [invalid(path, value, names.BAD_CIDR)]


def warn_of_ip(value: str, path: str) -> list[str]:
    """GetWarningsForIP, of a value that is valid."""
    if _plain(value):
        return []
    address = sloppy_ip(value)
    if address is None:
        return []
    if not _is_strict(value) or _is_mapped(value):
        future = f'will be considered invalid in a future Kubernetes release: use "{address}"'
        return [f'{path}: non-standard IP address "{value}" {future}']
    if address.version == 6 and str(address) != value:
        return [f'{path}: IPv6 address "{value}" should be in RFC 5952 canonical format ("{address}")']
    return []


def warn_of_cidr(value: str, path: str) -> list[str]:
    """GetWarningsForCIDR, of a value that is valid."""
    parsed = sloppy_cidr(value)
    if parsed is None:
        return []
    address, network = parsed
    text, _, bits = value.partition("/")
    warnings: list[str] = []
    if address != network.network_address:
        alone = f"{address}/{address.max_prefixlen}"
        warnings.append(f'{path}: CIDR value "{value}" is ambiguous in this context (should be "{network}" or "{alone}"?)')
    if not _is_strict(text) or _is_mapped(text) or (len(bits) > 1 and bits[0] == "0"):
        future = f'will be considered invalid in a future Kubernetes release: use "{network}"'
        warnings.append(f'{path}: non-standard CIDR value "{value}" {future}')
    if not warnings and network.version == 6 and str(network) != value:
        warnings.append(f'{path}: IPv6 CIDR value "{value}" should be in RFC 5952 canonical format ("{network}")')
    return warnings
