"""What a pod needs next, by tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sampan.api.types.core_v1 import Pod
from sampan.kubelet.podstate import PodState
from sampan.kubelet.runtime.base import State
from sampan.kubelet.sync import ProbeView, plan, stop_order

from .making import container, held, holding, pod, sandbox

EXITED, RUNNING, CREATED = State.EXITED, State.RUNNING, State.CREATED
SIDECAR = container("side", restartPolicy="Always")
STAGED = {"init": [container("i1"), container("i2")]}


@dataclass
class Row:
    name: str
    pod: Pod
    state: PodState
    starts: list[str] = field(default_factory=list)
    kills: dict[str, str] = field(default_factory=dict)
    kill_pod: bool = False
    sandbox: int | None = None
    """Attempt of the sandbox to make; None: none is made."""
    probes: ProbeView = field(default_factory=ProbeView)


def spec(**given: Any) -> Pod:
    return pod(**given)


ROWS = [
    Row("a new pod gets a sandbox and its containers", pod("a", "b"), PodState(), ["a", "b"], sandbox=0),
    Row("a new pod with init containers starts with the first", pod(**STAGED), PodState(), ["i1"], sandbox=0),
    Row("a healthy pod needs nothing", pod(), holding(held())),
    Row("an exited container is restarted", pod(), holding(held(state=EXITED, exit_code=1)), ["c"]),
    Row("one that succeeded is restarted, too, under Always", pod(), holding(held(state=EXITED)), ["c"]),
    Row("a created container that never started is made again", pod(), holding(held(state=CREATED)), ["c"]),
    Row("Never does not restart", pod(restartPolicy="Never"), holding(held(state=EXITED, exit_code=1)), kill_pod=True),
    Row("OnFailure restarts a failure", pod(restartPolicy="OnFailure"), holding(held(state=EXITED, exit_code=1)), ["c"]),
    Row("OnFailure is content with success", pod(restartPolicy="OnFailure"), holding(held(state=EXITED)), kill_pod=True),
    Row(
        "a finished container waits for its neighbours",
        pod("a", "b", restartPolicy="Never"),
        holding(held("a", EXITED), held("b")),
    ),
    Row(
        "a dead sandbox is replaced",
        pod(),
        holding(held(state=EXITED), sandboxes=(sandbox(ready=False),)),
        ["c"],
        kill_pod=True,
        sandbox=1,
    ),
    Row(
        "a sandbox without an address is replaced",
        pod(),
        holding(sandboxes=(sandbox(ip=""),)),
        ["c"],
        kill_pod=True,
        sandbox=1,
    ),
    Row("a pod on the host's network needs no address", pod(hostNetwork=True), holding(held(), sandboxes=(sandbox(ip=""),))),
    Row(
        "a dead sandbox of a pod that may not restart stays dead",
        pod(restartPolicy="Never"),
        holding(held(state=EXITED), sandboxes=(sandbox(ready=False),)),
        kill_pod=True,
    ),
    Row(
        "after a dead sandbox OnFailure restarts only what did not succeed",
        pod("a", "b", restartPolicy="OnFailure"),
        holding(held("a", EXITED), held("b", EXITED, exit_code=137), sandboxes=(sandbox(ready=False),)),
        ["b"],
        kill_pod=True,
        sandbox=1,
    ),
    Row("the second init container follows the first", pod(**STAGED), holding(held("i1", EXITED)), ["i2"]),
    Row("an init container that runs is waited for", pod(**STAGED), holding(held("i1"))),
    Row("a failed init container is tried again", pod(**STAGED), holding(held("i1", EXITED, exit_code=1)), ["i1"]),
    Row(
        "a failed init container ends a pod that may not restart",
        pod(restartPolicy="Never", **STAGED),
        holding(held("i1", EXITED, exit_code=1)),
        kill_pod=True,
    ),
    Row("after the last init container the rest starts", pod(**STAGED), holding(held("i1", EXITED), held("i2", EXITED)), ["c"]),
    Row(
        "init containers of an earlier sandbox count for nothing",
        pod(**STAGED),
        holding(held("i1", EXITED, sandbox_id="old"), held("i2", EXITED, sandbox_id="old")),
        ["i1"],
    ),
    Row("init containers are not run again once the rest has started", pod(**STAGED), holding(held()), []),
    Row("a sidecar holds back the rest until it has started", pod(init=[SIDECAR]), holding(held("side"))),
    Row(
        "a started sidecar lets the rest go",
        pod(init=[SIDECAR]),
        holding(held("side")),
        ["c"],
        probes=ProbeView(started={"side-0"}),
    ),
    Row(
        "a sidecar that ended is started beside the rest",
        pod(init=[SIDECAR]),
        holding(held("side", EXITED), held()),
        ["side"],
    ),
    Row(
        "a failed liveness probe restarts",
        pod(),
        holding(held()),
        ["c"],
        {"c": "Container c failed liveness probe, will be restarted"},
        probes=ProbeView(failed_liveness={"c-0"}),
    ),
    Row(
        "a failed startup probe of a pod that may not restart only kills",
        pod(restartPolicy="Never"),
        holding(held()),
        [],
        {"c": "Container c failed startup probe"},
        kill_pod=True,
        probes=ProbeView(failed_startup={"c-0"}),
    ),
    Row(
        "a changed image replaces the container",
        pod(containers=[container(image="app:2")]),
        holding(held()),
        ["c"],
        {"c": "Container c definition changed, will be restarted"},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_a_plan_names_the_nearest_step(row: Row) -> None:
    made = plan(row.pod, row.state, row.probes)
    assert [c.name for c in made.start] == row.starts
    assert {k.container.name: k.message for k in made.kill} == row.kills
    if not row.kills:
        assert made.kill_pod is row.kill_pod
    assert (made.attempt if made.create_sandbox else None) == row.sandbox


def test_sidecars_stop_last_and_in_reverse() -> None:
    one, two = container("one", restartPolicy="Always"), container("two", restartPolicy="Always")
    groups = stop_order(pod("a", "b", init=[one, two]), [held("one"), held("two"), held("a"), held("b")])
    assert [[c.name for c in group] for group in groups] == [["a", "b"], ["two"], ["one"]]
