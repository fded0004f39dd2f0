"""Pods that cannot work say so in upstream's words, in status and events, and disturb nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.local import eventually
from tests.e2e.space import Manifest, Space, container, pod

NOWHERE = "127.0.0.1:1/none:1"
"""An image at an address where nobody listens: pulling it asks no name of any resolver."""


def mounted(**source: Any) -> Manifest:
    return pod("", container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", **source}])


def waits_for(space: Space, name: str, reason: str) -> str:
    """The message beside the reason that the first container waits for."""

    def waiting() -> Manifest | None:
        found: Manifest = space.state(name).get("state", {}).get("waiting") or {}
        return found if found.get("reason") == reason else None

    return str(eventually(waiting, f"{name} waits for {reason}").get("message", ""))


@pytest.mark.parametrize(
    ("name", "bad", "reason", "message"),
    [
        ("no-image", {**container(), "image": NOWHERE}, "ImagePullBackOff", f'Back-off pulling image "{NOWHERE}"'),
        ("bad-image", {**container(), "image": "localhost/UPPER:1"}, "InvalidImageName", "must be lowercase"),
        (
            "never",
            {**container(), "image": NOWHERE, "imagePullPolicy": "Never"},
            "ErrImageNeverPull",
            "is not present with pull policy of Never",
        ),
        (
            "no-secret",
            container(envFrom=[{"secretRef": {"name": "none"}}]),
            "CreateContainerConfigError",
            'secret "none" not found',
        ),
        (
            "no-key",
            container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "none"}}}]),
            "CreateContainerConfigError",
            "couldn't find key none in ConfigMap bad-pods/kube-root-ca.crt",
        ),
    ],
)
def test_a_container_that_cannot_be_made_waits_and_says_for_what(space, name, bad, reason, message) -> None:
    space.apply(pod(name, bad))
    assert message in waits_for(space, name, reason)
    assert space.phase(name) == "Pending"


def test_a_command_that_does_not_exist_is_a_start_error(space: Space) -> None:
    space.apply(pod("no-command", container("/no/such/program"), restartPolicy="Never"))
    space.wait_phase("no-command", "Failed")
    ended = space.state("no-command")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert "no such file or directory" in ended["message"]
    assert "no such file or directory" in space.wait_event("no-command", "Failed")


@pytest.mark.parametrize(
    ("name", "manifest", "message"),
    [
        ("no-map", mounted(configMap={"name": "none"}), 'configmap "none" not found'),
        ("no-secret-v", mounted(secret={"secretName": "none"}), 'secret "none" not found'),
        (
            "no-path",
            mounted(hostPath={"path": "/no/such/path", "type": "Directory"}),
            "hostPath type check failed: /no/such/path is not a directory",
        ),
    ],
)
def test_a_volume_that_is_not_there_keeps_the_pod_waiting(space, name, manifest, message) -> None:
    manifest["metadata"]["name"] = name
    space.apply(manifest)
    assert space.wait_event(name, "FailedMount") == f'MountVolume.SetUp failed for volume "v" : {message}'
    assert space.phase(name) == "Pending"


def test_a_pod_that_waits_for_its_config_starts_when_it_comes(space: Space) -> None:
    late = mounted(configMap={"name": "late"})
    late["metadata"]["name"] = "late"
    space.apply(late)
    space.wait_event("late", "FailedMount")
    space.kubectl("create", "configmap", "late", "--from-literal=a=b")
    eventually(lambda: space.is_ready("late"), "the pod starts after all")


def test_a_pod_that_fits_nowhere_stays_pending_with_the_reason(space: Space) -> None:
    greedy = container(resources={"requests": {"cpu": "1000"}})
    space.apply(pod("greedy", greedy))
    assert "2 Insufficient cpu" in space.wait_event("greedy", "FailedScheduling")
    assert space.phase("greedy") == "Pending"


def test_commands_to_what_is_not_there_fail_as_upstreams_do(space: Space) -> None:
    space.start(pod("fine"))
    rows = [
        (("logs", "none"), 'pods "none" not found', 1),
        (("logs", "fine", "-c", "none"), "container none is not valid for pod fine", 1),
        (("exec", "fine", "-c", "none", "--", "true"), "container none is not valid for pod fine", 1),
        (("exec", "fine", "--", "no-such-command"), "executable file not found", 1),
        (("exec", "fine", "--", "sh", "-c", "exit 42"), "exit code 42", 42),
        (("logs", "fine", "--previous"), "previous terminated container", 1),
        (("scale", "deployment", "none", "--replicas=1"), 'deployments.apps "none" not found', 1),
        (("get", "nonsense"), 'the server doesn\'t have a resource type "nonsense"', 1),
    ]
    for arguments, words, code in rows:
        done = space.kubectl(*arguments, check=False)
        assert words in done.stderr, (arguments, done.stderr)
        assert done.returncode == code, (arguments, done.stderr)


def test_the_others_were_not_disturbed(space: Space) -> None:
    status = space.state("fine")
    assert status["restartCount"] == 0
    assert status["ready"] is True
