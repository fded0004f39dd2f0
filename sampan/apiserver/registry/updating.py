"""Updates of one object, one writer after the other, though none waits until the disk has what the one before him wrote.

    standing → change → default → admit (mutate) → continue metadata → prepare → validate → admit (validate) → store

A writer passes his turn on once the store was handed his write, and the next begins with that, at the revision that it is about
to have. If it does not come about, the store refuses what was built upon it, and that writer begins again with what stands.
Nobody is told what rests on a write that is not stored yet: not that there is nothing to change, and no refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from sampan.api.apply.ownership import Raw
from sampan.api.errors import Forgiven, GoText, StatusError, invalid, invalid_object
from sampan.api.groups.validation.metadata import validate_metadata_update
from sampan.api.resource import Tree
from sampan.apiserver.admission.chain import UPDATE, Attributes
from sampan.apiserver.registry.admitting import Face, admit, admit_face
from sampan.apiserver.registry.hooks import nothing
from sampan.apiserver.registry.locks import Turn, Underway
from sampan.apiserver.registry.metadata import AFTER_ADMISSION, continue_metadata, drop_repeated_owners
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.ownership import are_same, put, take
from sampan.store.base import Conflict

if TYPE_CHECKING:
    from sampan.apiserver.registry.generic import Caller, Part, Registry

TRIES = 100
"""Each lost one is a write of another server's that was made; upstream tries without end."""


class Present:
    """What an update changes, in the resource's own form."""

    __slots__ = ("_object", "_registry", "managed", "tree")

    def __init__(self, registry: Registry, obj: CachedObject) -> None:
        self._registry = registry
        self._object = obj
        self.tree, self.managed = registry.taken_apart(obj)
        """To be looked at, and the managedFields that it is without."""

    def own(self) -> Tree:
        """A tree to change at will; its managedFields are encoded."""
        tree, managed = self._registry.taken_apart(self._object)
        put(tree, managed)
        return tree


Change = Callable[[Present], Tree]
"""From what stands to what shall stand, which shares nothing with it. Its managedFields, if any, are encoded."""


class _BuiltOnNothing(Exception):
    """What the write was built upon did not come about."""


async def update(
    registry: Registry,
    namespace: str,
    name: str,
    change: Change,
    by: Caller,
    part: Part,
    face: Face | None,
    *,
    must_match: bool,
) -> CachedObject:
    """See `Registry.update`."""
    cache = registry.cache
    key = cache.key(namespace, name)
    async with registry.locks.hold(key) as turn:
        await registry.feed.catch_up()
        base, current = _standing(registry, key)
        for _ in range(TRIES):
            if current is None:
                raise registry.not_found(name)
            attempt = _Attempt(registry, current, base, turn, by, part, face)
            try:
                found = await attempt.make(change, must_match)
                if base is None or (found is not current and not by.dry_run) or await base.made():
                    return found
                base, current = None, cache.objects.get(key)
            except Conflict as error:
                # Another server was first, or what this was built upon is not there. A client that insists on a revision hears
                # of it when `change` is done again.
                entry = error.current
                base, current = None, cache.shape.load(key, entry.revision, entry.value) if entry else None
            except (StatusError, _BuiltOnNothing):  # but no failure of the store: what was to be written may stand all the same
                if base is None or await base.made():
                    raise
                base, current = None, cache.objects.get(key)
            if await turn.again():  # all that were built upon what failed would else fail each other
                await registry.feed.catch_up()
                base, current = _standing(registry, key)
        raise registry.modified(name)


def _standing(registry: Registry, key: str) -> tuple[Underway | None, CachedObject | None]:
    """What the writer whose turn it is begins with: the object, and by what it comes to stand if that is underway."""
    base = registry.cache.underway.get(key)
    return base, base.object if base is not None else registry.cache.objects.get(key)


