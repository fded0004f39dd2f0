"""Phases, conditions and container statuses, by tables."""

from __future__ import annotations

import pytest

from sampan.api.types.core_v1 import Pod, PodCondition, PodReadinessGate, PodStatus
from sampan.kubelet.containerstatus import Knowledge, Reason
from sampan.kubelet.podstate import ContainerState, PodState
from sampan.kubelet.runtime.base import State
from sampan.kubelet.status import pod_status
from sampan.kubelet.statuswriter import status_patch

from .making import NOW, container, held, holding, pod

EXITED = State.EXITED
SERVING = Knowledge(ready={"c-0", "a-0", "b-0"}, started={"c-0", "a-0", "b-0"})


def status(of: Pod, state: PodState, known: Knowledge = SERVING) -> PodStatus:
    return pod_status(of, state, known, "10.0.0.1", NOW)


def conditions(made: PodStatus) -> dict[str, str]:
    return {c.type: c.status for c in made.conditions}


PHASES: list[tuple[str, Pod, list[ContainerState], Knowledge, str]] = [
    ("nothing has started", pod(), [], SERVING, "Pending"),
    ("all run", pod("a", "b"), [held("a"), held("b")], SERVING, "Running"),
    ("one has not started", pod("a", "b"), [held("a")], SERVING, "Pending"),
    ("one ended, one runs", pod("a", "b"), [held("a", EXITED), held("b")], SERVING, "Running"),
    ("all ended well under Never", pod(restartPolicy="Never"), [held(state=EXITED)], SERVING, "Succeeded"),
    ("one ended badly under Never", pod(restartPolicy="Never"), [held(state=EXITED, exit_code=2)], SERVING, "Failed"),
    ("all ended well under OnFailure", pod(restartPolicy="OnFailure"), [held(state=EXITED)], SERVING, "Succeeded"),
    ("one will be tried again", pod(restartPolicy="OnFailure"), [held(state=EXITED, exit_code=2)], SERVING, "Running"),
    ("between two lives", pod(), [held(state=EXITED, exit_code=2)], SERVING, "Running"),
    (
        "in crash loop",
        pod(),
        [held(state=EXITED, exit_code=2)],
        Knowledge(reasons={"c": Reason("CrashLoopBackOff", "x")}),
        "Running",
    ),
    ("an init container runs", pod(init=[container("i")]), [held("i")], SERVING, "Pending"),
    ("an init container failed", pod(init=[container("i")]), [held("i", EXITED, exit_code=1)], SERVING, "Pending"),
    (
        "an init container failed for good",
        pod(init=[container("i")], restartPolicy="Never"),
        [held("i", EXITED, exit_code=1)],
        SERVING,
        "Failed",
    ),
    ("stopped on deletion, well", pod(), [held(state=EXITED)], Knowledge(terminated=True), "Succeeded"),
    ("stopped on deletion, killed", pod(), [held(state=EXITED, exit_code=137)], Knowledge(terminated=True), "Failed"),
    ("deleted before it started", pod(), [], Knowledge(terminated=True), "Failed"),
]


@pytest.mark.parametrize(("name", "of", "held_", "known", "phase"), PHASES, ids=[p[0] for p in PHASES])
def test_the_phase_says_how_far_a_pod_is(
    name: str, of: Pod, held_: list[ContainerState], known: Knowledge, phase: str
) -> None:  # fmt: skip
    assert status(of, holding(*held_), known).phase == phase


def test_a_phase_once_final_stays() -> None:
    done = pod()
    done.status.phase = "Succeeded"
    assert status(done, holding(held())).phase == "Succeeded"


def test_a_running_pod_has_all_conditions_and_its_addresses() -> None:
    made = status(pod(), holding(held()))
    assert conditions(made) == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert (made.podIP, made.hostIP, made.qosClass) == ("10.244.0.2", "10.0.0.1", "BestEffort")
    one = made.containerStatuses[0]
    assert (one.ready, one.started, one.containerID, one.imageID) == (True, True, "containerd://c-0", "sha256:1")


def test_what_is_not_ready_is_named() -> None:
    made = status(pod("a", "b"), holding(held("a"), held("b")), Knowledge(ready={"a-0"}, started={"a-0", "b-0"}))
    ready = {c.type: c for c in made.conditions}["Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", "ContainersNotReady", "containers with unready status: [b]")


def test_a_readiness_gate_holds_readiness_back() -> None:
    gated = pod(readinessGates=[PodReadinessGate(conditionType="example.com/gate")])
    assert {c.type: c.reason for c in status(gated, holding(held())).conditions}["Ready"] == "ReadinessGatesNotReady"
    gated.status.conditions = [PodCondition(type="example.com/gate", status="True")]
    made = status(gated, holding(held()))
    assert conditions(made)["Ready"] == "True"
    assert conditions(made)["example.com/gate"] == "True"


def test_transition_times_move_only_with_the_status() -> None:
    one = pod()
    one.status = status(one, holding(held()))
    later = pod_status(one, holding(held()), Knowledge(started={"c-0"}), "10.0.0.1", NOW + 60)
    times = {c.type: c.lastTransitionTime for c in later.conditions}
    assert times["Initialized"] == one.status.conditions[1].lastTransitionTime
    assert times["Ready"] != times["Initialized"]


def test_a_container_in_back_off_shows_its_last_life() -> None:
    known = Knowledge(reasons={"c": Reason("CrashLoopBackOff", "back-off 10s")})
    one = status(pod(), holding(held(state=EXITED, exit_code=7, reason="Error", restarts=2)), known).containerStatuses[0]
    assert one.restartCount == 2
    assert one.state is not None
    assert one.state.waiting is not None
    assert one.state.waiting.reason == "CrashLoopBackOff"
    assert one.lastState is not None
    assert one.lastState.terminated is not None
    assert (one.lastState.terminated.exitCode, one.lastState.terminated.reason) == (7, "Error")


def test_containers_wait_for_init_containers() -> None:
    made = status(pod(init=[container("i")]), holding(held("i")))
    state = made.containerStatuses[0].state
    assert state is not None
    assert state.waiting is not None
    assert state.waiting.reason == "PodInitializing"
    assert {c.type: c.message for c in made.conditions}["Initialized"] == "containers with incomplete status: [i]"


def test_a_patch_has_only_what_changed() -> None:
    old = status(pod(), holding(held()))
    assert status_patch(old, old) == {}
    unready = pod()
    unready.status = old
    new = pod_status(unready, holding(held()), Knowledge(started={"c-0"}), "10.0.0.1", NOW + 60)
    patch = status_patch(old, new)
    assert set(patch) == {"conditions", "containerStatuses"}
    assert [c["type"] for c in patch["conditions"]] == ["Ready", "ContainersReady"]


def test_a_patch_takes_away_an_address_that_changed() -> None:
    patch = status_patch(PodStatus(podIPs=[]), PodStatus())
    assert patch == {}
    old = status(pod(), holding(held()))
    gone = pod()
    new = status(gone, PodState())
    patch = status_patch(old, new)
    assert patch["podIPs"] == [{"$patch": "delete", "ip": "10.244.0.2"}]
    assert patch["podIP"] is None
