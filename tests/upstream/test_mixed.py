"""Upstream's controllers with our scheduler, and ours with upstream's: neither can tell who the other is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
