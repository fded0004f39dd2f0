"""Simulated pods: what they log, how they fail, what reaches them."""

from __future__ import annotations

import subprocess
import threading

import pytest

from sampan.testing import Cluster
from tests.component.testing.conftest import phase, pod


def restarts(at_least: int):
    return lambda tree: tree["status"]["containerStatuses"][0]["restartCount"] >= at_least


def waiting(reason: str):
    return lambda tree: tree["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason


@pytest.mark.parametrize(
    ("annotations", "container", "logged"),
    [
        ({}, {}, "container app of app:1 is simulated: annotate its pod with sampan.dev/logs to say what it logs\n"),
        ({"sampan.dev/logs": "one\ntwo"}, {}, "one\ntwo\n"),
        ({"sampan.dev/logs": "any", "sampan.dev/logs.app": "this one"}, {}, "this one\n"),
        ({"sampan.dev/logs": ""}, {}, ""),
        ({}, {"command": ["sh", "-c"], "args": ["echo hello world; sleep 1000"]}, "hello world\n"),
    ],
)
def test_a_container_logs_what_it_is_said_to(
    shared: Cluster, space: str, annotations: dict[str, str], container: dict[str, list[str]], logged: str
):
    shared.apply(pod("a", annotations=annotations, **container), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    assert shared.logs("pod/a", namespace=space) == logged
    assert shared.kubectl("logs", "a", f"--namespace={space}") == logged


def test_kubectl_selects_from_the_log(shared: Cluster, space: str):
    shared.apply(pod("a", annotations={"sampan.dev/logs": "one\ntwo\nthree"}), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    def logs(*options: str) -> str:
        return shared.kubectl("logs", "a", f"--namespace={space}", *options)

    assert logs("--tail=2") == "two\nthree\n"
    assert logs("--limit-bytes=5") == "one\nt"
    assert logs("--since=1h") == "one\ntwo\nthree\n"
    assert [line.split(" ")[1] for line in logs("--timestamps").splitlines()] == ["one", "two", "three"]


def test_a_followed_log_shows_what_comes_and_ends_with_the_container(shared: Cluster, space: str):
    tree = pod("a", annotations={"sampan.dev/logs": "started"})
    tree["spec"]["restartPolicy"] = "Never"
    shared.apply(tree, namespace=space)
    shared.wait_for("pod/a", namespace=space)
    command = ["kubectl", f"--kubeconfig={shared.kubeconfig}", f"--namespace={space}", "logs", "--follow", "a"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        killer = threading.Timer(20, follower.kill)
        killer.start()
        try:
            assert follower.stdout is not None
            assert follower.stdout.readline() == "started\n"
            shared.say("pod/a", "working", namespace=space)
            assert follower.stdout.readline() == "working\n"
            shared.say("pod/a", "boom", namespace=space, stream="stderr")
            shared.crash("pod/a", namespace=space, exit_code=3)
            assert follower.stdout.read() == "boom\n"
            assert follower.wait() == 0
        finally:
            killer.cancel()

    failed = shared.wait_for("pod/a", phase("Failed"), namespace=space)
    assert failed["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_container_that_keeps_failing_backs_off_and_keeps_its_last_log(shared: Cluster, space: str):
    shared.apply(pod("a", command=["sh", "-c", "echo boom; exit 1"]), namespace=space)

    found = shared.wait_for("pod/a", waiting("CrashLoopBackOff"), namespace=space)

    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    assert shared.logs("pod/a", namespace=space) == "boom\n"

    def told_of_backing_off(_: object) -> bool:
        return any(event["reason"] == "BackOff" for event in shared.events("pod/a", namespace=space))

    shared.wait_for("pod/a", told_of_backing_off, namespace=space)


def test_a_crashed_container_starts_again(shared: Cluster, space: str):
    shared.apply(pod("a"), namespace=space)
    shared.wait_for("pod/a", namespace=space)
    shared.say("pod/a", "last words", namespace=space)

    shared.crash("pod/a", namespace=space, exit_code=137)
    found = shared.wait_for("pod/a", restarts(1), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    assert found["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137
    assert shared.logs("pod/a", namespace=space, previous=True).endswith("last words\n")


def test_an_image_that_is_missing_is_not_pulled(shared: Cluster, space: str):
    shared.apply(pod("a", image="app:missing"), namespace=space)

    shared.wait_for("pod/a", waiting("ImagePullBackOff"), namespace=space)


def test_a_pod_waits_for_its_config(shared: Cluster, space: str):
    reference = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "x"}}}
    shared.apply(pod("a", env=[reference]), namespace=space)

    shared.wait_for("pod/a", waiting("CreateContainerConfigError"), namespace=space)


def test_a_probe_can_fail(shared: Cluster, space: str):
    probe = {"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}
    shared.apply(pod("a", annotations={"sampan.dev/simulate": "probes=fail"}, **probe), namespace=space)

    shared.wait_for("pod/a", "ContainersReady=False", namespace=space)
    shared.wait_for("pod/a", phase("Running"), namespace=space)


def test_commands_run_in_a_simulated_container(shared: Cluster, space: str):
    shared.apply(pod("a"), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    assert shared.kubectl("exec", "a", f"--namespace={space}", "--", "echo", "hello") == "hello\n"
    with pytest.raises(subprocess.CalledProcessError, match="exit status 127"):
        shared.kubectl("exec", "a", f"--namespace={space}", "--", "no-such-program")


@pytest.mark.parametrize(("what", "error"), [("pod/none", LookupError), ("deploy/web", ValueError), ("pod", ValueError)])
def test_only_a_pod_that_runs_can_speak_or_crash(shared: Cluster, what: str, error: type[Exception]):
    with pytest.raises(error):
        shared.say(what, "hello")
    with pytest.raises(error):
        shared.crash(what)
