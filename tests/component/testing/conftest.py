"""One cluster for the tests of a module that only look at objects of their own namespace."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.testing import Cluster

Tree = dict[str, Any]


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture
def space(shared: Cluster) -> str:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    shared.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    shared.wait_for("serviceaccounts/default", lambda account: True, namespace=name)
    return name


def config_map(name: str, **data: str) -> Tree:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str, *, annotations: dict[str, str] | None = None, **container: Any) -> Tree:
    spec = {"containers": [{"name": "app", "image": "app:1", **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}


def deployment(name: str, replicas: int = 2, image: str = "app:1", **spec: Any) -> Tree:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}


def phase(wanted: str) -> Callable[[Tree], bool]:
    return lambda tree: bool(tree["status"]["phase"] == wanted)
