"""The cgroups of a cluster, version 1 or 2, whichever the machine has.

Containers of a cluster live under `/sampan/<cluster>/<node>` of every controller (v1) or of the one hierarchy (v2), so
whatever runs there belongs to the cluster: it is how `sampan down` finds containers whose runtime is gone.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sampan.cmd.cluster.shell import ClusterError

UNIFIED = ""
NEEDED = ("cpu", "memory", "pids")
WANTED = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Where the cgroup file systems are: by controller on version 1, and the unified hierarchy, which is all of version 2."""

    version: int
    mounts: dict[str, Path]

    def directories(self, path: str) -> list[Path]:
        """Where cgroup `path` is or would be, in each hierarchy once."""
        return sorted({mount / path.strip("/") for mount in self.mounts.values()})


def detect(mountinfo: str | None = None) -> Cgroups:
    """Read which cgroup file systems are mounted. Raises ClusterError when the controllers containers need are not there."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    unified: Path | None = None
    mounts: dict[str, Path] = {}
    for line in text.splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        mount = Path(fields.split()[4])
        if kind == "cgroup2":
            unified = mount
        elif kind == "cgroup":
            for name in options.split(","):
                if name not in ("rw", "ro", "relatime", "nosuid", "xattr") and not name.startswith("release_agent"):
                    mounts[name.removeprefix("name=")] = mount
    if all(name in mounts for name in NEEDED):
        # Beside the controllers' own hierarchies there may be the unified one, which runtimes use, too, to find processes.
        return Cgroups(1, mounts | ({UNIFIED: unified} if unified else {}))
    if unified is not None:
        return Cgroups(2, {UNIFIED: unified})
    raise ClusterError(
        "no usable cgroups are mounted: mount -t cgroup2 none /sys/fs/cgroup, or start with systemd, which does it"
    )


def prepare(cgroups: Cgroups, path: str) -> None:
    """Make cgroup `path` so that containers can be limited below it. Raises ClusterError when the kernel refuses."""
    if cgroups.version == 1:
        for directory in cgroups.directories(path):
            _make(directory)
            _inherit_cpuset(directory)
        return
    mount = cgroups.mounts[UNIFIED]
    available = (mount / "cgroup.controllers").read_text().split()
    lacking = [name for name in NEEDED if name not in available]
    if lacking:
        raise ClusterError(
            f"the cgroup controllers {', '.join(lacking)} are off: boot without cgroup_disable=, or delegate them"
        )
    wanted = " ".join(f"+{name}" for name in WANTED if name in available)
    directory = mount
    for part in ["", *path.strip("/").split("/")]:
        directory = directory / part
        _make(directory)
        _enable(directory, wanted)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClusterError(
            f"{directory} cannot be made ({error.strerror}): give this machine a writable cgroup mount"
        ) from None


def _enable(directory: Path, controllers: str) -> None:
    try:
        (directory / "cgroup.subtree_control").write_text(controllers)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise ClusterError(
                f"processes live in {directory} itself, so its controllers cannot be passed on: make {directory}/init "
                f"and write each number of {directory}/cgroup.procs to {directory}/init/cgroup.procs"
            ) from None
        raise ClusterError(f"{directory}/cgroup.subtree_control cannot be written: {error.strerror}") from None


def _inherit_cpuset(directory: Path) -> None:
    """A new v1 cpuset has no CPUs and no memory nodes, and nothing can run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        chain = []
        place = directory
        while (place / name).exists() and not (place / name).read_text().strip():
            chain.append(place)
            place = place.parent
        for child in reversed(chain):
            (child / name).write_text((child.parent / name).read_text())


def pids(cgroups: Cgroups, path: str) -> set[int]:
    """The processes in cgroup `path` and below."""
    found: set[int] = set()
    for directory in _tree(cgroups, path):
        try:
            found.update(int(pid) for pid in (directory / "cgroup.procs").read_text().split())
        except (FileNotFoundError, OSError):
            continue
    return found


def kill(cgroups: Cgroups, path: str, *, deadline_seconds: float = 10.0) -> int:
    """Kill every process in cgroup `path` and below; how many there were. Raises ClusterError if some outlive the deadline."""
    deadline = time.monotonic() + deadline_seconds
    killed: set[int] = set()
    while alive := pids(cgroups, path):
        _thaw(cgroups, path)
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed |= alive
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {sorted(alive)} of cgroup {path} do not die: see `ps -o stat,wchan -p PID`")
        time.sleep(0.01)
    return len(killed)


def _thaw(cgroups: Cgroups, path: str) -> None:
    """A frozen (paused) process on v1 does not act on SIGKILL."""
    if cgroups.version != 1 or "freezer" not in cgroups.mounts:
        return
    for directory in _walk(cgroups.mounts["freezer"] / path.strip("/")):
        state = directory / "freezer.state"
        try:
            if state.read_text().strip() != "THAWED":
                state.write_text("THAWED")
        except OSError:
            continue


def remove(cgroups: Cgroups, path: str, *, deadline_seconds: float = 5.0) -> None:
    """Remove cgroup `path` and all below it, which must be empty of processes; and its parents where they are empty."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        left = [directory for directory in _tree(cgroups, path) if not _removed(directory)]
        if not left:
            break
        if time.monotonic() > deadline:
            raise ClusterError(f"the cgroup {left[0]} cannot be removed: look for processes in its cgroup.procs")
        time.sleep(0.01)
    for directory in cgroups.directories(os.path.dirname(path)):
        _removed(directory)


def exists(cgroups: Cgroups, path: str) -> list[Path]:
    return [directory for directory in cgroups.directories(path) if directory.exists()]


def _removed(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        # Busy: its last process has been killed but not reaped yet, or a child is.
        return False
    return True


def _tree(cgroups: Cgroups, path: str) -> Iterator[Path]:
    for directory in cgroups.directories(path):
        yield from _walk(directory)


def _walk(directory: Path) -> Iterator[Path]:
    """The directories below and then `directory` itself, so that removing goes leaves first."""
    for root, _, _ in os.walk(directory, topdown=False):
        yield Path(root)
