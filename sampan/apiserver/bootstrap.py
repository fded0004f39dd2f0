"""What every cluster has from its first moment: namespaces, priority classes, RBAC, how to verify front proxies."""

from __future__ import annotations

import asyncio

from sampan.api.errors import StatusError
from sampan.api.groups.scheduling.priorityclass import SYSTEM_CLASSES
from sampan.api.resource import Tree
from sampan.apiserver.aggregation.trust import publish_trust
from sampan.apiserver.authz.bootstrap import reconcile
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Caller, Registry

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

_DESCRIPTIONS = {
    "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    "system-cluster-critical": (
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
    ),
}


async def bootstrap(context: Context) -> None:
    namespaces = context.registry("", "namespaces")
    await asyncio.gather(*(ensure(namespaces, "", {"metadata": {"name": name}}) for name in NAMESPACES))
    classes = context.registry("scheduling.k8s.io", "priorityclasses")
    await asyncio.gather(
        reconcile(context.registry),
        publish_trust(context),
        *(ensure(classes, "", _priority_class(name, value)) for name, value in SYSTEM_CLASSES.items()),
    )


def _priority_class(name: str, value: int) -> Tree:
    return {"metadata": {"name": name}, "value": value, "description": _DESCRIPTIONS[name]}


async def ensure(registry: Registry, namespace: str, tree: Tree, by: Caller | None = None) -> None:
    """Create it unless it is there; somebody else's creating it meanwhile is as good. `by`: None is the server itself."""
    if registry.cache.get(namespace, tree["metadata"]["name"]) is not None:
        return
    try:
        await registry.create(tree, namespace, by or Caller())
    except StatusError as error:
        if error.code != 409:
            raise
