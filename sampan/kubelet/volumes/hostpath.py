"""`hostPath` volumes: a path of the node, checked to be what the pod says it is."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from sampan.api.types.core_v1 import HostPathVolumeSource

from .base import VolumeContext, VolumeError

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "FileOrCreate": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


async def set_up(ctx: VolumeContext, name: str, source: HostPathVolumeSource) -> Path | None:
    path = Path(source.path)
    if ctx.directory is not None:
        check(path, source.type)
    return path


def check(path: Path, kind: str) -> None:
    """Raises VolumeError; creates what the kind says may be created."""
    if not kind:
        return
    if kind not in _CHECKS:
        raise VolumeError(f"hostPath type check failed: {path} is an invalid volume type")
    try:
        if not path.exists():
            if kind == "DirectoryOrCreate":
                path.mkdir(parents=True, mode=0o755)
            elif kind == "FileOrCreate":
                path.touch(mode=0o644)
        holds, words = _CHECKS[kind]
        if path.exists() and holds(path.stat().st_mode):
            return
    except OSError as error:
        raise VolumeError(f"hostPath type check failed: {error}") from None
    raise VolumeError(f"hostPath type check failed: {path} {words}")
