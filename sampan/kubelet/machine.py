"""What the machine is and has, read from /proc and the like."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True, slots=True)
class Machine:
    cpus: int
    memory_bytes: int
    disk_bytes: int
    architecture: str
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str
    pid_max: int = 4194304


def _read(path: str, default: str = "") -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return default


def _os_image() -> str:
    for line in (_read("/etc/os-release") or _read("/usr/lib/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return "Linux"


def memory_bytes(field: str = "MemTotal") -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def inspect(root_dir: Path | None) -> Machine:
    place = root_dir if root_dir is not None and root_dir.exists() else Path("/")
    disk = os.statvfs(place)
    name = platform.machine()
    boot = _read("/proc/sys/kernel/random/boot_id")
    machine_id = _read("/etc/machine-id") or boot.replace("-", "")
    return Machine(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory_bytes(),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        architecture=ARCHITECTURES.get(name, name),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=machine_id,
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=boot,
        pid_max=int(_read("/proc/sys/kernel/pid_max", "4194304")),
    )


@dataclass(frozen=True, slots=True)
class Pressure:
    """Free resources, for the node's pressure conditions."""

    memory_available_bytes: int
    disk_free_ratio: float
    inodes_free_ratio: float
    pids_free: int


def pressure(root_dir: Path | None) -> Pressure:
    place = root_dir if root_dir is not None and root_dir.exists() else Path("/")
    disk = os.statvfs(place)
    running = _read("/proc/loadavg", "0 0 0 0/0 0").split()[3].partition("/")[2]
    pid_max = int(_read("/proc/sys/kernel/pid_max", "4194304"))
    return Pressure(
        memory_available_bytes=memory_bytes("MemAvailable"),
        disk_free_ratio=disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0,
        inodes_free_ratio=disk.f_favail / disk.f_files if disk.f_files else 1.0,
        pids_free=pid_max - int(running or 0),
    )
