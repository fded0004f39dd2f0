"""Keeps one pod's volumes as its spec and what it refers to say: sets them up, looks again each minute, tells failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sampan.api.types.core_v1 import Pod

from .. import podconfig
from ..backoff import Backoff
from ..lifecycle import Node
from . import pod as pod_volumes
from .base import VolumeContext

RETRY_SECONDS = (0.5, 122.0)
"""First and longest wait after a failure, as the kubelet's operation executor."""


class VolumeKeeper:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._since = node.clock.now()
        self._backoff = Backoff(node.clock, *RETRY_SECONDS)
        self._looked_at: float | None = None
        self._written: dict[str, int] = {}
        self.paths: dict[str, Path] = {}

    @property
    def since(self) -> float:
        """When the pod came to this node: what it refers to is looked up no staler than that at first."""
        return self._since

    @property
    def stands(self) -> bool:
        return self._looked_at is not None

    def outdate(self) -> None:
        """Something the volumes show has changed."""
        self._looked_at = None

    async def keep(self, pod: Pod, ips: Sequence[str], again_in: Callable[[float], None]) -> bool:
        """Whether the volumes stand. Where not, an event tells why and `again_in` is told when to try again."""
        now, refresh = self._node.clock.monotonic(), self._node.config.refresh_seconds
        if pod_volumes.refreshes(pod):
            again_in(refresh)
        if self._looked_at is not None and now - self._looked_at < refresh:
            return True
        wait = self._backoff.remaining_since_failure("")
        if wait > 0:
            again_in(wait)
            return bool(self.paths)
        try:
            self.paths = await pod_volumes.set_up(self._context(pod, ips))
        except pod_volumes.MountFailure as failure:
            for name, why in failure.reasons.items():
                message = f'MountVolume.SetUp failed for volume "{name}" : {why}'
                self._node.recorder.event(pod, "Warning", "FailedMount", message)
            self._backoff.fail("")
            again_in(self._backoff.remaining_since_failure(""))
            # What runs keeps running on what it has.
            return bool(self.paths)
        self._looked_at = now
        self._backoff.forget("")
        return True

    def _context(self, pod: Pod, ips: Sequence[str]) -> VolumeContext:
        node = self._node
        since = 0.0 if self.paths else self._since
        directory = podconfig.pod_directory(node.config, pod.metadata.uid)
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        return VolumeContext(
            pod=pod,
            directory=directory,
            config_map=lambda namespace, name: node.objects.config_map(namespace, name, since),
            secret=lambda namespace, name: node.objects.secret(namespace, name, since),
            token=lambda audience, seconds: node.objects.token(pod, audience, seconds),
            ips=[node.config.node_ip] if pod.spec.hostNetwork else ips,
            host_ip=node.config.node_ip,
            allocatable=node.allocatable,
            written=self._written,
        )
