"""What was acknowledged outlives the death of any process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.local import LocalCluster, eventually
from tests.e2e.space import Manifest, Space, pod

COMPONENTS = ("apiserver", "controller-manager", "scheduler", "agent-node-1", "containerd-node-1")


NOTES = "notes.faults.example.com"


def definition() -> Manifest:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"text": {"type": "string", "default": "none"}}}}
    spec = {
        "group": NOTES.partition(".")[2],
        "scope": "Namespaced",
        "names": {"plural": "notes", "singular": "note", "kind": "Note"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    meta = {"name": NOTES}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


class Writer:
    """Creates ConfigMaps and custom objects in turn, and remembers those that were acknowledged."""

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
            version, kind = ("v1", "ConfigMap") if count % 2 else ("faults.example.com/v1", "Note")
            manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": f"written-{count}"}}
            done = self._space.kubectl("create", "-f", "-", input_text=json.dumps(manifest), check=False)
            if done.returncode == 0:
                self.acknowledged.append(f"{kind} written-{count}")


def containers(space: Space) -> dict[str, tuple[str, int]]:
    """Container id and restarts of every pod of the space."""
    found = {}
    for each in space.get("pods")["items"]:
        status = each["status"]["containerStatuses"][0]
        found[each["metadata"]["name"]] = (status["containerID"], status["restartCount"])
    return found


@pytest.fixture(scope="module")
def running(space: Space) -> Iterator[Space]:
    """A pod on each node; a kind of its own; and a quota that counts what is written."""
    space.apply(definition())
    space.kubectl("wait", "--for=condition=Established", f"crd/{NOTES}", "--timeout=20s")
    space.kubectl("create", "quota", "written", f"--hard=count/configmaps=10k,count/{NOTES}=10k")
    eventually(lambda: set(used(space)) == {"count/configmaps", f"count/{NOTES}"}, "the quota counts both kinds")
    space.start(*(pod(f"steady-{i}", nodeName=f"node-{i}") for i in (1, 2)))
    yield space
    space.delete("crd", NOTES)


def used(space: Space) -> dict[str, str]:
    found: dict[str, str] = space.get("quota", "written")["status"].get("used", {})
    return found


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
    stored = {kind: [item["metadata"]["name"] for item in running.get(kind)["items"]] for kind in ("configmaps", NOTES)}
    names = {f"ConfigMap {name}" for name in stored["configmaps"]} | {f"Note {name}" for name in stored[NOTES]}
    assert set(writer.acknowledged) <= names
    assert {item["text"] for item in running.get(NOTES)["items"]} == {"none"}
    counted = {f"count/{kind}": str(len(found)) for kind, found in stored.items()}
    eventually(lambda: used(running) == counted, f"the quota has counted {counted}")
    running.kubectl("delete", f"configmaps,{NOTES}", "--all")
    running.start(pod(f"after-{component}", nodeName="node-1"))
    running.kubectl("delete", "pod", f"after-{component}")
    assert containers(running) == before


def _is_back(live: LocalCluster, component: str, old: int) -> bool:
    try:
        return live.pid(component) not in (0, old)
    except (KeyError, TypeError, AssertionError, subprocess.SubprocessError):
        return False
