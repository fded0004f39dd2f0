"""What a ResourceQuota's status says: what it allows, and what is used of that.

Admission counts what is added; this controller counts what is there: when a quota is new or changed, when something that it
counts is deleted or ends, some seconds after admission added to it last, and every five minutes in any case. Whatever
discovery lists can be counted by `count/NAME.GROUP`.
After upstream's pkg/controller/resourcequota.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from sampan.api.errors import StatusError
from sampan.api.podresources import Amounts, add, parsed
from sampan.api.quantity import ZERO, of_value
from sampan.api.quota.amounts import only, written
from sampan.api.quota.scopes import Scope, scopes_of
from sampan.api.quota.usage import IGNORED, Evaluator, evaluator_for
from sampan.api.resource import Tree
from sampan.api.types.core_v1 import PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service
from sampan.client.discovery import Served
from sampan.client.informer import Informer, InformerFactory, Key, key_of
from sampan.controllers.ownergraph import slim
from sampan.controllers.rediscovery import Rediscovery
from sampan.lib.log import get_logger
from sampan.lib.queue import WorkQueue
from sampan.lib.tasks import Tasks

log = get_logger("resource-quota")

RESYNC_SECONDS = 300.0
RETRY_SECONDS = 0.5
QUIET_SECONDS = 0.1
"""How long nothing must have been added before what is there is counted: what was let in may not be stored yet, or not seen
here. Who fills a quota is refused in the end, so that it gets quiet just when a recount is called for."""
LONGEST_WAIT_SECONDS = 2.0
CALM_SECONDS = 5.0
"""After so long without an addition what is there is counted, too: an API server that dies between counting a write and storing
it leaves a quota that counts too much, and no event tells of that."""
WORKERS = 5
_MEASURED = (Pod, Service, PersistentVolumeClaim)
"""Kinds of which more than their number counts."""
_MEASURED_KINDS = {(cls.api.group, cls.api.plural) for cls in _MEASURED}


class ResourceQuotaController:
    def __init__(self, factory: InformerFactory) -> None:
        self._factory = factory
        self._client = factory.client
        self._clock = factory.client.clock
        self.queue: WorkQueue[Key] = WorkQueue(self._clock)
        self._quotas = factory.informer(ResourceQuota)
        self._counted: dict[tuple[str, str], Informer[Any]] = {}
        """By group and plural: all that quotas can count."""
        self._usages: dict[str, tuple[str, Amounts]] = {}
        """By uid: the revision of an object, and what it used then."""
        self._charged: dict[Key, float] = {}
        """When admission added to a quota last, until that has been checked."""
        self._waiting: dict[Key, float] = {}
        """Since when a quota waits to be counted."""
        self._rediscovery = Rediscovery(factory)
        for cls in _MEASURED:
            self._follow(cls.api.group, cls.api.plural, factory.informer(cls))
        self._quotas.add_handler(self._quota_changed)

    async def run(self) -> None:
        """Until cancelled."""
        self._follow_discovery(await self._rediscovery.ask())
        await self._quotas.wait_synced()
        async with Tasks() as tasks:
            for number in range(WORKERS):
                tasks.start(self._work(), f"resource-quota-{number}")
            tasks.start(self._resync(), "resource-quota-resync")
            tasks.start(self._check_charges(), "resource-quota-charges")
            while True:
                await self._rediscovery.due()
                self._follow_discovery(await self._rediscovery.ask())

    async def _resync(self) -> None:
        while True:
            await self._clock.sleep(RESYNC_SECONDS)
            for quota in self._quotas.list():
                self.queue.add(key_of(quota))

    async def _check_charges(self) -> None:
        while True:
            await self._clock.sleep(CALM_SECONDS)
            calm_since = self._clock.monotonic() - CALM_SECONDS
            for key in [key for key, charged in self._charged.items() if charged <= calm_since]:
                del self._charged[key]
                self.queue.add(key)

    def _follow_discovery(self, served: Sequence[Served]) -> None:
        """Count what is served now."""
        wanted = {(s.api.group, s.api.plural): s.api for s in served if _is_countable(s)}
        for kind, api in wanted.items():
            if kind in _MEASURED_KINDS:
                continue
            # The garbage collector follows discovery, too: it ends informers of what is no more, and may have begun them anew.
            informer = self._factory.of_resource(api) or self._factory.informer(slim(api))
            if self._counted.get(kind) is not informer:
                self._follow(*kind, informer)
        for kind in self._counted.keys() - wanted.keys() - _MEASURED_KINDS:
            del self._counted[kind]

    def _follow(self, group: str, plural: str, informer: Informer[Any]) -> None:
        evaluator = evaluator_for(group, plural)
        self._counted[group, plural] = informer
        informer.add_handler(partial(self._changed, evaluator))
        for quota in self._quotas.list():
            if evaluator.names(quota.spec.hard):  # and waited for a kind that is served only now
                self.queue.add(key_of(quota))

    def _quota_changed(self, old: ResourceQuota | None, new: ResourceQuota | None) -> None:
        if new is None:
            if old is not None:
                self._charged.pop(key_of(old), None)
        elif old is None or old.spec != new.spec:
            self.queue.add(key_of(new))
        elif _grew(old.status.used, new.status.used):
            self._charged[key_of(new)] = self._clock.monotonic()

    def _changed(self, evaluator: Evaluator, old: Any, new: Any) -> None:
        """What an object used may be free again."""
        if old is None:
            return
        quotas = self._quotas.list(old.metadata.namespace)
        if quotas and (new is None or self._uses_less(evaluator, old, new)):
            for quota in quotas:
                if evaluator.names(quota.status.hard):
                    self.queue.add(key_of(quota))
        if new is None:
            self._usages.pop(old.metadata.uid, None)

    def _uses_less(self, evaluator: Evaluator, old: Any, new: Any) -> bool:
        if not isinstance(old, _MEASURED):
            return False
        before, now = self._usage(evaluator, old), self._usage(evaluator, new)
        return any(amount > now.get(name, ZERO) for name, amount in before.items())

    def _usage(self, evaluator: Evaluator, obj: Any) -> Amounts:
        meta = obj.metadata
        known = self._usages.get(meta.uid)
        if known is not None and known[0] == meta.resourceVersion:
            return known[1]
        usage = evaluator.usage(_tree(obj), self._clock.now())
        if not meta.deletionTimestamp:  # the time at which it counts no more comes without an event
            self._usages[meta.uid] = meta.resourceVersion, usage
        return usage

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._recount(key)
                self.queue.forget(key)
            except Exception as error:
                lost_race = isinstance(error, StatusError) and error.code in (404, 409)
                expected = isinstance(error, StatusError | OSError | TimeoutError | EOFError)
                note = log.debug if lost_race else log.warning
                note("recount failed", key=str(key), error=str(error), exc_info=None if expected else error)
                self.queue.add_rate_limited(key)
            finally:
                self.queue.done(key)

    async def _recount(self, key: Key) -> None:
        quota = self._quotas.get(key.name, key.namespace)
        if quota is None:
            self._waiting.pop(key, None)
            return
        if (seconds := self._unquiet_seconds(key)) > 0:
            self.queue.add_after(key, seconds)
            return
        counted = self._count(quota)
        if counted is None:
            self.queue.add_after(key, RETRY_SECONDS)
            return
        hard, before = parsed(quota.spec.hard), parsed(quota.status.used)
        # What nobody here can count keeps what it was.
        used = only(before | counted, hard)
        if hard != parsed(quota.status.hard) or used != before:
            status = ResourceQuotaStatus(hard=quota.spec.hard, used=written(used))
            await self._client.update_status(replace(quota, status=status))

    def _unquiet_seconds(self, key: Key) -> float:
        """How long to wait yet before the quota is counted."""
        now = self._clock.monotonic()
        since = self._waiting.setdefault(key, now)
        seconds = self._charged.get(key, -QUIET_SECONDS) + QUIET_SECONDS - now
        if seconds > 0 and now - since < LONGEST_WAIT_SECONDS:
            return seconds
        del self._waiting[key]
        return 0.0

    def _count(self, quota: ResourceQuota) -> Amounts | None:
        """None: it is not known yet what there is."""
        scopes = scopes_of(to_builtins(quota.spec))
        used: Amounts = {}
        for (group, plural), informer in self._counted.items():
            evaluator = evaluator_for(group, plural)
            if names := evaluator.names(quota.spec.hard):
                if not informer.current:
                    return None
                amounts = dict.fromkeys(names, ZERO)
                for part in self._parts(evaluator, informer, quota.metadata.namespace, scopes):
                    add(amounts, part)
                used |= only(amounts, names)
        return used

    def _parts(
        self, evaluator: Evaluator, informer: Informer[Any], namespace: str, scopes: tuple[Scope, ...]
    ) -> Iterator[Amounts]:
        objects = informer.list(namespace)
        if issubclass(informer.cls, _MEASURED):
            for obj in objects:
                if not scopes or evaluator.matches(scopes, _tree(obj)):
                    yield self._usage(evaluator, obj)
        elif not scopes:
            each = evaluator.usage({}, 0.0)
            yield {name: of_value(len(objects)) for name in each}


def _grew(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    old = parsed(before)
    return any(amount > old.get(name, ZERO) for name, amount in parsed(now).items())


def _is_countable(served: Served) -> bool:
    api = served.api
    return api.namespaced and {"create", "list", "watch", "delete"} <= served.verbs and (api.group, api.plural) not in IGNORED


def _tree(obj: Any) -> Tree:
    """As much of an object as quotas look at."""
    meta = obj.metadata
    metadata = {
        "annotations": meta.annotations,
        "deletionTimestamp": meta.deletionTimestamp,
        "deletionGracePeriodSeconds": meta.deletionGracePeriodSeconds,
    }
    return {"metadata": metadata, "spec": to_builtins(obj.spec), "status": to_builtins(obj.status)}
