"""What the kinds of volumes share: where they lie, what they may look up, how they fail."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sampan.api.types.core_v1 import ConfigMap, Pod, Secret

DEFAULT_MODE = 0o644


class VolumeError(Exception):
    """The volume cannot be set up now; the text is for the user."""


@dataclass(slots=True)
class VolumeContext:
    """One pod's surroundings while its volumes are set up. The lookups raise env.ConfigError and NotFoundError."""

    pod: Pod
    directory: Path | None
    """The pod's directory on the node; None where nothing is to be written (simulated nodes)."""
    config_map: Callable[[str, str], Awaitable[ConfigMap]]
    secret: Callable[[str, str], Awaitable[Secret]]
    token: Callable[[str, int], Awaitable[str]]
    """(audience, seconds)"""
    ips: Sequence[str] = ()
    host_ip: str = ""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    """By volume: a hash of what was written last, so that an unchanged volume is not written again."""

    @property
    def fs_group(self) -> int | None:
        context = self.pod.spec.securityContext
        return context.fsGroup if context else None

    @property
    def fs_user(self) -> int | None:
        """The one user all containers run as, None where they differ or say nothing."""
        context = self.pod.spec.securityContext
        common = context.runAsUser if context else None
        users = set()
        for container in (*self.pod.spec.initContainers, *self.pod.spec.containers):
            own = container.securityContext.runAsUser if container.securityContext else None
            users.add(common if own is None else own)
        return next(iter(users)) if len(users) == 1 else None

    def path(self, plugin: str, name: str) -> Path | None:
        return None if self.directory is None else self.directory / "volumes" / f"kubernetes.io~{plugin}" / name


def own_by_group(path: Path, group: int) -> None:
    """Give a volume to `fsGroup`: group may read and write, and new files belong to it, too."""
    for directory, names, files in os.walk(path):
        for name in (".", *names, *files):
            entry = os.path.join(directory, name)
            if os.path.islink(entry):
                os.lchown(entry, -1, group)
                continue
            status = os.lstat(entry)
            is_directory = os.path.isdir(entry)
            mode = status.st_mode & 0o7777 | (0o2770 if is_directory else 0o660)
            if status.st_gid != group:
                os.lchown(entry, -1, group)
            if mode != status.st_mode & 0o7777:
                os.chmod(entry, mode)
