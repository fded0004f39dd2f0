"""Routes and CNI configuration from Nodes."""

from __future__ import annotations

import json

import msgspec
import pytest

from sampan.api.types.core_v1 import Node
from sampan.network.plan import cni_configuration, plan_routes


def node(name: str, ip: str, cidr: str) -> Node:
    addresses = [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": ip}] if ip else []
    return msgspec.convert(
        {"metadata": {"name": name}, "spec": {"podCIDR": cidr}, "status": {"addresses": addresses}}, Node
    )  # fmt: skip


def test_every_other_node_with_an_address_and_a_pod_cidr_gets_a_route():
    nodes = [
        node("a", "10.89.0.2", "10.244.0.0/24"),
        node("b", "10.89.0.3", "10.244.1.0/24"),
        node("new", "10.89.0.4", ""),
        node("lost", "", "10.244.3.0/24"),
    ]
    assert plan_routes(nodes, "a") == {"10.244.1.0/24": "10.89.0.3"}


@pytest.mark.parametrize(
    ("ip", "cidr"),
    [
        ("10.89.0.3\nroute del default", "10.244.1.0/24"),
        ("10.89.0.3 dev eth0", "10.244.1.0/24"),
        ("fd00::3", "10.244.1.0/24"),
        ("10.89.0.3", "10.244.1.0/24 via 1.2.3.4"),
        ("10.89.0.3", "fd00::/64"),
    ],
)
def test_a_node_that_says_nonsense_gets_no_route(ip: str, cidr: str):
    assert plan_routes([node("b", ip, cidr)], "a") == {}


def test_a_range_with_host_bits_means_its_network():
    assert plan_routes([node("b", "10.89.0.3", "10.244.1.7/24")], "a") == {"10.244.1.0/24": "10.89.0.3"}


def test_the_cni_configuration_gives_pods_addresses_of_the_nodes_range():
    configuration = json.loads(cni_configuration("10.244.1.0/24"))
    bridge, portmap = configuration["plugins"]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert portmap["capabilities"] == {"portMappings": True}
