"""The controller as a process of its own, against a real cluster that lives in this one: `pytest examples/controller`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sampan.testing import Cluster

CONTROLLER = Path(__file__).with_name("share_controller.py")


@pytest.fixture(autouse=True)
def controller(cluster: Cluster):
    process = subprocess.Popen([sys.executable, CONTROLLER, cluster.kubeconfig])
    yield
    process.terminate()
    process.wait(10)


def shared(**data: str) -> dict[str, object]:
    labels = {"example.com/shared": ""}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "motd", "labels": labels}, "data": data}


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "harbour"}}


def test_what_is_shared_is_everywhere(cluster: Cluster):
    cluster.apply([shared(text="ahoy"), NAMESPACE])
    cluster.wait_for("configmap/motd", lambda found: found["data"] == {"text": "ahoy"}, namespace="harbour")

    cluster.apply(shared(greeting="hello"))
    cluster.wait_for("configmap/motd", lambda found: found["data"] == {"greeting": "hello"}, namespace="harbour")


def test_a_copy_that_is_deleted_comes_back(cluster: Cluster):
    cluster.apply([shared(text="ahoy"), NAMESPACE])
    first = cluster.wait_for("configmap/motd", lambda found: True, namespace="harbour")

    cluster.delete("configmap/motd", namespace="harbour")

    cluster.wait_for("configmap/motd", lambda found: found["metadata"]["uid"] != first["metadata"]["uid"], namespace="harbour")


def test_what_is_shared_no_more_goes(cluster: Cluster):
    cluster.apply([shared(text="ahoy"), NAMESPACE])
    cluster.wait_for("configmap/motd", lambda found: True, namespace="harbour")

    cluster.delete("configmap/motd")

    cluster.wait_for("configmap/motd", "delete", namespace="harbour")
