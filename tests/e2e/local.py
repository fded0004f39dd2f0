"""A real cluster made by the `sampan` command for a test, with a name, port and directories of its own."""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KUBECTL_SECONDS = 60.0


def what_is_missing() -> str:
    """Why real clusters cannot be made here; "" when they can."""
    if os.geteuid() != 0:
        return "real clusters need root"
    tools = ("containerd", "runc", "nft", "nsenter", "ip", "conntrack", "kubectl")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not any((Path(directory) / "bridge").exists() for directory in ("/usr/lib/cni", "/opt/cni/bin")):
        missing.append("CNI plugins")
    return f"not installed: {', '.join(missing)}" if missing else ""


def kubectls() -> dict[str, str]:
    """The kubectl programs of this machine by minor version: the one on the PATH and its versioned neighbours.

    More directories with programs named kubectl.1.NN may be given in SAMPAN_KUBECTLS, separated by colons.
    """
    found = shutil.which("kubectl")
    if found is None:
        return {}
    places = {Path(found).parent, Path(os.path.realpath(found)).parent}
    places |= {Path(place) for place in os.environ.get("SAMPAN_KUBECTLS", "").split(":") if place}
    neighbours = {path.name: str(path) for place in places for path in place.glob("kubectl.1.*")}
    versions = {m[1]: path for name, path in neighbours.items() if (m := re.fullmatch(r"kubectl\.(1\.\d+)", name))}
    return versions or {"default": found}


def newest_kubectl() -> str:
    """The one that clusters are tried with; "" without any."""
    return max(kubectls().items(), key=lambda item: _minor(item[0]), default=("", ""))[1]


@functools.cache
def speaks_as_of_old() -> bool:
    """Whether that one is older than 1.27, as Debian 12's: it words some answers differently and lacks some commands."""
    if not (program := newest_kubectl()):
        return False
    told = subprocess.run([program, "version", "--client", "--output=json"], capture_output=True, timeout=KUBECTL_SECONDS)
    return int(json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+")) < 27


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class LocalCluster:
    """`sampan` and `kubectl` for one cluster. Its packets stay on the machine."""

    def __init__(self, home: Path, name: str = "") -> None:
        self.name = name or f"e2e-{secrets.token_hex(3)}"
        self.home = home
        self.port = free_port()
        self.kubeconfig = home / "kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(home)}
        self.kubectl_path = newest_kubectl()

    def sampan(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`sampan ARGUMENTS`, with --name where the command takes it."""
        argv = [sys.executable, "-P", "-m", "sampan.cmd.main", *arguments]
        if arguments[0] in ("up", "down", "status", "kubeconfig", "logs", "image"):
            argv += ["--name", self.name]
        return self._run(argv, check=check, seconds=180.0)

    def up(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        port = [] if "--api-port" in arguments else ["--api-port", str(self.port)]
        return self.sampan("up", "--isolated", *port, *arguments, check=check)

    def down(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.sampan("down", *arguments)

    def kubectl(self, *arguments: str, check: bool = True, input_text: str | None = None) -> subprocess.CompletedProcess[str]:
        return self._run([self.kubectl_path, *arguments], check=check, seconds=KUBECTL_SECONDS, input_text=input_text)

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, decoded."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", input_text=manifest)

    def status(self) -> Any:
        return json.loads(self.sampan("status", "-o", "json", check=False).stdout)

    def pid(self, component: str) -> int:
        pids = {row["name"]: row["pid"] for row in self.status()["processes"]}
        return int(pids[component])

    def _run(
        self, argv: list[str], *, check: bool, seconds: float, input_text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            argv, capture_output=True, text=True, env=self.environment, timeout=seconds, check=False, input=input_text
        )
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(argv)} ended with {result.returncode}\n{result.stdout}{result.stderr}")
        return result


def eventually(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def _minor(version: str) -> int:
    return int(version.partition(".")[2] or 0)


TODAYS_KUBECTL = pytest.mark.skipif(speaks_as_of_old(), reason="kubectl is older than 1.27")
