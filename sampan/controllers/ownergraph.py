"""Who owns whom, over all resources: the graph that the garbage collector reads.

It is kept by informers' handlers. Where a change may mean work (an owner is gone or unknown, a deletion waits for
dependents) the UID of the object to look at is handed to `enqueue`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from msgspec import Struct, field

from sampan.api.types.base import API
from sampan.api.types.meta_v1 import OwnerReference

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class SlimMeta(Struct):
    """What the graph needs of an object's metadata; labels, annotations and the rest are skipped when decoding."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    deletionTimestamp: str = ""
    finalizers: list[str] = field(default_factory=list)
    ownerReferences: list[OwnerReference] = field(default_factory=list)


class SlimObject(Struct):
    api: ClassVar[API] = API("meta.k8s.io", "v1", "PartialObjectMetadata", "partialobjectmetadata", True)
    metadata: SlimMeta = field(default_factory=SlimMeta)


@cache
def slim(api: API) -> type[Any]:
    """A struct for an informer of a resource of which the graph is the only reader."""
    return type(f"Slim{api.kind}", (SlimObject,), {"api": api})


@dataclass(slots=True)
class Item:
    uid: str
    api: API
    namespace: str
    name: str
    owners: list[OwnerReference]
    deleting: bool
    foreground: bool
    """It waits for its dependents to be deleted."""
    orphaning: bool
    """It waits for its dependents to be released."""


class OwnerGraph:
    def __init__(self, enqueue: Callable[[str], None]) -> None:
        self._enqueue = enqueue
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, uid: str) -> Item | None:
        return self._items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        return [self._items[dependent] for dependent in self._dependents.get(uid, ())]

    def blocking(self, uid: str) -> list[Item]:
        """Dependents that the foreground deletion of their owner has to wait for."""
        return [d for d in self.dependents(uid) if any(o.uid == uid and o.blockOwnerDeletion for o in d.owners)]

    def owner_of(self, item: Item, owner: OwnerReference) -> Item | None:
        """The owner if the graph has it and the reference tells the truth about it."""
        known = self._items.get(owner.uid)
        if known is None or known.name != owner.name or known.api.kind != owner.kind:
            return None
        if known.api.group != owner.apiVersion.rpartition("/")[0]:
            return None
        return known if known.namespace in ("", item.namespace) else None

    def is_safe(self, item: Item) -> bool:
        """All its owners are there and none waits for it to go."""
        owners = [self.owner_of(item, owner) for owner in item.owners]
        return all(owner is not None and not owner.foreground for owner in owners)

    def handler(self, api: API) -> Callable[[Any, Any], None]:
        """For the informer of `api`."""

        def handle(old: Any, new: Any) -> None:
            if new is not None:
                self._put(_item(api, new.metadata))
            else:
                self._remove(old.metadata.uid)

        return handle

    def _put(self, item: Item) -> None:
        old = self._items.get(item.uid)
        before = old.owners if old is not None else []
        self._items[item.uid] = item
        self._relink(item, before)
        if item.orphaning or item.foreground:
            if old is None or (old.orphaning, old.foreground) != (item.orphaning, item.foreground):
                self._enqueue(item.uid)
                if item.foreground:
                    self._enqueue_all(self._dependents.get(item.uid, ()))
        elif item.owners and (old is None or before != item.owners) and not self.is_safe(item):
            self._enqueue(item.uid)
        self._wake_waiting(before)

    def _remove(self, uid: str) -> None:
        item = self._items.pop(uid, None)
        if item is None:
            return
        for owner in item.owners:
            self._unlink(owner.uid, uid)
        self._wake_waiting(item.owners)
        self._enqueue_all(self._dependents.get(uid, ()))

    def _relink(self, item: Item, before: Iterable[OwnerReference]) -> None:
        now = {owner.uid for owner in item.owners}
        for owner in before:
            if owner.uid not in now:
                self._unlink(owner.uid, item.uid)
        for uid in now:
            self._dependents.setdefault(uid, set()).add(item.uid)

    def _unlink(self, owner: str, dependent: str) -> None:
        dependents = self._dependents.get(owner)
        if dependents is not None:
            dependents.discard(dependent)
            if not dependents:
                del self._dependents[owner]

    def _wake_waiting(self, owners: Iterable[OwnerReference]) -> None:
        """A dependent changed or went: an owner that waits for it may go on."""
        for owner in owners:
            known = self._items.get(owner.uid)
            if known is not None and known.foreground:
                self._enqueue(owner.uid)

    def _enqueue_all(self, uids: Iterable[str]) -> None:
        for uid in list(uids):
            self._enqueue(uid)


def _item(api: API, meta: Any) -> Item:
    deleting = bool(meta.deletionTimestamp)
    return Item(
        uid=meta.uid,
        api=api,
        namespace=meta.namespace,
        name=meta.name,
        owners=meta.ownerReferences,
        deleting=deleting,
        foreground=deleting and FOREGROUND in meta.finalizers,
        orphaning=deleting and ORPHAN in meta.finalizers,
    )
