"""A real etcd on free loopback ports, its data in a directory of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

BINARY = Path("/usr/bin/etcd")
MISSING = "etcd-server is not installed"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EtcdServer:
    """One member. `restart` begins it again on its old ports with what it had written."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.directory = directory
        self.port, peer = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self._flags = (
            f"--data-dir={directory}/data",
            f"--listen-client-urls=http://{self.endpoint}",
            f"--advertise-client-urls=http://{self.endpoint}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            # Shorter than on a network: a lone member elects itself sooner, and leases may be as short as a second.
            "--heartbeat-interval=10",
            "--election-timeout=100",
            *flags,
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, *self._flags], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self.is_healthy():
            assert time.monotonic() < deadline and self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.02)

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.endpoint}/health", timeout=2) as answer:
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
