"""IP addresses that services and endpoints may carry."""

from __future__ import annotations

import ipaddress

from sampan.api import names
from sampan.api.errors import FieldError, invalid, required
from sampan.lib.remember import remember


def validate_ip(value: str, path: str) -> list[FieldError]:
    return [invalid(path, value, why) for why in names.ip_address(value)]


@remember(4096)
def _special(value: str) -> tuple[str, ...]:
    address = ipaddress.ip_address(value)
    problems = []
    if address.is_unspecified:
        problems.append(f"may not be unspecified ({value})")
    if address.is_loopback:
        problems.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        problems.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast and value.startswith(("224.0.0.", "ff02:")):
        problems.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return tuple(problems)


def validate_ordinary_ip(value: str, path: str) -> list[FieldError]:
    """A valid address that leads to another machine: not loopback, not link-local."""
    if errors := validate_ip(value, path):
        return errors
    return [invalid(path, value, why) for why in _special(value)]


@remember(4096)
def _family(value: str) -> int:
    try:
        return ipaddress.ip_address(value).version
    except ValueError:
        return 0


def validate_family(value: str, version: int, path: str) -> list[FieldError]:
    """An ordinary address of IPv4 (4) or IPv6 (6)."""
    if _family(value) != version:
        return [invalid(path, value, f"must be a valid IPv{version} address")]
    return [invalid(path, value, why) for why in _special(value)]


def validate_domain(value: str, path: str) -> list[FieldError]:
    """IsFullyQualifiedDomainName: at least two labels; a final dot is fine."""
    if not value:
        return [required(path)]
    bare = value.removesuffix(".")
    if problems := names.dns_subdomain(bare):
        return [invalid(path, value, why) for why in problems]
    if "." not in bare:
        return [invalid(path, value, "should be a domain with at least two segments separated by dots")]
    labels = bare.split(".")
    return [invalid(path, label, why) for label in labels for why in names.dns_label(label)]
