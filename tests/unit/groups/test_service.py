"""Service, Endpoints and EndpointSlice."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.endpoints import RESOURCE as ENDPOINTS
from sampan.api.groups.core.service import RESOURCE as SERVICE
from sampan.api.groups.discovery.endpointslice import RESOURCE as SLICE
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, defaulted, merged, row, status_errors, update_errors

META: Tree = {"metadata": {"name": "web", "namespace": "default"}}
MINIMAL: Tree = META | {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
PORT = {"port": 80, "protocol": "TCP", "targetPort": 80}
FILLED = {
    "selector": {"app": "web"},
    "ports": [PORT],
    "type": "ClusterIP",
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
}
ALLOCATED = {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}


def service(**spec: Any) -> Tree:
    return merged(MINIMAL, {"spec": spec})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, FILLED),
        ({"ports": [{"port": 80, "targetPort": "http"}]}, FILLED | {"ports": [PORT | {"targetPort": "http"}]}),
        ({"clusterIP": "None"}, FILLED | {"clusterIP": "None", "clusterIPs": ["None"]}),
        ({"type": "NodePort"}, FILLED | {"type": "NodePort", "externalTrafficPolicy": "Cluster"}),
        (
            {"type": "LoadBalancer"},
            FILLED | {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True},
        ),
        ({"externalIPs": ["1.2.3.4"]}, FILLED | {"externalIPs": ["1.2.3.4"], "externalTrafficPolicy": "Cluster"}),
        (
            {"sessionAffinity": "ClientIP"},
            FILLED | {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
        ),
        (
            {"type": "ExternalName", "externalName": "example.com", "ports": None},
            {
                "selector": {"app": "web"},
                "type": "ExternalName",
                "externalName": "example.com",
                "sessionAffinity": "None",
            },
        ),
    ],
)
def test_a_service_is_filled_in(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    tree = created(SERVICE, service(**spec))
    assert tree["spec"] == expected
    assert tree["status"] == {"loadBalancer": {}}
    assert create_errors(SERVICE, service(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, ["Required spec.ports: Required value"]),
        ({"ports": [], "clusterIP": "None"}, []),
        ({"ports": [{"port": 0}]}, [
            "Invalid spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "Invalid spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ]),
        ({"ports": [{"port": 80}, {"port": 81, "name": "b"}]}, ["Required spec.ports[0].name: Required value"]),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]}, [
            'Duplicate spec.ports[1].name: Duplicate value: "a"'
        ]),
        ({"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]}, [
            'Duplicate spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'
        ]),
        ({"ports": [{"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}]}, []),
        ({"ports": [{"port": 80, "nodePort": 30080}]}, [
            "Forbidden spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
        ]),
        ({"type": "Other"}, [
            'NotSupported spec.type: Unsupported value: "Other": '
            'supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
        ]),
        ({"type": "NodePort", "clusterIP": "None"}, [
            "Invalid spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"
        ]),
        ({"type": "ExternalName"}, ["Required spec.externalName: Required value"]),
        ({"clusterIP": "x"}, [
            'Invalid spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
        ]),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}, [
            'Invalid spec.clusterIPs: Invalid value: []string{"10.0.0.2"}: first value must match `clusterIP`'
        ]),
        ({"ipFamilies": ["IPv5"]}, [
            'NotSupported spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'
        ]),
        ({"sessionAffinity": "Sticky"}, [
            'NotSupported spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"'
        ]),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}}, [
            "Invalid spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: "
            "must be greater than 0 and less than 86400"
        ]),
        ({"externalIPs": ["127.0.0.1"]}, [
            'Invalid spec.externalIPs[0]: Invalid value: "127.0.0.1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        ]),
        ({"externalTrafficPolicy": "Local"}, [
            'Invalid spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'
        ]),
        ({"internalTrafficPolicy": "Near"}, [
            'NotSupported spec.internalTrafficPolicy: Unsupported value: "Near": supported values: "Cluster", "Local"'
        ]),
        ({"allocateLoadBalancerNodePorts": False}, [
            "Forbidden spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"
        ]),
        ({"selector": {"a b": "c"}}, None),
    ],
)  # fmt: skip
def test_service_rules(spec: dict[str, Any], expected: list[str] | None) -> None:
    errors = create_errors(SERVICE, service(**spec))
    if expected is None:
        assert [error.split(":")[0] for error in errors] == ["Invalid spec.selector"]
    else:
        assert errors == expected


def test_a_service_is_named_by_a_dns_1035_label() -> None:
    [error] = create_errors(SERVICE, merged(MINIMAL, {"metadata": {"name": "1a"}}))
    assert error.startswith('Invalid metadata.name: Invalid value: "1a": a DNS-1035 label must consist of')


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"selector": {"app": "other"}}, []),
        ({"clusterIP": "10.96.0.10"}, [
            'Invalid spec.clusterIPs[0]: Invalid value: []string{"10.96.0.10"}: may not change once set'
        ]),
        ({"clusterIP": "None"}, ['Invalid spec.clusterIPs[0]: Invalid value: []string{"None"}: may not change once set']),
        ({"clusterIP": None, "clusterIPs": None, "ipFamilies": None}, []),
        ({"ipFamilies": ["IPv6"]}, [
            'Invalid spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`',
            'Invalid spec.ipFamilies[0]: Invalid value: []core.IPFamily{"IPv6"}: may not change once set',
        ]),
        ({"type": "ExternalName", "externalName": "example.com"}, []),
    ],
)  # fmt: skip
def test_the_cluster_address_is_fixed(change: dict[str, Any], expected: list[str]) -> None:
    assert update_errors(SERVICE, service(**ALLOCATED), {"spec": change}) == expected


def updated(old: Tree, change: Tree) -> Tree:
    """The spec after an update of a stored service."""
    before = created(SERVICE, old)
    after = defaulted(SERVICE, merged(before, change))
    SERVICE.strategy.prepare_update(after, before)
    spec: Tree = after["spec"]
    return spec


def test_a_replace_need_not_repeat_what_was_allocated() -> None:
    old = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080, "name": "http"}], **ALLOCATED)
    change = {"clusterIP": None, "clusterIPs": None, "ports": [{"port": 81, "name": "http"}, {"port": 82, "name": "b"}]}
    spec = updated(old, {"spec": change})
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("10.96.0.9", ["10.96.0.9"])
    assert [port.get("nodePort") for port in spec["ports"]] == [30080, None]


def test_what_belongs_to_another_type_goes_with_it() -> None:
    old = service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}], **ALLOCATED)
    spec = updated(old, {"spec": {"type": "ClusterIP"}})
    assert spec == FILLED | ALLOCATED
    spec = updated(old, {"spec": {"type": "ExternalName", "externalName": "example.com"}})
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec.keys()


def test_a_load_balancer_that_gets_no_more_node_ports_keeps_its_own() -> None:
    old = service(type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}], **ALLOCATED)
    for change in ({}, {"ports": [{"port": 80}]}):
        spec = updated(old, {"spec": {"allocateLoadBalancerNodePorts": False} | change})
        assert [port.get("nodePort") for port in spec["ports"]] == [30080]
    spec = updated(service(type="ClusterIP", **ALLOCATED), {"spec": {"type": "ExternalName", "clusterIP": "10.96.0.8"}})
    assert (spec["clusterIP"], "clusterIPs" in spec) == ("10.96.0.8", True)
    ports = [{"port": 80, "nodePort": 30080, "name": "a"}, {"port": 81, "nodePort": 30081, "name": "b"}]
    spec = updated(service(type="NodePort", ports=ports, **ALLOCATED), {"spec": {"type": "ClusterIP", "ports": ports[:1]}})
    assert "nodePort" not in spec["ports"][0]


def test_a_service_that_is_no_load_balancer_any_more_loses_its_ingress() -> None:
    before = created(SERVICE, service(type="LoadBalancer")) | {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}
    after = defaulted(SERVICE, merged(before, {"spec": {"type": "ClusterIP"}}))
    SERVICE.strategy.prepare_update(after, before)
    assert after["status"] == {"loadBalancer": {}}
    assert not {"allocateLoadBalancerNodePorts", "externalTrafficPolicy"} & after["spec"].keys()


def test_the_ingress_of_a_load_balancer_is_checked() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "1.2.3.4"}]}}
    assert status_errors(SERVICE, service(type="LoadBalancer"), {}, status) == [
        'Invalid status.loadBalancer.ingress[0].ip: Invalid value: "x": '
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        'Invalid status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ]


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        (ALLOCATED, {}, ("ClusterIP", "10.96.0.9", "<none>", "80/TCP", "app=web")),
        ({"clusterIPs": ["None"], "ports": [], "selector": None}, {}, ("ClusterIP", "None", "<none>", "<none>", "<none>")),
        (
            {
                "type": "NodePort",
                "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
            },
            {},
            ("NodePort", "<none>", "<none>", "80:30080/TCP,53/UDP", "app=web"),
        ),
        ({"type": "LoadBalancer"}, {}, ("LoadBalancer", "<none>", "<pending>", "80/TCP", "app=web")),
        (
            {"type": "LoadBalancer", "externalIPs": ["9.9.9.9"]},
            {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a.example.com"}]}},
            ("LoadBalancer", "<none>", "2.2.2.2,a.example.com,9.9.9.9", "80/TCP", "app=web"),
        ),
        (
            {"type": "ExternalName", "externalName": "example.com"},
            {},
            ("ExternalName", "<none>", "example.com", "80/TCP", "app=web"),
        ),
    ],
)
def test_the_table_of_services(spec: Tree, status: Tree, expected: tuple[str, ...]) -> None:
    tree = merged(defaulted(SERVICE, MINIMAL), {"spec": spec}) | {"status": status}
    cells = row(SERVICE, tree)
    assert list(cells) == ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector"]
    assert (cells["Type"], cells["Cluster-IP"], cells["External-IP"], cells["Port(s)"], cells["Selector"]) == expected


def addresses(count: int) -> list[Tree]:
    return [{"ip": f"10.0.0.{number}"} for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        ([], "<none>"),
        ([{"addresses": addresses(2), "ports": [{"port": 80}]}], "10.0.0.1:80,10.0.0.2:80"),
        ([{"addresses": addresses(5), "ports": [{"port": 80}]}], "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."),
        ([{"addresses": addresses(1)}], "10.0.0.1"),
        ([{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}], "[fd00::1]:80"),
        ([{"notReadyAddresses": addresses(1), "ports": [{"port": 80}]}], ""),
    ],
)
def test_the_table_of_endpoints(subsets: list[Tree], expected: str) -> None:
    assert row(ENDPOINTS, META | {"subsets": subsets}) == {"Name": "web", "Endpoints": expected, "Age": "5m"}


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ({"addresses": addresses(1), "ports": [{"port": 80}]}, []),
        ({"ports": [{"port": 80}]}, [
            "Required subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"
        ]),
        ({"addresses": [{"ip": "169.254.1.1"}]}, [
            'Invalid subsets[0].addresses[0].ip: Invalid value: "169.254.1.1": '
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        ]),
        ({"addresses": addresses(1), "ports": [{"port": 80}, {"port": 0, "name": "b"}]}, [
            "Required subsets[0].ports[0].name: Required value",
            "Invalid subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ]),
    ],
)  # fmt: skip
def test_endpoints_rules(subset: Tree, expected: list[str]) -> None:
    assert create_errors(ENDPOINTS, META | {"subsets": [subset]}) == expected


GOOD_SLICE: Tree = META | {
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    "ports": [{"port": 80}],
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"addressType": None}, ["Required addressType: Required value"]),
        ({"addressType": "IP"}, [
            'NotSupported addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'
        ]),
        ({"endpoints": [{"addresses": []}]}, [
            "Required endpoints[0].addresses: Required value: must contain at least 1 address"
        ]),
        ({"endpoints": [{"addresses": ["fd00::1"]}]}, [
            'Invalid endpoints[0].addresses[0]: Invalid value: "fd00::1": must be a valid IPv4 address'
        ]),
        ({"endpoints": [{"addresses": ["127.0.0.1"]}]}, [
            'Invalid endpoints[0].addresses[0]: Invalid value: "127.0.0.1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)"
        ]),
        ({"addressType": "FQDN", "endpoints": [{"addresses": ["web.example.com"]}]}, []),
        ({"addressType": "FQDN", "endpoints": [{"addresses": ["web"]}]}, [
            'Invalid endpoints[0].addresses[0]: Invalid value: "web": '
            "should be a domain with at least two segments separated by dots"
        ]),
        ({"ports": [{"port": 80}, {"port": 81}]}, ['Duplicate ports[1].name: Duplicate value: ""']),
        ({"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001}, [
            "TooMany endpoints: Too many: 1001: must have at most 1000 items"
        ]),
    ],
)  # fmt: skip
def test_endpoint_slice_rules(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(SLICE, merged(GOOD_SLICE, change)) == expected


def test_an_endpoint_slice_is_filled_in_and_counted() -> None:
    old = created(SLICE, GOOD_SLICE)
    assert old["ports"] == [{"port": 80, "name": "", "protocol": "TCP"}]
    assert old["metadata"]["generation"] == 1
    for change, generation in (
        ({"metadata": {"annotations": {"a": "b"}}}, 1),
        ({"metadata": {"labels": {"a": "b"}}}, 2),
        ({"endpoints": []}, 2),
    ):
        new = merged(old, change)
        SLICE.strategy.prepare_update(new, old)
        assert new["metadata"]["generation"] == generation
    assert update_errors(SLICE, GOOD_SLICE, {"addressType": "IPv6", "endpoints": []}) == [
        'Invalid addressType: Invalid value: "IPv6": field is immutable'
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("IPv4", "80", "10.0.0.1")),
        ({"ports": [], "endpoints": []}, ("IPv4", "<unset>", "<unset>")),
        (
            {"ports": [{"port": number} for number in range(1, 6)], "endpoints": [{"addresses": ["a", "b"]}] * 2},
            ("IPv4", "1,2,3 + 2 more...", "a,b,a + 1 more..."),
        ),
        ({"ports": [{"name": "http"}, {}]}, ("IPv4", "http,*", "10.0.0.1")),
    ],
)
def test_the_table_of_endpoint_slices(change: dict[str, Any], expected: tuple[str, ...]) -> None:
    cells = row(SLICE, merged(GOOD_SLICE, change))
    assert (cells["AddressType"], cells["Ports"], cells["Endpoints"]) == expected
