"""The task that keeps definitions' conditions true and what they define served.

One definition at a time, so that of two that want one name the first gets it; the names a definition gives back are offered to
the others of its group.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence

from sampan.api.crd import definition
from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.context import Context
from sampan.apiserver.custom.conditions import (
    ESTABLISHED,
    INITIAL_NAMES,
    INVALID_BUNDLE,
    NAMES_ACCEPTED,
    NON_STRUCTURAL,
    Claim,
    Condition,
    claim_of,
    plan_approval,
    plan_names,
    plan_structure,
    remove_condition,
    says,
    set_condition,
    taken_names,
)
from sampan.apiserver.custom.removal import Removals
from sampan.apiserver.custom.serving import CustomResources
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.updating import Present
from sampan.apiserver.registry.watchcache import CacheEvent
from sampan.apiserver.webhooks.client import bundle_of
from sampan.lib.log import get_logger
from sampan.lib.queue import WorkQueue
from sampan.lib.tasks import Tasks
from sampan.lib.tls import client_context

Change = Callable[[Tree], None]

log = get_logger("apiserver")


class DefinitionController:
    def __init__(self, context: Context, custom: CustomResources, definitions: Registry) -> None:
        self._context = context
        self._custom = custom
        self._definitions = definitions
        self._queue: WorkQueue[str] = WorkQueue(context.clock)
        self._removals = Removals(context, custom, definitions)
        self._claims: dict[str, Claim] = {}
        definitions.cache.listen(self._changed)
        # After a fill nobody knows what changed.
        context.feed.on_fill(self._look_at_all)

    async def start(self) -> None:
        """Serve what was served before; call it when the caches are filled."""
        for obj in self._definitions.cache:
            try:
                await self._custom.serve(obj.tree())
            except Exception as error:  # as in the loop below, which comes back to it: one definition stops no server
                log.warning("a definition cannot be served", name=obj.name, error=repr(error))
        self._look_at_all()

    async def run(self) -> None:
        """Until cancelled."""
        async with Tasks() as tasks:
            tasks.start(self._removals.run(), "custom resource removal")
            while True:
                name = await self._queue.get()
                try:
                    await self._sync(name)
                    self._queue.forget(name)
                    self._custom.settle(name)
                except Exception as error:  # the loop's boundary
                    log.warning("a definition could not be acted on; trying again", name=name, error=repr(error))
                    self._queue.add_rate_limited(name)
                    self._custom.release(name)
                finally:
                    self._queue.done(name)

    def _look_at_all(self) -> None:
        self._claims = {obj.name: claim_of(obj.tree()) for obj in self._definitions.cache}
        for name in self._claims:
            self._queue.add(name)

    def _changed(self, events: Sequence[CacheEvent]) -> None:
        for event in events:
            name, tree = event.object.name, event.object.tree()
            if event.deleted:
                self._claims.pop(name, None)
                self._custom.gone(name)
            else:
                self._claims[name] = claim_of(tree)
                self._custom.changed(tree)
            self._queue.add(name)

    async def _sync(self, name: str) -> None:
        # All servers take definitions in the order they came in; so names that another has given out are seen here.
        await self._context.feed.catch_up()
        found = self._definitions.cache.get("", name)
        if found is None:
            self._offer_names(name)
            return
        crd = await self._accept_names(found.tree())
        if crd is None:
            return
        await self._custom.serve(crd)
        await self._establish(crd)
        if crd["metadata"].get("deletionTimestamp"):
            self._removals.begin(name)

    def _offer_names(self, name: str) -> None:
        """To others of the group that lack some: names may have been given back."""
        group = name.partition(".")[2]
        for other, claim in self._claims.items():
            if other != name and claim.group == group and not claim.satisfied:
                self._queue.add(other)

    async def _accept_names(self, crd: Tree) -> Tree | None:
        """The definition with its names settled, and what else follows from it alone. None where it is gone."""
        changes: list[Change] = []
        naming = plan_names(crd, taken_names(self._claims.values(), crd["spec"]["group"]))
        if naming is not None and (
            naming.names != crd.get("status", {}).get("acceptedNames") or not says(crd, naming.accepted)
        ):
            wanted = [naming.accepted, *([naming.established] if naming.established else [])]
            changes.append(lambda tree: tree.setdefault("status", {}).update(acceptedNames=naming.names))
            changes += [self._setting(condition) for condition in wanted]
        changes += [self._setting(c) for c in (plan_approval(crd), plan_structure(crd)) if c and not says(crd, c)]
        if plan_structure(crd) is None and definition.condition(crd, NON_STRUCTURAL) is not None:
            changes.append(lambda tree: remove_condition(tree, NON_STRUCTURAL))
        if not changes:
            return crd
        written = await self._write(crd, changes)
        if naming is not None:
            self._offer_names(crd["metadata"]["name"])
        return written

    async def _establish(self, crd: Tree) -> None:
        """Say that it is served, which it is by now."""
        if not definition.is_true(crd, NAMES_ACCEPTED) or definition.is_true(crd, ESTABLISHED):
            return
        condition = INITIAL_NAMES if _has_good_bundle(crd) else INVALID_BUNDLE
        if not says(crd, condition):
            await self._write(crd, [self._setting(condition)])

    def _setting(self, condition: Condition) -> Change:
        return lambda tree: set_condition(tree, condition, self._context.clock.now())

    async def _write(self, crd: Tree, changes: Iterable[Change]) -> Tree | None:
        """None where somebody was quicker: the event of that brings us back."""

        def change(present: Present) -> Tree:
            tree = present.own()
            for make in changes:
                make(tree)
            tree["metadata"]["resourceVersion"] = crd["metadata"]["resourceVersion"]
            return tree

        name = crd["metadata"]["name"]
        try:
            return (await self._definitions.update("", name, change, Caller(), part=self._definitions.status)).tree()
        except StatusError as error:
            if error.code not in (404, 409):
                raise
            return None


def _has_good_bundle(crd: Tree) -> bool:
    webhook = (crd["spec"].get("conversion") or {}).get("webhook") or {}
    if "clientConfig" not in webhook:
        return True
    try:
        client_context(bundle_of(webhook["clientConfig"]))
    except (ValueError, ssl.SSLError):
        return False
    return True
