"""The cgroups of pods: made before a pod's sandbox, with its limits, and removed after its end.

cgroup v1 (one hierarchy a controller) and v2 (one for all) are told apart by what is mounted. The runtime makes the
containers' own cgroups below the pod's.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from sampan.lib.log import get_logger

from .resources import shares_to_weight
from .runtime.base import Resources

log = get_logger("cgroups")

MOUNT = Path("/sys/fs/cgroup")
LIMITED = ("cpu", "memory", "pids")
V2_CONTROLLERS = "+cpu +memory +pids +cpuset +io"


class Cgroups:
    def __init__(self, mount: Path = MOUNT) -> None:
        self._mount = mount
        self.unified = (mount / "cgroup.controllers").exists()

    def create(self, path: str, resources: Resources) -> None:
        """Make the cgroup `path` (as "/kubepods/pod1") with these limits. Making it again sets them again."""
        if self.unified:
            self._create_v2(path, resources)
            return
        for controller in LIMITED:
            hierarchy = self._mount / controller
            if hierarchy.is_dir():
                (hierarchy / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        cpu = self._mount / "cpu" / path.lstrip("/")
        memory = self._mount / "memory" / path.lstrip("/")
        _write(cpu / "cpu.shares", str(resources.cpu_shares) if resources.cpu_shares else "")
        _write(cpu / "cpu.cfs_period_us", str(resources.cpu_period) if resources.cpu_quota else "")
        _write(cpu / "cpu.cfs_quota_us", str(resources.cpu_quota or -1))
        _write(memory / "memory.limit_in_bytes", str(resources.memory_limit_bytes or -1))

    def _create_v2(self, path: str, resources: Resources) -> None:
        here = self._mount
        for part in path.strip("/").split("/"):
            # A child has only the controllers its parent hands down.
            for controller in V2_CONTROLLERS.split():
                _write(here / "cgroup.subtree_control", controller)
            here = here / part
            here.mkdir(exist_ok=True)
        for controller in V2_CONTROLLERS.split():
            _write(here / "cgroup.subtree_control", controller)
        _write(here / "cpu.weight", str(shares_to_weight(resources.cpu_shares)) if resources.cpu_shares else "")
        _write(here / "cpu.max", f"{resources.cpu_quota or 'max'} {resources.cpu_period or 100000}")
        _write(here / "memory.max", str(resources.memory_limit_bytes or "max"))

    def remove(self, path: str) -> bool:
        """Remove the cgroup and those below it; False where something still lives in one."""
        gone = True
        for hierarchy in self._hierarchies():
            gone = _remove_tree(hierarchy / path.lstrip("/")) and gone
        return gone

    def pods_below(self, root: str) -> set[str]:
        """UIDs of pods that have a cgroup under `root`/kubepods."""
        found: set[str] = set()
        for hierarchy in self._hierarchies():
            base = hierarchy / root.strip("/") / "kubepods"
            for directory in (base, base / "burstable", base / "besteffort"):
                with contextlib.suppress(OSError):
                    found.update(e.name.removeprefix("pod") for e in os.scandir(directory) if e.name.startswith("pod"))
        return found

    def _hierarchies(self) -> Iterator[Path]:
        if self.unified:
            yield self._mount
            return
        seen: set[Path] = set()
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._mount):
                real = Path(entry.path).resolve()
                if entry.is_dir() and real not in seen:
                    seen.add(real)
                    yield real


def _write(path: Path, value: str) -> None:
    """Set one knob. A controller the kernel or our parent does not give us is worth a word, not a failure."""
    if not value:
        return
    try:
        path.write_text(value)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS, errno.EBUSY, errno.ENOTSUP):
            raise
        log.debug("cgroup knob not set", path=str(path), value=value, error=str(error))


def _remove_tree(path: Path) -> bool:
    try:
        children = [Path(e.path) for e in os.scandir(path) if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return True
    # Every child is tried, also after one that would not go.
    gone = False not in [_remove_tree(child) for child in children]
    try:
        path.rmdir()
    except FileNotFoundError:
        return gone
    except OSError:
        return False
    return gone
