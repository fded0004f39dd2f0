"""CustomResourceDefinitions for tests, and waiting until they are served."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.component.conftest import DEADLINE_SECONDS, Served

Tree = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "stable.example.com"

SPEC: Tree = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
                "image": {"type": "string"},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            },
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "labelSelector": {"type": "string"}}},
    },
}


def version(name: str = "v1", *, storage: bool = True, served: bool = True, schema: Tree | None = None, **more: Any) -> Tree:
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": schema or SPEC}, **more}


def crd(kind: str = "CronTab", *versions: Tree, group: str = GROUP, scope: str = "Namespaced", **more: Any) -> Tree:
    """`more`: names, conversion, …"""
    singular = kind.lower()
    names = {"plural": f"{singular}s", "singular": singular, "kind": kind, **more.pop("names", {})}
    spec = {"group": group, "scope": scope, "names": names, "versions": list(versions) or [version()], **more}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": spec,
    }


def cron(name: str, version: str = "v1", kind: str = "CronTab", group: str = GROUP, **spec: Any) -> Tree:
    return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def crons(version: str = "v1", name: str = "", subresource: str = "", namespace: str = "default") -> str:
    parts = [f"/apis/{GROUP}/{version}", *(("namespaces", namespace) if namespace else ()), "crontabs", name, subresource]
    return "/".join(part for part in parts if part)


def conditions(tree: Tree) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in tree.get("status", {}).get("conditions") or ()}


async def define(served: Served, tree: Tree) -> Tree:
    """Create a definition and wait for it as `kubectl wait --for=condition=Established` does."""
    answer = await served.request("POST", DEFINITIONS, tree)
    assert answer.status == 201, answer.body
    return await established(served, tree["metadata"]["name"], answer.tree)


async def established(served: Served, name: str, tree: Tree) -> Tree:
    query = {"fieldSelector": f"metadata.name={name}", "resourceVersion": tree["metadata"]["resourceVersion"]}
    async with asyncio.timeout(DEADLINE_SECONDS), served.watch(DEFINITIONS, query) as events:
        while conditions(tree).get("Established", ("", ""))[0] != "True":
            _, tree = await events.next()
    return tree


async def redefine(served: Served, tree: Tree, **changes: Any) -> Tree:
    """Change a definition's spec."""
    path = f"{DEFINITIONS}/{tree['metadata']['name']}"
    answer = await served.patch(path, {"spec": changes})
    assert answer.status == 200, answer.body
    found: Tree = answer.tree
    return found
