"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run_pytest(directory: Path, source: str, *options: str, ini: str = "") -> subprocess.CompletedProcess[str]:
    (directory / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n{ini}")
    (directory / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=100)


def test_a_test_gets_a_cluster_of_its_own(tmp_path: Path):
    outcome = run_pytest(
        tmp_path,
        """
import pytest

@pytest.mark.parametrize("turn", [1, 2])
def test_it(cluster, turn):
    assert [node["metadata"]["name"] for node in cluster.list("nodes")] == ["node-1"]
    assert cluster.list("configmaps", fields="metadata.name=a") == []
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})

@pytest.mark.cluster(nodes=3)
def test_more_nodes(cluster):
    assert len(cluster.list("nodes")) == 3
""",
    )
    assert outcome.returncode == 0, outcome.stdout
    assert outcome.stderr == ""


@pytest.mark.parametrize("scope", ["module", "session"])
def test_tests_can_share_a_cluster(tmp_path: Path, scope: str):
    outcome = run_pytest(
        tmp_path,
        """
seen = []

def test_one(cluster, cluster_namespace):
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, namespace=cluster_namespace)
    seen.append((cluster, cluster_namespace))

def test_two(cluster, cluster_namespace):
    ((before, namespace),) = seen
    assert cluster is before and cluster_namespace != namespace
    assert cluster.list("configmaps", namespace=cluster_namespace, fields="metadata.name=a") == []
    cluster.wait_for(f"namespace/{namespace}", "delete")
""",
        ini=f"sampan_cluster_scope = {scope}\n",
    )
    assert outcome.returncode == 0, outcome.stdout


def test_a_scope_that_there_is_not_is_named(tmp_path: Path):
    outcome = run_pytest(tmp_path, "def test_it(cluster): pass", ini="sampan_cluster_scope = forever\n")

    assert outcome.returncode != 0
    assert "sampan_cluster_scope is 'forever', not one of function, class, module, package, session" in (
        outcome.stdout + outcome.stderr
    )


def test_a_failing_test_shows_what_it_waited_for(tmp_path: Path):
    outcome = run_pytest(
        tmp_path,
        """
def test_it(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}})
    cluster.wait_for("configmap/a", lambda tree: tree["data"]["x"] == "2", timeout=0.1)
""",
        "--tb=short",
    )
    assert outcome.returncode == 1
    assert "configmap/a was not as in `cluster.wait_for(" in outcome.stdout
    assert "x: '1'" in outcome.stdout


def test_a_run_without_clusters_loads_nothing_of_them(tmp_path: Path):
    outcome = run_pytest(
        tmp_path,
        """
import sys

def test_it():
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("sampan", "uvloop", "msgspec", "cryptography")}
    assert loaded == {"sampan", "sampan.testing", "sampan.testing.plugin"}
""",
    )
    assert outcome.returncode == 0, outcome.stdout
