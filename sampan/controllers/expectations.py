"""Keeps a controller from acting on a cache that does not show its own writes yet.

After creating three pods, a reconciler that looks at a cache with none of them would create three more. Upstream counts
(ControllerExpectations) or tracks UIDs (UIDTrackingControllerExpectations). Here a write is remembered by what ends the
doubt: a create or update by the resourceVersion it was answered with, which the kind's informer has to reach (revisions are
one rising counter, and KEP-5504 made comparing them official); a delete by the object's UID, which has to be gone or
terminating in the cache. A key with open doubts is not reconciled; after a minute they are given up, as caches that
far behind have other troubles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan.client.informer import Informer, Key
from sampan.lib.clock import Clock

GIVE_UP_SECONDS = 60.0


def revision_number(resource_version: str) -> int:
    return int(resource_version) if resource_version.isdigit() else 0


@dataclass(slots=True)
class _Doubts:
    since: float
    written: dict[Informer[Any], int]
    deleted: set[tuple[Informer[Any], Key, str]]


class Expectations:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doubts: dict[Key, _Doubts] = {}

    def wrote(self, key: Key, informer: Informer[Any], resource_version: str) -> None:
        """`key`'s reconciler made a write that the informer will show."""
        written = self._of(key).written
        written[informer] = max(written.get(informer, 0), revision_number(resource_version))

    def deleted(self, key: Key, informer: Informer[Any], deleted: Key, uid: str) -> None:
        self._of(key).deleted.add((informer, deleted, uid))

    def satisfied(self, key: Key) -> bool:
        """Whether the caches show everything that `key`'s reconciler did."""
        doubts = self._doubts.get(key)
        if doubts is None:
            return True
        if self._clock.monotonic() - doubts.since < GIVE_UP_SECONDS and _open(doubts):
            return False
        del self._doubts[key]
        return True

    def _of(self, key: Key) -> _Doubts:
        doubts = self._doubts.setdefault(key, _Doubts(0.0, {}, set()))
        doubts.since = self._clock.monotonic()
        return doubts


def _open(doubts: _Doubts) -> bool:
    if any(revision_number(informer.resource_version) < revision for informer, revision in doubts.written.items()):
        return True
    for informer, key, uid in doubts.deleted:
        shown = informer.get(key.name, key.namespace)
        if shown is not None and shown.metadata.uid == uid and not shown.metadata.deletionTimestamp:
            return True
    return False
