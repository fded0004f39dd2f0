"""kr8s, a client that feels like kubectl: objects that refresh, wait, scale, talk to their pods."""

from __future__ import annotations

from typing import Any

import kr8s
import pytest
from kr8s.objects import ConfigMap, Deployment, Pod, new_class

from sampan.testing import Cluster
from tests.component.clients.conftest import GROUP, deployment, ship


@pytest.fixture
def api(shared: Cluster, space: str) -> Any:
    return kr8s.api(kubeconfig=str(shared.kubeconfig), namespace=space)


def _pod(name: str) -> dict[str, Any]:
    annotations = {"sampan.dev/logs": "hello"}
    spec = {"containers": [{"name": "app", "image": "app:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": annotations}, "spec": spec}


def test_it_knows_server_and_kinds(api: Any) -> None:
    assert api.version()["major"] == "1"
    kinds = {resource["kind"] for resource in api.api_resources()}
    assert {"Pod", "Deployment", "CronJob", "Ingress", "Ship", "CustomResourceDefinition"} <= kinds


def test_a_pod_runs_logs_and_answers_commands(api: Any, space: str) -> None:
    pod = Pod({**_pod("a"), "metadata": {**_pod("a")["metadata"], "namespace": space}}, api=api)
    pod.create()
    pod.wait("condition=Ready", timeout=20)
    assert pod.ready() and pod.status.phase == "Running"
    assert list(pod.logs()) == ["hello"]
    assert pod.exec(["echo", "from inside"]).stdout == b"from inside\n"
    pod.label({"tier": "front"})
    pod.annotate(note="x")
    assert [each.name for each in api.get("pods", namespace=space, label_selector="tier=front")] == ["a"]
    pod.delete()
    pod.wait("delete", timeout=20)
    assert not pod.exists()


def test_a_deployment_scales_and_finds_its_pods(api: Any, space: str) -> None:
    tree = deployment("web")
    web = Deployment({**tree, "metadata": {**tree["metadata"], "namespace": space}}, api=api)
    web.create()
    web.wait("condition=Available", timeout=20)
    web.scale(3)
    web.wait("jsonpath='{.status.readyReplicas}'=3", timeout=20)
    assert len(web.pods()) == 3


def test_custom_resources_and_patches(api: Any, space: str) -> None:
    kind = new_class(kind="Ship", version=f"{GROUP}/v1", namespaced=True, scalable=True, scalable_spec="replicas")
    tree = ship("argo", crew=["jason"])
    argo = kind({**tree, "metadata": {"name": "argo", "namespace": space}}, api=api)
    argo.create()
    assert argo.spec.masts == 1
    argo.patch({"spec": {"masts": 2}})
    argo.patch([{"op": "add", "path": "/spec/crew/-", "value": "orpheus"}], type="json")
    argo.refresh()
    assert (argo.spec.masts, argo.spec.crew) == (2, ["jason", "orpheus"])
    argo.patch({"status": {"afloat": True}}, subresource="status")
    argo.refresh()
    assert argo.status.afloat is True


def test_an_object_that_is_not_there_is_said_to_be_so(api: Any, space: str) -> None:
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("nope", namespace=space, api=api)
