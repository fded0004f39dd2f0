"""What was acknowledged outlives the death of any process."""

from __future__ import annotations

import os
import signal
import subprocess
import threading

import pytest

from tests.e2e.local import LocalCluster, eventually
from tests.e2e.space import Space, pod

COMPONENTS = ("apiserver", "controller-manager", "scheduler", "agent-node-1", "containerd-node-1")


class Writer:
    """Creates ConfigMaps one after the other and remembers those that were acknowledged."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._stop = threading.Event()
        self.acknowledged: list[str] = []
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            name = f"written-{count}"
            done = self._space.kubectl("create", "configmap", name, f"--from-literal=n={count}", check=False)
            if done.returncode == 0:
                self.acknowledged.append(name)


def containers(space: Space) -> dict[str, tuple[str, int]]:
    """Container id and restarts of every pod of the space."""
    found = {}
    for each in space.get("pods")["items"]:
        status = each["status"]["containerStatuses"][0]
        found[each["metadata"]["name"]] = (status["containerID"], status["restartCount"])
    return found


@pytest.fixture(scope="module")
def running(space: Space) -> Space:
    space.start(*(pod(f"steady-{i}", nodeName=f"node-{i}") for i in (1, 2)))
    return space


@pytest.mark.parametrize("component", COMPONENTS)
def test_killing_a_process_loses_no_acknowledged_write_and_restarts_no_container(running: Space, component: str) -> None:
    before = containers(running)
    live = running.cluster
    with Writer(running) as writer:
        eventually(lambda: len(writer.acknowledged) >= 3, "writes are acknowledged")
        pid = live.pid(component)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: _is_back(live, component, pid), f"{component} runs again")
        at_death = len(writer.acknowledged)
        eventually(lambda: len(writer.acknowledged) >= at_death + 3, "writes are acknowledged again")
    stored = {item["metadata"]["name"] for item in running.get("configmaps")["items"]}
    assert set(writer.acknowledged) <= stored
    running.kubectl("delete", "configmaps", "--all")
    running.start(pod(f"after-{component}", nodeName="node-1"))
    running.kubectl("delete", "pod", f"after-{component}")
    assert containers(running) == before


def _is_back(live: LocalCluster, component: str, old: int) -> bool:
    try:
        return live.pid(component) not in (0, old)
    except (KeyError, TypeError, AssertionError, subprocess.SubprocessError):
        return False
