"""The scheduler at work in a cluster whose nodes are made by the test."""

from __future__ import annotations

import pytest

from sampan.testing import Cluster


@pytest.fixture
def plane():
    with Cluster(nodes=0) as cluster:
        yield cluster


def node(name: str, *, cpu: str = "2", **spec: object) -> dict[str, object]:
    amounts = {"cpu": cpu, "memory": "4Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def add_node(cluster: Cluster, name: str, **kwargs: object) -> None:
    """Without the not-ready taint that a new node gets until its agent reports."""
    cluster.apply(node(name, **kwargs))
    cluster.patch(f"node/{name}", {"spec": {"taints": None}})


def pod(name: str, *, cpu: str = "100m", **spec: object) -> dict[str, object]:
    container = {"name": "c", "image": "localhost/x:1", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def is_bound(tree: dict) -> bool:
    return bool(tree["spec"].get("nodeName"))


def condition(tree: dict, type_: str) -> dict:
    return next((c for c in tree.get("status", {}).get("conditions", ()) if c["type"] == type_), {})


def test_a_pod_is_bound_and_an_event_and_a_condition_say_so(plane):
    add_node(plane, "a")
    plane.apply(pod("p"))
    bound = plane.wait_for("pod/p", is_bound)
    assert bound["spec"]["nodeName"] == "a"
    assert condition(bound, "PodScheduled")["status"] == "True"
    plane.run(_event(plane, "p", "Scheduled", "Successfully assigned default/p to a"))


async def _event(cluster: Cluster, name: str, reason: str, message: str) -> None:
    from sampan.api.types.core_v1 import Event

    for _ in range(500):
        for event in (await cluster.client.list(Event, "default")).items:
            if (event.involvedObject.name, event.reason, event.message) == (name, reason, message):
                return
        await cluster.client.clock.sleep(0.02)
    raise AssertionError(f"no event {reason} {message!r}")


def test_a_pod_that_fits_nowhere_says_why_and_is_bound_when_a_node_comes(plane):
    add_node(plane, "small", cpu="1")
    plane.apply(pod("p", cpu="3"))
    waiting = plane.wait_for("pod/p", lambda tree: condition(tree, "PodScheduled").get("reason") == "Unschedulable")
    message = (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    assert condition(waiting, "PodScheduled")["message"] == message
    plane.run(_event(plane, "p", "FailedScheduling", message))
    add_node(plane, "large", cpu="4")
    assert plane.wait_for("pod/p", is_bound)["spec"]["nodeName"] == "large"


def test_a_deleted_pod_frees_its_node(plane):
    add_node(plane, "a", cpu="1")
    plane.apply(pod("first", cpu="1"))
    plane.wait_for("pod/first", is_bound)
    plane.apply(pod("second", cpu="1"))
    plane.wait_for("pod/second", lambda tree: condition(tree, "PodScheduled").get("reason") == "Unschedulable")
    plane.run(plane.client.request("DELETE", "/api/v1/namespaces/default/pods/first", query={"gracePeriodSeconds": "0"}))
    plane.wait_for("pod/second", is_bound)


def test_more_pods_than_fit_at_once_never_overcommit_a_node(plane):
    for name in ("a", "b"):
        add_node(plane, name, cpu="1")
    for i in range(30):
        plane.apply(pod(f"p{i}", cpu="100m"))
    waiting = "0/2 nodes are available: 2 Insufficient cpu."
    settled = [plane.wait_for(f"pod/p{i}", lambda tree: is_bound(tree) or condition(tree, "PodScheduled")) for i in range(30)]
    assert sorted(p["spec"].get("nodeName", "") for p in settled) == [""] * 10 + ["a"] * 10 + ["b"] * 10
    assert all(condition(p, "PodScheduled")["message"].startswith(waiting) for p in settled if not is_bound(p))


def test_a_pod_of_another_scheduler_is_left_alone(plane):
    add_node(plane, "a")
    plane.apply(pod("theirs", schedulerName="my-scheduler"))
    plane.apply(pod("ours"))
    plane.wait_for("pod/ours", is_bound)
    assert not is_bound(plane.get("pod/theirs"))


def test_a_cordoned_node_takes_no_more_pods_until_it_is_opened_again(plane):
    add_node(plane, "a", unschedulable=True)
    plane.apply(pod("p"))
    plane.wait_for("pod/p", lambda tree: "1 node(s) were unschedulable" in condition(tree, "PodScheduled").get("message", ""))
    plane.patch("node/a", {"spec": {"unschedulable": None}})
    plane.wait_for("pod/p", is_bound)
