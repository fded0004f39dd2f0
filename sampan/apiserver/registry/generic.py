"""The write path, the same for every kind, and the reads by name.

    create: name and place → default → admit (mutate) → prepare → validate → admit (validate) → store
    update: change → default → admit (mutate) → continue metadata → prepare → validate → admit (validate) → store

After upstream's registry.Store and rest.BeforeCreate/BeforeUpdate (k8s.io/apiserver/pkg/registry). A tree that comes in is
decoded, type-checked and pruned; the registry owns it from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sampan.api.errors import (
    OBJECT_MODIFIED,
    FieldError,
    StatusError,
    already_exists,
    conflict,
    invalid,
    invalid_object,
    not_found,
)
from sampan.api.groups.validation.metadata import validate_metadata, validate_metadata_update
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Admission, Attributes
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.hooks import NO_HOOKS, Hooks
from sampan.apiserver.registry.listing import Lister
from sampan.apiserver.registry.locks import KeyLocks
from sampan.apiserver.registry.metadata import continue_metadata, generate_name, start_metadata
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.user import SERVER, User
from sampan.store.base import Conflict, KeyExists

_NAME_TRIES = 8
_UPDATE_TRIES = 5

Change = Callable[[Tree], Tree]
"""From the tree that stands (the function's own, resourceVersion included) to the one that shall stand."""


@dataclass(slots=True)
class Caller:
    """On whose behalf a write is made, and how; `warnings` collects what the client should be told."""

    user: User = SERVER
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)


class Part(NamedTuple):
    """What an update through a subresource may touch, and its rules."""

    subresource: str
    prepare: Callable[[Tree, Tree], None]
    validate: Callable[[Tree, Tree], list[FieldError]]


