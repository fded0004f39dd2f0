"""`subPath` mounts: a part of a volume, which a container that controls the volume must not be able to point elsewhere.

The part is opened first, the opened file is checked to lie in the volume, and what was opened is bound to a path of the
agent's own; a link changed in between changes nothing. After k8s.io/kubernetes/pkg/volume/util/subpath.
"""

from __future__ import annotations

import os
from pathlib import Path

from . import mounts
from .base import VolumeError


def bind(volume: Path, sub_path: str, target: Path) -> Path:
    """Bind `volume/sub_path` (made a directory if it is not there) at `target`. Raises VolumeError."""
    inside = os.path.realpath(volume)
    if os.path.isabs(sub_path) or ".." in Path(sub_path).parts:
        raise VolumeError(f"subPath {sub_path!r} must be a relative path without '..'")
    wanted = os.path.realpath(os.path.join(inside, sub_path))
    _must_be_inside(wanted, inside)
    try:
        if not os.path.lexists(wanted):
            os.makedirs(wanted, mode=0o750, exist_ok=True)
            os.chmod(wanted, os.stat(inside).st_mode & 0o7777)
        handle = os.open(wanted, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise VolumeError(f"cannot open subPath {sub_path!r}: {error.strerror}") from None
    try:
        opened = f"/proc/{os.getpid()}/fd/{handle}"
        _must_be_inside(os.readlink(opened), inside)
        mounts.unmount(target)
        if os.path.isdir(opened):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mounts.bind(opened, target)
    finally:
        os.close(handle)
    return target


def _must_be_inside(path: str, directory: str) -> None:
    if path != directory and not path.startswith(directory + "/"):
        raise VolumeError(f"subPath leads out of the volume: {path}")
