"""The example's operator as a process of its own beside a real cluster, through kills of it and of the API server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.local import eventually
from tests.e2e.space import Manifest, Space

EXAMPLE = Path(__file__).parents[2] / "examples" / "operator"


@pytest.fixture(scope="module")
def teams(space: Space) -> Iterator[Space]:
    space.kubectl("apply", "-f", str(EXAMPLE / "team.yaml"))
    space.kubectl("wait", "--for=condition=Established", "crd/teams.example.com", "--timeout=20s")
    yield space
    space.kubectl("delete", "-f", str(EXAMPLE / "team.yaml"), "--wait=false")


@contextmanager
def operator(space: Space, log: Path) -> Iterator[None]:
    argv = [sys.executable, "-m", "kopf", "run", str(EXAMPLE / "team_operator.py"), "--standalone", f"--namespace={space.name}"]
    with log.open("ab") as file:
        process = subprocess.Popen(argv, stdout=file, stderr=file, env=space.cluster.environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def team(space: Space, name: str, *members: str) -> None:
    manifest: Manifest = {
        "apiVersion": "example.com/v1",
        "kind": "Team",
        "metadata": {"name": name},
        "spec": {"members": members},
    }
    space.kubectl("apply", "-f", "-", input_text=json.dumps(manifest))


def listed(space: Space, name: str) -> str:
    return space.out("get", "configmap", name, "--ignore-not-found", "-o", "jsonpath={.data.members}")


def test_an_operator_follows_its_objects_through_kills_and_restarts(teams: Space, tmp_path: Path) -> None:
    log = tmp_path / "operator.log"
    with operator(teams, log):
        team(teams, "boats", "ada")
        eventually(lambda: listed(teams, "boats") == "ada", "the team is listed")
        os.kill(teams.cluster.pid("apiserver"), signal.SIGKILL)
        eventually(lambda: teams.kubectl("get", "teams", check=False).returncode == 0, "the API server answers")
        team(teams, "boats", "ada", "grace")
        eventually(lambda: listed(teams, "boats") == "ada, grace", "the change is seen after the restart")
    team(teams, "late", "alan")
    teams.kubectl("delete", "team", "boats", "--wait=false")
    with operator(teams, log):
        eventually(lambda: listed(teams, "late") == "alan", "what was made meanwhile is caught up with")
        eventually(lambda: listed(teams, "boats") == "", "what belonged to the deleted team is collected")
    assert "Traceback" not in log.read_text()
