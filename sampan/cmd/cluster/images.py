"""Images that need no registry: made in memory of Debian's static binaries, as docker-archive tars that containerd imports.

`localhost/pause:sampan` holds a sandbox open: catatonit, started as `/pause -P`, reaps and waits for signals.
`localhost/busybox:1` and `:2` are busybox with a link for each of its applets: a shell, httpd, wget, nslookup and more for
examples and tests. The two differ in `/etc/image-version`, so that a rollout has something to roll to.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sampan.cmd.cluster.containerd import PAUSE_IMAGE, snapshotter_of
from sampan.cmd.cluster.plan import NodePlan
from sampan.cmd.cluster.shell import ClusterError, run

CATATONIT = Path("/usr/bin/catatonit")
BUSYBOX = Path("/bin/busybox")
BUSYBOX_VERSIONS = ("1", "2")
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
NAMESPACE = "k8s.io"
"""The containerd namespace CRI works in."""


def archive(
    tags: Iterable[str],
    files: Mapping[str, bytes],
    *,
    architecture: str,
    links: Mapping[str, str] | None = None,
    directories: Iterable[str] = (),
    entrypoint: Iterable[str] = (),
    command: Iterable[str] = (),
    environment: Iterable[str] = (),
) -> bytes:
    """A docker-archive tar of one layer. `files` maps paths to contents, all executable; `links` maps paths to targets."""
    layer = _layer(files, links or {}, directories)
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Cmd": list(command), "Env": list(environment)},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    config = json.dumps(configuration).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": list(tags), "Layers": ["layer.tar"]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (("layer.tar", layer), (config_name, config), ("manifest.json", manifest)):
            _add(tar, name, data, mode=0o644)
    return out.getvalue()


def _layer(files: Mapping[str, bytes], links: Mapping[str, str], directories: Iterable[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        parents = {str(parent) for path in (*files, *links) for parent in Path(path).parents}
        for directory in sorted((parents | set(directories)) - {"."}):
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if directory == "tmp" else 0o755
            tar.addfile(info)
        for path, data in sorted(files.items()):
            _add(tar, path, data, mode=0o755)
        for path, target in sorted(links.items()):
            info = tarfile.TarInfo(path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def pause_archive(architecture: str) -> bytes:
    return archive(
        [PAUSE_IMAGE], {"pause": _binary(CATATONIT, "catatonit")}, architecture=architecture, entrypoint=["/pause", "-P"]
    )


def busybox_archive(version: str, architecture: str) -> bytes:
    binary = _binary(BUSYBOX, "busybox-static")
    applets = [Path(line).name for line in run([str(BUSYBOX), "--list"]).splitlines()]
    return archive(
        [f"localhost/busybox:{version}"],
        {
            "bin/busybox": binary,
            "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
            "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
            "etc/image-version": version.encode() + b"\n",
        },
        architecture=architecture,
        links={f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        directories=("tmp", "root", "proc", "sys", "dev", "var", "www"),
        command=["sh"],
        environment=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    )


def _binary(path: Path, package: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ClusterError(f"{path} is missing: apt-get install {package}") from None


def builtin(architecture: str) -> dict[str, bytes]:
    """The images every node has from the start, by name."""
    made = {PAUSE_IMAGE: pause_archive(architecture)}
    made |= {f"localhost/busybox:{version}": busybox_archive(version, architecture) for version in BUSYBOX_VERSIONS}
    return made


def present(node: NodePlan) -> list[str]:
    """Names of the images in the node's store."""
    return run([*_ctr(node), "images", "ls", "-q"]).split()


def listing(node: NodePlan) -> str:
    return run([*_ctr(node), "images", "ls"])


def load(node: NodePlan, file: Path) -> list[str]:
    """Import a docker or OCI archive; the names it brought. Raises ClusterError with containerd's words."""
    before = set(present(node))
    said = run([*_ctr(node), "images", "import", "--snapshotter", snapshotter_of(node), str(file)], timeout_seconds=600)
    named = [line.split()[1] for line in said.splitlines() if line.startswith("unpacking ")]
    return named or sorted(set(present(node)) - before)


def load_builtin(node: NodePlan, archives: Mapping[str, Path]) -> None:
    """Import what the node lacks of `archives` (name → file)."""
    there = set(present(node))
    for name, file in archives.items():
        if name not in there:
            load(node, file)


def write_builtin(directory: Path, architecture: str) -> dict[str, Path]:
    """The built-in images as files, made once."""
    directory.mkdir(mode=0o700, exist_ok=True)
    files = {
        PAUSE_IMAGE: directory / "pause.tar",
        **{f"localhost/busybox:{version}": directory / f"busybox-{version}.tar" for version in BUSYBOX_VERSIONS},
    }
    if not all(file.exists() for file in files.values()):
        for name, data in builtin(architecture).items():
            temporary = files[name].with_suffix(".new")
            temporary.write_bytes(data)
            temporary.rename(files[name])
    return files


def is_ready(node: NodePlan) -> bool:
    """Whether its containerd answers."""
    if not node.containerd_socket.exists():
        return False
    result = subprocess.run([*_ctr(node), "version"], capture_output=True, timeout=10, check=False)
    return result.returncode == 0


def _ctr(node: NodePlan) -> list[str]:
    return ["ctr", "--address", str(node.containerd_socket), "--namespace", NAMESPACE]
