"""The writes of one namespace that wait to be counted in its quotas: all that wait are counted by one update of each quota.

An update is a compare and set, so that servers of one store cannot together overshoot. Where a quota has changed meanwhile,
all who wait for it are judged again. A write that comes to nothing gives back what was counted for it, unless somebody else
has written the quota since: that may have been a recount, which did not find the object, and to give back once more would let
too much in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sampan.api.errors import CONFLICT, NOT_FOUND, StatusError
from sampan.api.podresources import Amounts
from sampan.api.quota.amounts import rest, total, written
from sampan.api.quota.charging import Quota, Refused, Write
from sampan.api.resource import Tree
from sampan.apiserver.admission.indexes import CacheIndex
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.updating import Present
from sampan.lib.log import get_logger

_TRIES = 10

log = get_logger("apiserver")


class Standing(NamedTuple):
    """A quota as it stands in the cache."""

    quota: Quota
    uid: str
    revision: int


def _read(obj: CachedObject) -> Standing:
    tree = obj.tree()
    return Standing(Quota.of(tree), tree["metadata"].get("uid", ""), obj.revision)


class Standings:
    """The quotas of all namespaces, and the one way to change what they count."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._index = CacheIndex(registry.cache, _read)

    def at(self, namespace: str) -> Mapping[str, Standing]:
        return self._index.at(namespace)

    async def update(self, namespace: str, standing: Standing, used: Amounts) -> int:
        """The revision of the quota that counts so; 0: it is not as it stood any more. Raises StatusError, StoreUnavailable."""

        def change(present: Present) -> Tree:
            tree = present.own()
            tree["metadata"]["resourceVersion"] = str(standing.revision)
            tree["status"] = {"hard": written(standing.quota.hard), "used": written(used)}
            return tree

        registry = self._registry
        try:
            stored = await registry.update(namespace, standing.quota.name, change, Caller(), part=registry.status)
        except StatusError as error:
            if error.reason in (CONFLICT, NOT_FOUND):
                return 0
            raise
        return stored.revision

    def lost(self, name: str) -> StatusError:
        """Others were first, again and again."""
        return self._registry.modified(name)


class _Counted(NamedTuple):
    """What a quota has counted for a write, and in which run of our own updates it did."""

    run: int
    amounts: Amounts


class _Waiter:
    def __init__(self, write: Write) -> None:
        self.write = write
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.counted: dict[str, _Counted] = {}
        """By the quota's uid."""


class _Run:
    """Updates of a quota that are all ours, up to `revision`; `number` tells it from those before."""

    __slots__ = ("number", "revision")

    def __init__(self) -> None:
        self.number = 0
        self.revision = 0


class QuotaQueue:
    """`begin` starts `work` as a task; it is called when there is something to do and nobody at work."""

    def __init__(self, namespace: str, standings: Standings, begin: Callable[[QuotaQueue], None]) -> None:
        self.namespace = namespace
        self._standings = standings
        self._begin = begin
        self._working = False
        self._waiting: list[_Waiter] = []
        self._returned: list[Mapping[str, _Counted]] = []
        self._runs: dict[str, _Run] = {}

    @property
    def idle(self) -> bool:
        return not self._working

    async def charge(self, write: Write) -> Callable[[], None]:
        """Return once the write is counted; what is returned gives it back. Raises Refused, StatusError, StoreUnavailable."""
        waiter = _Waiter(write)
        self._waiting.append(waiter)
        self._start()
        await waiter.done
        return lambda: self._give_back(waiter)

    async def work(self) -> None:
        """Until nobody waits any more."""
        try:
            while self._waiting or self._returned:
                waiters, self._waiting = self._waiting, []
                returned, self._returned = self._returned, []
                try:
                    await self._count(waiters, returned)
                    self._finish(waiters, None)
                except Exception as error:  # the boundary of this loop: these writes fail with it, later ones may not
                    log.warning("quotas could not be updated", namespace=self.namespace, error=repr(error))
                    self._finish(waiters, error)
        finally:
            self._working = False

    def _start(self) -> None:
        if not self._working:
            self._working = True
            self._begin(self)

    def _give_back(self, waiter: _Waiter) -> None:
        if waiter.counted:
            self._returned.append(waiter.counted)
            self._start()

    def _finish(self, waiters: Sequence[_Waiter], error: Exception | None) -> None:
        for waiter in waiters:
            if waiter.done.done():  # refused, or given up by who waited
                self._give_back(waiter)
            elif error is None:
                waiter.done.set_result(None)
            else:
                waiter.done.set_exception(error)
                self._give_back(waiter)

    async def _count(self, waiters: Sequence[_Waiter], returned: Sequence[Mapping[str, _Counted]]) -> None:
        standing = self._standing()
        for _ in range(_TRIES):
            used = {name: self._without(found, returned) for name, found in standing.items()}
            charged = _charge(waiters, standing, used)
            # Also where what is counted and what is given back come to the same: the quota must still stand as it did.
            counting = {name for charges in charged.values() for name in charges}
            changed = [s for name, s in standing.items() if name in counting or used[name] != s.quota.used]
            lost = await self._update(changed, used, charged)
            if not lost:
                return
            standing = {name: found for name, found in self._standing().items() if name in lost}
        raise self._standings.lost(next(iter(standing), ""))

    def _standing(self) -> dict[str, Standing]:
        """Every quota by name, and the run that it is in."""
        standing = dict(sorted(self._standings.at(self.namespace).items()))
        self._runs = {found.uid: self._runs.get(found.uid) or _Run() for found in standing.values()}
        for found in standing.values():
            run = self._runs[found.uid]
            if run.revision != found.revision:
                run.revision = found.revision
                run.number += 1
        return standing

    def _without(self, standing: Standing, returned: Sequence[Mapping[str, _Counted]]) -> Amounts:
        used = standing.quota.used
        for counted in returned:
            found = counted.get(standing.uid)
            if found is not None and found.run == self._runs[standing.uid].number:
                used = rest(used, found.amounts)
        return used

    async def _update(
        self, changed: Sequence[Standing], used: Mapping[str, Amounts], charged: Mapping[_Waiter, Mapping[str, Amounts]]
    ) -> set[str]:
        """The names of those that were not as they stood any more."""
        updates = (self._standings.update(self.namespace, found, used[found.quota.name]) for found in changed)
        outcomes = await asyncio.gather(*updates, return_exceptions=True)
        lost: set[str] = set()
        for found, revision in zip(changed, outcomes, strict=True):
            if isinstance(revision, BaseException):
                continue
            if not revision:
                lost.add(found.quota.name)
                continue
            run = self._runs[found.uid]
            run.revision = revision
            for waiter, charges in charged.items():
                if amounts := charges.get(found.quota.name):
                    waiter.counted[found.uid] = _Counted(run.number, amounts)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return lost


def _charge(
    waiters: Sequence[_Waiter], standing: Mapping[str, Standing], used: dict[str, Amounts]
) -> dict[_Waiter, dict[str, Amounts]]:
    """Let each in turn into what is left; `used` grows by those for whom there is room, the others are refused."""
    quotas = {name: Quota(name, found.quota.hard, used[name], found.quota.scopes) for name, found in standing.items()}
    charged: dict[_Waiter, dict[str, Amounts]] = {}
    for waiter in waiters:
        if waiter.done.done():
            continue
        try:
            charges = waiter.write.charges(quotas.values())
        except Refused as refusal:
            waiter.done.set_exception(refusal)
            continue
        charged[waiter] = charges
        for name, more in charges.items():
            quotas[name].used = used[name] = total(used[name], more)
    return charged
