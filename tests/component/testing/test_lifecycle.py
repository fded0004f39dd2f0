"""A cluster comes up, and when it goes nothing of it is left, however it ends."""

from __future__ import annotations

import _thread
import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

from sampan.apiserver.server import APIServer
from sampan.kubelet.agent import Agent
from sampan.scheduler.loop import Scheduler
from sampan.testing import Cluster
from tests.component.testing.conftest import config_map, deployment


class Residue:
    """What a process has that a cluster could leave behind."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._before = self._now()

    def _now(self) -> dict[str, Counter[Any]]:
        gc.collect()  # what other tests left to it must not go while this one counts
        descriptors = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
        return {
            "threads": Counter(threading.enumerate()),
            "descriptors": Counter(link for link in descriptors if not link.startswith("/proc/")),
            "files": Counter(self._directory.iterdir()),
            "children": Counter(Path("/proc/thread-self/children").read_text().split()),
            "structlog": Counter([structlog.get_config()["logger_factory"]]),
        }

    def check(self) -> None:
        """What is no more was another test's, whose threads end when they like."""
        assert {what: found - self._before[what] for what, found in self._now().items()} == {what: {} for what in self._before}


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


@pytest.fixture
def residue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Residue:
    others = [thread.name for thread in threading.enumerate() if thread.name == "the cluster"]
    assert others == [], "what another cluster opens meanwhile would be taken for what was left"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    uvloop.run(asyncio.sleep(0))  # the first loop of a process opens a pipe for signals that all later ones share
    return Residue(tmp_path)


def test_nothing_is_left(residue: Residue):
    with Cluster(nodes=2) as cluster:
        cluster.apply(deployment("web"))
        cluster.wait_for("deploy/web", "rollout")
        cluster.kubectl("get", "pods")
        kubeconfig = cluster.kubeconfig
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
    residue.check()
    assert not kubeconfig.exists()


def test_nothing_is_left_while_pods_start_and_end(residue: Residue):
    with Cluster(nodes=2) as cluster:
        cluster.apply(deployment("web", replicas=20))
    residue.check()


class Unexpected(BaseException):
    """Not even an Exception."""


def fail(cluster: Cluster, error: type[BaseException]) -> None:
    cluster.apply(config_map("a"))
    raise error("mine")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, Unexpected])
def test_nothing_is_left_when_the_body_raises(residue: Residue, error: type[BaseException]):
    with pytest.raises(error, match="mine"), Cluster() as cluster:
        fail(cluster, error)
    residue.check()


def refused(*_: object) -> None:
    raise OSError(98, "Address already in use")


@pytest.mark.parametrize(
    ("part", "method"), [(APIServer, "start"), (Scheduler, "run"), (Agent, "run")], ids=["server", "scheduler", "agent"]
)
def test_a_part_that_does_not_start_is_told_of(residue: Residue, monkeypatch: pytest.MonkeyPatch, part: type, method: str):
    async def fail(*_: object) -> None:
        refused()

    monkeypatch.setattr(part, method, fail)

    with pytest.raises(RuntimeError, match=r"the cluster failed: \[Errno 98\] Address already in use"), Cluster():
        pytest.fail("it cannot have started")

    residue.check()


def test_a_part_that_fails_later_fails_the_test(residue: Residue):
    async def crash() -> None:
        raise ZeroDivisionError("a part's")

    def body(cluster: Cluster) -> None:
        async def started() -> None:
            cluster._plane._tasks.create_task(crash())  # no part fails for the asking

        cluster.run(started())
        while True:
            cluster.get("namespace/default")

    with pytest.raises(RuntimeError, match="the cluster failed: a part's"), Cluster() as cluster:
        body(cluster)

    residue.check()


def test_ctrl_c_while_starting_leaves_nothing(residue: Residue, monkeypatch: pytest.MonkeyPatch):
    async def interrupt(*_: object) -> None:
        _thread.interrupt_main()

    monkeypatch.setattr(Agent, "run", interrupt)  # so that it is never ready
    # What a shell starts in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Cluster():
            pytest.fail("it cannot have started")
    finally:
        signal.signal(signal.SIGINT, before)
    residue.check()


def test_a_cluster_that_is_never_entered_leaves_nothing(residue: Residue):
    Cluster()
    residue.check()


def test_a_cluster_runs_once_and_says_so():
    cluster = Cluster(nodes=0)
    with cluster:
        cluster.apply(config_map("a"))
    with pytest.raises(RuntimeError, match="is not running"):
        cluster.get("configmap/a")
    with pytest.raises(RuntimeError, match="make another"), cluster:
        pytest.fail("it cannot have started again")


def test_clusters_stand_side_by_side_and_inside_each_other(residue: Residue):
    with Cluster() as outer, Cluster() as beside:
        outer.apply(config_map("a", where="outer"))
        with Cluster() as inner:
            inner.apply(config_map("a", where="inner"))
            assert inner.get("configmap/a")["data"] == {"where": "inner"}
        assert outer.get("configmap/a")["data"] == {"where": "outer"}
        assert beside.list("configmaps", fields="metadata.name=a") == []
        assert outer.config.server != beside.config.server
    residue.check()


def test_a_server_is_gone_with_its_cluster():
    with Cluster(nodes=0) as cluster:
        port = int(cluster.config.server.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_only_those_it_knows_come_in():
    with Cluster(nodes=0) as cluster, pytest.raises(OSError, match="certificate verify failed"):
        urllib.request.urlopen(f"{cluster.config.server}/api", timeout=10)


def test_a_control_plane_alone_leaves_pods_pending():
    with Cluster(nodes=0) as cluster:
        cluster.apply(deployment("web", replicas=1))
        cluster.wait_for("deploy/web", lambda tree: tree["status"]["unavailableReplicas"] == 1)
        assert cluster.list("nodes") == []

        cluster.add_node("late", labels={"zone": "a"}, capacity={"cpu": "2"})

        cluster.wait_for("deploy/web", "rollout")
        assert cluster.list("nodes", labels="zone=a")[0]["status"]["capacity"]["cpu"] == "2"
        with pytest.raises(ValueError, match="there is a node late already"):
            cluster.add_node("late")
        with pytest.raises(ValueError, match="there is no node none, only late"):
            cluster.stop_node("none")


SCRIPT = """
import sys
from sampan.testing import Cluster

with Cluster(nodes=2) as cluster:
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    cluster.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    })
    cluster.wait_for("pod/a")
    cluster.delete("pod/a")
    print("ready", len(cluster.list("pods")) <= 1)
"""


def test_processes_run_clusters_at_once_without_a_word_or_a_warning():
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    outcomes = [(*process.communicate(timeout=60), process.returncode) for process in running]

    assert outcomes == [("ready True\n", "", 0)] * 3
