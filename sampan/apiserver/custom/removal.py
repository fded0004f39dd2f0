"""The end of a definition: first all its custom resources go, then it does.

After pkg/controller/finalizer of k8s.io/apiextensions-apiserver. A deleted definition keeps a finalizer until its objects are
gone; what holds them is their own finalizers' business, so that is waited for as long as it takes.
"""

from __future__ import annotations

import weakref
from typing import Final

from sampan.api.crd import definition
from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.custom.conditions import ESTABLISHED, TERMINATING, Condition, set_condition
from sampan.apiserver.custom.serving import CustomResources
from sampan.apiserver.registry.deletion import delete_collection
from sampan.apiserver.registry.generic import Caller, Part, Registry
from sampan.apiserver.registry.hooks import Hooks
from sampan.apiserver.registry.options import DeleteOptions, ListOptions
from sampan.apiserver.registry.selection import select
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.queue import WorkQueue

PENDING: Final = Condition(
    TERMINATING, "True", "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)  # fmt: skip
_IN_PROGRESS: Final = Condition(TERMINATING, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_COMPLETED: Final = Condition(TERMINATING, "False", "InstanceDeletionCompleted", "removed all instances")
_NEVER: Final = Condition(TERMINATING, "False", "NeverEstablished", "resource was never established")
_OVERLAPPING: Final = Condition(
    TERMINATING, "False", "OverlappingBuiltInResource", "instances overlap with built-in resources in storage"
)
_STILL_THERE: Final = Condition(
    TERMINATING, "True", "InstanceDeletionCheck",
    "could not confirm zero CustomResources remaining: timed out waiting for the condition",
)  # fmt: skip
_WAIT_SECONDS: Final = 60.0

log = get_logger("apiserver")


class DefinitionHooks(Hooks):
    """A definition's first delete marks it and leaves the rest to the removal."""

    begins_deletion = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def holds(self, tree: Tree) -> bool:
        return "deletionTimestamp" not in tree["metadata"]

    def mark_deleted(self, tree: Tree) -> None:
        finalizers: list[str] = tree["metadata"].setdefault("finalizers", [])
        terminating = definition.condition(tree, TERMINATING)
        if terminating is None and definition.CLEANUP_FINALIZER not in finalizers:
            finalizers.append(definition.CLEANUP_FINALIZER)
        if terminating is None:
            set_condition(tree, PENDING, self._clock.now())


class Removals:
    """`run` works on one definition at a time, and waits for none."""

    def __init__(self, context: Context, custom: CustomResources, definitions: Registry) -> None:
        self._clock = context.clock
        self._custom = custom
        self._definitions = definitions
        self._queue: WorkQueue[str] = WorkQueue(context.clock)
        self._asked: dict[str, float] = {}
        """When the objects of a definition were last told to go."""
        self._listening: weakref.WeakSet[WatchCache] = weakref.WeakSet()
        # What an update of the status may touch; the finalizer goes with it, as upstream's controller has it.
        self._part = Part("status", lambda new, old: new.update(spec=old["spec"]), definitions.status.validate)

    def begin(self, name: str) -> None:
        """Of a definition that is deleted; that one is being removed already is no harm."""
        self._queue.add(name)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            name = await self._queue.get()
            try:
                await self._remove(name)
                self._queue.forget(name)
            except Exception as error:  # the loop's boundary
                log.warning("a definition could not be removed; trying again", name=name, error=repr(error))
                self._asked.pop(name, None)
                self._queue.add_rate_limited(name)
            finally:
                self._queue.done(name)

    async def _remove(self, name: str) -> None:
        found = self._definitions.cache.get("", name)
        crd = found.tree() if found is not None else None
        if crd is None or not _is_ending(crd):
            self._asked.pop(name, None)
        elif self._custom.overlaps(crd):
            await self._finish(name, _OVERLAPPING)
        elif not definition.is_true(crd, ESTABLISHED):
            await self._finish(name, _NEVER)
        else:
            await self._remove_objects(name)

    async def _remove_objects(self, name: str) -> None:
        registry = self._custom.registry_of(name)
        if registry is None:
            raise LookupError("its resources are not served yet")
        self._listen(name, registry.cache)  # which is another one since the definition was changed
        waited = self._clock.monotonic() - self._asked.get(name, float("-inf"))
        if waited >= _WAIT_SECONDS:
            self._asked[name] = self._clock.monotonic()
            await self._write(name, _IN_PROGRESS if waited == float("inf") else _STILL_THERE)
            await self._delete_all(name, registry)
        if len(registry.cache) == 0:
            await self._finish(name, _COMPLETED)
        else:
            self._queue.add_after(name, _WAIT_SECONDS)

    def _listen(self, name: str, cache: WatchCache) -> None:
        if cache not in self._listening:
            self._listening.add(cache)
            cache.listen(lambda events: self._queue.add(name) if not cache.objects else None)

    async def _delete_all(self, name: str, registry: Registry) -> None:
        try:
            await delete_collection(registry, select(registry.fields, ""), ListOptions(), DeleteOptions(), Caller(admits=False))
        except StatusError as error:
            why = f"could not issue all deletes: {error.message}"
            await self._write(name, Condition(TERMINATING, "True", "InstanceDeletionFailed", why))
            raise

    async def _finish(self, name: str, condition: Condition) -> None:
        self._asked.pop(name, None)
        await self._write(name, condition, finished=True)

    async def _write(self, name: str, condition: Condition, *, finished: bool = False) -> None:
        def change(present: Present) -> Tree:
            tree = present.own()
            set_condition(tree, condition, self._clock.now())
            if finished:
                meta = tree["metadata"]
                meta["finalizers"] = [f for f in meta.get("finalizers", ()) if f != definition.CLEANUP_FINALIZER]
            return tree

        try:
            await self._definitions.update("", name, change, Caller(), part=self._part, must_match=False)
        except StatusError as error:
            if error.code != 404:
                raise


def _is_ending(crd: Tree) -> bool:
    meta = crd["metadata"]
    return "deletionTimestamp" in meta and definition.CLEANUP_FINALIZER in meta.get("finalizers", ())
