"""The arithmetic of disruption budgets."""

from __future__ import annotations

import pytest

from sampan.api.types.core_v1 import Pod, PodCondition
from sampan.api.types.meta_v1 import Condition, LabelSelector, LabelSelectorRequirement, ObjectMeta
from sampan.api.types.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from sampan.controllers.disruption import (
    Expected,
    count_healthy,
    plan_disrupted,
    plan_stale,
    plan_status,
    scaled,
    selected,
)
from sampan.lib.clock import rfc3339
from tests.unit.controllers.objects import NOW, pod


def budget(selector: LabelSelector | None = None, **status: object) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=ObjectMeta(name="b", namespace="default", generation=2),
        spec=PodDisruptionBudgetSpec(selector=selector),
        status=PodDisruptionBudgetStatus(**status),  # type: ignore[arg-type]
    )


def ago(seconds: float) -> str:
    return rfc3339(NOW - seconds)


@pytest.mark.parametrize(
    ("amount", "total", "expected"),
    [(2, 10, 2), ("50%", 7, 4), ("25%", 4, 1), ("1%", 1, 1), ("0%", 9, 0), ("100%", 3, 3), ("34%", 0, 0)],
)
def test_percentages_are_rounded_up(amount: int | str, total: int, expected: int) -> None:
    assert scaled(amount, total) == expected


def test_what_a_budget_selects() -> None:
    web, db = pod("a", labels={"app": "web"}), pod("b", labels={"app": "db"})
    chosen = LabelSelector(matchExpressions=[LabelSelectorRequirement(key="app", operator="In", values=["db"])])
    assert selected(budget(LabelSelector(matchLabels={"app": "web"})), [web, db]) == [web]
    assert selected(budget(chosen), [web, db]) == [db]
    assert selected(budget(LabelSelector()), [web, db]) == [web, db]
    assert selected(budget(), [web, db]) == []


@pytest.mark.parametrize(
    ("row", "pod", "expected"),
    [
        ("ready", pod(ready=True), 1),
        ("not ready", pod(ready=False), 0),
        ("says nothing", pod(), 0),
        ("going", pod(ready=True, deleting=True), 0),
        ("evicted lately", pod("evicted", ready=True), 0),
        ("evicted long ago", pod("overdue", ready=True), 1),
    ],
)
def test_healthy_is_who_is_ready_and_stays(row: str, pod: Pod, expected: int) -> None:
    assert count_healthy([pod], {"evicted": ago(60), "overdue": ago(121)}, NOW) == expected, row


def test_granted_evictions_are_waited_for_two_minutes() -> None:
    granted = {"gone": ago(1), "going": ago(1), "soon": ago(30), "sooner": ago(100), "overdue": ago(121)}
    pods = [pod("going", deleting=True), pod("soon"), pod("sooner"), pod("overdue"), pod("other")]
    plan = plan_disrupted(budget(disruptedPods=granted), pods, NOW)
    assert plan.since == {"soon": granted["soon"], "sooner": granted["sooner"]}
    assert [p.metadata.name for p in plan.overdue] == ["overdue"]
    assert plan.recheck_at == NOW + 20


@pytest.mark.parametrize(
    ("row", "expected", "healthy", "allowed"),
    [
        ("room for two", Expected(5, 3), 5, 2),
        ("none to spare", Expected(3, 3), 3, 0),
        ("too few", Expected(3, 3), 1, 0),
        ("no pods yet", Expected(0, 0), 0, 0),
        ("none is needed", Expected(2, 0), 2, 2),
    ],
)
def test_what_is_allowed(row: str, expected: Expected, healthy: int, allowed: int) -> None:
    status = plan_status(budget(), expected, healthy, {}, NOW)
    assert (status.disruptionsAllowed, status.currentHealthy, status.desiredHealthy, status.expectedPods) == (
        allowed, healthy, expected.healthy, expected.pods,
    ), row  # fmt: skip
    (condition,) = status.conditions
    assert (condition.status, condition.reason) == (("True", "SufficientPods") if allowed else ("False", "InsufficientPods"))
    assert (status.observedGeneration, condition.observedGeneration) == (2, 2)


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    other = Condition(type="Other", status="True", lastTransitionTime=ago(9))
    old = Condition(type="DisruptionAllowed", status="True", reason="Old", message="m", lastTransitionTime=ago(50))
    before = budget(conditions=[old, other])
    kept = plan_status(before, Expected(2, 1), 2, {}, NOW).conditions
    assert [(c.type, c.reason, c.message, c.lastTransitionTime) for c in kept] == [
        ("DisruptionAllowed", "SufficientPods", "", ago(50)), ("Other", "", "", ago(9)),
    ]  # fmt: skip
    moved = plan_status(before, Expected(2, 2), 2, {}, NOW).conditions
    assert (moved[0].status, moved[0].lastTransitionTime) == ("False", rfc3339(NOW))


def target(reason: str = "EvictionByEvictionAPI", status: str = "True") -> PodCondition:
    return PodCondition(type="DisruptionTarget", status=status, reason=reason, lastTransitionTime=ago(20))


@pytest.mark.parametrize(
    ("row", "pod", "conditions", "expected"),
    [
        ("none", pod(), [], None),
        ("fresh", pod(), [target()], 100.0),
        ("called off", pod(), [target(status="False")], None),
        ("the kubelet's", pod(), [target("TerminationByKubelet")], None),
        ("going", pod(deleting=True), [target()], None),
        ("over", pod(phase="Failed"), [target()], None),
    ],
)
def test_when_the_mark_of_a_disruption_is_stale(
    row: str, pod: Pod, conditions: list[PodCondition], expected: float | None
) -> None:
    pod.status.conditions = conditions
    assert plan_stale(pod, NOW) == expected, row
    if expected is not None:
        assert plan_stale(pod, NOW + 500) == 0
