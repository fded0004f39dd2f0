"""How a pod's containers live: their starts, restarts, probes and ends."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.local import eventually
from tests.e2e.space import IDLE, Manifest, Space, container, mounted, pod, shell

# Starting and ending.


def test_init_containers_run_one_after_the_other_before_the_others(space: Space) -> None:
    volumes = [{"name": "log", "emptyDir": {}}]
    first, second = (
        mounted(shell(f"sleep 0.2; echo {name} >> /log/order", name=name), log="/log") for name in ("first", "second")
    )
    main = mounted(shell(f"echo main >> /log/order; {IDLE}"), log="/log")
    space.start(pod("inits", main, initContainers=[first, second], volumes=volumes))
    assert space.exec("inits", "cat", "/log/order") == "first\nsecond\nmain\n"
    inits = space.get("pod", "inits")["status"]["initContainerStatuses"]
    assert [each["state"]["terminated"]["reason"] for each in inits] == ["Completed", "Completed"]


def test_a_failed_init_container_keeps_the_pod_from_starting(space: Space) -> None:
    space.apply(pod("init-fails", container(), initContainers=[shell("exit 4", name="bad")], restartPolicy="Never"))
    space.wait_phase("init-fails", "Failed")
    status = space.get("pod", "init-fails")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    assert "Init:Error" in space.out("get", "pod", "init-fails")


def test_a_sidecar_starts_first_and_ends_last(space: Space, tmp_path: Path) -> None:
    ends = "trap 'echo NAME ends >> /log/order; exit 0' TERM; sleep 3600 & wait"
    side = shell("echo side starts >> /log/order; " + ends.replace("NAME", "side"), name="side")
    side = {**mounted(side, log="/log"), "restartPolicy": "Always"}
    main = mounted(shell("echo main starts >> /log/order; " + ends.replace("NAME", "main")), log="/log")
    volumes = [{"name": "log", "hostPath": {"path": str(tmp_path)}}]
    space.start(pod("sidecar", main, initContainers=[side], volumes=volumes, terminationGracePeriodSeconds=5))
    assert "2/2" in space.out("get", "pod", "sidecar")
    space.kubectl("delete", "pod", "sidecar")
    assert (tmp_path / "order").read_text() == "side starts\nmain starts\nmain ends\nside ends\n"


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [("Never", 0, "Succeeded", "Completed"), ("Never", 3, "Failed", "Error"), ("OnFailure", 0, "Succeeded", "Completed")],
)
def test_a_container_that_ends_for_good_decides_the_phase(
    space: Space, policy: str, code: int, phase: str, reason: str
) -> None:
    name = f"ends-{policy.lower()}-{code}"
    space.apply(pod(name, shell(f"exit {code}"), restartPolicy=policy))
    space.wait_phase(name, phase)
    ended = space.terminated(name)
    assert (ended["exitCode"], ended["reason"]) == (code, reason)
    assert space.state(name)["restartCount"] == 0


def test_a_failing_container_is_restarted_until_it_succeeds(space: Space) -> None:
    retried = mounted(shell("echo x >> /kept/runs; test $(wc -l < /kept/runs) -ge 2"), kept="/kept")
    space.apply(pod("retried", retried, restartPolicy="OnFailure", volumes=[{"name": "kept", "emptyDir": {}}]))
    space.wait_phase("retried", "Succeeded")
    assert space.state("retried")["restartCount"] == 1


def test_a_container_that_keeps_failing_backs_off(space: Space) -> None:
    space.apply(pod("crashing", shell("echo going down; exit 1")))
    waiting = eventually(lambda: space.waiting_as("crashing", "CrashLoopBackOff"), "it backs off")
    uid = space.get("pod", "crashing")["metadata"]["uid"]
    assert waiting["message"] == f"back-off 10s restarting failed container=main pod=crashing_{space.name}({uid})"
    state = space.state("crashing")
    assert state["restartCount"] == 1
    assert (state["lastState"]["terminated"]["exitCode"], state["ready"], state["started"]) == (1, False, False)
    message = space.wait_event("crashing", "BackOff")
    assert message == f"Back-off restarting failed container main in pod crashing_{space.name}({uid})"
    assert "CrashLoopBackOff" in space.out("get", "pod", "crashing")
    assert space.out("logs", "crashing", "--previous") == "going down\n"


def test_a_pod_past_its_deadline_is_ended(space: Space) -> None:
    space.apply(pod("late", activeDeadlineSeconds=1))
    space.wait_phase("late", "Failed")
    status = space.get("pod", "late")["status"]
    assert (status["reason"], status["message"]) == (
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
    )


def test_a_pod_ends_in_order_pre_stop_term_kill(space: Space, tmp_path: Path) -> None:
    pre_stop = {"exec": {"command": ["sh", "-c", "echo hook >> /log/order; sleep 0.5; echo hook done >> /log/order"]}}
    script = "trap 'echo term >> /log/order; exit 0' TERM; sleep 3600 & wait"
    main = {**mounted(shell(script), log="/log"), "lifecycle": {"preStop": pre_stop}}
    volumes = [{"name": "log", "hostPath": {"path": str(tmp_path)}}]
    space.start(pod("polite", main, volumes=volumes, terminationGracePeriodSeconds=20))
    began = time.monotonic()
    space.kubectl("delete", "pod", "polite")
    assert time.monotonic() - began < 20  # its grace period
    assert (tmp_path / "order").read_text() == "hook\nhook done\nterm\n"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(space: Space) -> None:
    space.start(pod("stubborn", shell("trap '' TERM; while true; do sleep 1; done"), terminationGracePeriodSeconds=2))
    began = time.monotonic()
    space.kubectl("delete", "pod", "stubborn", "--wait=false")
    eventually(lambda: space.phase("stubborn") == "", "it is gone")
    assert time.monotonic() - began > 1.5
    assert space.events("stubborn")["Killing"] == "Stopping container main"


def test_a_forced_deletion_takes_the_object_at_once_and_the_container_soon(space: Space, tmp_path: Path) -> None:
    beat = mounted(shell("trap '' TERM; while true; do date +%s%N > /log/beat; sleep 0.1; done"), log="/log")
    space.start(pod("forced", beat, volumes=[{"name": "log", "hostPath": {"path": str(tmp_path)}}]))
    space.kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
    assert space.phase("forced") == ""
    eventually(lambda: time.time() - (tmp_path / "beat").stat().st_mtime > 1, "the container has stopped")


def test_hooks_run_and_a_failed_one_is_told(space: Space) -> None:
    greeting = {"postStart": {"exec": {"command": ["sh", "-c", "echo hello > /tmp/greeting"]}}}
    failing = {"postStart": {"exec": {"command": ["sh", "-c", "echo why; exit 3"]}}}
    space.start(pod("hooked", {**container(), "lifecycle": greeting}))
    assert space.exec("hooked", "cat", "/tmp/greeting") == "hello\n"
    space.apply(pod("unhooked", {**container(), "lifecycle": failing}, restartPolicy="Never"))
    assert space.wait_event("unhooked", "FailedPostStartHook").startswith("PostStartHook failed")


def test_last_words_become_the_termination_message(space: Space) -> None:
    space.apply(
        pod("words", shell("echo -n last words > /dev/termination-log; exit 2"), restartPolicy="Never"),
        pod(
            "log",
            {**shell("echo the log tells; exit 2"), "terminationMessagePolicy": "FallbackToLogsOnError"},
            restartPolicy="Never",
        ),
    )
    assert space.terminated("words")["message"] == "last words"
    assert space.terminated("log")["message"] == "the log tells\n"


# Probes.


def exec_probe(path: str, **fields: int) -> Manifest:
    return {"exec": {"command": ["cat", path]}, "periodSeconds": 1, **fields}


def test_a_container_that_is_not_alive_is_restarted(space: Space) -> None:
    script = f"touch /tmp/alive; {IDLE}"
    alive = exec_probe("/tmp/alive", failureThreshold=1, initialDelaySeconds=1)
    space.start(pod("alive", {**shell(script), "livenessProbe": alive}))
    space.exec("alive", "rm", "/tmp/alive")
    eventually(lambda: space.state("alive")["restartCount"] == 1 and space.is_ready("alive"), "it was restarted")
    events = space.events("alive")
    assert events["Killing"] == "Container main failed liveness probe, will be restarted"
    assert events["Unhealthy"].startswith("Liveness probe failed: cat: can't open '/tmp/alive'")


def test_a_container_that_is_not_ready_gets_no_traffic(space: Space) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "readied"},
        "spec": {"selector": {"app": "readied"}, "ports": [{"port": 80}]},
    }
    space.apply(service)
    space.start(
        pod("readied", {**shell(f"touch /tmp/ready; {IDLE}"), "readinessProbe": exec_probe("/tmp/ready", failureThreshold=1)})
    )
    ip = space.get("pod", "readied")["status"]["podIP"]
    eventually(lambda: endpoints_of(space, "readied") == [ip], "it gets traffic")
    space.exec("readied", "rm", "/tmp/ready")
    eventually(lambda: endpoints_of(space, "readied") == [], "it gets none")
    assert not space.is_ready("readied")
    assert space.get("ep", "readied")["subsets"][0]["notReadyAddresses"][0]["ip"] == ip
    space.exec("readied", "touch", "/tmp/ready")
    eventually(lambda: endpoints_of(space, "readied") == [ip], "it gets traffic again")
    assert space.state("readied")["restartCount"] == 0


def endpoints_of(space: Space, name: str) -> list[str]:
    subsets = space.get("ep", name).get("subsets") or [{}]
    return [address["ip"] for address in subsets[0].get("addresses") or ()]


def test_other_probes_wait_for_the_startup_probe(space: Space) -> None:
    script = f"httpd -p 8080 -h /www; nc -lk -p 9000 -e true & sleep 2; touch /tmp/started; {IDLE}"
    probes = {
        "startupProbe": exec_probe("/tmp/started", failureThreshold=20),
        "livenessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
        "readinessProbe": {"httpGet": {"path": "/none", "port": 8080}, "periodSeconds": 1},
    }
    space.apply(pod("slow", {**shell(script), **probes}))
    eventually(lambda: space.state("slow").get("started"), "it has started")
    message = space.wait_event("slow", "Unhealthy")
    eventually(
        lambda: "Readiness probe failed: HTTP probe failed with statuscode: 404" in space.events("slow").values(), message
    )
    assert space.state("slow")["restartCount"] == 0
