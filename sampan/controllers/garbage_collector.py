"""Garbage collection: objects go when all their owners are gone.

After upstream's pkg/controller/garbagecollector. `ownergraph.py` holds who owns whom, fed by watches of every resource that
discovery lists; here each object that may have to go is looked at:

- Background: its owners are all gone → delete it.
- Foreground: an owner waits (finalizer `foregroundDeletion`) for its dependents → delete them first; when no dependent
  with `blockOwnerDeletion` is left, take the owner's finalizer away.
- Orphan: an owner has the finalizer `orphan` → take its reference from its dependents, then the finalizer.

What the graph does not know is never taken for absent: the server itself is asked before anything is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import to_builtins

from sampan.api.errors import StatusError
from sampan.api.types.base import API
from sampan.api.types.meta_v1 import OwnerReference
from sampan.client.codec import PartialObject, partial
from sampan.client.discovery import Served
from sampan.client.informer import Informer, InformerFactory
from sampan.controllers.ownergraph import FOREGROUND, ORPHAN, Item, OwnerGraph, SlimObject, slim
from sampan.controllers.rediscovery import Rediscovery
from sampan.lib.log import get_logger
from sampan.lib.queue import WorkQueue
from sampan.lib.tasks import Tasks

log = get_logger("garbage-collector")

WORKERS = 10
LONGEST_RETRY_SECONDS = 30.0
UNSEEN_SECONDS = 1.0
"""When to look again at an object whose owner the server has and the graph has not yet: should the owner go before the graph
hears of it, it will never hear of it."""
IGNORED = frozenset((("", "events"), ("events.k8s.io", "events")))
ABSENT_REMEMBERED = 500


class UnknownOwnerKind(Exception):
    """An owner reference names a kind that the server does not serve, or serves no more; tried again later."""


class Classified(NamedTuple):
    solid: list[OwnerReference]
    dangling: list[OwnerReference]
    waiting: list[OwnerReference]


class GarbageCollector:
    def __init__(self, factory: InformerFactory) -> None:
        self._factory = factory
        self._client = factory.client
        self._clock = factory.client.clock
        self.queue: WorkQueue[str] = WorkQueue(self._clock, longest_retry_seconds=LONGEST_RETRY_SECONDS)
        self.graph = OwnerGraph(self.queue.add)
        self._informers: dict[API, Informer[Any]] = {}
        self._kinds: dict[tuple[str, str], API] = {}
        self._absent: dict[tuple[str, str, str, str], None] = {}
        self._rediscovery = Rediscovery(factory)

    async def run(self) -> None:
        """Until cancelled."""
        self._follow_discovery(await self._rediscovery.ask())
        for informer in list(self._informers.values()):
            await informer.wait_synced()
        async with Tasks() as tasks:
            for number in range(WORKERS):
                tasks.start(self._work(), f"garbage-collector-{number}")
            while True:
                await self._rediscovery.due()
                self._follow_discovery(await self._rediscovery.ask())

    def _follow_discovery(self, served: Sequence[Served]) -> None:
        """Watch what is served now; stop watching what is not."""
        wanted = {s.api for s in served if _is_collectable(s)}
        self._kinds = {(s.api.group, s.api.kind): s.api for s in served}
        for api in wanted - self._informers.keys():
            informer = self._factory.of_resource(api) or self._factory.informer(slim(api))
            self._informers[api] = informer
            informer.add_handler(self.graph.handler(api))
        for api in self._informers.keys() - wanted:
            informer = self._informers.pop(api)
            if issubclass(informer.cls, SlimObject):  # else it is a controller's, who has to tell
                self._factory.drop(informer)

    async def _work(self) -> None:
        while True:
            uid = await self.queue.get()
            try:
                await self._look_at(uid)
                self.queue.forget(uid)
            except UnknownOwnerKind as error:
                log.debug("owner of unknown kind", uid=uid, error=str(error))
                self.queue.add_rate_limited(uid)
            except Exception as error:
                expected = isinstance(error, StatusError | OSError | TimeoutError | EOFError)
                log.warning("collecting failed", uid=uid, error=str(error), exc_info=None if expected else error)
                self.queue.add_rate_limited(uid)
            finally:
                self.queue.done(uid)

    async def _look_at(self, uid: str) -> None:
        item = self.graph.get(uid)
        if item is None:
            return
        if item.orphaning:
            await self._orphan(item)
        elif item.foreground:
            await self._wait_for_dependents(item)
        elif not item.deleting and item.owners and not self.graph.is_safe(item):
            await self._collect(item)

    async def _orphan(self, owner: Item) -> None:
        dependents = self.graph.dependents(owner.uid)
        await asyncio.gather(*(self._drop_references(item, {owner.uid}) for item in dependents))
        await self._remove_finalizer(owner, ORPHAN)

    async def _wait_for_dependents(self, owner: Item) -> None:
        blocking = self.graph.blocking(owner.uid)
        if not blocking:
            await self._remove_finalizer(owner, FOREGROUND)
        for item in blocking:
            if not item.foreground:
                self.queue.add(item.uid)

    async def _collect(self, item: Item) -> None:
        latest = await self._latest(item)
        if latest is None or not latest.metadata.ownerReferences:
            return
        found = await self._classify(item, latest.metadata.ownerReferences)
        if found.solid:
            if any(self._is_to_come(item, owner) for owner in found.solid):
                self.queue.add_after(item.uid, UNSEEN_SECONDS)
            gone = {owner.uid for owner in (*found.dangling, *found.waiting)}
            if gone:
                await self._drop_references(item, gone)
            return
        if found.waiting and self.graph.dependents(item.uid):
            if any(dependent.foreground for dependent in self.graph.dependents(item.uid)):
                await self._unblock(item, latest)  # a circle of foreground deletions would wait for itself
            await self._delete(item, latest, "Foreground")
            return
        finalizers = latest.metadata.finalizers
        policy = "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
        await self._delete(item, latest, policy)

    async def _classify(self, item: Item, owners: Iterable[OwnerReference]) -> Classified:
        found = Classified([], [], [])
        for owner in owners:
            known = self.graph.owner_of(item, owner)
            if known is not None:
                (found.waiting if known.foreground else found.solid).append(owner)
                continue
            actual = await self._owner(item, owner)
            if actual is None:
                found.dangling.append(owner)
            elif actual.metadata.deletionTimestamp and FOREGROUND in actual.metadata.finalizers:
                found.waiting.append(owner)
            else:
                found.solid.append(owner)
        return found

    def _is_to_come(self, item: Item, owner: OwnerReference) -> bool:
        """Whether the graph does not have this owner, and will."""
        return self.graph.owner_of(item, owner) is None and self._kind_of(owner) in self._informers

    def _kind_of(self, owner: OwnerReference) -> API | None:
        return self._kinds.get((owner.apiVersion.rpartition("/")[0], owner.kind))

    async def _owner(self, item: Item, owner: OwnerReference) -> PartialObject | None:
        """The owner as the server has it; None: it does not exist. Raises UnknownOwnerKind."""
        api = self._kind_of(owner)
        if api is None:
            raise UnknownOwnerKind(f"{owner.apiVersion} {owner.kind}")
        if api.namespaced and not item.namespace:
            raise UnknownOwnerKind(f"cluster-scoped {item.name} names the namespaced owner {owner.kind} {owner.name}")
        namespace = item.namespace if api.namespaced else ""
        identity = (owner.uid, owner.kind, namespace, owner.name)
        if identity in self._absent:
            return None
        actual = await self._get(api, namespace, owner.name)
        if actual is not None and actual.metadata.uid == owner.uid:
            return actual
        self._absent[identity] = None  # a UID never comes back
        if len(self._absent) > ABSENT_REMEMBERED:
            del self._absent[next(iter(self._absent))]
        return None

    async def _latest(self, item: Item) -> PartialObject | None:
        """The object as the server has it; None: this object is gone, whatever has its name now."""
        latest = await self._get(item.api, item.namespace, item.name)
        return latest if latest is not None and latest.metadata.uid == item.uid else None

    async def _get(self, api: API, namespace: str, name: str) -> PartialObject | None:
        try:
            return await self._client.get(partial(api), name, namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            return None

    async def _delete(self, item: Item, latest: PartialObject, propagation: str) -> None:
        log.info("collecting", kind=item.api.kind, namespace=item.namespace, name=item.name, propagation=propagation)
        try:
            await self._client.delete(
                partial(item.api), item.name, item.namespace,
                propagation=propagation, uid=item.uid, resource_version=latest.metadata.resourceVersion,
            )  # fmt: skip
        except StatusError as error:
            if error.code != 404:
                raise  # 409: it changed under us, perhaps it has an owner again; look once more

    async def _drop_references(self, item: Item, owners: set[str]) -> None:
        latest = await self._latest(item)
        if latest is None:
            return
        left = [owner for owner in latest.metadata.ownerReferences if owner.uid not in owners]
        if len(left) != len(latest.metadata.ownerReferences):
            await self._patch_meta(item, latest, "ownerReferences", left)

    async def _unblock(self, item: Item, latest: PartialObject) -> None:
        owners = latest.metadata.ownerReferences
        if any(owner.blockOwnerDeletion for owner in owners):
            for owner in owners:
                owner.blockOwnerDeletion = False
            fresh = await self._patch_meta(item, latest, "ownerReferences", owners)
            latest.metadata.resourceVersion = fresh.metadata.resourceVersion

    async def _remove_finalizer(self, item: Item, finalizer: str) -> None:
        latest = await self._latest(item)
        if latest is not None and finalizer in latest.metadata.finalizers:
            left = [f for f in latest.metadata.finalizers if f != finalizer]
            await self._patch_meta(item, latest, "finalizers", left)

    async def _patch_meta(self, item: Item, latest: PartialObject, name: str, value: Sequence[Any]) -> PartialObject:
        """A merge patch, as custom resources have no strategic one; the resourceVersion keeps others' changes safe."""
        patch = {"metadata": {"resourceVersion": latest.metadata.resourceVersion, name: to_builtins(value)}}
        return await self._client.patch(partial(item.api), item.name, item.namespace, patch)


def _is_collectable(served: Served) -> bool:
    return {"list", "watch", "delete"} <= served.verbs and (served.api.group, served.api.plural) not in IGNORED
