"""Notices what containers do by themselves: lists them every second and tells whose state changed.

After the kubelet's pod lifecycle event generator. A runtime that tells of changes itself is listened to instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sampan.lib.clock import Clock
from sampan.lib.log import get_logger

from .runtime.base import Runtime, RuntimeFailure

log = get_logger("kubelet")

Snapshot = Mapping[str, tuple[str, int]]
"""By id of a sandbox or container: its pod's uid and its state."""


class Relist:
    def __init__(self, runtime: Runtime, clock: Clock, seconds: float, changed: Callable[[str], None]) -> None:
        """`changed` is told the uid of each pod whose containers or sandboxes are not as they were."""
        self._runtime = runtime
        self._clock = clock
        self._seconds = seconds
        self._changed = changed
        self._before: Snapshot = {}
        self.healthy_at: float | None = None
        """Monotonic time of the last look that succeeded."""

    async def run(self) -> None:
        changes = self._runtime.changes()
        if changes is not None:
            self.healthy_at = self._clock.monotonic()
            async for uid in changes:
                self._changed(uid)
            return
        while True:
            try:
                await self.look()
            except RuntimeFailure as failure:
                log.warning("relist failed", error=str(failure))
            await self._clock.sleep(self._seconds)

    async def look(self) -> None:
        found: dict[str, tuple[str, int]] = {}
        for sandbox in await self._runtime.list_sandboxes():
            found[sandbox.id] = (sandbox.uid, int(sandbox.ready))
        for container in await self._runtime.list_containers():
            found[container.id] = (container.pod_uid, container.state)
        self.healthy_at = self._clock.monotonic()
        before, self._before = self._before, found
        if found == before:
            return
        for uid in {uid for _, (uid, _) in before.items() ^ found.items()}:
            self._changed(uid)

    def pods(self) -> set[str]:
        """UIDs of the pods the runtime has something of, as of the last look."""
        return {uid for uid, _ in self._before.values()}
