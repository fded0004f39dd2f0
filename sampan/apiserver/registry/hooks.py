"""What a few kinds do beside the store when they are written: addresses and ports to take and give back, lives to end.

Upstream has the same seam: BeginCreate, BeginUpdate and AfterDelete of registry.Store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sampan.api.resource import Tree

Undo = Callable[[], None]


def nothing() -> None:
    return None


class Hooks:
    """Of most kinds: nothing beside the store; an object whose deletion waited for finalizers goes with the last of them."""

    begins_deletion = False
    """Whether the kind has a first step of its own of being deleted: no grace, no new generation, the end left to others."""

    may_overlap = True
    """Whether an update may begin with what the one before it has yet to store: not where it takes or gives back things."""

    def begin_create(self, new: Tree, dry_run: bool) -> Undo:
        """Called before a create is checked; may fill in `new`. What it returns is called if the create fails."""
        return nothing

    def begin_update(self, new: Tree, old: Tree, dry_run: bool) -> Undo:
        return nothing

    def claim(self, new: Tree) -> Awaitable[None] | None:
        """The last step before `new` is stored, where that must wait for something; None: it need not. May change `new`."""
        return None

    def after_update(self, new: Tree, old: Tree) -> None:
        """An update is stored."""

    def after_delete(self, old: Tree) -> None:
        """The object is out of the store."""

    def holds(self, tree: Tree) -> bool:
        """Whether something beside metadata.finalizers keeps a deleted object."""
        return False

    def mark_deleted(self, tree: Tree) -> None:
        """The object's deletion is being recorded, to wait for finalizers."""

    def ends_at_once(self, tree: Tree) -> bool:
        """Whether the object gets no grace period even where the request names one."""
        return False

    def is_finished(self, tree: Tree) -> bool:
        """Whether an update leaves nothing to wait for, so that it becomes the delete."""
        meta = tree["metadata"]
        if "deletionTimestamp" not in meta or meta.get("finalizers"):
            return False
        return not meta.get("deletionGracePeriodSeconds")


NO_HOOKS = Hooks()
