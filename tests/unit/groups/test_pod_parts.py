"""What the subresources `ephemeralcontainers` and `resize` of a pod may change."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core import pod_parts
from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.resource import Tree
from tests.unit.groups.kinds import created, defaulted, merged, shown

REQUESTS = {"requests": {"cpu": "100m", "memory": "64Mi"}}
CONTAINER: Tree = {"name": "web", "image": "nginx:1", "resources": REQUESTS}
SIDECAR: Tree = {"name": "proxy", "image": "envoy:1", "restartPolicy": "Always", "resources": REQUESTS}
SETUP: Tree = {"name": "setup", "image": "busybox:1", "resources": REQUESTS}
MINIMAL: Tree = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [CONTAINER], "initContainers": [SETUP, SIDECAR]},
}
DEBUGGER = {"name": "debug", "image": "busybox:1"}


def stored(change: Tree | None = None) -> Tree:
    tree = created(POD, merged(MINIMAL, change or {}))
    tree["metadata"]["resourceVersion"] = "5"
    return tree


def with_debuggers(*containers: Tree) -> Tree:
    """A pod that stands, with ephemeral containers."""
    return defaulted(POD, merged(stored(), {"spec": {"ephemeralContainers": list(containers)}}))


def debugged(old: Tree, *containers: Tree, **others: Any) -> list[str]:
    new = defaulted(POD, merged(old, {"spec": {"ephemeralContainers": list(containers)}, **others}))
    pod_parts.prepare_ephemeral_containers(new, old)
    return shown(pod_parts.validate_ephemeral_containers_update(new, old))


def test_only_ephemeral_containers_come_with_their_subresource() -> None:
    old = stored({"metadata": {"labels": {"a": "b"}}})
    change = {
        "metadata": {"labels": {"c": "d"}, "annotations": {"e": "f"}},
        "spec": {"ephemeralContainers": [DEBUGGER], "nodeName": "elsewhere", "containers": []},
        "status": {"phase": "Failed"},
    }
    new = defaulted(POD, merged(old, change))
    pod_parts.prepare_ephemeral_containers(new, old)
    (container,) = new["spec"]["ephemeralContainers"]
    assert (container["name"], container["imagePullPolicy"]) == ("debug", "IfNotPresent")
    expected = merged(old, {"metadata": {"generation": 2}, "spec": {"ephemeralContainers": [container]}})
    assert new == expected
    assert shown(pod_parts.validate_ephemeral_containers_update(new, old)) == []


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, []),
        ({"targetContainerName": "web"}, []),
        ({"name": "web"}, ['Duplicate spec.ephemeralContainers[0].name: Duplicate value: "web"']),
        (
            {"targetContainerName": "nobody"},
            ['NotFound spec.ephemeralContainers[0].targetContainerName: Not found: "nobody"'],
        ),
        (
            {"ports": [{"containerPort": 80}]},
            ["Forbidden spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"],
        ),
        ({"image": None}, ["Required spec.ephemeralContainers[0].image: Required value"]),
    ],
)
def test_ephemeral_container_rules(container: Tree, expected: list[str]) -> None:
    assert debugged(stored(), merged(DEBUGGER, container)) == expected


def test_an_ephemeral_container_stays() -> None:
    old = with_debuggers(DEBUGGER)
    assert debugged(old, {"name": "more", "image": "busybox:1"}, *old["spec"]["ephemeralContainers"]) == []
    assert debugged(old) == [
        'Forbidden spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n'
    ]
    assert debugged(old, DEBUGGER | {"image": "alpine:3"}) == [
        'Forbidden spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n'
        '- \tspec.ephemeralContainers.image: "busybox:1",\n+ \tspec.ephemeralContainers.image: "alpine:3",\n'
    ]


MIRROR = {"metadata": {"annotations": {"kubernetes.io/config.mirror": "a"}}, "spec": {"nodeName": "node-1"}}


def test_static_pods_are_left_alone() -> None:
    assert debugged(stored(MIRROR), DEBUGGER) == ["Forbidden : Forbidden: static pods do not support ephemeral containers"]
    assert resized(stored(MIRROR), {}) == ["Forbidden : Forbidden: static pods cannot be resized"]


def resized(old: Tree, container: Tree, *, initial: int | None = None) -> list[str]:
    """What stands against changing the container so, or an init container."""
    new = merged({}, old)
    field, index = ("containers", 0) if initial is None else ("initContainers", initial)
    new["spec"][field][index] = merged(new["spec"][field][index], container)
    new = defaulted(POD, new)
    pod_parts.prepare_resize(new, old)
    return shown(pod_parts.validate_resize(new, old))


def test_a_resize_changes_resources_and_nothing_else() -> None:
    old = stored()
    new = merged({}, old)
    new["spec"]["containers"] = [
        merged(new["spec"]["containers"][0], {"image": "nginx:2", "resources": {"requests": {"cpu": "2"}}})
    ]
    new["spec"]["nodeName"] = "elsewhere"
    new["metadata"]["labels"] = {"a": "b"}
    pod_parts.prepare_resize(new, old)
    (container,) = old["spec"]["containers"]
    expected = merged(container, {"resources": {"requests": {"cpu": "2"}}})
    assert new == merged(old, {"metadata": {"generation": 2}, "spec": {"containers": [expected]}})
    assert shown(pod_parts.validate_resize(new, old)) == []


LIMITED: Tree = {"spec": {"containers": [CONTAINER | {"resources": {"limits": {"memory": "1Gi"}}}]}}
RESTARTED = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
WHERE = "spec.containers[0].resources"
ONLY = "Forbidden spec: Forbidden: only cpu and memory resources are mutable"


@pytest.mark.parametrize(
    ("pod", "container", "expected"),
    [
        ({}, {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2"}}}, []),
        ({}, {}, []),
        (
            {},
            {"resources": {"requests": {"memory": None}}},
            [f"Forbidden {WHERE}.requests: Forbidden: resource requests cannot be removed"],
        ),
        (
            {},
            {"resources": {"limits": {"memory": "1Gi"}}},
            [
                f"Forbidden {WHERE}.limits[memory]: Forbidden: memory limits cannot be added unless resizePolicy is "
                "RestartContainer"
            ],
        ),
        (LIMITED, {"resources": {"limits": {"memory": "2Gi"}}}, []),
        (
            LIMITED,
            {"resources": {"limits": {"memory": "512Mi"}, "requests": {"memory": "512Mi"}}},
            [
                f"Forbidden {WHERE}.limits[memory]: Forbidden: memory limits cannot be decreased unless resizePolicy is "
                "RestartContainer"
            ],
        ),
        (
            merged(LIMITED, {"spec": {"containers": [LIMITED["spec"]["containers"][0] | {"resizePolicy": RESTARTED}]}}),
            {"resources": {"limits": {"memory": "512Mi"}, "requests": {"memory": "512Mi"}}},
            [],
        ),
        ({}, {"resources": {"requests": {"ephemeral-storage": "1Gi"}}}, [ONLY]),
        ({}, {"resizePolicy": RESTARTED}, [ONLY]),
        (
            {},
            {"resources": {"requests": {"cpu": "-1"}}},
            [f'Invalid {WHERE}.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
        ),
        (
            {"spec": {"os": {"name": "windows"}}},
            {},
            ["Forbidden : Forbidden: windows pods cannot be resized"],
        ),
    ],
)
def test_resize_rules(pod: Tree, container: Tree, expected: list[str]) -> None:
    assert resized(stored(pod), container) == expected


def test_a_resize_keeps_the_quality_of_service() -> None:
    alone: Tree = {"spec": {"initContainers": None, "containers": [{"name": "web", "image": "nginx:1"}]}}
    assert resized(stored(alone), {"resources": {"requests": {"cpu": "1"}}}) == [
        'Invalid spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing'
    ]


def test_only_init_containers_that_stay_are_resized() -> None:
    larger = {"resources": {"requests": {"cpu": "1"}}}
    assert resized(stored(), larger, initial=1) == []
    assert resized(stored(), larger, initial=0) == [
        "Forbidden spec: Forbidden: resources for non-sidecar init containers are immutable"
    ]
    assert resized(stored(), {"resources": {"requests": {"ephemeral-storage": "1Gi"}}}, initial=1) == [
        "Forbidden spec: Forbidden: only cpu and memory resources for sidecar containers are mutable"
    ]


def test_containers_cannot_be_added_or_renamed_by_a_resize() -> None:
    old = stored()
    new = defaulted(POD, merged(old, {"spec": {"containers": [*old["spec"]["containers"], {"name": "b", "image": "c"}]}}))
    pod_parts.prepare_resize(new, old)
    assert shown(pod_parts.validate_resize(new, old)) == [ONLY]
    assert resized(old, {"name": "other"}) == [ONLY]


@pytest.mark.parametrize(("resources", "can"), [({}, True), (None, False)])
def test_a_pod_is_resized_where_the_kubelet_knows_how(resources: Tree | None, can: bool) -> None:
    status: Tree = {"name": "web", "state": {"running": {}}} | ({} if resources is None else {"resources": resources})
    old = stored() | {"status": {"qosClass": "Burstable", "containerStatuses": [status]}}
    refused = [] if can else ["Forbidden spec: Forbidden: Pod running on node without support for resize"]
    assert resized(old, {"resources": {"requests": {"cpu": "1"}}}) == refused
