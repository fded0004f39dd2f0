"""Deletes: at once, after a grace period, or once finalizers are gone.

After upstream's rest.BeforeDelete and registry.Store.Delete. An object with something left to wait for is only marked
(deletionTimestamp, deletionGracePeriodSeconds, the finalizers that a propagation policy asks for); the update that takes the
last finalizer away, or a second delete without grace, removes it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

from sampan.api.errors import StatusError, conflict
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import DELETE, Attributes
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.listing import Listed
from sampan.apiserver.registry.metadata import timestamp
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.options import DeleteOptions, ListOptions
from sampan.apiserver.registry.selection import Selection
from sampan.apiserver.registry.updating import TRIES
from sampan.store.base import Conflict

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

_AT_ONCE = 64


class Deleted(NamedTuple):
    object: CachedObject
    gone: bool
    """False: it is only marked."""


async def delete(
    registry: Registry, namespace: str, name: str, options: DeleteOptions, by: Caller, *, named: bool = True
) -> Deleted:
    """`named`: whether the request says which object. Raises StatusError 404, 409 for preconditions that do not hold, and what
    admission refuses."""
    resource = registry.resource
    if resource.strategy.delete_warning and not options.propagation:
        by.warnings.append(resource.strategy.delete_warning)
    key = registry.cache.key(namespace, name)
    async with registry.locks.hold(key) as turn:
        await registry.feed.catch_up()
        current = registry.cache.objects.get(key)
        for _ in range(TRIES):
            if current is None:
                raise registry.not_found(name)
            old = registry.tree_of(current)
            _check_preconditions(registry, old, options)
            if by.admits:
                attributes = Attributes(
                    DELETE, resource, namespace, name, by.user, None, old, "", options.dry_run, by.warnings, options
                )
                attributes.nameless, attributes.end_turn = not named, turn.leave
                await registry.admission.judge(attributes)
            try:
                return await _delete(registry, current, options)
            except Conflict as error:
                entry = error.current
                current = registry.cache.shape.load(key, entry.revision, entry.value) if entry else None
        raise registry.modified(name)


async def delete_collection(
    registry: Registry, selection: Selection, which: ListOptions, options: DeleteOptions, by: Caller
) -> Listed:
    """Deletes each object of a list by itself, and returns the list; one that vanishes meanwhile is no error."""

    async def delete_one(obj: CachedObject) -> None:
        try:
            await delete(registry, obj.namespace, obj.name, options, by, named=False)
        except StatusError as error:
            if error.code != 404:
                raise

    await registry.feed.catch_up()
    listed = await registry.lister.page(selection, which)
    for start in range(0, len(listed.objects), _AT_ONCE):
        # Side by side, for a store that commits what waits as one.
        await asyncio.gather(*map(delete_one, listed.objects[start : start + _AT_ONCE]))
    return listed


def _check_preconditions(registry: Registry, old: Tree, options: DeleteOptions) -> None:
    resource, meta, why = registry.resource, old["metadata"], ""
    if registry.hooks.begins_deletion:
        _check_first_step(resource, meta, options)
    if options.uid is not None and options.uid != meta.get("uid"):
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta.get('uid', '')}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version is not None and options.resource_version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion in "
            f"record ({meta['resourceVersion']}). The object might have been modified"
        )
    if why:
        # Upstream says here the kind for the plural.
        raise conflict(resource.kind, resource.group, meta["name"], why)


def _check_first_step(resource: Resource, meta: Tree, options: DeleteOptions) -> None:
    """Upstream has other words where the kind begins its deletion itself."""
    wanted = (("UID", options.uid, meta.get("uid", "")), ("ResourceVersion", options.resource_version, meta["resourceVersion"]))
    for what, expected, found in wanted:
        if expected is not None and expected != found:
            why = f"Precondition failed: {what} in precondition: {expected}, {what} in object meta: {found}"
            raise conflict(resource.plural, resource.group, meta["name"], why)


async def _delete(registry: Registry, current: CachedObject, options: DeleteOptions) -> Deleted:
    new = registry.tree_of(current)
    old = registry.tree_of(current)
    now = registry.feed.clock.now()
    period = _begin_grace(registry, new, options, now)
    if period is None:
        return Deleted(current, False)
    finalizers = _finalizers(registry.resource, new["metadata"], options)
    _set_finalizers(new, finalizers)
    waits = bool(finalizers) or registry.hooks.holds(new)
    if waits and registry.hooks.begins_deletion:
        if "deletionTimestamp" not in new["metadata"]:
            new["metadata"]["deletionTimestamp"] = timestamp(now)
            registry.hooks.mark_deleted(new)
            return Deleted(await registry.write(current, new, options.dry_run), False)
        if registry.hooks.holds(new):
            return Deleted(current, False)
    if period == 0 and not waits:
        return await _remove(registry, current, new, options.dry_run)
    if period == 0:
        _mark_deleted(new, now)
        registry.hooks.mark_deleted(new)
    if new == old:
        return Deleted(current, False)
    return Deleted(await registry.write(current, new, options.dry_run), False)


async def _remove(registry: Registry, current: CachedObject, new: Tree, dry_run: bool) -> Deleted:
    """Watchers of a kind that can have grace see it end before the object goes."""
    if registry.resource.strategy.default_grace_seconds is None or dry_run or current.tree()["metadata"] == new["metadata"]:
        return Deleted(await registry.remove(current, new, dry_run), True)
    marked = await registry.write(current, new)
    try:
        return Deleted(await registry.remove(marked, registry.tree_of(marked)), True)
    except Conflict as error:
        if error.current is not None:
            raise
        return Deleted(marked, True)  # whoever acts upon its deletion was first


def _finalizers(resource: Resource, meta: Tree, options: DeleteOptions) -> list[str]:
    """The finalizers the object has once the propagation policy is heard."""
    old = list(meta.get("finalizers", ()))
    if resource.strategy.garbage_collection == "unsupported":
        return [name for name in old if name not in (FOREGROUND, ORPHAN)]
    policy = options.propagation
    if not policy:
        if FOREGROUND in old or ORPHAN in old:
            return old
        policy = "Orphan" if resource.strategy.garbage_collection == "orphan" else "Background"
    kept = [name for name in old if name not in (FOREGROUND, ORPHAN)]
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return kept


def _set_finalizers(new: Tree, finalizers: list[str]) -> None:
    if finalizers:
        new["metadata"]["finalizers"] = finalizers
    else:
        new["metadata"].pop("finalizers", None)


def _begin_grace(registry: Registry, new: Tree, options: DeleteOptions, now: float) -> int | None:
    """Begin or shorten a graceful deletion. Returns its seconds, None for one that goes on as it was."""
    default = registry.resource.strategy.default_grace_seconds
    meta = new["metadata"]
    if default is None:
        return 0
    if "deletionTimestamp" in meta:
        return _shorten_grace(meta, options, now)
    period = default(new)
    if options.grace_seconds is not None and not registry.hooks.ends_at_once(new):
        period = options.grace_seconds
    if period < 0:
        period = 1
    _bump_generation(meta)
    meta["deletionTimestamp"] = timestamp(now + period)
    meta["deletionGracePeriodSeconds"] = period
    return period


def _shorten_grace(meta: Tree, options: DeleteOptions, now: float) -> int | None:
    """The new period counts from when the deletion began, but nothing ends in the past."""
    running = meta.get("deletionGracePeriodSeconds")
    if not running:
        return 0
    if options.grace_seconds is None:
        return None
    period = options.grace_seconds if options.grace_seconds >= 0 else 1
    if period >= running:
        return None
    ends = datetime.fromisoformat(meta["deletionTimestamp"]).timestamp() - running + period
    if ends < now:
        ends, period = now, min(period, 1)
    meta["deletionTimestamp"] = timestamp(ends)
    meta["deletionGracePeriodSeconds"] = period
    return period


def _mark_deleted(new: Tree, now: float) -> None:
    """The object waits for finalizers: its deletion is on record, and no grace runs any more."""
    meta = new["metadata"]
    if "deletionTimestamp" not in meta:
        _bump_generation(meta)
    # All these times have one form, so they compare as what they stand for.
    meta["deletionTimestamp"] = min(meta.get("deletionTimestamp") or timestamp(now), timestamp(now))
    meta["deletionGracePeriodSeconds"] = 0


def _bump_generation(meta: Tree) -> None:
    """Controllers may have to act otherwise on an object that is being deleted, so that is a new generation."""
    if meta.get("generation"):
        meta["generation"] += 1


def success_of(resource: Resource, obj: CachedObject) -> Tree:
    """The Status that says what was deleted."""
    details = {"name": obj.name, "group": resource.group, "kind": resource.plural, "uid": obj.tree()["metadata"].get("uid", "")}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