class Registry:
    """One stored resource. Internal writers use it as the routes do, and get the same defaults, checks and admission."""

    def __init__(
        self, resource: Resource, cache: WatchCache, feed: Feed, admission: Admission, *, ttl_seconds: int | None = None
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.feed = feed
        self.admission = admission
        self.hooks: Hooks = NO_HOOKS
        self.lister = Lister(cache, feed)
        self.locks = KeyLocks()
        self.ttl_seconds = resource.ttl_seconds if ttl_seconds is None else ttl_seconds
        strategy = resource.strategy

        def validate_main(new: Tree, old: Tree) -> list[FieldError]:
            return strategy.validate(new) + strategy.validate_update(new, old)

        self.main = Part("", strategy.prepare_update, validate_main)
        self.status = Part("status", strategy.prepare_status, strategy.validate_status)

    def get(self, namespace: str, name: str) -> CachedObject:
        """Raises StatusError 404."""
        found = self.cache.get(namespace, name)
        if found is None:
            raise self.not_found(name)
        return found

    def not_found(self, name: str) -> StatusError:
        return not_found(self.resource.plural, self.resource.group, name)

    def invalid(self, name: str, errors: list[FieldError]) -> StatusError:
        return invalid_object(self.resource.kind, self.resource.group, name, errors)

    def modified(self, name: str) -> StatusError:
        return conflict(self.resource.plural, self.resource.group, name, OBJECT_MODIFIED)

    async def create(self, tree: Tree, namespace: str, by: Caller) -> CachedObject:
        meta = start_metadata(tree, self.resource, namespace, self.feed.clock.now())
        prefix = "" if meta.get("name") else meta.get("generateName", "")
        if not prefix:
            return await self._create(tree, namespace, by)
        for attempt in range(_NAME_TRIES):
            meta["name"] = generate_name(prefix)
            try:
                return await self._create(tree, namespace, by)
            except StatusError as error:
                if error.code != 409 or attempt == _NAME_TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    async def _create(self, tree: Tree, namespace: str, by: Caller) -> CachedObject:
        resource, meta = self.resource, tree["metadata"]
        name = meta.get("name", "")
        resource.default(tree)
        attributes = Attributes(CREATE, resource, namespace, name, by.user, tree, None, "", by.dry_run, by.warnings)
        self.admission.mutate(attributes)
        resource.strategy.prepare_create(tree)
        errors = validate_metadata(tree, resource.namespaced, resource.name_is_valid)
        errors += resource.strategy.validate(tree)
        if errors:
            raise self.invalid(name, errors)
        self.admission.validate(attributes)
        key = self.cache.key(namespace, name)
        if key in self.cache.objects:
            raise already_exists(resource.plural, resource.group, name)
        undo = self.hooks.begin_create(tree, by.dry_run)
        try:
            return await self._store_new(key, tree, by.dry_run)
        except KeyExists:
            undo()
            raise already_exists(resource.plural, resource.group, name) from None
        except BaseException:
            undo()
            raise

    async def _store_new(self, key: str, tree: Tree, dry_run: bool) -> CachedObject:
        cache = self.cache
        value = cache.shape.encode(tree)
        obj = cache.shape.draft(key, tree)
        if dry_run:
            obj.preview(value)
            return obj
        cache.expect(key, value, obj)
        try:
            revision = await self.feed.store.create(key, value, ttl_seconds=self.ttl_seconds)
        except BaseException:
            cache.unexpect(key)
            raise
        return await self._settled(obj, revision, value)

    async def _settled(self, obj: CachedObject, revision: int, value: bytes) -> CachedObject:
        """Return once the caches show the write: who was answered must find what he wrote."""
        if self.feed.revision < revision:
            await self.feed.reach(revision)
        if not obj.revision:
            obj.place(revision, value)
        return obj

    async def update(
        self, namespace: str, name: str, change: Change, by: Caller, *, part: Part | None = None, must_match: bool = True
    ) -> CachedObject:
        """Replace an object by what `change` makes of it.

        A tree without a resourceVersion is written unconditionally where the kind allows it. `must_match` False ignores the
        resourceVersion of the tree altogether. Raises StatusError 404, 409, 422.
        """
        key = self.cache.key(namespace, name)
        async with self.locks.hold(key):
            current = self.cache.objects.get(key)
            for _ in range(_UPDATE_TRIES):
                if current is None:
                    raise self.not_found(name)
                old = current.tree()
                tree = change(current.tree())
                pinned = self._check_revision(tree, current, must_match)
                try:
                    return await self._update(key, tree, old, current, by, part or self.main)
                except Conflict as error:
                    if pinned:
                        raise self.modified(name) from None
                    entry = error.current
                    current = self.cache.shape.load(key, entry.revision, entry.value) if entry else None
            raise self.modified(name)

    def _check_revision(self, tree: Tree, current: CachedObject, must_match: bool) -> bool:
        """Returns whether the client insists on the revision it saw."""
        meta = tree["metadata"]
        wanted = meta.get("resourceVersion") or "0"
        meta["resourceVersion"] = str(current.revision)
        if not must_match:
            return False
        if wanted == "0":
            if self.resource.strategy.allow_unconditional_update:
                return False
            raise self.invalid(current.name, [invalid("metadata.resourceVersion", 0, "must be specified for an update")])
        if wanted != meta["resourceVersion"]:
            raise self.modified(current.name)
        return True

    async def _update(self, key: str, tree: Tree, old: Tree, current: CachedObject, by: Caller, part: Part) -> CachedObject:
        resource, meta = self.resource, tree["metadata"]
        name = current.name
        resource.default(tree)
        attributes = Attributes(
            UPDATE, resource, current.namespace, name, by.user, tree, old, part.subresource, by.dry_run, by.warnings
        )
        self.admission.mutate(attributes)
        continue_metadata(meta, old["metadata"], resource)
        part.prepare(tree, old)
        errors = validate_metadata_update(tree, old)
        errors += part.validate(tree, old)
        if errors:
            raise self.invalid(name, errors)
        self.admission.validate(attributes)
        if tree == old:
            return current
        undo = self.hooks.begin_update(tree, old, by.dry_run)
        try:
            return await self._store_over(key, tree, current, by.dry_run)
        except BaseException:
            undo()
            raise

    async def _store_over(self, key: str, tree: Tree, current: CachedObject, dry_run: bool) -> CachedObject:
        if self.hooks.is_finished(tree):
            return await self.remove(current, tree, dry_run)
        return await self.write(current, tree, dry_run)

    async def write(self, current: CachedObject, tree: Tree, dry_run: bool = False) -> CachedObject:
        """Store `tree` over `current` as it is: no defaults, no checks. Raises store.Conflict."""
        cache, key = self.cache, current.key
        value = cache.shape.encode(tree)
        obj = cache.shape.draft(key, tree)
        if dry_run:
            obj.place(current.revision, value)
            return obj
        cache.expect(key, value, obj)
        try:
            revision = await self.feed.store.update(key, value, current.revision, ttl_seconds=self.ttl_seconds)
        except BaseException:
            cache.unexpect(key)
            raise
        return await self._settled(obj, revision, value)

    async def remove(self, current: CachedObject, tree: Tree | None = None, dry_run: bool = False) -> CachedObject:
        """Take `current` out of the store; returns it as it was last (`tree`, if given). Raises store.Conflict."""
        last = current
        if tree is not None:
            last = self.cache.shape.draft(current.key, tree)
            last.place(current.revision, self.cache.shape.encode(tree))
        if dry_run:
            return last
        revision = await self.feed.store.delete(current.key, current.revision)
        await self.feed.reach(revision)
        self.hooks.after_delete(last.tree())
        return last.at(revision) if tree is not None else last
