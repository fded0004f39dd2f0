"""What clients are warned of in Services, endpoints, nodes and accounts; and the rules of Services that few come upon."""

from __future__ import annotations

import pytest

from sampan.api.groups.core.endpoints import RESOURCE as ENDPOINTS
from sampan.api.groups.core.node import RESOURCE as NODE
from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.groups.core.service import RESOURCE as SERVICE
from sampan.api.groups.core.serviceaccount import RESOURCE as ACCOUNT
from sampan.api.groups.discovery.endpointslice import RESOURCE as SLICE
from sampan.api.resource import Resource, Tree
from tests.unit.groups.kinds import create_errors, created, merged, status_errors, update_errors
from tests.unit.groups.test_pod_warnings import warned

SERVED: Tree = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
HINTS, MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
LATER = "will be considered invalid in a future Kubernetes release: use"
NAMED: Tree = {"metadata": {"name": "a", "namespace": "default"}}


def annotated(key: str, value: str) -> Tree:
    return {"metadata": {"annotations": {key: value}}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (annotated(HINTS, "Auto"), [f"annotation {HINTS} is deprecated, please use {MODE} instead"]),
        (
            {"spec": {"clusterIP": "None", "externalIPs": ["10.0.0.1"], "sessionAffinity": "ClientIP"}},
            ["spec.externalIPs is ignored for headless services", "spec.SessionAffinity is ignored for headless services"],
        ),
        (
            {"spec": {"externalIPs": ["::ffff:1.2.3.4", "fd00:0::1"]}},
            [
                f'spec.externalIPs[0]: non-standard IP address "::ffff:1.2.3.4" {LATER} "1.2.3.4"',
                'spec.externalIPs[1]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")',
            ],
        ),
        (
            {"spec": {"type": "ExternalName", "externalName": "a.b", "externalIPs": ["10.0.0.1"]}},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        ({"spec": {"externalName": "a.b"}}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        (
            {"spec": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]}},
            [
                'spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context '
                '(should be "10.0.0.0/8" or "10.0.0.1/32"?)'
            ],
        ),
    ],
)
def test_services_are_warned_of(change: Tree, expected: list[str]) -> None:
    assert warned(SERVICE, created(SERVICE, merged(SERVED, change))) == expected


@pytest.mark.parametrize(
    ("resource", "tree", "expected"),
    [
        (ENDPOINTS, {"subsets": [{"addresses": [{"ip": "fd00:0::1"}]}]}, [
            'subsets[0].addresses[0].ip: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")'
        ]),
        (SLICE, {"addressType": "FQDN"}, ["spec.addressType: FQDN endpoints are deprecated"]),
        (SLICE, {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00:0::1"]}]}, [
            'endpoints[0].addresses[0]: IPv6 address "fd00:0::1" should be in RFC 5952 canonical format ("fd00::1")'
        ]),
        (NODE, {"spec": {"externalID": "x", "configSource": {}, "podCIDRs": ["10.0.0.1/24"]}}, [
            "spec.externalID: this field is deprecated, and is unused by Kubernetes",
            'spec.podCIDRs[0]: CIDR value "10.0.0.1/24" is ambiguous in this context '
            '(should be "10.0.0.0/24" or "10.0.0.1/32"?)',
        ]),
        (ACCOUNT, annotated("kubernetes.io/enforce-mountable-secrets", "true"), [
            "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; "
            "prefer separate namespaces to isolate access to mounted secrets"
        ]),
    ],
)  # fmt: skip
def test_others_are_warned_of(resource: Resource, tree: Tree, expected: list[str]) -> None:
    assert warned(resource, created(resource, merged(NAMED, tree))) == expected


def test_an_account_is_warned_of_once() -> None:
    tree = merged(NAMED, annotated("kubernetes.io/enforce-mountable-secrets", "true"))
    assert warned(ACCOUNT, tree, tree) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"spec": {"type": "LoadBalancer", "ports": [{"port": 10250}]}}, []),
        (merged(annotated(HINTS, "Auto"), annotated(MODE, "Auto")), []),
        (merged(annotated(HINTS, "Auto"), annotated(MODE, "x")), [
            f'Invalid metadata.annotations[{MODE}]: Invalid value: "x": must match annotations[{HINTS}] when both are specified'
        ]),
        (annotated(RANGES, "10.0.0.0/8"), [
            f"Forbidden metadata.annotations[{RANGES}]: Forbidden: may only be used when `type` is 'LoadBalancer'"
        ]),
        (merged(annotated(RANGES, " 10.0.0.0/8, x"), {"spec": {"type": "LoadBalancer"}}), [
            f'Invalid metadata.annotations[{RANGES}]: Invalid value: "x": '
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ]),
    ],
)  # fmt: skip
def test_annotations_of_services_are_checked(change: Tree, expected: list[str]) -> None:
    assert create_errors(SERVICE, merged(SERVED, change)) == expected


