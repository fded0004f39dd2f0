"""Which of the nodes that fit is best."""

from __future__ import annotations

from tests.unit.scheduler.build import choose, node, place, pod, table_of


def test_the_emptier_node_is_better():
    table = table_of(node("a"), node("b"))
    place(table, "a", pod("busy", cpu="3", memory="6Gi"))
    assert choose(table, pod("p", cpu="100m")) == "b"


def test_pods_that_request_nothing_still_spread():
    table = table_of(node("a"), node("b"))
    for i in range(10):
        wanted = pod(f"p{i}")
        place(table, choose(table, wanted), wanted)
    assert sorted(p.node for p in table.placed.values()) == ["a"] * 5 + ["b"] * 5


def test_a_node_with_a_soft_taint_is_the_last_choice():
    table = table_of(node("a", taints=[{"key": "k", "effect": "PreferNoSchedule"}]), node("b"))
    place(table, "b", pod("busy", cpu="3", memory="6Gi"))
    assert choose(table, pod("p")) == "b"


def test_a_preferred_label_wins_over_a_little_room():
    preferred = [{"weight": 10, "preference": {"matchExpressions": [{"key": "ssd", "operator": "Exists"}]}}]
    table = table_of(node("a", labels={"ssd": ""}), node("b"))
    place(table, "a", pod("busy", cpu="1", memory="2Gi"))
    wanted = pod("p", affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})
    assert choose(table, wanted) == "a"


def test_a_soft_spread_constraint_prefers_the_emptier_zone():
    table = table_of(node("a", labels={"zone": "x"}), node("b", labels={"zone": "x"}), node("c", labels={"zone": "y"}))
    place(table, "a", pod("w0", labels={"app": "web"}))
    place(table, "c", pod("busy", cpu="1", memory="1Gi"))
    soft = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    assert choose(table, pod("w1", labels={"app": "web"}, topologySpreadConstraints=[soft])) == "c"
