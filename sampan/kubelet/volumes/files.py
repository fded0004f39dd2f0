"""The directory behind a volume of generated files: made once, written whenever its payload changes."""

from __future__ import annotations

from pathlib import Path

from . import mounts
from .atomic import File, fingerprint, write
from .base import VolumeContext, own_by_group


def keep(ctx: VolumeContext, name: str, plugin: str, payload: dict[str, File], *, in_memory: bool) -> Path | None:
    """`in_memory`: secrets never reach a disk."""
    path = ctx.path(plugin, name)
    if path is None:
        return None
    now = fingerprint(payload)
    if ctx.written.get(name) == now and path.is_dir():
        return path
    path.mkdir(parents=True, exist_ok=True)
    if in_memory and not path.is_mount():
        mounts.mount_tmpfs(path)
    path.chmod(0o777)
    if ctx.fs_group is not None and name not in ctx.written:
        own_by_group(path, ctx.fs_group)
    write(path, payload, ctx.fs_group)
    ctx.written[name] = now
    return path
