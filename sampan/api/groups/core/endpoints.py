"""Endpoints, the older form of EndpointSlices."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME, NONE, first_of
from sampan.api.groups.validation.addresses import validate_ordinary_ip
from sampan.api.groups.validation.ranges import warn_of_ip
from sampan.api.resource import Column, Resource, Strategy, Tree

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_SHOWN = 3


def _default(tree: Tree) -> None:
    for subset in tree.get("subsets", ()):
        for port in subset.get("ports", ()):
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def _validate(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, subset in enumerate(tree.get("subsets", ())):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(subset.get(field, ())):
                errors += _validate_address(address, f"{path}.{field}[{number}]")
        ports = subset.get("ports", ())
        for number, port in enumerate(ports):
            errors += _validate_port(port, len(ports) > 1, f"{path}.ports[{number}]")
    return errors


def _validate_address(address: Tree, path: str) -> list[FieldError]:
    errors = validate_ordinary_ip(address.get("ip", ""), f"{path}.ip")
    if host := address.get("hostname"):
        errors += [invalid(f"{path}.hostname", host, why) for why in names.dns_label(host)]
    if (node := address.get("nodeName")) is not None:
        errors += [invalid(f"{path}.nodeName", node, why) for why in names.name_is_subdomain(node)]
    return errors


def _validate_port(port: Tree, needs_name: bool, path: str) -> list[FieldError]:
    name, number = port.get("name", ""), port.get("port", 0)
    errors: list[FieldError] = []
    if name:
        errors += [invalid(f"{path}.name", name, why) for why in names.dns_label(name)]
    elif needs_name:
        errors.append(required(f"{path}.name"))
    errors += [invalid(f"{path}.port", number, why) for why in names.port_number(number)]
    if port["protocol"] not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port["protocol"], _PROTOCOLS))
    if (protocol := port.get("appProtocol")) is not None:
        errors += [invalid(f"{path}.appProtocol", protocol, why) for why in names.qualified_name(protocol)]
    return errors


def _warn(new: Tree, old: Tree | None) -> list[str]:
    return [
        warning
        for index, subset in enumerate(new.get("subsets", ()))
        for field in ("addresses", "notReadyAddresses")
        for number, address in enumerate(subset.get(field, ()))
        for warning in warn_of_ip(address.get("ip", ""), f"subsets[{index}].{field}[{number}].ip")
    ]


def _endpoints(tree: Tree, now: float) -> str:
    subsets = tree.get("subsets", ())
    if not subsets:
        return NONE
    shown: list[str] = []
    for subset in subsets:
        addresses = [address.get("ip", "") for address in subset.get("addresses", ())]
        ports = subset.get("ports", ())
        if not ports:
            shown += addresses
        for port in ports:
            for address in addresses:
                host = f"[{address}]" if ":" in address else address
                shown.append(f"{host}:{port.get('port', 0)}")
    return first_of(shown, _SHOWN, len(shown))


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    definition="io.k8s.api.core.v1.Endpoints",
    short=("ep",),
    strategy=Strategy(validate=_validate, warn=_warn, allow_create_on_update=True),
    default=_default,
    columns=(NAME, Column("Endpoints", _endpoints), AGE),
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
