"""Where a pod may go, and in which words it is told why it may not."""

from __future__ import annotations

import pytest

from sampan.scheduler.framework import Unschedulable
from sampan.scheduler.podinfo import pod_info
from tests.unit.scheduler.build import choose, node, place, pod, table_of

HELPLESS = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


def refused(table, wanted) -> str:
    with pytest.raises(Unschedulable) as caught:
        choose(table, wanted)
    return str(caught.value)


def affinity(*expressions, fields=()):
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def expression(key, operator, *values):
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("given", "wanted", "reason"),
    [
        pytest.param(node("a"), pod("p", cpu="5"), f"1 Insufficient cpu. {HELPLESS}", id="more cpu than the node has"),
        pytest.param(node("a", pods="0"), pod("p"), f"1 Too many pods. {HELPLESS}", id="no place for pods"),
        pytest.param(
            node("a"), pod("p", cpu="5", memory="9Gi"),
            f"1 Insufficient cpu, 1 Insufficient memory. {HELPLESS}",
            id="two resources",
        ),
        pytest.param(node("a", unschedulable=True), pod("p"), f"1 node(s) were unschedulable. {HELPLESS}", id="cordoned"),
        pytest.param(
            node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            pod("p"),
            f"1 node(s) had untolerated taint {{k: v}}. {HELPLESS}",
            id="taint",
        ),
        pytest.param(
            node("a"), pod("p", nodeSelector={"disk": "ssd"}),
            f"1 node(s) didn't match Pod's node affinity/selector. {HELPLESS}",
            id="node selector",
        ),
        pytest.param(
            node("a", labels={"n": "5"}), pod("p", affinity=affinity(expression("n", "Gt", "5"))),
            f"1 node(s) didn't match Pod's node affinity/selector. {HELPLESS}",
            id="not greater",
        ),
        pytest.param(
            node("a"), pod("p", nodeName="b"),
            f"1 node(s) didn't match the requested node name. {HELPLESS}",
            id="another node named",
        ),
    ],
)  # fmt: skip
def test_a_pod_that_fits_nowhere_is_told_why(given, wanted, reason):
    assert refused(table_of(given), wanted) == f"0/1 nodes are available: {reason}"


def test_reasons_are_counted_over_the_nodes():
    table = table_of(node("a", cpu="1"), node("b", cpu="1"), node("c", unschedulable=True))
    assert refused(table, pod("p", cpu="2")) == (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_without_nodes_the_message_says_so():
    assert refused(table_of(), pod("p")) == "no nodes available to schedule pods"


def test_what_other_pods_hold_is_not_free():
    table = table_of(node("a"))
    place(table, "a", pod("first", cpu="3"))
    assert refused(table, pod("second", cpu="2")) == f"0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}"
    table.remove("uid-first")
    assert choose(table, pod("second", cpu="2")) == "a"


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False),
    ],
)
def test_two_pods_cannot_have_one_port_of_a_node(first, second, fits):
    table = table_of(node("a"))
    place(table, "a", pod("first", ports=[{"containerPort": 8080, **first}]))
    wanted = pod("second", ports=[{"containerPort": 8080, **second}])
    if fits:
        assert choose(table, wanted) == "a"
    else:
        assert "1 node(s) didn't have free ports for the requested pod ports" in refused(table, wanted)


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"},
        {"key": "k", "operator": "Exists"},
        {"operator": "Exists"},
        {"key": "k", "value": "v"},
    ],
)
def test_a_tolerated_taint_keeps_nobody_off(toleration):
    table = table_of(node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]))
    assert choose(table, pod("p", tolerations=[toleration])) == "a"


@pytest.mark.parametrize(
    ("requirement", "chosen"),
    [
        (expression("zone", "In", "x", "z"), "a"),
        (expression("zone", "NotIn", "x"), "b"),
        (expression("ssd", "Exists"), "b"),
        (expression("ssd", "DoesNotExist"), "a"),
        (expression("n", "Gt", "5"), "b"),
        (expression("n", "Lt", "5"), "a"),
    ],
)
def test_node_affinity_compares_labels(requirement, chosen):
    table = table_of(node("a", labels={"zone": "x", "n": "3"}), node("b", labels={"zone": "y", "ssd": "", "n": "10"}))
    assert choose(table, pod("p", affinity=affinity(requirement))) == chosen


def test_node_affinity_finds_a_node_by_name():
    table = table_of(node("a"), node("b"))
    assert choose(table, pod("p", affinity=affinity(fields=[expression("metadata.name", "In", "b")]))) == "b"


def test_a_changed_label_changes_where_a_pod_may_go():
    table = table_of(node("a"))
    wanted = pod("p", nodeSelector={"disk": "ssd"})
    refused(table, wanted)
    table.set_node(node("a", labels={"disk": "ssd"}))
    assert choose(table, wanted) == "a"


def test_pods_of_a_node_that_comes_back_are_counted_again():
    table = table_of(node("a"))
    place(table, "a", pod("first", cpu="3"))
    table.remove_node("a")
    assert refused(table, pod("second", cpu="2")) == "no nodes available to schedule pods"
    table.set_node(node("a"))
    assert "Insufficient cpu" in refused(table, pod("second", cpu="2"))


def test_the_table_grows_past_its_first_rows():
    table = table_of(*(node(f"n{i}", labels={"i": str(i)}) for i in range(300)))
    assert choose(table, pod("p", nodeSelector={"i": "299"})) == "n299"


SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "web"}},
}


def test_a_spread_constraint_keeps_zones_even():
    table = table_of(node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"}), node("c"))
    for i in range(6):
        wanted = pod(f"w{i}", labels={"app": "web"}, topologySpreadConstraints=[SPREAD])
        place(table, choose(table, wanted), wanted)
    assert sorted(p.node for p in table.placed.values()) == ["a"] * 3 + ["b"] * 3


def test_a_spread_constraint_says_which_nodes_lack_the_label():
    table = table_of(node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"}, unschedulable=True), node("c"))
    place(table, "a", pod("w0", labels={"app": "web"}))
    message = refused(table, pod("w1", labels={"app": "web"}, topologySpreadConstraints=[SPREAD]))
    assert "1 node(s) didn't match pod topology spread constraints (missing required label)" in message
    assert "1 node(s) didn't match pod topology spread constraints," in message


def terms(kind, key="kubernetes.io/hostname"):
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_anti_affinity_by_host_puts_one_pod_on_a_node():
    table = table_of(node("a"), node("b"))
    for i in range(2):
        wanted = pod(f"w{i}", labels={"app": "web"}, affinity=terms("podAntiAffinity"))
        place(table, choose(table, wanted), wanted)
    assert {p.node for p in table.placed.values()} == {"a", "b"}
    message = refused(table, pod("w2", labels={"app": "web"}, affinity=terms("podAntiAffinity")))
    assert message.startswith("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.")


def test_a_pod_is_kept_from_those_that_do_not_want_it_near():
    table = table_of(node("a"))
    place(table, "a", pod("loner", affinity=terms("podAntiAffinity")))
    message = refused(table, pod("w", labels={"app": "web"}))
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in message
    table.remove("uid-loner")
    assert choose(table, pod("w", labels={"app": "web"})) == "a"


def test_affinity_joins_its_own_kind_and_the_first_goes_anywhere():
    table = table_of(*(node(n, labels={"zone": z}) for n, z in (("a", "x"), ("b", "y"), ("c", "y"))))
    together = terms("podAffinity", "zone")
    assert "didn't match pod affinity rules" in refused(table, pod("other", affinity=together))
    first = pod("w0", labels={"app": "web"}, affinity=together)
    place(table, choose(table, first), first)
    zone = {"a": "x", "b": "y", "c": "y"}
    second = pod("w1", labels={"app": "web"}, affinity=together)
    assert zone[choose(table, second)] == zone[table.placed["uid-w0"].node]


def test_an_affinity_term_means_namespaces_by_their_labels():
    term = {
        "labelSelector": {"matchLabels": {"app": "web"}},
        "topologyKey": "kubernetes.io/hostname",
        "namespaceSelector": {"matchLabels": {"team": "blue"}},
    }
    alone = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for team, node_left in (("blue", "b"), ("red", "a")):
        table = table_of(node("a"), node("b", cpu="1"))
        table.place(pod_info(pod("w", labels={"app": "web"}), {"team": team}), "a")
        assert choose(table, pod("p", affinity=alone)) == node_left


def test_an_extended_resource_is_counted_like_the_others():
    limited = {"resources": {"requests": {"example.com/gpu": "1"}}, "name": "c"}
    table = table_of(node("a"), node("b", extended={"example.com/gpu": "1"}))
    first, second = pod("first", containers=[limited]), pod("second", containers=[limited])
    place(table, choose(table, first), first)
    assert table.placed["uid-first"].node == "b"
    assert "2 Insufficient example.com/gpu" in refused(table, second)


def test_init_containers_and_sidecars_count_as_upstream_counts_them():
    init = [
        {"name": "i", "resources": {"requests": {"cpu": "3"}}},
        {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
    ]
    table = table_of(node("a"))
    wanted = pod("p", cpu="2", initContainers=init)
    place(table, choose(table, wanted), wanted)
    assert table.requested[0, table.rows["a"]] == 3000


def leaving(placed):
    placed.metadata.deletionTimestamp = "2024-01-01T00:00:00Z"
    return placed


def test_a_pod_on_its_way_out_keeps_its_place_until_it_is_gone():
    table = table_of(node("a"))
    wanted = pod("next", labels={"app": "web"}, affinity=terms("podAntiAffinity"))
    place(table, "a", leaving(pod("last", labels={"app": "web"})))
    assert "didn't match pod anti-affinity rules" in refused(table, wanted)
    table.remove("uid-last")
    assert choose(table, wanted) == "a"


def test_a_pod_on_its_way_out_is_not_spread_away_from():
    table = table_of(node("a", labels={"zone": "x"}), node("b", labels={"zone": "y"}))
    place(table, "a", pod("first", labels={"app": "web"}))
    place(table, "b", leaving(pod("last", labels={"app": "web"})))
    assert choose(table, pod("next", labels={"app": "web"}, topologySpreadConstraints=[SPREAD])) == "b"


def test_affinity_to_several_kinds_means_pods_that_are_all_of_them():
    def near(label):
        return {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {label: ""}}}

    wanted = pod("p", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [near("x"), near("y")]}})
    table = table_of(node("a"), node("b"))
    place(table, "a", pod("x", labels={"x": ""}))
    place(table, "a", pod("y", labels={"y": ""}))
    assert "didn't match pod affinity rules" in refused(table, wanted)
    place(table, "b", pod("both", labels={"x": "", "y": ""}))
    assert choose(table, wanted) == "b"
