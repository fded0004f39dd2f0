"""The table of pods, row by row of what a pod can be doing."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.pod import RESOURCE as POD
from sampan.api.resource import Tree
from tests.unit.groups.kinds import merged, row

BASE: Tree = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}}


def running(ready: bool = True, restarts: int = 0, last: str = "") -> Tree:
    state: Tree = {"ready": ready, "restartCount": restarts, "state": {"running": {}}}
    if last:
        state["lastState"] = {"terminated": {"exitCode": 1, "finishedAt": last}}
    return state


def waiting(reason: str, restarts: int = 0) -> Tree:
    return {"ready": False, "restartCount": restarts, "state": {"waiting": {"reason": reason}}}


def terminated(code: int, reason: str = "", signal: int = 0) -> Tree:
    end = {"exitCode": code, "reason": reason, "signal": signal}
    return {"ready": False, "restartCount": 0, "state": {"terminated": {k: v for k, v in end.items() if v or k == "exitCode"}}}


INITIALIZED = [{"type": "Initialized", "status": "True"}]
READY = [*INITIALIZED, {"type": "Ready", "status": "True"}]
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}
INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {"phase": "Pending"}, ("0/2", "Pending", "0")),
        ({}, {"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")] * 2}, ("0/2", "ContainerCreating", "0")),
        ({}, {"phase": "Running", "containerStatuses": [running(), running()]}, ("2/2", "Running", "0")),
        ({}, {"phase": "Running", "containerStatuses": [running(), running(ready=False)]}, ("1/2", "Running", "0")),
        (
            {},
            {"phase": "Running", "containerStatuses": [running(), running(True, 2, "2023-11-14T22:10:20Z")]},
            ("2/2", "Running", "2 (3m ago)"),
        ),
        ({}, {"phase": "Running", "containerStatuses": [running(True, 2), running()]}, ("2/2", "Running", "2")),
        (
            {},
            {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff", 4), running()]},
            ("1/2", "CrashLoopBackOff", "4"),
        ),
        ({}, {"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff")]}, ("0/2", "ImagePullBackOff", "0")),
        ({}, {"phase": "Succeeded", "containerStatuses": [terminated(0, "Completed")] * 2}, ("0/2", "Completed", "0")),
        ({}, {"phase": "Failed", "containerStatuses": [terminated(1, "Error"), running()]}, ("1/2", "Error", "0")),
        ({}, {"phase": "Running", "containerStatuses": [terminated(3)]}, ("0/2", "ExitCode:3", "0")),
        ({}, {"phase": "Running", "containerStatuses": [terminated(0, signal=9)]}, ("0/2", "Signal:9", "0")),
        (
            {},
            {"phase": "Running", "containerStatuses": [terminated(0, "Completed"), running()], "conditions": READY},
            ("1/2", "Running", "0"),
        ),
        (
            {},
            {"phase": "Running", "containerStatuses": [terminated(0, "Completed"), running()]},
            ("1/2", "NotReady", "0"),
        ),
        ({}, {"phase": "Failed", "reason": "Evicted"}, ("0/2", "Evicted", "0")),
        (
            {},
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
            ("0/2", "SchedulingGated", "0"),
        ),
        (
            INIT,
            {"phase": "Pending", "initContainerStatuses": [running(), waiting("PodInitializing")]},
            ("0/2", "Init:0/2", "0"),
        ),
        (
            INIT,
            {
                "phase": "Pending",
                "initContainerStatuses": [terminated(0, "Completed"), waiting("PodInitializing")],
                "containerStatuses": [waiting("PodInitializing")] * 2,
            },
            ("0/2", "Init:1/2", "0"),
        ),
        (
            INIT,
            {"phase": "Pending", "initContainerStatuses": [waiting("CrashLoopBackOff", 3)]},
            ("0/2", "Init:CrashLoopBackOff", "3"),
        ),
        (INIT, {"phase": "Failed", "initContainerStatuses": [terminated(1, "Error")]}, ("0/2", "Init:Error", "0")),
        (INIT, {"phase": "Failed", "initContainerStatuses": [terminated(2)]}, ("0/2", "Init:ExitCode:2", "0")),
        (
            INIT,
            {
                "phase": "Pending",
                "initContainerStatuses": [terminated(0, "Completed")] * 2,
                "containerStatuses": [waiting("PodInitializing")] * 2,
            },
            ("0/2", "PodInitializing", "0"),
        ),
        (
            SIDECAR,
            {
                "phase": "Running",
                "initContainerStatuses": [running(True, 1) | {"name": "s", "started": True}],
                "containerStatuses": [running(), running()],
                "conditions": READY,
            },
            ("3/3", "Running", "1"),
        ),
        (
            INIT,
            {
                "phase": "Running",
                "initContainerStatuses": [running(restarts=5) | {"name": "i"}],
                "containerStatuses": [running(), running()],
                "conditions": INITIALIZED,
            },
            ("2/2", "Init:0/2", "0"),
        ),
    ],
)  # fmt: skip
def test_ready_status_and_restarts(spec: Tree, status: Tree, expected: tuple[str, str, str]) -> None:
    cells = row(POD, merged(BASE, {"spec": spec}) | {"status": status}, wide=False)
    assert (cells["Ready"], cells["Status"], cells["Restarts"]) == expected
    assert list(cells) == ["Name", "Ready", "Status", "Restarts", "Age"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Running"}, "Terminating"),
        ({"phase": "Succeeded"}, "Succeeded"),
        ({"phase": "Running", "reason": "NodeLost"}, "Unknown"),
    ],
)
def test_a_deletion_shows(status: Tree, expected: str) -> None:
    tree = merged(BASE, {"metadata": {"deletionTimestamp": "2023-11-14T22:12:20Z"}}) | {"status": status}
    assert row(POD, tree)["Status"] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("<none>", "<none>", "<none>", "<none>")),
        (
            {
                "spec": {"nodeName": "n", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
                "status": {
                    "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                    "nominatedNodeName": "m",
                    "conditions": [{"type": "b", "status": "True"}],
                },
            },
            ("10.0.0.1", "n", "m", "1/2"),
        ),
    ],
)
def test_the_wide_columns(change: dict[str, Any], expected: tuple[str, ...]) -> None:
    cells = row(POD, merged(BASE, change))
    assert tuple(cells[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates")) == expected
