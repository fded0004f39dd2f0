"""What every cluster has from its first moment: namespaces, priority classes, RBAC."""

from __future__ import annotations

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.authz.bootstrap import reconcile
from sampan.apiserver.context import Context
from sampan.apiserver.registry.generic import Caller, Registry

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def bootstrap(context: Context) -> None:
    namespaces = context.registry("", "namespaces")
    for name in NAMESPACES:
        await _ensure(namespaces, "", {"metadata": {"name": name}})
    await reconcile(context.registry)


async def _ensure(registry: Registry, namespace: str, tree: Tree) -> None:
    """Create it unless it is there; somebody else's creating it meanwhile is as good."""
    if registry.cache.get(namespace, tree["metadata"]["name"]) is not None:
        return
    try:
        await registry.create(tree, namespace, Caller())
    except StatusError as error:
        if error.code != 409:
            raise
