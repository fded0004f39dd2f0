"""A containerd of the test's own, in a network namespace of its own: a node as the agent finds it, without the agent.

Everything lies under one directory and ends with the `with` block: the process, its shims, mounts and the namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import netns

from sampan.kubelet.cgroups import Cgroups
from sampan.kubelet.runtime.base import RuntimeFailure
from sampan.kubelet.runtime.cri import CRIRuntime

CONFIG = """version = 2
root = "{root}/root"
state = "{root}/state"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{root}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "sampan.local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{root}/cni"
"""
CNI = {
    "cniVersion": "0.4.0",
    "name": "testbed",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,
            "ipam": {"type": "host-local", "subnet": "10.244.77.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
APPLETS = (
    *("sh", "sleep", "cat", "echo", "ls", "env", "wget", "httpd", "nslookup", "nc", "ip", "id", "touch", "true", "false"),
    *("stat", "hostname", "ps", "kill", "tail", "rm", "mkdir", "head", "mount", "seq"),
)
BUSYBOX = "sampan.local/busybox:1"


@dataclass
class TestBed:
    root: Path
    namespace: str
    pid: int

    __test__ = False

    @property
    def socket(self) -> str:
        return str(self.root / "containerd.sock")

    def enter(self) -> None:
        """Move this thread into the node's network namespace, as `nsenter --net` does a process."""
        netns.setns(self.namespace)


def _layer(files: dict[str, Path], links: dict[str, str], directories: tuple[str, ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in directories:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(info)
        for name, source in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = source.stat().st_size, 0o755
            with source.open("rb") as handle:
                tar.addfile(info, handle)
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(info)
    return out.getvalue()


def archive(path: Path, tag: str, layer: bytes, config: dict[str, object]) -> None:
    """Write a docker-archive of one layer."""
    digest = hashlib.sha256(layer).hexdigest()
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    body = json.dumps(image).encode()
    name = hashlib.sha256(body).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for entry, data in ((name, body), ("layer.tar", layer), ("manifest.json", manifest)):
            info = tarfile.TarInfo(entry)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _images(root: Path, socket: str) -> None:
    pause = _layer({"pause": Path("/usr/bin/catatonit")}, {}, ())
    archive(root / "pause.tar", "sampan.local/pause:1", pause, {"Entrypoint": ["/pause", "-P"]})
    busybox = _layer(
        {"bin/busybox": Path("/bin/busybox")},
        {f"bin/{a}": "busybox" for a in APPLETS},
        ("bin", "etc", "tmp", "proc", "sys", "dev"),
    )
    archive(root / "busybox.tar", BUSYBOX, busybox, {"Env": ["PATH=/bin"], "Cmd": ["sh"]})
    for name in ("pause", "busybox"):
        subprocess.run(
            ["ctr", "-a", socket, "-n", "k8s.io", "images", "import", str(root / f"{name}.tar")],
            check=True,
            capture_output=True,
        )


def _wait_for_socket(process: subprocess.Popen[bytes], path: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"containerd ended with {process.returncode}")
        if os.path.exists(path) and subprocess.run(["ctr", "-a", path, "version"], capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    raise TimeoutError("containerd did not listen in time")


async def _end_sandboxes(socket: str) -> None:
    """So that their network namespaces and addresses are given back."""
    runtime = CRIRuntime(socket)
    with contextlib.suppress(RuntimeFailure):
        for sandbox in await runtime.list_sandboxes():
            await runtime.stop_sandbox(sandbox.id)
            await runtime.remove_sandbox(sandbox.id)
    await runtime.close()


def _end_shims(root: Path) -> None:
    """Containers outlive containerd by design; the test's do not outlive the test."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            if b"containerd-shim" in command and f"{root}/containerd.sock".encode() in command:
                for child in (entry / "task" / entry.name / "children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                os.kill(int(entry.name), signal.SIGKILL)


def _unmount(root: Path) -> None:
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(str(root)):
            subprocess.run(["umount", "-l", target], capture_output=True)


@contextlib.contextmanager
def node(root: Path) -> Iterator[TestBed]:
    namespace = f"sptest{os.getpid()}"
    (root / "cni").mkdir(parents=True)
    (root / "cni" / "10-testbed.conflist").write_text(json.dumps({**CNI, "plugins": _with_data_dir(root)}))
    (root / "config.toml").write_text(CONFIG.format(root=root))
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    # A packet to an address nobody has must die here.
    subprocess.run(["ip", "-n", namespace, "route", "add", "blackhole", "default"], check=True)
    with (root / "containerd.log").open("wb") as log:
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{namespace}", "containerd", "--config", str(root / "config.toml")],
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for_socket(process, str(root / "containerd.sock"))
            _images(root, str(root / "containerd.sock"))
            yield TestBed(root, namespace, process.pid)
        finally:
            asyncio.run(_end_sandboxes(str(root / "containerd.sock")))
            process.kill()
            process.wait(10)
            _end_shims(root)
            _unmount(root)
            Cgroups().remove(f"/{namespace}")
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
            shutil.rmtree(root, ignore_errors=True)


def _with_data_dir(root: Path) -> list[dict[str, object]]:
    bridge, portmap = (dict(p) for p in CNI["plugins"])  # type: ignore[call-overload]
    bridge["ipam"] = {**bridge["ipam"], "dataDir": str(root / "ipam")}
    return [bridge, portmap]
