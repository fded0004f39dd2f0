"""APIService objects for the group-versions that this server serves itself, as `kubectl get apiservices` lists them.

After controllers/autoregister of k8s.io/kube-aggregator: built-in versions are seen to at the start, those of custom resources
whenever they come and go. An APIService that somebody made by hand is left as it is.
"""

from __future__ import annotations

import asyncio

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.api.scheme import group_priority, is_builtin_group
from sampan.apiserver.aggregation.remotes import GROUP
from sampan.apiserver.bootstrap import ensure
from sampan.apiserver.context import Context
from sampan.lib.log import get_logger
from sampan.store.base import Conflict, StoreUnavailable

_MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_ON_START, _ALWAYS = "onstart", "true"
_RETRY_SECONDS = 1.0
_VERSION_PRIORITIES = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}
_VERSION_PRIORITY, _CUSTOM_VERSION_PRIORITY = 15, 100

log = get_logger("apiserver")


class Registration:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._registry = context.registry(GROUP, "apiservices")
        self._changed = asyncio.Event()
        self._started = False
        context.scheme.listen(self._changed.set)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._sync()
                self._started = True
            except (StatusError, StoreUnavailable, Conflict) as error:  # a conflict: another server was quicker
                log.warning("APIServices could not be written", error=repr(error))
                await self._context.clock.sleep(_RETRY_SECONDS)
                self._changed.set()

    async def _sync(self) -> None:
        wanted = {tree["metadata"]["name"]: tree for tree in map(_api_service, self._context.scheme.group_versions())}
        for name, tree in wanted.items():
            if self._registry.cache.get("", name) is None and self._keeps(tree):
                await ensure(self._registry, "", tree)
        for obj in self._registry.cache:
            managed = obj.labels.get(_MANAGED)
            if obj.name not in wanted and (managed == _ALWAYS or (managed == _ON_START and not self._started)):
                await self._registry.remove(obj)

    def _keeps(self, tree: Tree) -> bool:
        return tree["metadata"]["labels"][_MANAGED] == _ALWAYS or not self._started


def _api_service(group_version: tuple[str, str]) -> Tree:
    group, version = group_version
    builtin = is_builtin_group(group)
    default = _VERSION_PRIORITY if builtin else _CUSTOM_VERSION_PRIORITY
    return {
        "metadata": {"name": f"{version}.{group}", "labels": {_MANAGED: _ON_START if builtin else _ALWAYS}},
        "spec": {
            **({"group": group} if group else {}),
            "version": version,
            "groupPriorityMinimum": group_priority(group),
            "versionPriority": _VERSION_PRIORITIES.get(group_version, default),
        },
    }
