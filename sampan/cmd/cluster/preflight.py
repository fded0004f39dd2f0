"""What a machine must have before a cluster is made on it: each check a sentence with its remedy, or nothing."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from sampan.cmd.cluster import cgroups
from sampan.cmd.cluster.containerd import CNI_PLUGINS, cni_bin_dir
from sampan.cmd.cluster.images import BUSYBOX, CATATONIT
from sampan.cmd.cluster.plan import ClusterPlan
from sampan.cmd.cluster.shell import ClusterError

HOST_TOOLS = {"ip": "iproute2", "nft": "nftables"}
NODE_TOOLS = {
    "nsenter": "util-linux",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "conntrack": "conntrack",
    "iptables": "iptables",
}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_root(command: str) -> None:
    """Raises ClusterError for anybody else."""
    if os.geteuid() != 0:
        raise ClusterError(f"namespaces, mounts and cgroups need root: run sudo sampan {command}")


def complete_path() -> None:
    """A root shell by `su` has no /usr/sbin in its PATH, where half of the tools are."""
    known = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([*known, *(entry for entry in SYSTEM_PATH.split(":") if entry not in known)])


def missing_tools(tools: dict[str, str], which: Callable[[str], str | None] = shutil.which) -> str | None:
    lacking = [tool for tool in tools if which(tool) is None]
    if not lacking:
        return None
    packages = " ".join(sorted({tools[tool] for tool in lacking}))
    verb = "is" if len(lacking) == 1 else "are"
    return f"{', '.join(lacking)} {verb} not installed: apt-get install {packages}"


def missing_plugins() -> str | None:
    if cni_bin_dir() is not None:
        return None
    plugins = ", ".join(CNI_PLUGINS)
    return f"the CNI plugins {plugins} are not in /usr/lib/cni: apt-get install containernetworking-plugins"


def missing_binaries() -> str | None:
    for path, package in ((BUSYBOX, "busybox-static"), (CATATONIT, "catatonit")):
        if not path.exists():
            return f"{path} is missing, of which images are made: apt-get install {package}"
    if not is_static(BUSYBOX):
        return f"{BUSYBOX} needs shared libraries and cannot stand alone in an image: apt-get install busybox-static"
    return None


def is_static(binary: Path) -> bool:
    """Whether an ELF file names no program interpreter, which is how a dynamic one finds its libraries."""
    head = binary.read_bytes()[:4096]
    return b"/ld-linux" not in head and b"/ld-musl" not in head and b"/ld64" not in head


def unusable_cgroups() -> str | None:
    try:
        cgroups.detect()
    except ClusterError as error:
        return str(error)
    return None


def taken_port(address: str, port: int) -> str | None:
    """A sentence if something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return f"port {port} may not be used here: choose another with --api-port"
        except OSError:
            owner = listener(port)
            return f"port {port} is in use{f' by {owner}' if owner else ''}: stop that, or choose another with --api-port"
    return None


def listener(port: int) -> str:
    """Who listens on a local TCP port, as "name (pid N)"; "" when that cannot be told."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                if os.readlink(descriptor.path) in inodes:
                    return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (pid {pid})"
        except OSError:
            continue
    return ""


def problems(plan: ClusterPlan, *, serving: bool) -> Iterator[str]:
    """What stands in the way of the plan. `serving`: its API server runs already and holds the port."""
    tools = HOST_TOOLS | (NODE_TOOLS if plan.node_count else {})
    checks: list[str | None] = [missing_tools(tools)]
    if plan.node_count:
        checks += [missing_plugins(), missing_binaries(), unusable_cgroups()]
    if not serving:
        checks.append(taken_port("127.0.0.1", plan.api_port))
    yield from (problem for problem in checks if problem)


def check(plan: ClusterPlan, *, serving: bool) -> None:
    """Raises ClusterError with everything that stands in the way."""
    found = list(problems(plan, serving=serving))
    if found:
        raise ClusterError("\nsampan: ".join(found))
