"""A node's containerd: its configuration, with every path its own, so that the containerds of a machine do not meet."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sampan.cmd.cluster.mounts import overlay_works
from sampan.cmd.cluster.plan import NodePlan, make_private, write_private

PAUSE_IMAGE = "localhost/pause:sampan"
CNI_BIN_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
CAP_SYS_RESOURCE = 24

UNUSED_PLUGINS = (
    "io.containerd.internal.v1.restart",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.nri.v1.nri",
)


def config(node: NodePlan, *, cni_bin_dir: Path, snapshotter: str, restrict_oom_score: bool) -> str:
    """containerd's configuration, version 2, which 1.6 to 2.x read.

    `restrict_oom_score` is for a process without CAP_SYS_RESOURCE, which may not lower an oom_score_adj: without it no
    container starts.
    """
    disabled = ", ".join(f'"{name}"' for name in UNUSED_PLUGINS)
    return f"""\
version = 2
root = "{node.containerd_root}"
state = "{node.containerd_state}"
oom_score = 0
disabled_plugins = [{disabled}]

[grpc]
  address = "{node.containerd_socket}"
  uid = 0
  gid = 0

[plugins."io.containerd.internal.v1.opt"]
  path = "{node.containerd_root}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = {"true" if restrict_oom_score else "false"}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  netns_mounts_under_state_dir = true
  disable_apparmor = {"false" if _apparmor_usable() else "true"}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_bin_dir}"
    conf_dir = "{node.cni_conf_dir}"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "{node.run_dir}/runc"
"""


def prepare(node: NodePlan) -> None:
    """Make the node's directories and write its configuration."""
    for directory in (
        node.containerd_root,
        node.kubelet_root,
        node.run_dir,
        node.containerd_state,
        node.cni_conf_dir,
        node.ipam_dir,
    ):
        make_private(directory)
    snapshotter = "overlayfs" if overlay_works(node.containerd_root) else "native"
    text = config(
        node,
        cni_bin_dir=cni_bin_dir() or CNI_BIN_DIRS[0],
        snapshotter=snapshotter,
        restrict_oom_score=not has_capability(CAP_SYS_RESOURCE),
    )
    write_private(node.containerd_config, text)


def cni_bin_dir() -> Path | None:
    """The directory that has every CNI plugin a node needs."""
    for directory in CNI_BIN_DIRS:
        if all(os.access(directory / plugin, os.X_OK) for plugin in CNI_PLUGINS):
            return directory
    return None


def snapshotter_of(node: NodePlan) -> str:
    """What its written configuration says; images must be unpacked for the same one."""
    return "native" if 'snapshotter = "native"' in node.containerd_config.read_text() else "overlayfs"


def has_capability(number: int, status: str | None = None) -> bool:
    text = Path("/proc/self/status").read_text() if status is None else status
    effective = next(line.split()[1] for line in text.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> number & 1)


def _apparmor_usable() -> bool:
    """containerd loads its profile with apparmor_parser; the kernel's support alone is not enough."""
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    return enabled.exists() and enabled.read_text().startswith("Y") and shutil.which("apparmor_parser") is not None


def shim_sockets(node: NodePlan) -> list[Path]:
    """Sockets of the node's shims, which live in a directory all containerds share and stay when a shim is killed."""
    found = []
    for address in node.containerd_state.glob("io.containerd.runtime.v2.task/*/*/address"):
        text = address.read_text().strip().removeprefix("unix://")
        if text.startswith("/run/containerd/s/"):
            found.append(Path(text))
    return found
