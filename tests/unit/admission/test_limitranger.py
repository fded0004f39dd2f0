"""LimitRanger's arithmetic: defaults, bounds and ratios, in upstream's words."""

from __future__ import annotations

import copy

import pytest

from sampan.apiserver.admission.limitranger import ANNOTATION, Limit, claim_problems, limits_of, pod_problems, set_defaults
from tests.unit.admission.pods import Tree, asking, container, pod


def limits(*items: Tree) -> tuple[Limit, ...]:
    return limits_of({"spec": {"limits": list(items)}})


DEFAULTS = {
    "type": "Container",
    "default": {"cpu": "500m", "memory": "512Mi"},
    "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
}


@pytest.mark.parametrize(
    ("given", "resources", "note"),
    [
        (
            pod(container("web")),
            [{"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}],
            "cpu, memory request for container web; cpu, memory limit for container web",
        ),
        (
            pod(asking("web", limits={"cpu": "1"}, cpu="1")),
            [{"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}],
            "memory request for container web; memory limit for container web",
        ),
        (
            pod(
                asking("web", limits={"cpu": "1", "memory": "1Gi"}, cpu="1", memory="1Gi"),
                initContainers=[asking("setup", limits={"cpu": "1", "memory": "1Gi"}, cpu="1")],
            ),
            [
                {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
            ],
            "memory request for init container setup",
        ),
    ],
)
def test_containers_get_what_they_leave_out(given: Tree, resources: list[Tree], note: str) -> None:
    set_defaults(given, limits(DEFAULTS))
    spec = given["spec"]
    assert [c["resources"] for c in (*spec["containers"], *spec.get("initContainers", ()))] == resources
    assert given["metadata"]["annotations"] == {ANNOTATION: f"LimitRanger plugin set: {note}"}


def test_a_pod_that_says_everything_is_left_alone() -> None:
    given = pod(asking(limits={"cpu": "1", "memory": "1Gi"}, cpu="1", memory="1Gi"))
    before = copy.deepcopy(given)
    set_defaults(given, limits(DEFAULTS))
    set_defaults(given, limits({"type": "Pod", "max": {"cpu": "1"}}))
    assert given == before


CPU = {"cpu": "1"}


@pytest.mark.parametrize(
    ("limit", "given", "expected"),
    [
        # The least of a container.
        ({"type": "Container", "min": CPU}, pod(asking(cpu="1")), []),
        (
            {"type": "Container", "min": CPU},
            pod(container()),
            ["minimum cpu usage per Container is 1.  No request is specified"],
        ),
        (
            {"type": "Container", "min": CPU},
            pod(asking(cpu="900m")),
            ["minimum cpu usage per Container is 1, but request is 900m"],
        ),
        (
            {"type": "Container", "min": CPU},
            pod(asking(cpu="1", limits={"cpu": "999m"})),
            ["minimum cpu usage per Container is 1, but limit is 999m"],
        ),
        # The most.
        ({"type": "Container", "max": CPU}, pod(asking(limits=CPU)), []),
        ({"type": "Container", "max": CPU}, pod(container()), ["maximum cpu usage per Container is 1.  No limit is specified"]),
        (
            {"type": "Container", "max": CPU},
            pod(asking(limits={"cpu": "1001m"})),
            ["maximum cpu usage per Container is 1, but limit is 1001m"],
        ),
        (
            {"type": "Container", "max": CPU},
            pod(asking(limits=CPU, cpu="2")),
            ["maximum cpu usage per Container is 1, but request is 2"],
        ),
        # How far both may be apart.
        ({"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}, pod(asking(limits={"cpu": "2"}, cpu="1")), []),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            pod(asking(limits={"cpu": "3"}, cpu="1")),
            ["cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"],
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"memory": "2"}},
            pod(asking(limits={"memory": "1Gi"})),
            ["memory max limit to request ratio per Container is 2, but no request is specified or request is 0"],
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"memory": "2"}},
            pod(asking(memory="1Gi")),
            ["memory max limit to request ratio per Container is 2, but no limit is specified or limit is 0"],
        ),
        # Amounts too large for thousandths are compared in whole units.
        ({"type": "Container", "max": {"memory": "9Ei"}}, pod(asking(limits={"memory": "8Ei"}, memory="8Ei")), []),
        (
            {"type": "Container", "max": {"memory": "7Ei"}},
            pod(asking(limits={"memory": "7.5Ei"})),
            ["maximum memory usage per Container is 7Ei, but limit is 7680Pi"],
        ),
        # Each resource, each container.
        (
            {"type": "Container", "min": {"memory": "1Gi", "cpu": "1"}},
            pod(asking(cpu="1"), initContainers=[asking(memory="1Gi")]),
            [
                "minimum memory usage per Container is 1Gi.  No request is specified",
                "minimum cpu usage per Container is 1.  No request is specified",
            ],
        ),
        # A pod: its containers together, or whatever its start takes.
        ({"type": "Pod", "max": {"cpu": "2"}}, pod(asking(limits=CPU), asking("b", limits=CPU)), []),
        (
            {"type": "Pod", "max": {"cpu": "2"}},
            pod(asking(limits=CPU), asking("b", limits={"cpu": "1500m"})),
            ["maximum cpu usage per Pod is 2, but limit is 2500m"],
        ),
        (
            {"type": "Pod", "max": {"cpu": "2"}},
            pod(asking(limits=CPU), initContainers=[asking("i", limits={"cpu": "3"})]),
            ["maximum cpu usage per Pod is 2, but limit is 3"],
        ),
        (
            {"type": "Pod", "max": {"cpu": "2"}},
            pod(
                asking(limits=CPU),
                initContainers=[
                    asking("s", limits=CPU) | {"restartPolicy": "Always"},
                    asking("i", limits={"cpu": "1500m"}),
                ],
            ),
            ["maximum cpu usage per Pod is 2, but limit is 2500m"],
        ),
        ({"type": "Pod", "min": CPU}, pod(container()), ["minimum cpu usage per Pod is 1.  No request is specified"]),
        ({"type": "Pod", "min": CPU}, pod(asking(cpu="1"), overhead={"cpu": "1"}), []),
        # Other types are not about pods.
        ({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}, pod(), []),
        ({"type": "example.com/thing", "min": CPU}, pod(), []),
    ],
)
def test_pods_keep_within_bounds(limit: Tree, given: Tree, expected: list[str]) -> None:
    assert pod_problems(given, limits(limit)) == expected


def claim(**requests: str) -> Tree:
    return {"metadata": {"name": "c"}, "spec": {"resources": {"requests": requests}}}


BETWEEN = {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (claim(storage="1Gi"), []),
        (claim(storage="2Gi"), []),
        (claim(storage="1Mi"), ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"]),
        (claim(storage="3Gi"), ["maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"]),
        (
            claim(),
            [
                "minimum storage usage per PersistentVolumeClaim is 1Gi.  No request is specified",
                "maximum storage usage per PersistentVolumeClaim is 2Gi.  No request is specified",
            ],
        ),
    ],
)
def test_claims_keep_within_bounds(given: Tree, expected: list[str]) -> None:
    assert claim_problems(given, limits(BETWEEN, {"type": "Container", "min": {"storage": "9Gi"}})) == expected
