"""The key commands with every kubectl there is, on real containers: old ones speak SPDY, new ones WebSocket."""

from __future__ import annotations

import copy
import json
import re
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.local import eventually, kubectls
from tests.e2e.space import Space, in_terminal, pod, shell

MINORS = [f"1.{minor}" for minor in range(27, 34)]
WEB = "echo up; echo served > /www/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"


@pytest.fixture(params=MINORS)
def old(request: pytest.FixtureRequest, space: Space) -> Space:
    """The namespace as a kubectl of that version sees it."""
    minor: str = request.param
    path = kubectls().get(minor)
    if path is None:
        pytest.skip(f"no kubectl.{minor} beside the kubectl of the PATH, nor in SAMPAN_KUBECTLS")
    cluster = copy.copy(space.cluster)
    cluster.kubectl_path = path
    return Space(cluster, space.name)


@pytest.fixture(scope="module")
def web(space: Space) -> str:
    reader = shell("while read line; do echo got $line; done; exec sleep 3600", name="reader", stdin=True)
    space.start(pod("web", shell(WEB), reader))
    return "web"


def test_a_command_gets_its_input_output_and_exit_code(old: Space, web: str) -> None:
    assert old.exec(web, "sh", "-c", "echo out") == "out\n"
    assert old.kubectl("exec", "-i", web, "--", "cat", input_text="piped\n").stdout == "piped\n"
    failed = old.kubectl("exec", web, "--", "sh", "-c", "echo err >&2; exit 7", check=False)
    assert failed.returncode == 7 and "err\n" in failed.stderr
    assert len(old.exec(web, "head", "-c", "2000000", "/dev/zero")) == 2_000_000


def test_a_terminal_is_a_terminal(old: Space, web: str) -> None:
    shown, code = in_terminal(old.argv("exec", "-it", web, "--", "sh"), old.cluster.environment, b"stty size; exit 3\n")
    assert ("31 97" in shown, code) == (True, 3)


def test_logs_are_shown_and_followed(old: Space, web: str) -> None:
    assert old.out("logs", web, "-c", "main") == "up\n"
    with old.background("logs", "-f", web, "-c", "main") as following:
        following.wait_for("up\n")
        assert following.process.poll() is None


def test_input_reaches_the_attached_process(old: Space, web: str) -> None:
    with old.background("attach", "-i", web, "-c", "reader") as attached:
        assert attached.process.stdin is not None
        attached.process.stdin.write("hello\n")
        attached.process.stdin.flush()
        attached.wait_for("got hello\n")


def test_a_port_is_forwarded(old: Space, web: str) -> None:
    with old.background("port-forward", web, ":8080") as forward:
        port = re.search(r"127\.0\.0\.1:(\d+) -> 8080", forward.wait_for("Forwarding from 127.0.0.1:"))
        assert port is not None
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/", timeout=5) as answer:
                assert answer.read() == b"served\n"


def test_files_are_copied(old: Space, web: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(bytes(range(256)) * 1000)
    old.kubectl("cp", str(tmp_path / "there"), f"{web}:/tmp/copied", "-c", "main")
    old.kubectl("cp", f"{web}:/tmp/copied", str(tmp_path / "back"), "-c", "main")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_a_deployment_lives_through_its_life(old: Space) -> None:
    template = {"metadata": {"labels": {"app": "lived"}}, "spec": pod("lived")["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "lived"}}, "template": template}
    manifest = json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lived"}, "spec": spec})
    assert old.kubectl("apply", "-f", "-", input_text=manifest).stdout == "deployment.apps/lived created\n"
    assert old.kubectl("apply", "-f", "-", input_text=manifest).stdout == "deployment.apps/lived unchanged\n"
    settle(old)
    old.kubectl("scale", "deploy/lived", "--replicas=2")
    old.kubectl("set", "image", "deploy/lived", "main=localhost/busybox:2")
    settle(old)
    assert "localhost/busybox:2" in old.out("describe", "deploy", "lived")
    assert old.out("rollout", "undo", "deploy/lived") == "deployment.apps/lived rolled back\n"
    settle(old)
    assert "localhost/busybox:1" in old.out("get", "deploy", "lived", "-o", "wide")
    assert old.out("delete", "deploy", "lived").startswith('deployment.apps "lived" deleted')
    eventually(lambda: old.out("get", "pods", "-l", "app=lived", "-o", "name") == "", "its pods are gone")


def settle(space: Space) -> None:
    said = space.out("rollout", "status", "deploy/lived", "--timeout=30s")
    assert said.endswith('deployment "lived" successfully rolled out\n')


def test_a_pod_runs_and_is_removed(old: Space) -> None:
    run = ("run", "visitor", "--image=localhost/busybox:1", "--restart=Never", "--rm", "-i", "--quiet", "--", "cat")
    assert old.kubectl(*run, input_text="piped\n").stdout.startswith("piped\n")
    assert old.out("get", "pods", "visitor", "--ignore-not-found") == ""


def test_an_ephemeral_container_looks_into_a_running_one(old: Space, web: str) -> None:
    name = f"looker-{old.cluster.kubectl_path.rpartition('.')[2]}"
    debug = old.argv("debug", "-it", web, f"--container={name}", "--image=localhost/busybox:2", "--target=main", "--", "sh")
    shown, code = in_terminal(debug, old.cluster.environment, b"cat /proc/1/root/www/index.html /etc/image-version; exit 3\n")
    assert ("served\r\n2\r\n" in shown, code) == (True, 0), shown
    ended = f"{{.status.ephemeralContainerStatuses[?(@.name=='{name}')].state.terminated.exitCode}}"
    eventually(lambda: old.out("get", "pod", web, "-o", f"jsonpath={ended}") == "3", "the container's end is told")
    assert old.is_ready(web) and old.state(web)["restartCount"] == 0
