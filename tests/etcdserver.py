"""A real etcd on free loopback ports, its data in a directory of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

BINARY = Path("/usr/bin/etcd")
MISSING = "etcd-server is not installed"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EtcdServer:
    """One member, of a cluster of those with `peers`' ports. After `kill` or `stop`, `start` begins it again on its old ports
    with what it had written."""

    def __init__(
        self,
        directory: Path,
        *flags: str,
        scheme: str = "http",
        peers: Sequence[int] = (),
        number: int = 0,
        binary: Path = BINARY,
    ) -> None:
        self.directory = directory
        self._binary = binary
        directory.mkdir(exist_ok=True)
        peers = peers or (free_port(),)
        self.endpoint, self._health = f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        peer = f"http://127.0.0.1:{peers[number]}"
        self._flags = (
            f"--name=m{number}",
            f"--data-dir={directory}/data",
            f"--listen-client-urls={scheme}://{self.endpoint}",
            f"--advertise-client-urls={scheme}://{self.endpoint}",
            f"--listen-metrics-urls={self._health}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            "--initial-cluster=" + ",".join(f"m{index}=http://127.0.0.1:{port}" for index, port in enumerate(peers)),
            # Shorter than on a network: a lone member elects itself sooner, and leases may be as short as a second.
            "--heartbeat-interval=10",
            "--election-timeout=100",
            *flags,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """As `start`, without waiting for the others that it needs for a quorum."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, *self._flags], stdout=log, stderr=log)

    def wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 30
        while not self.is_healthy():
            assert time.monotonic() < deadline and self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.02)

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._health}/health", timeout=2) as answer:
                return b'"true"' in answer.read()
        except (OSError, urllib.error.URLError):
            return False

    def pause(self) -> None:
        """It hears and says nothing until `go_on`, as a machine that hangs."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash does."""
        self._send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._send(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(10)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