def test_a_second_family_is_given_up_by_policy() -> None:
    spec = {
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1", "fd00::1"],
        "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "PreferDualStack",
    }
    assert update_errors(SERVICE, merged(SERVED, {"spec": spec}), {"spec": {"ipFamilies": ["IPv4"]}}) == [
        'Invalid spec.ipFamilyPolicy: Invalid value: "PreferDualStack": '
        "must be set to 'SingleStack' when releasing the secondary ipFamily"
    ]


def test_only_load_balancers_are_reached_at_an_address() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "x"}]}}
    assert status_errors(SERVICE, SERVED, {}, status) == [
        "Forbidden status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]


def test_a_node_has_no_less_than_nothing_of_a_resource() -> None:
    status = {"capacity": {"pods": "1.5"}, "allocatable": {"cpu": "-1"}}
    expected = [
        'Invalid status.capacity.pods: Invalid value: "1500m": must be an integer',
        'Invalid status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0',
    ]
    assert create_errors(NODE, {"metadata": {"name": "a"}, "status": status}) == expected
    assert status_errors(NODE, {"metadata": {"name": "a"}}, {}, status) == expected


def test_topology_of_old_and_hints_of_nodes_are_dropped_from_slices() -> None:
    endpoint = {
        "addresses": ["10.0.0.1"],
        "deprecatedTopology": {"zone": "a"},
        "hints": {"forZones": [{"name": "a"}], "forNodes": [{"name": "n"}]},
    }
    tree = created(SLICE, merged(NAMED, {"addressType": "IPv4", "endpoints": [endpoint]}))
    assert tree["endpoints"] == [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}]}}]


@pytest.mark.parametrize(
    ("resource", "status", "expected"),
    [
        (SERVICE, {"loadBalancer": {"ingress": [{"hostname": "a.b"}, {"ip": "10.0.0.1"}]}}, []),
        (
            SERVICE,
            {"loadBalancer": {"ingress": [{"ip": "FD00::1"}]}},
            ['status.loadBalancer.ingress[0]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")'],
        ),
        (POD, {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "hostIPs": [{"ip": "192.168.0.10"}]}, []),
        (
            POD,
            {"podIPs": [{"ip": "10.0.0.01"}], "hostIPs": [{"ip": "::ffff:10.0.0.1"}]},
            [
                f'status.podIPs[0].ip: non-standard IP address "10.0.0.01" {LATER} "10.0.0.1"',
                f'status.hostIPs[0].ip: non-standard IP address "::ffff:10.0.0.1" {LATER} "10.0.0.1"',
            ],
        ),
    ],
)
def test_addresses_in_statuses(resource: Resource, status: Tree, expected: list[str]) -> None:
    assert resource.strategy.warn_status is not None
    assert resource.strategy.warn_status({"status": status}) == expected


def test_what_is_set_to_nothing_is_checked_too() -> None:
    port, where = {"port": 80, "appProtocol": ""}, "must be non-empty"
    subset = {"addresses": [{"ip": "10.0.0.1", "nodeName": ""}], "ports": [port]}
    endpoint = {"addresses": ["10.0.0.1"], "nodeName": ""}
    slice = {"addressType": "IPv4", "endpoints": [endpoint], "ports": [port]}
    for resource, body in ((ENDPOINTS, {"subsets": [subset]}), (SLICE, slice)):
        errors = create_errors(resource, merged(NAMED, body))
        assert [error.split(":")[0].rpartition(".")[2] for error in errors] == ["nodeName", "appProtocol", "appProtocol"]
        assert where in errors[1]


def test_a_slice_has_room_for_many_ports() -> None:
    ports = [{"name": f"p{index}", "port": index + 1} for index in range(101)]
    assert create_errors(SLICE, merged(NAMED, {"addressType": "IPv4", "ports": ports})) == []
