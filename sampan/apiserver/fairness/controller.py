"""Keeps the priority levels as the API objects say: at once when these change, and their limits as demand moves.

Also the writer of what only the server can know: the mandatory and suggested objects, and of each FlowSchema whether its
priority level exists. After apf_controller.go (k8s.io/apiserver) and pkg/registry/flowcontrol/rest (kubernetes).
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable, Sequence

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.bootstrap import ensure
from sampan.apiserver.context import Context
from sampan.apiserver.fairness.allocation import Share, adjust, retained, shares_of, widest_request
from sampan.apiserver.fairness.defaults import (
    AUTO_UPDATE,
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)
from sampan.apiserver.fairness.matching import Classifier, Flow, Schema
from sampan.apiserver.fairness.queues import Level
from sampan.apiserver.registry.applying import Configuration
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.registry.watchcache import CacheEvent
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.lib.clock import rfc3339
from sampan.lib.log import get_logger
from sampan.store.base import StoreUnavailable

_ADJUST_SECONDS = 10.0
_ENSURE_SECONDS = 60.0
_GROUP = "flowcontrol.apiserver.k8s.io"
# Under these names managedFields tell who keeps the objects and who their status.
_PRODUCER = "api-priority-and-fairness-config-producer-v1"
_CONSUMER = "api-priority-and-fairness-config-consumer-v1"

log = get_logger("apiserver")


class Fairness:
    """`levels` by name. Works from its first moment, with the mandatory objects alone."""

    def __init__(self, context: Context) -> None:
        self.levels: dict[str, Level] = {}
        self._clock = context.clock
        self._total = context.config.max_requests_inflight
        self._schemas = context.registry(_GROUP, "flowschemas")
        self._configurations = context.registry(_GROUP, "prioritylevelconfigurations")
        self._shares: dict[str, Share] = {}
        self._classifier = Classifier(())
        self._changed = asyncio.Event()
        self.configure()
        for registry in (self._schemas, self._configurations):
            registry.cache.listen(self._heard)
        context.feed.on_fill(self.configure)

    def flow_of(self, user: User, info: RequestInfo) -> Flow:
        return self._classifier.flow_of(user, info)

    def _heard(self, events: Sequence[CacheEvent]) -> None:
        self.configure()

    def configure(self) -> None:
        """Take over what the caches hold."""
        found = _by_name(self._configurations, MANDATORY_LEVELS)
        specs = {name: tree["spec"] for name, tree in found.items()}
        self._shares = retained(shares_of(specs, self._total), self._shares)
        for name, tree in found.items():
            level = self.levels.setdefault(name, Level(name, self._clock))
            level.configure(tree["spec"])
            level.max_seats = widest_request(tree["spec"], self._shares[name].nominal)
            level.headers = (("X-Kubernetes-PF-PriorityLevel-UID", tree["metadata"].get("uid", "")),)
            level.resize(self._shares[name].current)
        for name in [name for name in self.levels if name not in found]:
            # Who waits in it gets a turn, and who runs ends; then nothing refers to it.
            self.levels.pop(name).resize(self._total)
        schemas = [Schema(tree) for tree in _by_name(self._schemas, MANDATORY_SCHEMAS).values()]
        self._classifier = Classifier(schema for schema in schemas if schema.level in self.levels)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled: keep limits, objects and conditions up."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_limits())
            tasks.create_task(self._keep_objects())
            tasks.create_task(self._keep_conditions())

    async def _keep_limits(self) -> None:
        while True:
            await self._clock.sleep(_ADJUST_SECONDS)
            self.adjust()

    def adjust(self) -> None:
        """Let levels that are idle lend seats to those that are busy."""
        adjust(self._shares, {name: level.demand() for name, level in self.levels.items()})
        for name, level in self.levels.items():
            level.resize(self._shares[name].current)

    async def _keep_objects(self) -> None:
        while True:
            try:
                await self.ensure_objects()
            except (StatusError, StoreUnavailable) as error:
                log.warning("the objects of priority and fairness could not be written", error=repr(error))
            await self._clock.sleep(_ENSURE_SECONDS)

    async def ensure_objects(self) -> None:
        """Create the mandatory and the suggested objects that are not there, and mend those that are the server's."""
        for registry, mandatory, suggested in (
            (self._configurations, MANDATORY_LEVELS, SUGGESTED_LEVELS),
            (self._schemas, MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS),
        ):
            await asyncio.gather(
                *(_ensure(registry, tree, mandatory=True) for tree in mandatory),
                *(_ensure(registry, tree, mandatory=False) for tree in suggested),
            )

    async def _keep_conditions(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._write_conditions()
            except (StatusError, StoreUnavailable) as error:
                log.warning("a FlowSchema's condition could not be written", error=repr(error))

    async def _write_conditions(self) -> None:
        for obj in self._schemas.cache:
            tree = obj.tree()
            wanted = self._dangling(tree["spec"]["priorityLevelConfiguration"]["name"])
            if any(wanted.items() <= condition.items() for condition in tree.get("status", {}).get("conditions", ())):
                continue
            condition = {**wanted, "lastTransitionTime": rfc3339(self._clock.now())}
            await _set_condition(self._schemas, obj.name, condition)

    def _dangling(self, level: str) -> Tree:
        found = level in self.levels
        what = f"This FlowSchema references the PriorityLevelConfiguration object named {json.dumps(level)}"
        return {
            "type": "Dangling",
            "status": "False" if found else "True",
            "reason": "Found" if found else "NotFound",
            "message": f"{what} and it exists" if found else f"{what} but there is no such object",
        }


def _by_name(registry: Registry, mandatory: Iterable[Tree]) -> dict[str, Tree]:
    found = {tree["metadata"]["name"]: tree for tree in mandatory}
    return found | {obj.name: obj.tree() for obj in registry.cache}


async def _ensure(registry: Registry, wanted: Tree, *, mandatory: bool) -> None:
    name = wanted["metadata"]["name"]
    current = registry.cache.get("", name)
    if current is None:
        await ensure(registry, "", copy.deepcopy(wanted), Caller(field_manager=_PRODUCER))
        return
    tree = current.tree()
    if not mandatory and not _is_ours(tree["metadata"]):
        return
    fresh = copy.deepcopy(wanted)
    registry.resource.default(fresh)
    annotations = tree["metadata"].get("annotations", {})
    if tree["spec"] != fresh["spec"] or annotations.get(AUTO_UPDATE) != "true":
        await _replace(registry, name, fresh)


def _is_ours(metadata: Tree) -> bool:
    """A suggested object that says nothing of it belongs to the server as long as nobody has changed its spec."""
    said = metadata.get("annotations", {}).get(AUTO_UPDATE)
    return bool(said == "true" or (said is None and metadata.get("generation", 1) == 1))


async def _replace(registry: Registry, name: str, fresh: Tree) -> None:
    def change(present: Present) -> Tree:
        tree = present.own()
        tree["spec"] = copy.deepcopy(fresh["spec"])
        tree["metadata"].setdefault("annotations", {})[AUTO_UPDATE] = "true"
        return tree

    try:
        await registry.update("", name, change, Caller(field_manager=_PRODUCER), must_match=False)
    except StatusError as error:
        if error.code != 404:
            raise


async def _set_condition(schemas: Registry, name: str, condition: Tree) -> None:
    resource = schemas.resource
    wanted = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": {"name": name}}
    options = WriteOptions(field_manager=_CONSUMER, force=True)
    by = Caller(field_manager=_CONSUMER, options=options)
    by.applies = True
    body = json.dumps({**wanted, "status": {"conditions": [condition]}}).encode()
    applied = Configuration(schemas.owners, body, options, [], namespace="", name=name, subresource="status")
    try:
        await schemas.update("", name, lambda present: applied.on(present.own()), by, part=schemas.status, must_match=False)
    except StatusError as error:
        if error.code != 404:
            raise
