"""What tests of server-side apply and of managedFields share."""

from __future__ import annotations

from typing import Any

from tests.component.conftest import Answer, Served, Tree, core

APPLY = "application/apply-patch+yaml"
A = core("configmaps", "default", "a")
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
D = f"{DEPLOYMENTS}/d"


def config_map(name: str = "a", **data: str) -> Tree:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(image: str = "i", **spec: Any) -> Tree:
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pod, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


async def apply(server: Served, path: str, tree: Any, manager: str = "one", *, by: Any = None, **query: str) -> Answer:
    return await server.patch(path, tree, APPLY, query={"fieldManager": manager, **query}, by=by)


def owners(answer: Answer) -> dict[str, Any]:
    """Of each entry, by "operation manager[/subresource]", its fields."""
    found = {}
    for entry in answer.tree["metadata"].get("managedFields", ()):
        subresource = f"/{entry['subresource']}" if "subresource" in entry else ""
        found[f"{entry['operation']} {entry['manager']}{subresource}"] = entry["fieldsV1"]
    return found
