"""Every process of a cluster killed at once, as by a power cut that spares the containers: `up` finds all as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.e2e import residue
from tests.e2e.local import LocalCluster, eventually
from tests.e2e.space import Manifest, Space, pod

KINDS = "namespaces,configmaps,secrets,serviceaccounts,services,deployments.apps,replicasets.apps,pods,clusterroles,nodes"


def uids(cluster: LocalCluster) -> set[str]:
    items: list[Manifest] = cluster.get(KINDS, "--all-namespaces")["items"]
    return {f"{item['kind']} {item['metadata']['name']} {item['metadata']['uid']}" for item in items}


def container_of(space: Space, name: str) -> tuple[str, int, str]:
    state = space.state(name)
    return state["containerID"], state["restartCount"], state["state"]["running"]["startedAt"]


def test_up_after_a_crash_of_everything_finds_all_objects_and_containers(new_cluster: Callable[..., LocalCluster]) -> None:
    before = residue.snapshot()
    cluster = new_cluster()
    cluster.up()
    space = Space(cluster, "default")
    space.start(pod("steady"))
    space.kubectl("create", "deployment", "app", "--image=localhost/busybox:1", "--replicas=2", "--", "sleep", "3600")
    space.kubectl("wait", "--for=condition=Available", "deployment/app", "--timeout=30s")
    stored, container = uids(cluster), container_of(space, "steady")
    for row in cluster.status()["processes"]:
        os.kill(row["pid"], signal.SIGKILL)
    cluster.up()
    eventually(lambda: space.is_ready("steady"), "the pod is ready")
    assert container_of(space, "steady") == container
    assert stored <= uids(cluster)
    space.kubectl("scale", "deployment/app", "--replicas=3")
    assert "successfully rolled out" in space.out("rollout", "status", "deployment/app", "--timeout=30s")
    restarts = space.out("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}")
    assert set(restarts.split()) == {"0"}
    cluster.down()
    assert residue.added(before, residue.snapshot(), cluster.name) == []
