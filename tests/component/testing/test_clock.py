"""A cluster whose time is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sampan.client import informer
from sampan.lib.clock import parse_rfc3339
from sampan.testing import Cluster, ManualClock
from tests.component.testing.conftest import deployment, phase, pod

START = 1_800_000_000.0


@pytest.fixture
def still() -> Iterator[Cluster]:
    with Cluster(nodes=2, clock=ManualClock(START)) as running:
        yield running


def ready(tree: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in tree["status"].get("conditions", ()))


def test_objects_bear_the_clocks_time(still: Cluster):
    still.advance(90)
    still.apply(pod("a"))
    found = still.wait_for("pod/a")

    assert parse_rfc3339(found["metadata"]["creationTimestamp"]) == START + 90
    assert parse_rfc3339(found["status"]["startTime"]) == START + 90


def test_a_probe_waits_for_its_delay(still: Cluster):
    probe = {"readinessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 30, "periodSeconds": 5}}
    still.apply(pod("a", **probe))
    still.wait_for("pod/a", phase("Running"))

    still.advance(25)
    assert not ready(still.get("pod/a"))
    still.advance(10)
    assert ready(still.get("pod/a"))


def test_a_failing_container_is_restarted_ever_later(still: Cluster):
    still.apply(pod("a", command=["false"]))

    def restarts() -> int:
        count: int = still.get("pod/a")["status"]["containerStatuses"][0]["restartCount"]
        return count

    # The back-off doubles: restarts are due at about 0, 10, 30, 70, 150 and 310 seconds.
    counts = []
    for step in (5, 10, 20, 40, 80, 160):
        still.advance(step)
        counts.append(restarts())
    assert counts == [1, 2, 3, 4, 5, 6]


def test_a_container_exits_when_its_time_has_come(still: Cluster):
    tree = pod("a", annotations={"sampan.dev/simulate": "exit=0,after=3600"})
    tree["spec"]["restartPolicy"] = "Never"
    still.apply(tree)
    still.wait_for("pod/a", phase("Running"))

    still.advance(3590)
    assert still.get("pod/a")["status"]["phase"] == "Running"
    still.advance(20)
    done = still.get("pod/a")
    assert done["status"]["phase"] == "Succeeded"
    terminated = done["status"]["containerStatuses"][0]["state"]["terminated"]
    assert parse_rfc3339(terminated["finishedAt"]) - parse_rfc3339(terminated["startedAt"]) == 3600


def test_a_deployment_waits_until_its_pods_have_been_ready_for_long_enough(still: Cluster):
    still.apply(deployment("web", minReadySeconds=60))
    still.wait_for("deploy/web", lambda tree: tree["status"]["readyReplicas"] == 2)

    still.advance(50)
    assert "availableReplicas" not in still.get("deploy/web")["status"]
    still.advance(15)
    still.wait_for("deploy/web", "rollout", timeout=5)


def test_events_are_forgotten_after_an_hour(still: Cluster):
    still.apply(pod("a"))
    still.wait_for("pod/a", lambda _: still.events("pod/a"))

    still.advance(3500)
    assert still.events("pod/a")
    still.advance(200)
    assert not still.events("pod/a")


def test_a_silent_nodes_pods_are_replaced_elsewhere(still: Cluster):
    still.apply(deployment("web"))
    still.wait_for("deploy/web", "rollout")
    assert {tree["spec"]["nodeName"] for tree in still.list("pods")} == {"node-1", "node-2"}

    still.stop_node("node-1")
    still.advance(30)
    assert ready(still.get("node/node-1"))
    still.advance(30)
    still.wait_for("node/node-1", "Ready=Unknown", timeout=5)
    assert ready(still.get("node/node-2")), "a node that talks keeps its lease while the clock turns"

    still.advance(330)
    living = [tree for tree in still.list("pods") if "deletionTimestamp" not in tree["metadata"]]
    assert [tree["spec"]["nodeName"] for tree in living] == ["node-2", "node-2"]

    still.start_node("node-1")
    still.advance(60)
    still.wait_for("node/node-1", "Ready", timeout=5)
    assert len(still.list("pods")) == 2, "it ends what was taken from it"


def test_a_long_time_leaves_the_cluster_well(still: Cluster):
    still.apply(deployment("web"))
    still.wait_for("deploy/web", "rollout")

    still.advance(2 * 3600)

    assert all(ready(node) for node in still.list("nodes"))
    assert not still.list("pods", fields="status.phase!=Running")
    still.apply(deployment("later"))
    still.wait_for("deploy/later", "rollout")


def test_what_happens_as_watches_end_is_missed_by_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(informer, "WATCH_SECONDS", (60, 60))
    with Cluster(nodes=2, clock=ManualClock(START)) as still:
        still.advance(60)
        still.apply(deployment("web"))
        still.wait_for("deploy/web", "rollout")


def test_real_time_cannot_be_turned(shared: Cluster):
    with pytest.raises(TypeError, match="only time by hand"):
        shared.advance(1)
