"""One cluster for all client libraries, a namespace for each test, and a custom resource that all of them use."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.testing import Cluster
from tests.component.definitions import crd, version

Tree = dict[str, Any]

GROUP = "clients.example.com"
SHIP: Tree = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "masts": {"type": "integer", "default": 1, "maximum": 7},
                "replicas": {"type": "integer", "default": 1},
                "crew": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            },
            "x-kubernetes-validations": [{"rule": "self.masts >= 1", "message": "a ship needs a mast"}],
        },
        "status": {"type": "object", "properties": {"afloat": {"type": "boolean"}, "replicas": {"type": "integer"}}},
    },
}


@pytest.fixture(scope="package")
def shared() -> Iterator[Cluster]:
    with Cluster() as running:
        subresources = {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}}
        definition = crd("Ship", version(schema=SHIP, subresources=subresources), group=GROUP)
        running.apply(definition)
        running.wait_for("customresourcedefinition/ships.clients.example.com", "Established")
        yield running


@pytest.fixture
def space(shared: Cluster) -> str:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    shared.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    shared.wait_for("serviceaccounts/default", lambda account: True, namespace=name)
    return name


def ship(name: str, **spec: Any) -> Tree:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Ship", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, replicas: int = 2) -> Tree:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}
