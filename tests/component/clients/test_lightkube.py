"""lightkube: typed models, server-side apply, generic resources, watches and waiting."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import PatchType

from sampan.testing import Cluster
from tests.component.clients.conftest import GROUP


@pytest.fixture
def client(shared: Cluster, space: str) -> Any:
    return Client(config=KubeConfig.from_file(shared.kubeconfig), namespace=space, field_manager="lightkube-test")


def _web(replicas: int = 1) -> Deployment:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web"}), spec=PodSpec(containers=[Container(name="app", image="app:1")])
    )
    spec = DeploymentSpec(replicas=replicas, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    return Deployment(metadata=ObjectMeta(name="web"), spec=spec)


def test_objects_are_made_patched_in_every_way_and_listed(client: Any) -> None:
    client.create(ConfigMap(metadata=ObjectMeta(name="a", labels={"x": "1"}), data={"k": "1"}))
    client.patch(ConfigMap, "a", {"data": {"k": "2"}}, patch_type=PatchType.MERGE)
    client.patch(ConfigMap, "a", {"data": {"l": "3"}}, patch_type=PatchType.STRATEGIC)
    client.patch(ConfigMap, "a", [{"op": "remove", "path": "/data/k"}], patch_type=PatchType.JSON)
    assert client.get(ConfigMap, "a").data == {"l": "3"}
    assert [each.metadata.name for each in client.list(ConfigMap, labels={"x": "1"})] == ["a"]
    assert [each.metadata.name for each in client.list(ConfigMap, fields={"metadata.name": "a"})] == ["a"]
    client.delete(ConfigMap, "a")
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "a")
    assert missing.value.status.code == 404 and missing.value.status.reason == "NotFound"


def test_a_deployment_is_applied_scaled_and_waited_for(client: Any) -> None:
    applied = client.apply(_web())
    assert applied.metadata.managedFields[0].manager == "lightkube-test"
    client.wait(Deployment, "web", for_conditions=["Available"])
    scale = client.get(Deployment.Scale, "web")
    assert scale.spec.replicas == 1
    client.replace(Deployment.Scale(metadata=scale.metadata, spec=ScaleSpec(replicas=2)), "web")
    assert client.get(Deployment, "web").spec.replicas == 2
    with pytest.raises(ApiError) as conflict:
        client.apply(_web(3), field_manager="another")
    assert conflict.value.status.code == 409
    assert client.apply(_web(3), field_manager="another", force=True).spec.replicas == 3


def test_a_watch_sees_an_object_from_its_first_to_its_last(client: Any, space: str) -> None:
    labels = {"watched": "yes"}

    def change() -> None:
        client.create(ConfigMap(metadata=ObjectMeta(name="w", labels=labels), data={"k": "1"}))
        client.patch(ConfigMap, "w", {"data": {"k": "2"}}, patch_type=PatchType.MERGE)
        client.delete(ConfigMap, "w")

    client.create(ConfigMap(metadata=ObjectMeta(name="standing", labels=labels)))
    changer = threading.Thread(target=change)
    seen = []
    for kind, each in client.watch(ConfigMap, labels=labels, server_timeout=20):
        if each.metadata.name == "standing":  # the watch is open
            changer.start()
            continue
        seen.append((kind, each.data["k"]))
        if kind == "DELETED":
            break
    changer.join()
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_generic_resources_have_status_and_scale(client: Any) -> None:
    kind = create_namespaced_resource(GROUP, "v1", "Ship", "ships")
    made = client.create(kind(metadata=ObjectMeta(name="argo"), spec={"crew": ["jason"]}))
    assert made.spec == {"crew": ["jason"], "masts": 1, "replicas": 1}
    patched = client.patch(kind.Status, "argo", {"status": {"afloat": True}}, patch_type=PatchType.MERGE)
    assert patched.status == {"afloat": True}
    assert client.get(kind.Scale, "argo").spec.replicas == 1
    assert [each.metadata.name for each in client.list(kind)] == ["argo"]


def test_long_lists_come_in_pages(client: Any, space: str) -> None:
    for index in range(7):
        client.create(ConfigMap(metadata=ObjectMeta(name=f"page-{index}", labels={"page": "yes"})))
    assert len(list(client.list(ConfigMap, labels={"page": "yes"}, chunk_size=3))) == 7
    assert space in [each.metadata.name for each in client.list(Namespace)]
    assert list(client.list(Pod)) == []
