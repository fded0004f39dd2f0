"""PersistentVolumes say since when they are in their phase; it is the server's clock that tells.

After persistentvolumeStrategy.PrepareForCreate and persistentvolumeStatusStrategy.PrepareForUpdate (pkg/registry/core).
"""

from __future__ import annotations

from sampan.api.resource import Tree
from sampan.apiserver.registry.generic import Part, Registry
from sampan.apiserver.registry.hooks import Hooks, Undo, nothing
from sampan.apiserver.registry.metadata import timestamp
from sampan.lib.clock import Clock

_SINCE = "lastPhaseTransitionTime"


class VolumeHooks(Hooks):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin_create(self, new: Tree, dry_run: bool) -> Undo:
        new["status"][_SINCE] = timestamp(self._clock.now())
        return nothing


def stamp_phases(registry: Registry, clock: Clock) -> None:
    """Have creates and updates of the status of a registry's volumes note the time of a new phase."""
    status = registry.status

    def prepare(new: Tree, old: Tree) -> None:
        status.prepare(new, old)
        stamp_phase(new.setdefault("status", {}), old.get("status", {}), timestamp(clock.now()))

    registry.hooks = VolumeHooks(clock)
    registry.status = Part(status.subresource, prepare, status.validate)


def stamp_phase(status: Tree, before: Tree, now: str) -> None:
    """A client may give the time of a new phase; else it is now."""
    changed = status.get("phase") != before.get("phase")
    if changed and status.get(_SINCE) in (None, before.get(_SINCE)):
        status[_SINCE] = now
    elif not changed and _SINCE not in status and _SINCE in before:
        status[_SINCE] = before[_SINCE]
