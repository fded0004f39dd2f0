"""mount(2) and umount(2): memory file systems and binds."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

MS_BIND = 4096
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount_tmpfs(path: Path, *, size_bytes: int = 0, mode: int = 0o777) -> None:
    options = f"mode={mode:o}" + (f",size={size_bytes}" if size_bytes else "")
    _checked(_libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options.encode()), f"mount tmpfs on {path}")


def bind(source: str, target: Path) -> None:
    _checked(_libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND, None), f"bind {target}")


def unmount(path: Path) -> None:
    """Takes away every mount stacked on the path; none is fine."""
    while os.path.ismount(path) and _libc.umount2(os.fsencode(path), MNT_DETACH) == 0:
        pass


def mounted_below(path: Path) -> list[Path]:
    """Mount points at or under a directory, the deepest first."""
    found: list[Path] = []
    prefix = str(path)
    with open("/proc/self/mounts") as table:
        for line in table:
            target = line.split(" ", 2)[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
            if target == prefix or target.startswith(prefix + "/"):
                found.append(Path(target))
    return found[::-1]


def unmount_below(path: Path) -> None:
    for target in mounted_below(path):
        _libc.umount2(os.fsencode(target), MNT_DETACH)
