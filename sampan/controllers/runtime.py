"""What every controller stands on: a declaration, a context, and the loop that brings them together.

    CONTROLLER = Controller("replicaset-controller", for_=ReplicaSet, owns=(Pod,), reconcile=reconcile)

    async def reconcile(ctx: Context, key: Key) -> Requeue | None:
        rs = ctx.get(ReplicaSet, key)                          # from the informer's cache: shared, never change it
        if rs is None:
            return None
        actions = plan(rs, ctx.owned(Pod, rs), ctx.clock.now())   # pure
        await ctx.apply(actions)                               # writes go through the context

A controller is level-based: an event only says which key to look at. A key is reconciled by one worker at a time, again
after a failure with back-off, and not before its informers show what its last run wrote (see `expectations.py`).
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from sampan.api.errors import StatusError
from sampan.client.codec import Object, T
from sampan.client.events import EventRecorder
from sampan.client.informer import Informer, InformerFactory, Key, key_of
from sampan.client.rest import APPLY_PATCH, MERGE_PATCH, Client
from sampan.controllers.expectations import Expectations
from sampan.controllers.ownership import CONTROLLER_INDEX, ORPHAN_INDEX, controller_of, controller_uids, orphan_namespaces
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.metrics import Counter, Histogram
from sampan.lib.queue import WorkQueue
from sampan.lib.tasks import Tasks

__all__ = [
    "Context",
    "Controller",
    "Index",
    "Key",
    "Periodic",
    "PeriodicRunner",
    "Requeue",
    "Runner",
    "Watch",
    "key_of",
    "namespace_is_terminating",
]

RECONCILES = Counter("sampan_controller_reconciles_total", "Reconciliations by result.", ("controller", "result"))
RECONCILE_SECONDS = Histogram("sampan_controller_reconcile_seconds", "Time of one reconciliation.", ("controller",))

STALE_CACHE_SECONDS = 0.2
"""How soon to look again whether the informers caught up; events about the written objects usually come first."""

log = get_logger("controllers")


class Requeue(NamedTuple):
    """A reconciler's wish to see the key again."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Events of `cls` concern the keys that `keys(context, object)` names; called for the old and the new object."""

    cls: type[Any]
    keys: Callable[[Context, Any], Iterable[Key]]


