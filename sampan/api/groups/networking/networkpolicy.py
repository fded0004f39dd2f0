"""NetworkPolicy."""

from __future__ import annotations

from collections.abc import Iterator

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, go_strings, invalid, not_supported, required
from sampan.api.groups.columns import AGE, NAME, format_selector
from sampan.api.groups.strategies import bump_generation, start_generation
from sampan.api.groups.validation.ranges import sloppy_cidr, validate_sloppy_cidr, warn_of_cidr
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Column, Resource, Strategy, Tree

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")
_SIDES = (("ingress", "from"), ("egress", "to"))


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    for side, _ in _SIDES:
        for rule in spec.get(side, ()):
            for port in rule.get("ports", ()):
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _blocks(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Every IP block and where it stands."""
    for side, peers in _SIDES:
        for index, rule in enumerate(tree.get("spec", {}).get(side, ())):
            for number, peer in enumerate(rule.get(peers, ())):
                if "ipBlock" in peer:
                    yield f"spec.{side}[{index}].{peers}[{number}].ipBlock", peer["ipBlock"]


def _cidrs(tree: Tree) -> frozenset[str]:
    return frozenset(
        cidr for _, block in _blocks(tree) for cidr in (block.get("cidr", ""), *block.get("except", ())) if cidr
    )  # fmt: skip


def _validate(tree: Tree) -> list[FieldError]:
    return _validate_spec(tree, frozenset())


def _validate_change(new: Tree, old: Tree) -> list[FieldError]:
    """A CIDR that the stored policy has somewhere is not looked at again."""
    return _validate_spec(new, _cidrs(old))


def _validate_spec(tree: Tree, known: frozenset[str]) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors = validate_label_selector(spec.get("podSelector", {}), "spec.podSelector")
    for side, peers in _SIDES:
        for index, rule in enumerate(spec.get(side, ())):
            path = f"spec.{side}[{index}]"
            for number, port in enumerate(rule.get("ports", ())):
                errors += _validate_port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers, ())):
                errors += _validate_peer(peer, f"{path}.{peers}[{number}]", known)
    types = spec.get("policyTypes", ())
    if len(types) > len(_TYPES):
        shown = go_strings("networking.PolicyType", types)
        return [*errors, invalid("spec.policyTypes", shown, "may not specify more than two policyTypes")]
    for index, type_ in enumerate(types):
        if type_ not in _TYPES:
            errors.append(not_supported(f"spec.policyTypes[{index}]", type_, _TYPES))
    return errors


def _validate_port(tree: Tree, path: str) -> list[FieldError]:
    protocol, port, end = tree.get("protocol"), tree.get("port"), tree.get("endPort")
    errors: list[FieldError] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if isinstance(port, int):
        errors += [invalid(f"{path}.port", port, why) for why in names.port_number(port)]
        if end is not None:
            if end < port:
                errors.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
            errors += [invalid(f"{path}.endPort", end, why) for why in names.port_number(end)]
    elif isinstance(port, str):
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += [invalid(f"{path}.port", port, why) for why in names.port_name(port)]
    elif end is not None:
        errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return errors


def _validate_peer(peer: Tree, path: str, known: frozenset[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("podSelector", "namespaceSelector"):
        if field in peer:
            errors += validate_label_selector(peer[field], f"{path}.{field}")
    if "ipBlock" in peer:
        errors += _validate_block(peer["ipBlock"], f"{path}.ipBlock", known)
    count = sum(field in peer for field in ("podSelector", "namespaceSelector", "ipBlock"))
    if not count:
        errors.append(required(path, "must specify a peer"))
    elif count > 1 and "ipBlock" in peer:
        errors.append(forbidden_field(path, "may not specify both ipBlock and another peer"))
    return errors


def _validate_block(block: Tree, path: str, known: frozenset[str]) -> list[FieldError]:
    cidr = block.get("cidr", "")
    if not cidr:
        return [required(f"{path}.cidr")]
    errors = [] if cidr in known else validate_sloppy_cidr(cidr, f"{path}.cidr")
    whole = sloppy_cidr(cidr)
    if whole is None:
        return errors
    for index, text in enumerate(block.get("except", ())):
        where = f"{path}.except[{index}]"
        errors += [] if text in known else validate_sloppy_cidr(text, where)
        part = sloppy_cidr(text)
        if part is None:
            continue
        if part[1].network_address not in whole[1] or whole[1].prefixlen >= part[1].prefixlen:
            errors.append(invalid(where, text, "must be a strict subset of `cidr`"))
    return errors


def _warn(new: Tree, old: Tree | None) -> list[str]:
    warnings: list[str] = []
    for path, block in _blocks(new):
        warnings += warn_of_cidr(block.get("cidr", ""), f"{path}.cidr")
        for index, cidr in enumerate(block.get("except", ())):
            warnings += warn_of_cidr(cidr, f"{path}.except[{index}]")
    return warnings


RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    definition="io.k8s.api.networking.v1.NetworkPolicy",
    short=("netpol",),
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        validate=_validate,
        validate_change=_validate_change,
        warn=_warn,
    ),
    default=_default,
    columns=(NAME, Column("Pod-Selector", lambda tree, now: format_selector(tree.get("spec", {}).get("podSelector"))), AGE),
)
