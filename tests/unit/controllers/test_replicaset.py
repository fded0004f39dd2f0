from __future__ import annotations

import pytest

from sampan.api.errors import StatusError
from sampan.api.selectors import from_labels
from sampan.api.types.core_v1 import Pod
from sampan.api.types.meta_v1 import OwnerReference
from sampan.controllers.ownership import plan_claims
from sampan.controllers.pods import DELETION_COST, is_active, rank_for_deletion
from sampan.controllers.replicaset import plan_recheck, plan_replicas, plan_status
from tests.unit.controllers.objects import NOW, pod, replica_set


@pytest.mark.parametrize(
    ("why", "first", "second"),
    [
        ("unassigned before assigned", pod("a", phase="Pending"), pod("b", node="n", phase="Pending")),
        ("pending before running", pod("a", node="n", phase="Pending"), pod("b", node="n")),
        ("not ready before ready", pod("a", node="n", ready=False), pod("b", node="n", ready=True)),
        ("lower cost first", pod("a", node="n", annotations={DELETION_COST: "-5"}), pod("b", node="n")),
        (
            "a cost that is no number is none",
            pod("a", node="n", annotations={DELETION_COST: "x"}, age=1),
            pod("b", node="n", age=99),
        ),
        ("crowded nodes first", pod("a", node="crowded", ready=True, age=9999), pod("b", node="n", ready=True)),
        (
            "ready for less time first",
            pod("a", node="n", ready=True, ready_for=10),
            pod("b", node="n", ready=True, ready_for=1000),
        ),
        ("younger first", pod("a", node="n", age=10), pod("b", node="n", age=1000)),
        ("of about the same age by uid", pod("a", node="n", age=1030), pod("b", node="n", age=1025)),
    ],
)
def test_pods_are_taken_away_in_upstreams_order(why: str, first: Pod, second: Pod) -> None:
    related = [first, second, pod("x", node="crowded")]
    for order in ([first, second], [second, first]):
        assert [p.metadata.name for p in rank_for_deletion(order, related, NOW)] == ["a", "b"], why


@pytest.mark.parametrize(
    ("pod", "active"),
    [
        (pod(), True),
        (pod(phase="Pending"), True),
        (pod(phase="Failed"), False),
        (pod(phase="Succeeded"), False),
        (pod(deleting=True), False),
    ],
)
def test_finished_and_deleted_pods_are_no_replicas(pod: Pod, active: bool) -> None:
    assert is_active(pod) is active


def test_the_plan_makes_what_is_missing_and_takes_what_is_too_much() -> None:
    pods = [pod("a"), pod("b", node="n"), pod("c", node="n", ready=True)]
    assert plan_replicas(replica_set("rs", 5), pods, pods, NOW).create == 2
    assert plan_replicas(replica_set("rs", 9999), [], [], NOW).create == 500
    assert [p.metadata.name for p in plan_replicas(replica_set("rs", 1), pods, pods, NOW).delete] == ["a", "b"]
    assert len(plan_replicas(replica_set("rs", 0), pods, pods, NOW).delete) == 3
    same = plan_replicas(replica_set("rs", 3), pods, pods, NOW)
    assert (same.create, same.delete) == (0, [])


def test_the_status_counts_what_is_ready_and_available() -> None:
    rs = replica_set("rs", 3)
    rs.spec.minReadySeconds = 10
    pods = [pod("a", ready=True, ready_for=30), pod("b", ready=True, ready_for=4), pod("c", ready=False)]
    status = plan_status(rs, pods, NOW, None, "")
    assert (status.replicas, status.readyReplicas, status.availableReplicas, status.fullyLabeledReplicas) == (3, 2, 1, 3)
    requeue = plan_recheck(rs, pods, NOW)
    assert requeue is not None
    assert requeue.after_seconds == pytest.approx(6)


def test_a_failure_is_a_condition_until_it_is_over() -> None:
    rs = replica_set("rs", 3)
    rs.status = plan_status(rs, [], NOW, StatusError(403, "Forbidden", "no"), "FailedCreate")
    (condition,) = rs.status.conditions
    assert (condition.type, condition.status, condition.reason, condition.message) == (
        "ReplicaFailure",
        "True",
        "FailedCreate",
        "no",
    )
    assert plan_status(rs, [], NOW + 99, StatusError(403, "Forbidden", "still no"), "FailedCreate").conditions == [condition]
    assert plan_status(rs, [], NOW, None, "").conditions == []


def test_claims_follow_the_selector() -> None:
    rs = replica_set("rs", 1)
    mine = pod("mine", labels={"app": "web"})
    stray = pod("stray", labels={"app": "db"})
    for owned in (mine, stray):
        owned.metadata.ownerReferences = [OwnerReference(uid="rs", controller=True)]
    orphan, other, dying = pod("o", labels={"app": "web"}), pod("x"), pod("d", labels={"app": "web"}, deleting=True)
    claims = plan_claims(rs, from_labels({"app": "web"}), [mine, stray], [orphan, other, dying])
    assert (claims.keep, claims.adopt, claims.release) == ([mine], [orphan], [stray])
    rs.metadata.deletionTimestamp = "2023-01-01T00:00:00Z"
    claims = plan_claims(rs, from_labels({"app": "web"}), [mine, stray], [orphan])
    assert (claims.keep, claims.adopt, claims.release) == ([mine], [], [])
