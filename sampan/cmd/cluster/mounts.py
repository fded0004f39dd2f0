"""Mounts below a cluster's directories, and removing those directories safely.

A container's root may have a directory of the host bind-mounted into it (a hostPath volume). Deleting the tree while such a
mount stands would delete the host's files, so nothing is deleted before `/proc/self/mountinfo` shows the tree free of mounts.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sampan.cmd.cluster.shell import ClusterError

MNT_DETACH = 2


def below(directories: Iterable[Path], mountinfo: str | None = None) -> list[str]:
    """Mount points at or below `directories`, the deepest and latest first."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    roots = [os.path.realpath(directory) for directory in directories]
    found = []
    for line in text.splitlines():
        point = _unescape(line.split()[4])
        if any(point == root or point.startswith(root + "/") for root in roots):
            found.append(point)
    return found[::-1]


def _unescape(field: str) -> str:
    """mountinfo writes space, tab, newline and backslash as octal escapes."""
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(escape, character)
    return field


def unmount_below(directories: Iterable[Path], *, deadline_seconds: float = 10.0) -> int:
    """Detach every mount at or below `directories`; how many. Raises ClusterError when one stays."""
    roots = list(directories)
    deadline = time.monotonic() + deadline_seconds
    count = 0
    while points := below(roots):
        for point in points:
            count += detach(point)
        if time.monotonic() > deadline:
            raise ClusterError(f"{points[0]} stays mounted: unmount it by hand and run sampan down again")
    return count


def detach(point: str) -> bool:
    """Unmount lazily: gone from the tree at once, even while something still has a file of it open."""
    return bool(_libc.umount2(os.fsencode(point), MNT_DETACH) == 0)


def overlay_works(directory: Path) -> bool:
    """Whether an overlay can be mounted with its upper layer in `directory` (not so where that is an overlay itself)."""
    base = directory / ".overlay-probe"
    try:
        for name in ("lower", "upper", "work", "merged"):
            (base / name).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        if _libc.mount(b"overlay", os.fsencode(base / "merged"), b"overlay", 0, os.fsencode(options)) != 0:
            return False
        detach(str(base / "merged"))
        return True
    finally:
        shutil.rmtree(base, ignore_errors=True)


def remove_tree(directory: Path) -> None:
    """Delete a directory that holds no mounts. Raises ClusterError while it does."""
    if not directory.exists():
        return
    if points := below([directory]):
        raise ClusterError(f"{points[0]} is still mounted, so {directory} is not deleted: run sampan down again")
    shutil.rmtree(directory)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
