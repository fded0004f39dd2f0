"""EndpointSlice."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from sampan.api.groups.columns import AGE, NAME, first_of
from sampan.api.groups.validation.addresses import validate_domain, validate_family
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.ranges import warn_of_ip
from sampan.api.resource import Column, Resource, Strategy, Tree

ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_ENDPOINTS, _MAX_ADDRESSES, _MAX_PORTS, _MAX_HINTS = 1000, 100, 20_000, 8
_SHOWN = 3
_UNSET = "<unset>"


def _default(tree: Tree) -> None:
    for port in tree.get("ports") or ():
        if "name" not in port:
            port["name"] = ""
        if not port.get("protocol"):
            port["protocol"] = "TCP"


def _prepare_create(new: Tree) -> None:
    new["metadata"]["generation"] = 1
    _drop_disabled(new)


def _drop_disabled(new: Tree) -> None:
    """Topology belongs to the version before v1, and hints of nodes to a feature that is off by default."""
    for endpoint in new.get("endpoints") or ():
        endpoint.pop("deprecatedTopology", None)
        if "hints" in endpoint:
            endpoint["hints"].pop("forNodes", None)


def _prepare_update(new: Tree, old: Tree) -> None:
    if new.get("endpoints") != old.get("endpoints"):
        _drop_disabled(new)
    generation = old["metadata"].get("generation", 0)
    changed = any(new.get(field) != old.get(field) for field in ("addressType", "endpoints", "ports"))
    changed = changed or new["metadata"].get("labels", {}) != old["metadata"].get("labels", {})
    new["metadata"]["generation"] = generation + 1 if changed else generation


def _validate(tree: Tree) -> list[FieldError]:
    type_ = tree.get("addressType", "")
    errors: list[FieldError] = []
    if not type_:
        errors.append(required("addressType"))
    elif type_ not in ADDRESS_TYPES:
        errors.append(not_supported("addressType", type_, ADDRESS_TYPES))
    return errors + _validate_endpoints(tree.get("endpoints") or (), type_) + _validate_ports(tree.get("ports") or ())


def _validate_endpoints(endpoints: Sequence[Tree], type_: str) -> list[FieldError]:
    if len(endpoints) > _MAX_ENDPOINTS:
        return [too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
    errors: list[FieldError] = []
    for index, endpoint in enumerate(endpoints):
        errors += _validate_endpoint(endpoint, type_, f"endpoints[{index}]")
    return errors


def _validate_endpoint(endpoint: Tree, type_: str, path: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or ()
    errors: list[FieldError] = []
    if not addresses:
        errors.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        errors.append(too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        where = f"{path}.addresses[{index}]"
        if type_ == "FQDN":
            errors += validate_domain(address, where)
        elif type_ in ADDRESS_TYPES:
            errors += validate_family(address, 4 if type_ == "IPv4" else 6, where)
    if (node := endpoint.get("nodeName")) is not None:
        errors += [invalid(f"{path}.nodeName", node, why) for why in names.name_is_subdomain(node)]
    if (host := endpoint.get("hostname")) is not None:
        errors += [invalid(f"{path}.hostname", host, why) for why in names.dns_label(host)]
    return errors + _validate_hints(endpoint.get("hints") or {}, f"{path}.hints.forZones")


def _validate_hints(hints: Tree, path: str) -> list[FieldError]:
    zones = hints.get("forZones") or ()
    if len(zones) > _MAX_HINTS:
        return [too_many(path, len(zones), _MAX_HINTS)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, zone in enumerate(zones):
        name = zone.get("name", "")
        if name in seen:
            errors.append(duplicate(f"{path}[{index}].name", name))
        seen.add(name)
        errors += [invalid(f"{path}[{index}].name", name, why) for why in names.label_value(name)]
    return errors


def _validate_ports(ports: Sequence[Tree]) -> list[FieldError]:
    if len(ports) > _MAX_PORTS:
        return [too_many("ports", len(ports), _MAX_PORTS)]
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, port in enumerate(ports):
        name, path = port["name"], f"ports[{index}]"
        if name:
            errors += [invalid(f"{path}.name", name, why) for why in names.dns_label(name)]
        if name in taken:
            errors.append(duplicate(f"{path}.name", name))
        taken.add(name)
        if port["protocol"] not in _PROTOCOLS:
            errors.append(not_supported(f"{path}.protocol", port["protocol"], _PROTOCOLS))
        if (protocol := port.get("appProtocol")) is not None:
            errors += [invalid(f"{path}.appProtocol", protocol, why) for why in names.qualified_name(protocol)]
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("addressType", new.get("addressType"), old.get("addressType"))


def _warn(new: Tree, old: Tree | None) -> list[str]:
    if new.get("addressType") == "FQDN":
        return ["spec.addressType: FQDN endpoints are deprecated"]  # upstream's path: there is no spec
    return [
        warning
        for index, endpoint in enumerate(new.get("endpoints") or ())
        for number, address in enumerate(endpoint.get("addresses") or ())
        for warning in warn_of_ip(address, f"endpoints[{index}].addresses[{number}]")
    ]


def _ports(tree: Tree, now: float) -> str:
    shown = [str(port["port"] if "port" in port else port.get("name", "*")) for port in tree.get("ports") or ()]
    return first_of(shown, _SHOWN, len(shown)) or _UNSET


def _endpoints(tree: Tree, now: float) -> str:
    shown = [address for endpoint in tree.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return first_of(shown, _SHOWN, len(shown)) or _UNSET


RESOURCE = Resource(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    definition="io.k8s.api.discovery.v1.EndpointSlice",
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        validate=_validate,
        validate_update=_validate_update,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        Column("AddressType", ".addressType"),
        Column("Ports", _ports),
        Column("Endpoints", _endpoints),
        AGE,
    ),
)
