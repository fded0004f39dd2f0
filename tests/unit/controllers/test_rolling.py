from __future__ import annotations

import pytest

from sampan.controllers import rolling
from sampan.controllers.rolling import Scale
from tests.unit.controllers.objects import deployment, replica_set

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"


def sizes(steps: list[Scale]) -> dict[str, int]:
    return {step.rs.metadata.name: step.replicas for step in steps}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (3, "25%", "25%", (1, 0)),
        (1, "25%", "25%", (1, 0)),
        (10, 0, 0, (0, 1)),
        (10, 5, "50%", (5, 5)),
        (2, 0, "25%", (0, 1)),
        (10, "100%", "0%", (10, 0)),
    ],
)
def test_surge_rounds_up_and_unavailability_down_and_never_are_both_zero(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    assert rolling.fenceposts(deployment(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("row", "d", "new", "old", "expected"),
    [
        ("there is room for the surge", deployment(10, 2, 0), 0, 10, {"new": 2}),
        ("no room until old ones go", deployment(10, 2, 0), 2, 10, {}),
        ("never more than asked for", deployment(10, 5, 0), 8, 2, {"new": 10}),
        ("too many new ones are taken away", deployment(5, 2, 0), 8, 0, {"new": 5}),
        ("all there", deployment(5, 2, 0), 5, 3, {}),
        ("recreate takes all at once", deployment(5, recreate=True), 0, 0, {"new": 5}),
    ],
)  # fmt: skip
def test_the_new_set_grows_into_the_room(row: str, d: object, new: int, old: int, expected: dict[str, int]) -> None:
    assert isinstance(d, type(deployment(1)))
    new_set = replica_set("new", new)
    assert sizes(rolling.plan_new(d, [replica_set("old", old), new_set], new_set)) == expected, row


@pytest.mark.parametrize(
    ("row", "unavailable", "old", "new", "expected"),
    [
        ("none may be missing", 0, [("a", 10, 10)], (0, 0), {}),
        ("two may be missing", 2, [("a", 10, 10)], (0, 0), {"a": 8}),
        ("new ones that are not available yet do not count", 2, [("a", 8, 8)], (2, 0), {}),
        ("new ones that are available make room", 2, [("a", 8, 8)], (2, 2), {"a": 6}),
        ("unhealthy ones go first and cost nothing", 0, [("a", 8, 8), ("b", 2, 0)], (2, 2), {"b": 0}),
        ("the oldest goes first", 2, [("a", 4, 4), ("b", 4, 4)], (4, 4), {"a": 0, "b": 4}),
    ],
)
def test_old_sets_shrink_as_far_as_availability_allows(
    row: str, unavailable: int, old: list[tuple[str, int, int]], new: tuple[int, int], expected: dict[str, int]
) -> None:
    old_sets = [replica_set(n, size, available=up, age=100 - i) for i, (n, size, up) in enumerate(old)]
    new_set = replica_set("new", new[0], available=new[1])
    plan = sizes(rolling.plan_old(deployment(10, 3, unavailable), old_sets, new_set))
    assert plan == {k: v for k, v in expected.items() if v != {n: s for n, s, _ in old}[k]}, row


def annotated(name: str, replicas: int, desired: int, most: int, age: float = 0.0):  # type: ignore[no-untyped-def]
    return replica_set(name, replicas, annotations={DESIRED: str(desired), MAX: str(most)}, age=age)


@pytest.mark.parametrize(
    ("row", "replicas", "old", "new", "expected"),
    [
        ("one set alone takes it all", 20, [], 10, {"new": 20}),
        ("mid-rollout up, as documented upstream", 15, [8], 5, {"old0": 11, "new": 7}),
        ("mid-rollout down", 5, [8], 5, {"old0": 5, "new": 3}),
        ("to nothing", 0, [8], 5, {"old0": 0, "new": 0}),
        ("the biggest gets what rounding leaves", 12, [5, 5], 3, {"old0": 6, "old1": 6, "new": 3}),
    ],
)
def test_scaling_is_shared_in_proportion(row: str, replicas: int, old: list[int], new: int, expected: dict[str, int]) -> None:
    old_sets = [annotated(f"old{i}", size, 10, 13, age=100 - i) for i, size in enumerate(old)]
    new_set = annotated("new", new, 10, 13)
    plan = rolling.plan_scale(deployment(replicas, 3, 2), old_sets, new_set)
    assert sizes(plan) == expected, row
    if len(old) > 0 and replicas:
        assert sum(sizes(plan).values()) == replicas + 3, "the surge is used in full"


def test_a_changed_size_shows_in_the_annotations() -> None:
    assert rolling.was_scaled(deployment(5), [annotated("a", 3, 3, 4)])
    assert not rolling.was_scaled(deployment(3), [annotated("a", 3, 3, 4), annotated("b", 0, 9, 9)])
    assert not rolling.was_scaled(deployment(3), [replica_set("a", 3)])
