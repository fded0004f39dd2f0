"""What a cluster could leave on a machine: interfaces, namespaces, mounts, cgroups, rules, processes, files, settings.

`snapshot()` before and after; `added(before, after)` must be empty. Other clusters and their tests may run on the machine at
the same time, so a comparison may be narrowed to what carries this cluster's names.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

Snapshot = dict[str, set[str]]


def snapshot() -> Snapshot:
    return {
        "interface": _interfaces(),
        "network namespace": _listed(Path("/run/netns")),
        "mount": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "cgroup": _cgroups(),
        "nftables table": _tables(),
        "process": _processes(),
        "file": _files(),
        "setting": {f"ip_forward={Path('/proc/sys/net/ipv4/ip_forward').read_text().strip()}"},
    }


def added(before: Snapshot, after: Snapshot, name: str) -> list[str]:
    """Phrases for what `after` has and `before` had not. Where others work with runtimes on this machine at the same time, only
    what carries the cluster's name is its own beyond doubt."""
    found = [f"{kind} {thing}" for kind in after for thing in sorted(after[kind] - before[kind])]
    alone = not before["process"] and not any(name not in process for process in after["process"])
    return [phrase for phrase in found if alone or name in phrase or name.replace("-", "_") in phrase]


def _interfaces() -> set[str]:
    """With their aliases, which name the cluster."""
    return {f"{path.name} {(path / 'ifalias').read_text().strip()}" for path in Path("/sys/class/net").iterdir()}


def _listed(directory: Path) -> set[str]:
    return set(os.listdir(directory)) if directory.is_dir() else set()


def _cgroups() -> set[str]:
    return {root for root, _, _ in os.walk("/sys/fs/cgroup") if "/sampan" in root}


def _tables() -> set[str]:
    out = subprocess.run(["nft", "-j", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return {item["table"]["name"] for item in json.loads(out)["nftables"] if "table" in item}


def _processes() -> set[str]:
    """Processes of clusters: what names Sampan or a runtime on its command line. Zombies have none."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(name in line for name in ("sampan.cmd", "supervise.py", "containerd", "/pause")):
            found.add(f"{pid} {line.strip()}")
    return found


def _files() -> set[str]:
    """Where a cluster writes: its own directories, and the shims' sockets, which containerd puts where it likes."""
    found = set()
    for directory in ("/var/lib/sampan", "/run/sampan", "/run/containerd/s", "/run/containerd/runc", "/var/lib/cni"):
        found |= {str(path) for path in Path(directory).glob("*")}
    return found
