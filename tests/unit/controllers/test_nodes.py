from __future__ import annotations

import ipaddress

import pytest

from sampan.api.types.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus, Taint, Toleration
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers.node_ipam import plan_cidr
from sampan.controllers.node_lifecycle import plan_taints, plan_unknown
from sampan.controllers.pod_gc import plan_terminated
from sampan.controllers.taint_eviction import plan_eviction
from sampan.lib.clock import rfc3339
from tests.unit.controllers.objects import NOW, pod

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def node(ready: str = "True", *, taints: list[tuple[str, str]] | None = None, cordoned: bool = False, **others: str) -> Node:
    conditions = [NodeCondition(type=t, status=s) for t, s in (("Ready", ready), *others.items()) if s]
    found = [Taint(key=key, effect=effect) for key, effect in taints or []]
    return Node(
        metadata=ObjectMeta(name="n"),
        spec=NodeSpec(taints=found, unschedulable=cordoned),
        status=NodeStatus(conditions=conditions),
    )


@pytest.mark.parametrize(
    ("row", "node", "any_ready", "expected"),
    [
        ("all is well", node(), True, []),
        ("not ready", node("False"), True, [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]),
        ("unreachable", node("Unknown"), True, [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]),
        ("everybody is gone", node("Unknown"), False, [(UNREACHABLE, "NoSchedule")]),
        ("back again", node(taints=[(UNREACHABLE, "NoExecute"), ("mine", "NoExecute")]), True, [("mine", "NoExecute")]),
        ("from unready to unknown", node("Unknown", taints=[(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]), True,
         [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]),
        ("pressure", node(MemoryPressure="True", PIDPressure="False"), True,
         [("node.kubernetes.io/memory-pressure", "NoSchedule")]),
        ("cordoned", node(cordoned=True), True, [("node.kubernetes.io/unschedulable", "NoSchedule")]),
        ("just registered", node("", taints=[(NOT_READY, "NoSchedule")]), True, [(NOT_READY, "NoSchedule")]),
    ],
)  # fmt: skip
def test_taints_follow_from_the_conditions(row: str, node: Node, any_ready: bool, expected: list[tuple[str, str]]) -> None:
    assert [(t.key, t.effect) for t in plan_taints(node, any_ready=any_ready, now=NOW)] == expected, row


def test_a_taint_that_stays_keeps_its_time() -> None:
    before = node("Unknown", taints=[(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")])
    before.spec.taints[0].timeAdded = rfc3339(NOW - 99)
    assert plan_taints(before, any_ready=True, now=NOW) == before.spec.taints


def test_a_silent_nodes_conditions_are_unknown() -> None:
    found = {c.type: (c.status, c.reason, c.message) for c in plan_unknown(node(DiskPressure="False", Other="True"), NOW)}
    stopped = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    never = ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.")
    assert found == {
        "Ready": stopped, "DiskPressure": stopped, "MemoryPressure": never, "PIDPressure": never, "Other": ("True", "", ""),
    }  # fmt: skip


def tolerate(seconds: int | None, key: str = "t", **more: str) -> Toleration:
    return Toleration(**{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "tolerations", "expected"),
    [
        ("none", [], 0.0),
        ("another's", [tolerate(None, "other")], 0.0),
        ("another effect", [tolerate(None, effect="NoSchedule")], 0.0),
        ("another value", [Toleration(key="t", value="x", effect="NoExecute")], 0.0),
        ("for ever", [tolerate(None)], None),
        ("everything", [Toleration(operator="Exists")], None),
        ("for a while", [tolerate(300)], NOW - 100 + 300),
        ("the shortest counts", [tolerate(300), tolerate(60)], NOW - 100 + 60),
        ("a while besides for ever", [tolerate(None), tolerate(60)], NOW - 100 + 60),
        ("the value", [Toleration(key="t", value="v", effect="NoExecute")], None),
    ],
)
def test_a_pod_stays_as_long_as_it_tolerates_every_taint(
    row: str, tolerations: list[Toleration], expected: float | None
) -> None:
    taint = Taint(key="t", value="v", effect="NoExecute", timeAdded=rfc3339(NOW - 100))
    assert plan_eviction(pod(age=9999, tolerations=tolerations), [taint]) == expected, row


@pytest.mark.parametrize(
    ("cluster", "bits", "used", "expected"),
    [
        ("10.244.0.0/16", 24, [], "10.244.0.0/24"),
        ("10.244.0.0/16", 24, ["10.244.0.0/24", "10.244.2.0/24"], "10.244.1.0/24"),
        ("10.244.0.0/16", 24, ["10.244.0.0/20"], "10.244.16.0/24"),
        ("10.244.0.0/16", 24, ["10.244.0.0/24", "10.244.1.128/25"], "10.244.2.0/24"),
        ("10.0.0.0/8", 24, ["10.0.0.0/12"], "10.16.0.0/24"),
        ("10.244.0.0/23", 24, ["10.244.0.0/24", "10.244.1.0/24"], None),
        ("10.244.0.0/24", 24, [], "10.244.0.0/24"),
        ("fd00::/48", 64, ["fd00::/64", "10.0.0.0/8"], "fd00:0:0:1::/64"),
    ],
)
def test_the_first_free_network_is_given(cluster: str, bits: int, used: list[str], expected: str | None) -> None:
    assert plan_cidr(ipaddress.ip_network(cluster), bits, used) == expected


def test_the_oldest_finished_pods_go_beyond_the_threshold() -> None:
    found = [pod(f"p{n}", phase="Succeeded" if n % 2 else "Running", age=n) for n in range(10)]
    assert [p.metadata.name for p in plan_terminated(found, 3)] == ["p9", "p7"]
    assert plan_terminated(found, 5) == []
    assert plan_terminated(found, 0) == []
