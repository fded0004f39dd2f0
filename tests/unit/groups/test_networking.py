"""NetworkPolicy, IPAddress and ServiceCIDR."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.networking.ipaddress import RESOURCE as ADDRESS
from sampan.api.groups.networking.networkpolicy import RESOURCE as POLICY
from sampan.api.groups.networking.servicecidr import RESOURCE as RANGE
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, update_errors

META: Tree = {"metadata": {"name": "a", "namespace": "default"}}
NAMED: Tree = {"metadata": {"name": "a"}}


def policy(**spec: Any) -> Tree:
    return META | {"spec": {"podSelector": {}} | spec}


@pytest.mark.parametrize(
    ("tree", "types"),
    [
        (policy(), ["Ingress"]),
        (policy(egress=[{}]), ["Ingress", "Egress"]),
        (policy(policyTypes=["Egress"]), ["Egress"]),
    ],
)
def test_a_policy_says_which_ways_it_is_for(tree: Tree, types: list[str]) -> None:
    assert created(POLICY, tree)["spec"]["policyTypes"] == types


def test_ports_of_a_policy_are_tcp_unless_said_otherwise() -> None:
    tree = created(POLICY, policy(ingress=[{"ports": [{"port": 80}, {"protocol": "UDP"}]}]))
    assert tree["spec"]["ingress"] == [{"ports": [{"port": 80, "protocol": "TCP"}, {"protocol": "UDP"}]}]


BLOCK = "spec.egress[0].to[0].ipBlock"


def block(cidr: str, *excepted: str, **beside: Any) -> Tree:
    return policy(egress=[{"to": [{"ipBlock": {"cidr": cidr, "except": list(excepted)}, **beside}]}])


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (block("10.0.0.0/8", "10.1.0.0/16"), []),
        (
            block("10.0.0.0/8", "11.0.0.0/16", "10.0.0.0/8", "x"),
            [
                f'Invalid {BLOCK}.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
                f'Invalid {BLOCK}.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
                f'Invalid {BLOCK}.except[2]: Invalid value: "x": '
                "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ],
        ),
        (block(""), [f"Required {BLOCK}.cidr: Required value"]),
        (
            block("10.0.0.0/8", podSelector={}),
            ["Forbidden spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer"],
        ),
        (policy(ingress=[{"from": [{}]}]), ["Required spec.ingress[0].from[0]: Required value: must specify a peer"]),
        (
            policy(ingress=[{"ports": [{"protocol": "ICMP", "port": 0, "endPort": 70000}]}]),
            [
                "NotSupported spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": "
                'supported values: "TCP", "UDP", "SCTP"',
                "Invalid spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "Invalid spec.ingress[0].ports[0].endPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            policy(ingress=[{"ports": [{"port": 80, "endPort": 79}, {"port": "http", "endPort": 80}, {"endPort": 80}]}]),
            [
                "Invalid spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`",
                "Invalid spec.ingress[0].ports[1].endPort: Invalid value: 80: may not be specified when `port` is non-numeric",
                "Invalid spec.ingress[0].ports[2].endPort: Invalid value: 80: "
                "may not be specified when `port` is not specified",
            ],
        ),
        (
            policy(policyTypes=["Up"]),
            ['NotSupported spec.policyTypes[0]: Unsupported value: "Up": supported values: "Ingress", "Egress"'],
        ),
        (
            policy(policyTypes=["Ingress", "Egress", "Ingress"]),
            [
                'Invalid spec.policyTypes: Invalid value: []networking.PolicyType{"Ingress", "Egress", "Ingress"}: '
                "may not specify more than two policyTypes"
            ],
        ),
    ],
)  # fmt: skip
def test_network_policy_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(POLICY, tree) == expected


def test_a_range_that_a_policy_has_already_is_not_judged_again() -> None:
    assert update_errors(POLICY, block("x"), {"metadata": {"labels": {"a": "b"}}}) == []


def test_a_policy_warns_of_ranges_that_say_more_than_they_mean() -> None:
    assert POLICY.strategy.warn is not None
    assert POLICY.strategy.warn(block("10.0.0.1/8", "010.1.0.0/16", "FD00::/16"), None) == [
        f'{BLOCK}.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
        f'{BLOCK}.except[0]: non-standard CIDR value "010.1.0.0/16" will be considered invalid in a future Kubernetes '
        'release: use "10.1.0.0/16"',
        f'{BLOCK}.except[1]: IPv6 CIDR value "FD00::/16" should be in RFC 5952 canonical format ("fd00::/16")',
    ]


def test_network_policies_in_a_table() -> None:
    assert row(POLICY, policy(podSelector={"matchLabels": {"a": "b"}})) == {"Name": "a", "Pod-Selector": "a=b", "Age": "5m"}


def address(name: str = "10.0.0.1", **parent: Any) -> Tree:
    return {"metadata": {"name": name}, "spec": {"parentRef": {"resource": "services", "name": "web"} | parent}}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (address(namespace="default"), []),
        (address("fd00::1"), []),
        (NAMED | {"metadata": {"name": "10.0.0.1"}}, ["Required spec.parentRef: Required value"]),
        (
            address("x"),
            ['Invalid metadata.name: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
        ),
        (address("010.0.0.1"), ['Invalid metadata.name: Invalid value: "010.0.0.1": must not have leading 0s']),
        (
            address("::ffff:10.0.0.1"),
            ['Invalid metadata.name: Invalid value: "::ffff:10.0.0.1": must not be an IPv4-mapped IPv6 address'],
        ),
        (address("FD00::1"), ['Invalid metadata.name: Invalid value: "FD00::1": must be in canonical form ("fd00::1")']),
        (
            merged(address(resource="", namespace=".."), {"spec": {"parentRef": {"name": "a/b"}}}),
            [
                "Required spec.parentRef.resource: Required value",
                "Invalid spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'",
                "Invalid spec.parentRef.namespace: Invalid value: \"..\": may not be '..'",
            ],
        ),
    ],
)
def test_ip_address_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(ADDRESS, tree) == expected


def test_the_parent_of_an_address_is_fixed() -> None:
    assert update_errors(ADDRESS, address(), {"spec": {"parentRef": {"name": "b"}}}) == [
        'Invalid spec.parentRef: Invalid value: networking.ParentReference{Group:"", Resource:"services", Namespace:"", '
        'Name:"b"}: field is immutable'
    ]


def test_addresses_in_a_table() -> None:
    assert list(row(ADDRESS, address())) == ["Name", "ParentRef"]
    assert row(ADDRESS, address(namespace="default"))["ParentRef"] == "services/default/web"
    assert (
        row(ADDRESS, address(group="gateway.example.com", resource="gateways"))["ParentRef"]
        == "gateways.gateway.example.com/web"
    )


def service_range(*cidrs: str) -> Tree:
    return NAMED | {"spec": {"cidrs": list(cidrs)}}


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (("10.0.0.0/24", "fd00::/112"), []),
        ((), ["Required spec.cidrs: Required value: at least one CIDR required"]),
        (
            ("10.0.0.0/24", "10.0.1.0/24"),
            [
                'Invalid spec.cidrs: Invalid value: []string{"10.0.0.0/24", "10.0.1.0/24"}: may specify no more than one IP '
                "for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            ],
        ),
        (
            ("10.0.0.1/24",),
            ['Invalid spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length'],
        ),
        (
            ("10.0.0.0/08",),
            ['Invalid spec.cidrs[0]: Invalid value: "10.0.0.0/08": must not have leading 0s in IP or prefix length'],
        ),
        (("FD00::/112",), ['Invalid spec.cidrs[0]: Invalid value: "FD00::/112": must be in canonical form ("fd00::/112")']),
        (
            ("1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"),
            [
                "Invalid spec.cidrs: Invalid value: "
                'networking.ServiceCIDRSpec{CIDRs:[]string{"1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"}}: '
                "may only hold up to 2 values"
            ],
        ),
    ],
)
def test_service_range_rules(cidrs: tuple[str, ...], expected: list[str]) -> None:
    assert create_errors(RANGE, service_range(*cidrs)) == expected


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["10.0.0.0/24", "fd00::/112"], []),
        (["10.0.1.0/24"], ['Invalid spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable']),
        ([], ["Invalid spec.cidrs: Invalid value: []string{}: field is immutable"]),
    ],
)
def test_a_service_range_may_only_become_one_of_both_families(cidrs: list[str], expected: list[str]) -> None:
    assert update_errors(RANGE, service_range("10.0.0.0/24"), {"spec": {"cidrs": cidrs}}) == expected


def test_service_ranges_in_a_table() -> None:
    assert row(RANGE, service_range("10.0.0.0/24", "fd00::/112"))["CIDRs"] == "10.0.0.0/24,fd00::/112"