@dataclass(frozen=True, slots=True)
class Index:
    cls: type[Any]
    name: str
    values: Callable[[Any], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Controller:
    name: str
    """Upstream's component name, which stands in its events: "replicaset-controller"."""
    for_: type[Any]
    reconcile: Callable[[Context, Key], Awaitable[Requeue | None]]
    owns: tuple[type[Any], ...] = ()
    """Kinds whose objects lead by their controller reference to a key of `for_`."""
    watches: tuple[Watch, ...] = ()
    reads: tuple[type[Any], ...] = ()
    """Kinds that are looked up without their events mattering."""
    indexes: tuple[Index, ...] = ()
    fields: Mapping[type[Any], str] = field(default_factory=dict)
    """Field selectors that narrow what is cached of a kind."""
    workers: int = 5


class Context:
    """A reconciler's view of the world (from informers) and its hands (the client)."""

    __slots__ = ("_expectations", "_informers", "client", "clock", "events", "key", "memory")

    def __init__(
        self, client: Client, events: EventRecorder, informers: Mapping[type[Any], Informer[Any]], expectations: Expectations,
        key: Key = Key("", ""),  # noqa: B008 - a tuple of constants
    ) -> None:  # fmt: skip
        self.client = client
        self.clock: Clock = client.clock
        self.events = events
        self.key = key
        self.memory: dict[Key, Any] = {}
        """For a reconciler to remember of its keys what is worth nothing after a restart."""
        self._informers = informers
        self._expectations = expectations

    def about(self, key: Key) -> Context:
        """The same view for the reconciliation of `key`, to which writes are then accounted."""
        found = Context(self.client, self.events, self._informers, self._expectations, key)
        found.memory = self.memory
        return found

    def informer(self, cls: type[T]) -> Informer[T]:
        return self._informers[cls]

    def get(self, cls: type[T], key: Key) -> T | None:
        return self.informer(cls).get(key.name, key.namespace)

    def list(self, cls: type[T], namespace: str = "") -> builtins.list[T]:
        return self.informer(cls).list(namespace)

    def by_index(self, cls: type[T], index: str, value: str) -> builtins.list[T]:
        return self.informer(cls).by_index(index, value)

    def owned(self, cls: type[T], owner: Object) -> builtins.list[T]:
        """Objects whose controller is `owner`; `cls` is one of the controller's `owns`."""
        return self.by_index(cls, CONTROLLER_INDEX, owner.metadata.uid)

    def orphans(self, cls: type[T], namespace: str) -> builtins.list[T]:
        """Objects of the namespace that have no controller."""
        return self.by_index(cls, ORPHAN_INDEX, namespace)

    async def create(self, obj: T) -> T:
        return self._wrote(await self.client.create(obj))

    async def update(self, obj: T) -> T:
        return self._wrote(await self.client.update(obj))

    async def update_status(self, obj: T) -> T:
        return self._wrote(await self.client.update_status(obj))

    async def patch(
        self, obj: T, patch: Mapping[str, Any], *, type: str = MERGE_PATCH, subresource: str = ""
    ) -> T:  # fmt: skip
        meta = obj.metadata
        cls = obj.__class__
        return self._wrote(
            await self.client.patch(cls, meta.name, meta.namespace, patch, type=type, subresource=subresource)
        )  # fmt: skip

    async def apply(self, obj: T, wanted: Mapping[str, Any], manager: str) -> T:
        """Server-side apply: of the fields in `wanted` the manager is the owner from now on, whoever was."""
        meta, cls = obj.metadata, obj.__class__
        query = {"fieldManager": manager, "force": "true"}
        applied = await self.client.patch(cls, meta.name, meta.namespace, wanted, type=APPLY_PATCH, query=query)
        return self._wrote(applied)

    async def delete(self, obj: Object, *, grace_seconds: int | None = None, propagation: str = "") -> None:
        """Deletes this very object, not another of its name; that it is gone already is fine."""
        meta = obj.metadata
        try:
            await self.client.delete(
                type(obj), meta.name, meta.namespace, uid=meta.uid, grace_seconds=grace_seconds, propagation=propagation
            )
        except StatusError as error:
            if error.code not in (404, 409):
                raise
        informer = self._informers.get(type(obj))
        if informer is not None:
            self._expectations.deleted(self.key, informer, key_of(obj), meta.uid)

    def _wrote(self, obj: T) -> T:
        informer = self._informers.get(type(obj))
        if informer is not None:
            self._expectations.wrote(self.key, informer, obj.metadata.resourceVersion)
        return obj


class Runner:
    """Runs one controller. Make it before the informer factory runs, so that its informers and indexes are there."""

    def __init__(self, controller: Controller, factory: InformerFactory) -> None:
        self.controller = controller
        client = factory.client
        self.queue: WorkQueue[Key] = WorkQueue(client.clock)
        self._clock = client.clock
        self._events = EventRecorder(client, controller.name)
        self._expectations = Expectations(client.clock)
        self._informers = self._make_informers(factory)
        self.context = Context(client, self._events, self._informers, self._expectations)
        self._connect()

    async def run(self) -> None:
        """Until cancelled."""
        for informer in self._informers.values():
            await informer.wait_synced()
        async with Tasks() as tasks:
            tasks.start(self._events.run(), f"{self.controller.name}-events")
            for number in range(self.controller.workers):
                tasks.start(self._work(), f"{self.controller.name}-{number}")
            await asyncio.get_running_loop().create_future()

    def _make_informers(self, factory: InformerFactory) -> dict[type[Any], Informer[Any]]:
        declared = self.controller
        kinds = dict.fromkeys((declared.for_, *declared.owns, *(w.cls for w in declared.watches), *declared.reads))
        informers = {cls: factory.informer(cls, fields=declared.fields.get(cls, "")) for cls in kinds}
        for owned in declared.owns:
            informers[owned].add_index(CONTROLLER_INDEX, controller_uids)
            informers[owned].add_index(ORPHAN_INDEX, orphan_namespaces)
        for index in declared.indexes:
            informers[index.cls].add_index(index.name, index.values)
        return informers

    def _connect(self) -> None:
        self._informers[self.controller.for_].add_handler(self._both(lambda obj: (key_of(obj),)))
        for owned in self.controller.owns:
            self._informers[owned].add_handler(self._both(self._owner_keys))
        for watch in self.controller.watches:
            self._informers[watch.cls].add_handler(self._both(partial(watch.keys, self.context)))

    def _both(self, keys: Callable[[Any], Iterable[Key]]) -> Callable[[Any, Any], None]:
        def handler(old: Any, new: Any) -> None:
            for obj in (old, new):
                if obj is not None:
                    for key in keys(obj):
                        self.queue.add(key)

        return handler

    def _owner_keys(self, obj: Object) -> Iterable[Key]:
        api = self.controller.for_.api
        owner = controller_of(obj)
        if owner is not None and owner.kind == api.kind and owner.apiVersion.rpartition("/")[0] == api.group:
            yield Key(obj.metadata.namespace if api.namespaced else "", owner.name)

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._reconcile(key)
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: Key) -> None:
        if not self._expectations.satisfied(key):
            self.queue.add_after(key, STALE_CACHE_SECONDS)
            return
        began = self._clock.monotonic()
        try:
            requeue = await self.controller.reconcile(self.context.about(key), key)
        except Exception as error:
            self._failed(key, error)
            return
        RECONCILES.labels(self.controller.name, "success").inc()
        RECONCILE_SECONDS.labels(self.controller.name).observe(self._clock.monotonic() - began)
        self.queue.forget(key)
        if requeue is not None:
            self.queue.add_after(key, requeue.after_seconds)

    def _failed(self, key: Key, error: Exception) -> None:
        if isinstance(error, StatusError) and namespace_is_terminating(error):
            self.queue.forget(key)  # nothing can be made there any more, and trying again would not change it
            return
        RECONCILES.labels(self.controller.name, "error").inc()
        facts = {"controller": self.controller.name, "key": str(key), "error": str(error)}
        if isinstance(error, StatusError) and error.code in (404, 409):
            log.debug("reconcile lost a race", **facts)  # the cache will show who won
        elif isinstance(error, StatusError | OSError | TimeoutError | EOFError):
            log.warning("reconcile failed", tries=self.queue.failures(key) + 1, **facts)
        else:
            log.error("reconcile broke", exc_info=error, **facts)
        self.queue.add_rate_limited(key)


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work over all objects at once, at intervals, where no single key calls for it."""

    name: str
    every_seconds: float
    work: Callable[[Context], Awaitable[None]]
    reads: tuple[type[Any], ...]


class PeriodicRunner:
    def __init__(self, periodic: Periodic, factory: InformerFactory) -> None:
        self.periodic = periodic
        client = factory.client
        self._clock = client.clock
        self._events = EventRecorder(client, periodic.name)
        self._informers: dict[type[Any], Informer[Any]] = {cls: factory.informer(cls) for cls in periodic.reads}
        self._context = Context(client, self._events, self._informers, Expectations(client.clock))

    async def run(self) -> None:
        """Until cancelled."""
        for informer in self._informers.values():
            await informer.wait_synced()
        async with Tasks() as tasks:
            tasks.start(self._events.run(), f"{self.periodic.name}-events")
            while True:
                await self._once()
                await self._clock.sleep(self.periodic.every_seconds)

    async def _once(self) -> None:
        try:
            await self.periodic.work(self._context)
        except Exception as error:
            RECONCILES.labels(self.periodic.name, "error").inc()
            log.error("periodic work failed", controller=self.periodic.name, error=str(error), exc_info=error)
        else:
            RECONCILES.labels(self.periodic.name, "success").inc()


def namespace_is_terminating(error: StatusError) -> bool:
    """Whether a create was refused because its namespace is being deleted."""
    return any(cause.get("reason") == "NamespaceTerminating" for cause in error.details.get("causes", ()))
