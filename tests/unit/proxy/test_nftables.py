"""Updates of the table are incremental, and name things before they are referred to."""

from __future__ import annotations

import dataclasses

from sampan.proxy.backends.nftables import render
from sampan.proxy.backends.ruleset import Ruleset, create, update
from sampan.proxy.conntrack import stale_flows
from sampan.proxy.model import PortRules

WEB = PortRules(
    name="shop/web:http", protocol="tcp", port=80, cluster_ip="10.96.0.7", node_port=30080,
    internal=(("10.244.0.2", 8080),), external=(("10.244.0.2", 8080),),
)  # fmt: skip
DNS = PortRules(
    name="kube-system/kube-dns:dns", protocol="udp", port=53, cluster_ip="10.96.0.10",
    internal=(("10.89.0.2", 53),), external=(("10.89.0.2", 53),),
)  # fmt: skip


def rendered(*rules: PortRules) -> Ruleset:
    return render(rules, cluster_cidr="10.244.0.0/16", service_cidr="10.96.0.0/12")


def test_equal_rules_need_no_transaction():
    assert update("t", rendered(WEB, DNS), rendered(WEB, DNS)) == ""


def test_a_new_endpoint_rewrites_its_services_chains_and_nothing_else():
    more = dataclasses.replace(WEB, internal=(*WEB.internal, ("10.244.0.3", 8080)))
    script = update("t", rendered(WEB, DNS), rendered(more, DNS))
    assert "10.96.0.10" not in script
    assert "numgen random mod 2" in script
    assert [line for line in script.splitlines() if "element" in line] == [
        "add element ip t hairpin { 10.244.0.3 . 10.244.0.3 }"
    ]


def test_a_service_that_loses_its_last_endpoint_is_rejected_in_the_same_transaction():
    script = update("t", rendered(WEB), rendered(dataclasses.replace(WEB, internal=(), external=())))
    assert "delete element ip t service-ips { 10.96.0.7 . tcp . 80" in script
    assert "add element ip t no-endpoint-services { 10.96.0.7 . tcp . 80 : goto reject-chain }" in script


def test_a_removed_service_leaves_no_chain_set_or_element():
    affine = dataclasses.replace(WEB, affinity_seconds=60)
    script = update("t", rendered(affine, DNS), rendered(DNS))
    old, left = rendered(affine, DNS), rendered(DNS)
    chains, sets = old.chains.keys() - left.chains.keys(), old.sets.keys() - left.sets.keys()
    assert chains and sets
    assert [name for name in chains if f"delete chain ip t {name}" not in script] == []
    assert [name for name in sets if f"delete set ip t {name}" not in script] == []


def test_another_affinity_time_takes_effect_on_a_table_that_stands():
    old, new = (rendered(dataclasses.replace(WEB, affinity_seconds=seconds)) for seconds in (60, 5))
    script = update("t", old, new)
    assert "timeout 5s" in script
    gone = old.sets.keys() - new.sets.keys()
    assert gone and [name for name in gone if f"delete set ip t {name}" not in script] == []


def test_the_first_transaction_replaces_what_an_earlier_process_left():
    lines = create("t", rendered(WEB)).splitlines()
    assert lines[:3] == ["add table ip t", "delete table ip t", "add table ip t"]


def test_flows_of_a_vanished_udp_endpoint_are_forgotten_and_tcp_ones_are_not():
    moved = dataclasses.replace(DNS, internal=(("10.89.0.3", 53),), external=())
    before, after = {"dns": DNS, "web": WEB}, {"dns": moved, "web": dataclasses.replace(WEB, internal=())}
    [flow] = stale_flows(before, after)
    assert flow == ("-p", "udp", "--dport", "53", "--orig-dst", "10.96.0.10", "--dst-nat", "10.89.0.2")
