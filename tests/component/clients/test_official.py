"""The official Python client where it lives on discovery: custom resources, server-side apply, every kind there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, UnprocessibleEntityError

from sampan.testing import Cluster
from tests.component.clients.conftest import GROUP, deployment, ship


@pytest.fixture
def connection(shared: Cluster) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(shared.kubeconfig)) as connection:
        yield connection


@pytest.fixture
def found(connection: Any, tmp_path: Path) -> dynamic.DynamicClient:
    # Its own cache file is named after the address, which another test's server may have had.
    return dynamic.DynamicClient(connection, cache_file=str(tmp_path / "discovery.json"))


def test_every_kind_that_discovery_names_can_be_listed(found: Any) -> None:
    listed = 0
    for resource in found.resources.search():
        if resource.kind.endswith("List") or "list" not in (resource.verbs or ()):
            continue
        answer = found.get(resource)
        assert answer.kind == f"{resource.kind}List", resource
        assert answer.metadata.resourceVersion or resource.name == "componentstatuses", "which are made when asked for"
        listed += 1
    assert listed > 50


def test_a_custom_resource_is_written_defaulted_refused_and_scaled(found: Any, space: str) -> None:
    ships = found.resources.get(api_version=f"{GROUP}/v1", kind="Ship")
    made = ships.create(body=ship("argo", crew=["jason", "orpheus"]), namespace=space)
    assert made.spec.masts == 1 and made.metadata.generation == 1
    with pytest.raises(UnprocessibleEntityError) as refused:
        ships.create(body=ship("raft", masts=0), namespace=space)
    assert "a ship needs a mast" in refused.value.body
    with pytest.raises(UnprocessibleEntityError) as refused:
        ships.patch(body={"spec": {"masts": 8}}, name="argo", namespace=space, content_type="application/merge-patch+json")
    assert "spec.masts in body should be less than or equal to 7" in refused.value.body
    patched = ships.status.patch(
        body={"status": {"afloat": True}}, name="argo", namespace=space, content_type="application/merge-patch+json"
    )
    assert patched.status.afloat is True and patched.metadata.generation == 1
    scaled = ships.scale.patch(
        body={"spec": {"replicas": 3}}, name="argo", namespace=space, content_type="application/merge-patch+json"
    )
    assert scaled.kind == "Scale" and ships.get(name="argo", namespace=space).spec.replicas == 3


def test_two_appliers_own_what_they_said(found: Any, space: str) -> None:
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    tree = deployment("web")
    deployments.server_side_apply(body=tree, namespace=space, field_manager="ci")
    scaler = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    with pytest.raises(ConflictError) as conflict:
        deployments.server_side_apply(body=scaler, name="web", namespace=space, field_manager="scaler")
    assert 'conflict with \\"ci\\": .spec.replicas' in conflict.value.body
    deployments.server_side_apply(body=scaler, name="web", namespace=space, field_manager="scaler", force_conflicts=True)
    del tree["spec"]["replicas"]
    kept = deployments.server_side_apply(body=tree, namespace=space, field_manager="ci")
    assert kept.spec.replicas == 5
    managers = {(each.manager, each.operation) for each in kept.metadata.managedFields}
    assert {("ci", "Apply"), ("scaler", "Apply")} <= managers


def test_a_watch_of_custom_resources_tells_what_happens(found: Any, space: str) -> None:
    ships = found.resources.get(api_version=f"{GROUP}/v1", kind="Ship")
    since = ships.get(namespace=space).metadata.resourceVersion
    ships.create(body=ship("argo"), namespace=space)
    ships.patch(body={"spec": {"masts": 3}}, name="argo", namespace=space, content_type="application/merge-patch+json")
    ships.delete(name="argo", namespace=space)
    events = []
    for event in ships.watch(namespace=space, resource_version=since, timeout=20):
        events.append((event["type"], event["object"].spec.masts))
        if event["type"] == "DELETED":
            break
    assert events == [("ADDED", 1), ("MODIFIED", 3), ("DELETED", 3)]


def test_typed_apis_of_the_other_groups_read_what_they_write(connection: Any, space: str) -> None:
    batch, policy, networking = (
        client.BatchV1Api(connection),
        client.PolicyV1Api(connection),
        client.NetworkingV1Api(connection),
    )
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}
    job = batch.create_namespaced_job(space, {"metadata": {"name": "once"}, "spec": {"template": template}})
    assert job.spec.completions == 1 and job.spec.template.metadata.labels["batch.kubernetes.io/job-name"] == "once"
    budget = policy.create_namespaced_pod_disruption_budget(
        space, {"metadata": {"name": "b"}, "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}}
    )
    assert budget.spec.min_available == "50%"
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = networking.create_namespaced_ingress(space, {"metadata": {"name": "i"}, "spec": {"defaultBackend": backend}})
    assert ingress.spec.default_backend.service.port.number == 80
    with pytest.raises(ApiException) as refused:
        networking.create_namespaced_ingress(space, {"metadata": {"name": "j"}, "spec": {}})
    assert refused.value.status == 422
