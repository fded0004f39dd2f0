"""The write path, the same for every kind, and the reads by name.

    create: name and place → default → admit (mutate) → prepare → validate → admit (validate) → store

Updates are in updating.py.

After upstream's registry.Store and rest.BeforeCreate/BeforeUpdate (k8s.io/apiserver/pkg/registry). A tree that comes in is
decoded, type-checked and pruned; the registry owns it from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sampan.api.apply.ownership import Raw
from sampan.api.errors import (
    ALREADY_EXISTS,
    OBJECT_MODIFIED,
    FieldError,
    StatusError,
    already_exists,
    conflict,
    invalid_object,
    not_found,
)
from sampan.api.groups.validation.metadata import validate_metadata
from sampan.api.resource import Resource, Tree
from sampan.api.standing import fill_field
from sampan.apiserver.admission.chain import CREATE, Admission, Attributes
from sampan.apiserver.registry.admitting import Face, admit
from sampan.apiserver.registry.feed import Feed
from sampan.apiserver.registry.hooks import NO_HOOKS, Hooks
from sampan.apiserver.registry.listing import Lister
from sampan.apiserver.registry.locks import KeyLocks, Turn, Underway
from sampan.apiserver.registry.metadata import (
    AFTER_ADMISSION,
    drop_repeated_owners,
    generate_name,
    place_in_namespace,
    start_metadata,
    timestamp,
)
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.options import WriteOptions
from sampan.apiserver.registry.ownership import FieldOwners, put, take
from sampan.apiserver.registry.selection import Fields
from sampan.apiserver.registry.updating import Change, update
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.user import SERVER, User
from sampan.store.base import KeyExists

_NAME_TRIES = 8


@dataclass(slots=True)
class Caller:
    """On whose behalf a write is made, and how; `warnings` collects what the client should be told."""

    user: User = SERVER
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    field_manager: str = "kube-apiserver"
    """Who owns the fields that the write changes; "" is somebody unknown."""
    applies: bool = False
    """Whether it is a server-side apply, which sees to managedFields itself."""
    options: WriteOptions | None = None
    admits: bool = True
    """Whether admission is asked; not where it has judged already what the write is a part of, such as an eviction."""


class Part(NamedTuple):
    """What an update through a subresource may touch, and its rules."""

    subresource: str
    prepare: Callable[[Tree, Tree], None]
    validate: Callable[[Tree, Tree], list[FieldError]]
    tracked: bool = True
    """Whether it is noted who changed which fields; upstream does where its generic handlers do the writing."""


class Registry:
    """One resource. Internal writers use it as the routes do, and get the same defaults, checks and admission.

    Objects are handled in the resource's own form, also where another is stored (`Resource.stored_as`); registries of one
    stored resource share its cache and `locks`.
    """

    def __init__(
        self,
        resource: Resource,
        cache: WatchCache,
        feed: Feed,
        admission: Admission,
        *,
        ttl_seconds: int = 0,
        locks: KeyLocks | None = None,
    ) -> None:
        self.resource = resource
        self.group = resource.stored_as[0] if resource.stored_as else resource.group
        """That of the kind that is stored, which errors of validation name."""
        self.cache = cache
        self.feed = feed
        self.admission = admission
        self.hooks: Hooks = NO_HOOKS
        self.lister = Lister(cache, feed)
        self.fields = Fields(resource, cache.shape)
        self.locks = locks or KeyLocks()
        self.ttl_seconds = ttl_seconds
        cache.shape.faces[resource.group_version] = resource
        self.owners = FieldOwners(resource, cache.shape.faces, lambda: timestamp(feed.clock.now()))
        strategy = resource.strategy

        def validate_main(new: Tree, old: Tree) -> list[FieldError]:
            return strategy.validate(new) + strategy.validate_update(new, old)

        self.main = Part("", strategy.prepare_update, strategy.validate_change or validate_main)
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
        return invalid_object(self.resource.kind, self.group, name, errors)

    def tree_of(self, obj: CachedObject) -> Tree:
        """A fresh tree of a cached object in this resource's form."""
        tree = obj.tree()
        return self.resource.from_stored(tree) if self.resource.from_stored else tree

    def taken_apart(self, obj: CachedObject) -> tuple[Tree, Raw | None]:
        """As `tree_of`, but without managedFields, and these."""
        tree, managed = obj.apart()
        return self.resource.from_stored(tree) if self.resource.from_stored else tree, managed

    def encode(self, key: str, tree: Tree) -> tuple[bytes, CachedObject]:
        """The value to store and the object that it is; `tree` is in this resource's form."""
        managed = take(tree)
        if self.resource.to_stored is not None:
            tree = self.resource.to_stored(tree)
        put(tree, managed)
        shape = self.cache.shape
        return shape.encode(tree), shape.draft(key, tree)

    def modified(self, name: str) -> StatusError:
        return conflict(self.resource.plural, self.resource.group, name, OBJECT_MODIFIED)

    async def create(self, tree: Tree, namespace: str, by: Caller) -> CachedObject:
        await self.feed.catch_up()
        meta = start_metadata(tree, self.resource, namespace, self.feed.clock.now())
        sent = take(tree)
        prefix = "" if meta.get("name") else meta.get("generateName", "")
        if not prefix:
            return await self._create(tree, sent, namespace, by, generated=False)
        for attempt in range(_NAME_TRIES):
            meta["name"] = generate_name(prefix)
            try:
                return await self._create(tree, sent, namespace, by, generated=True)
            except StatusError as error:
                if error.reason != ALREADY_EXISTS or attempt == _NAME_TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    async def _create(self, tree: Tree, sent: Any, namespace: str, by: Caller, *, generated: bool) -> CachedObject:
        """`sent`: the managedFields of the request; `generated`: whether it named no object."""
        resource, name = self.resource, tree["metadata"].get("name", "")
        take(tree)  # those of an attempt before
        if not by.applies:
            drop_repeated_owners(tree["metadata"], by.warnings)
        resource.complete(tree)
        managed = sent if by.applies else self.owners.created(tree, sent, by.field_manager)
        attributes = Attributes(
            CREATE, resource, namespace, name, by.user, tree, None, "", by.dry_run, by.warnings, by.options, None, generated
        )
        if by.admits:
            managed = await admit(self.admission, attributes, managed, None)
            drop_repeated_owners(tree["metadata"], by.warnings, AFTER_ADMISSION)
            place_in_namespace(tree["metadata"], resource, namespace)
        resource.strategy.prepare_create(tree)
        name = tree["metadata"].get("name", "")
        if resource.custom_schema is None:
            fill_field(resource.schema, tree, "status")
        undo = self.hooks.begin_create(tree, by.dry_run)
        try:
            any_finalizer = resource.takes_any_finalizer
            errors = validate_metadata(tree, resource.namespaced, resource.name_is_valid, any_finalizer=any_finalizer)
            errors += self.owners.problems(managed, sent)
            errors += resource.strategy.validate(tree)
            if errors:
                raise self.invalid(name, errors)
            if resource.strategy.warn is not None:
                by.warnings += resource.strategy.warn(tree, None)
            put(tree, managed)
            attributes.name, attributes.nameless = name, False
            if by.admits and (waiting := self.admission.validate(attributes)) is not None:
                await waiting
            if not by.dry_run and (claiming := self.hooks.claim(tree)) is not None:
                await claiming
            return await self._store_new(self.cache.key(namespace, name), tree, by.dry_run)
        except Exception:  # a cancelled write may yet be stored: what it took stays taken
            undo()
            attributes.failed()
            raise

    async def _store_new(self, key: str, tree: Tree, dry_run: bool) -> CachedObject:
        if key in self.cache.objects:
            raise self._exists(key, tree)
        value, obj = self.encode(key, tree)
        if dry_run:
            value, obj = await self._foreseen(value, obj)
            obj.preview(value)
            return obj
        self.cache.expect(key, value, obj)
        try:
            revision = await self.feed.store.create(key, value, ttl_seconds=self.ttl_seconds)
        except BaseException as error:  # it may be stored all the same: then it is decoded as another server's would be
            self.cache.unexpect(key, value)
            if isinstance(error, KeyExists):
                raise self._exists(key, tree) from None
            raise
        return await self._settled(obj, revision, value)

    async def _foreseen(self, value: bytes, obj: CachedObject) -> tuple[bytes, CachedObject]:
        """What would be read if `value` were stored, and its object, which is placed nowhere yet."""
        return value, obj

    def _exists(self, key: str, tree: Tree) -> StatusError:
        resource, meta = self.resource, tree["metadata"]
        standing = self.cache.objects.get(key)
        leaving = standing is not None and "deletionTimestamp" in standing.tree()["metadata"]
        generated = bool(meta.get("generateName"))
        return already_exists(resource.plural, resource.group, meta["name"], generated=generated, leaving=leaving)

    async def _settled(self, obj: CachedObject, revision: int, value: bytes) -> CachedObject:
        """What stands, once the caches show it: who was answered must find what he wrote. That is `obj`, unless this had to
        be placed at another revision before: then somebody may be looking at it there."""
        if self.feed.revision < revision:
            await self.feed.reach(revision)
        return obj if obj.revision == revision else self.cache.shape.load(obj.key, revision, value)

    async def update(
        self,
        namespace: str,
        name: str,
        change: Change,
        by: Caller,
        *,
        part: Part | None = None,
        face: Face | None = None,
        must_match: bool = True,
    ) -> CachedObject:
        """Replace an object by what `change` makes of it.

        A tree without a resourceVersion is written unconditionally where the kind allows it. `must_match` False ignores the
        resourceVersion of the tree altogether. Admission is shown the `face`. Raises StatusError 404, 409, 422.
        """
        return await update(self, namespace, name, change, by, part or self.main, face, must_match=must_match)

    async def write(
        self,
        current: CachedObject,
        tree: Tree,
        dry_run: bool = False,
        *,
        base: Underway | None = None,
        turn: Turn | None = None,
    ) -> CachedObject:
        """Store `tree` over `current` as it is: no defaults, no checks. Raises store.Conflict.

        base: by which `current` comes to stand, if it is underway. turn: is passed on once the store was handed the write."""
        key, store = current.key, self.feed.store
        value, obj = self.encode(key, tree)
        if dry_run:
            value, obj = await self._foreseen(value, obj)
            obj.place(current.revision, value)
            return obj
        underway: Underway | None = None
        if turn is not None and turn.is_awaited and self.hooks.may_overlap and (revision := store.next_revision):
            obj.place(revision, value)
            underway = Underway(self.cache.underway, obj)
            turn.end()
        stands: CachedObject | None = None
        self.cache.expect(key, value, obj)
        try:
            expected = base.handed if base is not None else current.revision
            handed = underway.handed if underway is not None else None
            revision = await store.update(key, value, expected, ttl_seconds=self.ttl_seconds, handed=handed)
            stands = await self._settled(obj, revision, value)
            return stands
        except BaseException:  # as in a create
            self.cache.unexpect(key, value)
            raise
        finally:
            if underway is not None:
                underway.settle(made=stands is obj)

    async def remove(
        self, current: CachedObject, tree: Tree | None = None, dry_run: bool = False, *, base: Underway | None = None
    ) -> CachedObject:
        """Take `current` out of the store; returns it as it was last (`tree`, if given). Raises store.Conflict."""
        last = current
        if tree is not None:
            value, last = self.encode(current.key, tree)
            last.place(current.revision, value)
        if dry_run:
            return last
        revision = await self.feed.store.delete(current.key, base.handed if base is not None else current.revision)
        await self.feed.reach(revision)
        self.hooks.after_delete(last.tree())
        return last.at(revision) if tree is not None else last
