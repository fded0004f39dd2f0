"""The Node object, admission, image references, simulated scripts, termination messages."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sampan.api.types.core_v1 import NodeStatus, ResourceRequirements, Secret
from sampan.kubelet import labels
from sampan.kubelet.admission import admit
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.images import credentials_in, normalize
from sampan.kubelet.machine import Machine, Pressure
from sampan.kubelet.messages import termination_message
from sampan.kubelet.nodestatus import allocatable, capacity, new_node, node_status, same_but_heartbeats
from sampan.kubelet.runtime.base import ContainerStatus, RuntimeCondition, RuntimeVersion, State
from sampan.kubelet.runtime.simulatedscript import Script, script_of

from .making import NOW, container, pod

MACHINE = Machine(4, 8 << 30, 100 << 30, "amd64", "6.1", "Debian", "m", "s", "b")
CALM = Pressure(4 << 30, 0.5, 0.5, 100_000)
HEALTHY = [RuntimeCondition("RuntimeReady", True), RuntimeCondition("NetworkReady", True)]
CONFIG = AgentConfig(node_name="n1", node_ip="10.0.0.1", labels={"zone": "a"}, max_pods=50)


def status(
    old: NodeStatus, *, runtime: list[RuntimeCondition] | str = HEALTHY, pressure: Pressure = CALM, now: float = NOW
) -> NodeStatus:
    version = RuntimeVersion("containerd", "1.6.20")
    return node_status(CONFIG, MACHINE, old, version=version, runtime=runtime, pressure=pressure, images=[], now=now)


def test_a_node_says_what_it_is_and_has() -> None:
    node = new_node(CONFIG, MACHINE)
    assert node.metadata.labels["kubernetes.io/arch"] == "amd64"
    assert node.metadata.labels["zone"] == "a"
    made = status(NodeStatus())
    assert made.capacity["cpu"] == "4"
    assert made.capacity["memory"] == "8388608Ki"
    assert made.capacity["pods"] == "50"
    assert made.allocatable["memory"] == "8092Mi"
    assert made.nodeInfo is not None
    assert made.nodeInfo.containerRuntimeVersion == "containerd://1.6.20"
    assert [(a.type, a.address) for a in made.addresses] == [("InternalIP", "10.0.0.1"), ("Hostname", "n1")]
    assert [(c.type, c.status, c.reason) for c in made.conditions] == [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ]


def test_what_is_reserved_is_not_for_pods() -> None:
    config = AgentConfig(node_name="n", node_ip="", reserved={"cpu": "500m"}, capacity={"memory": "1Gi"})
    assert allocatable(config, MACHINE)["cpu"] == "3500m"
    assert allocatable(config, MACHINE)["memory"] == "1Gi"
    assert capacity(config, MACHINE)["memory"] == "1Gi"


def test_a_node_without_network_is_not_ready_and_says_why() -> None:
    text = "Network plugin returns error: cni plugin not initialized"
    runtime = [RuntimeCondition("RuntimeReady", True), RuntimeCondition("NetworkReady", False, "NetworkPluginNotReady", text)]
    ready = status(NodeStatus(), runtime=runtime).conditions[-1]
    assert (ready.status, ready.reason) == ("False", "KubeletNotReady")
    prefix = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"
    assert ready.message == prefix + text


def test_only_a_change_counts_not_a_heartbeat() -> None:
    first = status(NodeStatus())
    later = status(first, now=NOW + 30)
    assert same_but_heartbeats(first, later)
    assert later.conditions[0].lastTransitionTime == first.conditions[0].lastTransitionTime
    assert later.conditions[0].lastHeartbeatTime != first.conditions[0].lastHeartbeatTime
    pressed = status(first, pressure=Pressure(1, 0.01, 0.5, 10), now=NOW + 30)
    assert [c.status for c in pressed.conditions] == ["True", "True", "True", "True"]
    assert not same_but_heartbeats(first, pressed)


def test_a_node_takes_what_fits_and_says_what_does_not() -> None:
    one = pod(containers=[container(resources=ResourceRequirements(requests={"cpu": "3", "memory": "1Gi"}))])
    node = {"cpu": "4", "memory": "1536Mi", "pods": "2"}
    assert admit(one, [], node) is None
    refused = admit(one, [one], node)
    assert refused is not None
    assert refused.reason == "OutOfcpu"
    assert refused.message == "Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000"
    full = admit(pod(), [pod(), pod()], node)
    assert full is not None
    assert full.message == "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"
    heavy = pod(init=[container("i", resources=ResourceRequirements(requests={"cpu": "5"}))])
    assert admit(heavy, [], node) is not None


REFERENCES = [
    ("busybox", "busybox:latest"),
    ("busybox:1.36", "busybox:1.36"),
    ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
    ("example.com/a@sha256:" + "a" * 64, "example.com/a@sha256:" + "a" * 64),
]


@pytest.mark.parametrize(("given", "expected"), REFERENCES)
def test_an_image_without_a_tag_is_the_latest(given: str, expected: str) -> None:
    assert normalize(given) == expected


BAD_REFERENCES = [
    ("bad image", "invalid reference format"),
    ("Upper", "invalid reference format: repository name (library/Upper) must be lowercase"),
    ("example.com/Team/app:1", "invalid reference format: repository name (Team/app) must be lowercase"),
    ("", "invalid reference format"),
    ("a:b:c", "invalid reference format"),
]


@pytest.mark.parametrize(("given", "message"), BAD_REFERENCES)
def test_a_bad_image_name_is_refused_in_the_librarys_words(given: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        normalize(given)
    assert str(caught.value) == f"couldn't parse image name {json.dumps(given)}: {message}"


def test_pull_secrets_are_matched_by_registry_the_nearest_first() -> None:
    auth = base64.b64encode(b"user:pass").decode()
    auths = {
        "https://example.com": {"auth": auth},
        "example.com/team": {"username": "u2", "password": "p2"},
        "other.example": {"auth": auth},
    }
    data = {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}
    found = credentials_in(Secret(data=data), "example.com/team/app:1")
    assert [(c.username, c.password) for c in found] == [("u2", "p2"), ("user", "pass")]
    assert not credentials_in(Secret(data=data), "busybox:1")
    assert credentials_in(Secret(data=data), "busybox:1", ["example.com"]) == found


SCRIPTS = [
    ({}, "c", [], Script()),
    ({"sampan.dev/simulate": "exit=1,after=2"}, "c", [], Script(1, 2.0)),
    ({"sampan.dev/simulate": "exit=1", "sampan.dev/simulate.c": "after=3"}, "c", [], Script(0, 3.0)),
    ({"sampan.dev/simulate": "probes=fail"}, "c", [], Script(None, 0.0, True)),
    ({}, "c", ["true"], Script(0)),
    ({}, "c", ["/bin/false"], Script(1)),
    ({}, "c", ["sh", "-c", "exit 3"], Script(3)),
    ({}, "c", ["sleep", "5"], Script(0, 5.0)),
    ({}, "c", ["sh", "-c", "sleep 2; exit 1"], Script(1, 2.0)),
    ({}, "c", ["nginx", "-g", "daemon off;"], Script()),
]


@pytest.mark.parametrize(("annotations", "name", "command", "expected"), SCRIPTS)
def test_a_simulated_container_does_what_the_pod_says(
    annotations: dict[str, str], name: str, command: list[str], expected: Script
) -> None:
    assert script_of(annotations, name, command) == expected


def exited(tmp_path: Path, code: int, policy: str) -> ContainerStatus:
    annotations = {labels.MESSAGE_FILE: str(tmp_path / "message"), labels.MESSAGE_POLICY: policy}
    log = str(tmp_path / "0.log")
    return ContainerStatus("i", "c", 0, State.EXITED, NOW, exit_code=code, annotations=annotations, log_path=log)


def test_a_termination_message_is_the_files_or_on_error_the_logs_end(tmp_path: Path) -> None:
    log = "".join(f"2026-01-01T00:00:00.000000000Z stdout F line {n}\n" for n in range(100))
    (tmp_path / "0.log").write_text(log)
    assert termination_message(exited(tmp_path, 1, "File")) == ""
    assert termination_message(exited(tmp_path, 0, "FallbackToLogsOnError")) == ""
    lines = termination_message(exited(tmp_path, 1, "FallbackToLogsOnError")).splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("line 20", "line 99", 80)
    (tmp_path / "message").write_text("x" * 5000)
    assert termination_message(exited(tmp_path, 1, "File")) == "x" * 4096