class _Attempt:
    """At an update of `current`, which is the object of `base`, if that is underway."""

    def __init__(
        self,
        registry: Registry,
        current: CachedObject,
        base: Underway | None,
        turn: Turn,
        by: Caller,
        part: Part,
        face: Face | None,
    ) -> None:
        self._registry = registry
        self._current = current
        self._base = base
        self._turn = turn
        self._by = by
        self._part = part
        self._face = face

    async def make(self, change: Change, must_match: bool) -> CachedObject:
        """Raises StatusError; Conflict; what the store raises."""
        registry, by, part = self._registry, self._by, self._part
        present = Present(registry, self._current)
        tree = change(present)
        old, held = present.tree, present.managed
        self._check_revision(tree, must_match)
        sent = take(tree)
        registry.resource.complete(tree)
        managed = self._owned(tree, old, held, sent)
        attributes = Attributes(
            UPDATE, registry.resource, self._current.namespace, self._current.name, by.user, tree, old, part.subresource,
            by.dry_run, by.warnings, by.options,
        )  # fmt: skip
        attributes.end_turn = self._end_turn
        if self._face is not None:
            await admit_face(registry.admission, attributes, self._face)
        elif by.admits:
            managed = await admit(registry.admission, attributes, managed, held)
            drop_repeated_owners(tree["metadata"], by.warnings, AFTER_ADMISSION)
        continue_metadata(tree["metadata"], old["metadata"])
        part.prepare(tree, old)
        undo = registry.hooks.begin_update(tree, old, by.dry_run) if part is registry.main else nothing
        try:
            self._validate(tree, old, managed, sent)
            is_same = tree == old and are_same(managed, held) and not self._current.outdated
            put(tree, managed)
            put(old, held)
            if by.admits and (waiting := registry.admission.validate(attributes)) is not None:
                await waiting
            if is_same:
                return self._current
            obj = await self._store(tree)
        except Exception:  # a cancelled write may yet be stored: what it took stays taken
            undo()
            attributes.failed()
            raise
        if not by.dry_run:
            registry.hooks.after_update(tree, old)
        return obj

    def _check_revision(self, tree: Tree, must_match: bool) -> None:
        """Raises StatusError 409, 422 for a tree that is of another revision than the one that stands."""
        resource, current = self._registry.resource, self._current
        meta = tree["metadata"]
        wanted = meta.get("resourceVersion") or "0"
        meta["resourceVersion"] = str(current.revision)
        if not must_match:
            return
        if wanted == "0":
            if resource.strategy.allow_unconditional_update:
                return
            why = invalid("metadata.resourceVersion", GoText("0x0"), "must be specified for an update")
            # Upstream says here the plural for the kind.
            raise invalid_object(resource.plural, resource.group, current.name, [why])
        if wanted != meta["resourceVersion"]:
            raise self._registry.modified(current.name)

    def _owned(self, tree: Tree, old: Tree, held: Raw | None, sent: Any) -> Raw | None:
        """`held`: the managedFields of `old`, which has none itself."""
        by, part = self._by, self._part
        if by.applies:
            return cast(Raw | None, sent)
        if not part.tracked:
            return held
        return self._registry.owners.updated(old, tree, held, sent, by.field_manager, part.subresource)

    async def _end_turn(self) -> None:
        if self._base is not None and not await self._base.made():
            raise _BuiltOnNothing
        self._turn.end()

    def _validate(self, tree: Tree, old: Tree, managed: Raw | None, sent: Any) -> None:
        registry, by, part = self._registry, self._by, self._part
        strategy = registry.resource.strategy
        errors = validate_metadata_update(tree, old, any_finalizer=registry.resource.takes_any_finalizer)
        errors += registry.owners.problems(managed, sent)
        for error in part.validate(tree, old):
            if isinstance(error, Forgiven):
                by.warnings.append(str(error))
            else:
                errors.append(error)
        if errors:
            raise registry.invalid(self._current.name, errors)
        if part is registry.main and strategy.warn is not None:
            by.warnings += strategy.warn(tree, old)
        if part.subresource == "status" and strategy.warn_status is not None:
            by.warnings += strategy.warn_status(tree)

    async def _store(self, tree: Tree) -> CachedObject:
        registry, dry_run = self._registry, self._by.dry_run
        is_finished = registry.hooks.is_finished(tree)
        if not is_finished and self._part is registry.main and not dry_run:
            claiming = registry.hooks.claim(tree)
            if claiming is not None:
                await claiming
        if is_finished:
            return await registry.remove(self._current, tree, dry_run, base=self._base)
        return await registry.write(self._current, tree, dry_run, base=self._base, turn=self._turn)
