"""The official Python client, given nothing but a kubeconfig."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from sampan.testing import Cluster
from tests.component.testing.conftest import pod

SECONDS = 20


@pytest.fixture
def core(shared: Cluster) -> Iterator[client.CoreV1Api]:
    with config.new_client_from_config(str(shared.kubeconfig)) as connection:
        yield client.CoreV1Api(connection)


def test_the_official_client_writes_and_reads(core: Any, space: str):
    made = core.create_namespaced_config_map(
        space, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a", labels={"x": "y"}), data={"k": "1"})
    )
    assert made.metadata.uid

    assert core.patch_namespaced_config_map("a", space, {"data": {"k": "2"}}).data == {"k": "2"}
    assert [each.metadata.name for each in core.list_namespaced_config_map(space, label_selector="x=y").items] == ["a"]
    core.delete_namespaced_config_map("a", space)
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_config_map("a", space)
    assert caught.value.status == 404


def test_the_official_client_watches(core: Any, space: str):
    since = core.list_namespaced_config_map(space).metadata.resource_version

    def change() -> None:
        core.create_namespaced_config_map(space, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a")))
        core.patch_namespaced_config_map("a", space, {"data": {"k": "2"}})
        core.delete_namespaced_config_map("a", space)

    changer = threading.Thread(target=change)
    changer.start()
    events = watch.Watch()
    seen = []
    for event in events.stream(core.list_namespaced_config_map, space, resource_version=since, timeout_seconds=SECONDS):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            events.stop()
    changer.join()

    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_the_official_client_runs_commands_and_reads_logs(shared: Cluster, core: Any, space: str):
    shared.apply(pod("a", annotations={"sampan.dev/logs": "hello"}), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    assert core.read_namespaced_pod_log("a", space) == "hello\n"
    said = stream(
        core.connect_get_namespaced_pod_exec, "a", space, command=["echo", "from inside"], stdout=True, stderr=True
    )  # fmt: skip
    assert said == "from inside\n"


def test_the_official_client_evicts(shared: Cluster, core: Any, space: str):
    shared.apply(pod("a"), namespace=space)
    shared.wait_for("pod/a", namespace=space)

    core.create_namespaced_pod_eviction("a", space, client.V1Eviction(metadata=client.V1ObjectMeta(name="a")))

    shared.wait_for("pod/a", "delete", namespace=space)
