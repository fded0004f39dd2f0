"""The operator against a real cluster, which starts for this test and is gone after it: `pytest examples/operator`."""

from __future__ import annotations

from pathlib import Path

import pytest
from kopf.testing import KopfRunner

from sampan.testing import Cluster, StatusError

HERE = Path(__file__).parent


@pytest.fixture
def operator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    cluster.apply(HERE / "team.yaml")
    cluster.wait_for("crd/teams.example.com", "Established")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    command = ["run", str(HERE / "team_operator.py"), "--all-namespaces", "--standalone"]
    with KopfRunner(command, timeout=30) as runner:
        yield runner
    assert runner.exit_code == 0, runner.output


def team(*members: str) -> dict[str, object]:
    return {"apiVersion": "example.com/v1", "kind": "Team", "metadata": {"name": "boats"}, "spec": {"members": members}}


@pytest.mark.usefixtures("operator")
def test_a_team_gets_a_config_map_of_its_members(cluster: Cluster):
    cluster.apply(team("ada"))
    cluster.wait_for("configmap/boats", lambda found: found["data"] == {"members": "ada"})

    cluster.apply(team("ada", "grace"))
    cluster.wait_for("configmap/boats", lambda found: found["data"] == {"members": "ada, grace"})


def test_a_team_without_members_is_refused(cluster: Cluster):
    cluster.apply(HERE / "team.yaml")
    cluster.wait_for("crd/teams.example.com", "Established")
    with pytest.raises(StatusError, match="should have at least 1 items"):
        cluster.apply(team())
