"""Images that need no registry: made in memory of Debian's static binaries, as docker-archive tars that containerd imports.

`localhost/pause:sampan` holds a sandbox open: catatonit, started as `/pause -P`, reaps and waits for signals.
`localhost/busybox:1` and `:2` are busybox with a link for each of its applets: a shell, httpd, wget, nslookup and more for
examples and tests. The two differ in `/etc/image-version`, so that a rollout has something to roll to.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.cmd.cluster.containerd import PAUSE_IMAGE, snapshotter_of
from sampan.cmd.cluster.plan import NodePlan, make_private, write_private
from sampan.cmd.cluster.shell import ClusterError, run

CATATONIT = Path("/usr/bin/catatonit")
BUSYBOX = Path("/bin/busybox")
BUSYBOX_VERSIONS = ("1", "2")
BUILTIN = (PAUSE_IMAGE, *(f"localhost/busybox:{version}" for version in BUSYBOX_VERSIONS))
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


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its tag, its layers (tar files, the lowest first), and how it is run."""

    tag: str
    layers: Sequence[bytes]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Sequence[str] = ()


def archive(images: Sequence[Image], architecture: str) -> bytes:
    """A docker-archive tar of images, layers that they share once."""
    parts: dict[str, bytes] = {}
    manifest = []
    for image in images:
        digests = [hashlib.sha256(data).hexdigest() for data in image.layers]
        run_as = {"Entrypoint": [*image.entrypoint], "Cmd": [*image.command], "Env": [*image.environment]}
        rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]}
        config = json.dumps({"architecture": architecture, "os": "linux", "config": run_as, "rootfs": rootfs}).encode()
        config_name = hashlib.sha256(config).hexdigest() + ".json"
        names = [f"{digest}/layer.tar" for digest in digests]
        parts |= {config_name: config, **dict(zip(names, image.layers, strict=True))}
        manifest.append({"Config": config_name, "RepoTags": [image.tag], "Layers": names})
    parts["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in parts.items():
            _add(tar, name, data, mode=0o644)
    return out.getvalue()


def layer(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, directories: Iterable[str] = ()) -> bytes:
    """A layer's tar. `files` maps paths to contents, all executable; `links` maps paths to targets."""
    links = links or {}
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


def builtin() -> list[Image]:
    """The images every node has from the start."""
    pause = Image(PAUSE_IMAGE, [layer({"pause": _binary(CATATONIT, "catatonit")})], entrypoint=["/pause", "-P"])
    return [pause, *busybox()]


def busybox() -> list[Image]:
    applets = [Path(line).name for line in run([str(BUSYBOX), "--list"]).splitlines()]
    base = layer(
        {
            "bin/busybox": _binary(BUSYBOX, "busybox-static"),
            "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
            "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
        },
        links={f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        directories=("tmp", "root", "proc", "sys", "dev", "var", "www"),
    )
    return [
        Image(
            f"localhost/busybox:{version}",
            [base, layer({"etc/image-version": version.encode() + b"\n"})],
            command=["sh"],
            environment=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        )
        for version in BUSYBOX_VERSIONS
    ]


def _binary(path: Path, package: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ClusterError(f"{path} is missing: apt-get install {package}") from None


def present(node: NodePlan) -> list[str]:
    """Names of the images in the node's store."""
    return run([*_ctr(node), "images", "ls", "-q"]).split()


def load(node: NodePlan, file: Path) -> list[str]:
    """Import a docker or OCI archive; the names it brought. Raises ClusterError with containerd's words."""
    before = set(present(node))
    said = run([*_ctr(node), "images", "import", "--snapshotter", snapshotter_of(node), str(file)], timeout_seconds=600)
    named = [line.split()[1] for line in said.splitlines() if line.startswith("unpacking ")]
    return named or sorted(set(present(node)) - before)


def load_builtin(node: NodePlan, file: Path) -> None:
    """Import the built-in images from their archive unless the node has them all."""
    if not set(BUILTIN) <= set(present(node)):
        load(node, file)


def write_builtin(directory: Path, architecture: str) -> Path:
    """The archive of the built-in images, made once."""
    file = directory / "builtin.tar"
    if not file.exists():
        make_private(directory)
        write_private(file, archive(builtin(), architecture))
    return file


def is_ready(node: NodePlan) -> bool:
    """Whether its containerd takes calls: it listens when its plugins have started."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(node.containerd_socket))
        except OSError:
            return False
    return True


def _ctr(node: NodePlan) -> list[str]:
    return ["ctr", "--address", str(node.containerd_socket), "--namespace", NAMESPACE]
