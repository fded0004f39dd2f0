"""The operator against a real cluster, which starts for this test and is gone after it: `pytest examples/operator`."""

from __future__ import annotations

from pathlib import Path

import pytest
from kopf.testing import KopfRunner

from sampan.testing import Cluster

OPERATOR = str(Path(__file__).with_name("team_operator.py"))


@pytest.fixture
def operator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    with KopfRunner(["run", OPERATOR, "--all-namespaces", "--standalone"], timeout=30) as runner:
        yield runner
    assert runner.exit_code == 0, runner.output


def namespace(team: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "harbour", "labels": {"example.com/team": team}}}


@pytest.mark.usefixtures("operator")
def test_a_namespace_with_a_team_gets_its_config_map(cluster: Cluster):
    cluster.apply(namespace("boats"))
    cluster.wait_for("configmap/team", lambda found: found["data"] == {"name": "boats"}, namespace="harbour")

    cluster.apply(namespace("ferries"))
    cluster.wait_for("configmap/team", lambda found: found["data"] == {"name": "ferries"}, namespace="harbour")
