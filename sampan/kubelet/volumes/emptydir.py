"""`emptyDir` volumes: a directory of the pod's own, on disk or in memory."""

from __future__ import annotations

from pathlib import Path

from sampan.api import quantity
from sampan.api.types.core_v1 import EmptyDirVolumeSource

from . import mounts
from .base import VolumeContext, VolumeError, own_by_group


async def set_up(ctx: VolumeContext, name: str, source: EmptyDirVolumeSource) -> Path | None:
    path = ctx.path("empty-dir", name)
    if path is None or name in ctx.written:
        return path
    if source.medium.startswith("HugePages"):
        raise VolumeError(f"medium {source.medium} is not supported on this node")
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory" and not path.is_mount():
        mounts.mount_tmpfs(path, size_bytes=quantity.value(source.sizeLimit) if source.sizeLimit else 0)
    # Any user of any container may write; umask must not narrow that.
    path.chmod(0o777)
    if ctx.fs_group is not None:
        own_by_group(path, ctx.fs_group)
    ctx.written[name] = 1
    return path
