"""What the runtime holds for one pod, read back from it: the only truth the agent plans from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import labels
from .runtime.base import ContainerStatus, SandboxStatus, State


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container the runtime has, and the sandbox it is in."""

    status: ContainerStatus
    sandbox_id: str
    message: str = ""
    """Its termination message, once it has exited."""

    @property
    def id(self) -> str:
        return self.status.id

    @property
    def name(self) -> str:
        return self.status.name

    @property
    def running(self) -> bool:
        return self.status.state is State.RUNNING

    @property
    def exited(self) -> bool:
        return self.status.state is State.EXITED

    @property
    def restart_count(self) -> int:
        text = self.status.annotations.get(labels.RESTART_COUNT, "")
        return int(text) if text.isdigit() else self.status.attempt

    @property
    def hash(self) -> str:
        return self.status.annotations.get(labels.HASH, "")


@dataclass(frozen=True, slots=True)
class PodState:
    """Sandboxes and containers of a pod, the newest first."""

    sandboxes: Sequence[SandboxStatus] = ()
    containers: Sequence[ContainerState] = ()

    @property
    def sandbox(self) -> SandboxStatus | None:
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ips(self) -> Sequence[str]:
        """Of the sandbox that stands; a dead one's addresses may already be another pod's."""
        found = self.sandbox
        return found.ips if found is not None and found.ready else ()

    def of(self, name: str) -> list[ContainerState]:
        return [c for c in self.containers if c.name == name]

    def latest(self, name: str, sandbox_id: str = "") -> ContainerState | None:
        """The newest container of that name; with `sandbox_id`, of that sandbox."""
        for container in self.containers:
            if container.name == name and (not sandbox_id or container.sandbox_id == sandbox_id):
                return container
        return None

    def by_id(self, container_id: str) -> ContainerState | None:
        return next((c for c in self.containers if c.id == container_id), None)

    @property
    def running(self) -> list[ContainerState]:
        return [c for c in self.containers if c.running]
