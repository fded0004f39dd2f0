"""Reads one pod's sandboxes and containers back from the runtime, asking again only for what can have changed."""

from __future__ import annotations

from pathlib import Path

from .messages import termination_message
from .podstate import ContainerState, PodState
from .runtime.base import Runtime, RuntimeFailure, State


class Observer:
    def __init__(self, runtime: Runtime, uid: str) -> None:
        self._runtime = runtime
        self._uid = uid
        self._statuses: dict[tuple[str, State], ContainerState] = {}
        self.state = PodState()

    async def refresh(self) -> PodState:
        """Raises RuntimeFailure."""
        runtime = self._runtime
        sandboxes = sorted(await runtime.list_sandboxes(self._uid), key=lambda s: (s.created, s.attempt), reverse=True)
        if sandboxes and sandboxes[0].ready:
            # The addresses of a sandbox never change.
            known = next((s for s in self.state.sandboxes if s.id == sandboxes[0].id and s.ready and s.ips), None)
            sandboxes[0] = known or await runtime.sandbox_status(sandboxes[0].id)
        found: list[ContainerState] = []
        for summary in await runtime.list_containers(self._uid):
            state = self._statuses.get((summary.id, summary.state)) or await self._ask(summary.id, summary.sandbox_id)
            if state is not None:
                found.append(state)
        # A container in a given state always has the same status.
        self._statuses = {(c.id, c.status.state): c for c in found}
        found.sort(key=lambda c: (c.status.created, c.status.attempt), reverse=True)
        self.state = PodState(sandboxes, found)
        return self.state

    async def _ask(self, container_id: str, sandbox_id: str) -> ContainerState | None:
        try:
            status = await self._runtime.container_status(container_id)
        except RuntimeFailure as failure:
            if failure.code == "NotFound":
                return None
            raise
        return ContainerState(status, sandbox_id, termination_message(status))

    async def remove_old(self, name: str) -> None:
        """Keep the newest ended container of a name (for its log and last state), remove those before it, and sandboxes
        that nothing is left in."""
        same = self.state.of(name)
        ended = [c for c in same if c.exited]
        keep = 1 if any(c.running for c in same) else 2
        for old in ended[keep:]:
            await self._runtime.remove_container(old.id)
            _remove_log(old.status.log_path)
        if ended[keep:]:
            await self.refresh()
        used = {c.sandbox_id for c in self.state.containers}
        for sandbox in self.state.sandboxes[1:]:
            if sandbox.id not in used:
                await self._runtime.remove_sandbox(sandbox.id)


def _remove_log(path: str) -> None:
    if path:
        Path(path).unlink(missing_ok=True)
