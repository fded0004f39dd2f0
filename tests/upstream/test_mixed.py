"""Upstream's controllers with our scheduler, and ours with upstream's, and what else needs an API server of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.component.definitions import crd, version
from tests.upstream.components import nodes, our_controllers, our_scheduler, upstream_controllers, upstream_scheduler
from tests.upstream.plane import MISSING, Plane, Process, eventually, has

pytestmark = [
    pytest.mark.skipif(not has("kube-controller-manager", "kube-scheduler"), reason=MISSING),
    pytest.mark.timeout(300),
]
Part = Callable[[Plane], Process]


@pytest.mark.parametrize(
    ("controllers", "scheduler"),
    [(our_controllers, upstream_scheduler), (upstream_controllers, our_scheduler)],
    ids=["our controllers, upstream's scheduler", "upstream's controllers, our scheduler"],
)
def test_parts_of_both_work_together(tmp_path: Path, controllers: Part, scheduler: Part) -> None:
    labels = {"app": "web"}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": "1"}}}
    constraints = [{**spread, "labelSelector": {"matchLabels": labels}}]
    template = {"metadata": {"labels": labels}, "spec": {"topologySpreadConstraints": constraints, "containers": [container]}}
    deployment = {"replicas": 4, "selector": {"matchLabels": labels}, "template": template}
    with Plane(tmp_path) as plane, controllers(plane), scheduler(plane), nodes(plane, "node-1", "node-2"):
        space, web = plane.namespace("shop"), "/apis/apps/v1/namespaces/shop/deployments/web"
        eventually("the namespace is furnished", lambda: plane.get("/api/v1/namespaces/shop/serviceaccounts/default"))
        plane.create(
            "/api/v1/namespaces/shop/services",
            {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "selector": labels}},
        )
        plane.create("/apis/apps/v1/namespaces/shop/deployments", {"metadata": {"name": "web"}, "spec": deployment})
        eventually("it is available", lambda: plane.get(web)["status"]["availableReplicas"] == 4)
        pods = plane.items(f"/api/v1/namespaces/{space}/pods")
        assert sorted(pod["spec"]["nodeName"] for pod in pods) == ["node-1", "node-1", "node-2", "node-2"]
        addresses = "/api/v1/namespaces/shop/endpoints/web"
        eventually("all are found", lambda: len(plane.get(addresses)["subsets"][0]["addresses"]) == 4)
        plane.patch(web, {"spec": {"template": {"spec": {"containers": [{**container, "image": "app:2"}]}}}})
        eventually(
            "it is updated", lambda: plane.get(web)["status"]["observedGeneration"] == 2 and _is_whole(plane.get(web)["status"])
        )
        plane.delete(web, propagationPolicy="Foreground")
        eventually("it is gone", lambda: plane.is_gone(web))
        plane.delete("/api/v1/namespaces/shop")
        eventually("the namespace is gone", lambda: plane.is_gone("/api/v1/namespaces/shop"))


def _is_whole(status: dict[str, int]) -> bool:
    return status["updatedReplicas"] == status["availableReplicas"] == status["replicas"] == 4


def test_upstreams_parts_go_on_when_the_server_starts_again(tmp_path: Path) -> None:
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    deployment = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    web = "/apis/apps/v1/namespaces/default/deployments/web"
    with ExitStack() as stack:
        plane = stack.enter_context(Plane(tmp_path))
        parts = [stack.enter_context(part(plane)) for part in (upstream_controllers, upstream_scheduler)]
        stack.enter_context(nodes(plane, "node-1"))
        eventually("the namespace is furnished", lambda: plane.get("/api/v1/namespaces/default/serviceaccounts/default"))
        plane.create("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "web"}, "spec": deployment})
        eventually("it is available", lambda: plane.get(web)["status"]["availableReplicas"] == 2)
        for compact in (False, True):
            plane.stop()
            if compact:
                plane.compact()
            plane.start()
            wanted = plane.patch(web, {"spec": {"replicas": 4 if compact else 3}})["spec"]["replicas"]
            eventually("it is available", partial(_has, plane, web, wanted))
        assert all(part.handle.poll() is None for part in parts)


def _has(plane: Plane, path: str, available: int) -> bool:
    return bool(plane.get(path)["status"]["availableReplicas"] == available)


def test_what_custom_objects_own_goes_with_them(tmp_path: Path) -> None:
    group = "upstream.example.com"
    ships, maps = f"/apis/{group}/v1/namespaces/default/ships", "/api/v1/namespaces/default/configmaps"
    with Plane(tmp_path) as plane, upstream_controllers(plane):
        definition = crd("Ship", version(), group=group)
        plane.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        ship = plane.create(ships, {"apiVersion": f"{group}/v1", "kind": "Ship", "metadata": {"name": "a"}})
        owner = {"apiVersion": f"{group}/v1", "kind": "Ship", "name": "a", "uid": ship["metadata"]["uid"]}
        for name in ("log", "chart"):
            plane.create(maps, {"metadata": {"name": name, "ownerReferences": [{**owner, "blockOwnerDeletion": True}]}})
        # The collector looks for new kinds twice a minute.
        plane.delete(f"{ships}/a", propagationPolicy="Foreground")
        eventually("it is gone", lambda: plane.is_gone(f"{ships}/a"), 90)
        assert plane.is_gone(f"{maps}/log") and plane.is_gone(f"{maps}/chart")
        space = plane.namespace("doomed")
        plane.create(f"/apis/{group}/v1/namespaces/{space}/ships", {**ship, "metadata": {"name": "b"}})
        plane.delete(f"/api/v1/namespaces/{space}")
        eventually("the namespace is gone", lambda: plane.is_gone(f"/api/v1/namespaces/{space}"), 90)
