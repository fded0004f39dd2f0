"""Upstream's extension API server (custom resources on the generic API server) beside ours, for asking both the same.

Upstream's delegates who asks to ours, and finds namespaces, admission policies and webhooks there.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.server import APIServer
from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.lib.clock import RealClock
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem
from sampan.store.memory import MemoryStore
from tests.etcdserver import BINARY as ETCD_ON_MACHINE
from tests.etcdserver import EtcdServer, free_port

DIRECTORY = Path(os.environ.get("SAMPAN_UPSTREAM") or Path.home() / ".cache/sampan/upstream")
BINARY = DIRECTORY / "apiextensions-apiserver"
ETCD = DIRECTORY / "etcd"
"""A newer one than the machine's may be here: streaming lists need 3.4.25."""
MISSING = "no upstream apiextensions-apiserver: run tools/upstream-generic.sh"
EMULATED = "1.33"
READY_SECONDS = 90.0


class Ours:
    """Our server, in a loop and thread of its own."""

    def __init__(self) -> None:
        self.ca = CA.create("sampan-tests")
        cert, key = self.ca.issue("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",), usages=(SERVER,))
        self.config = APIServerConfig(
            tls_cert_pem=cert, tls_key_pem=key, client_ca_pem=self.ca.cert_pem, service_account_key_pem=new_key_pem()
        )
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        clock = RealClock()
        self._server = APIServer(MemoryStore(clock), config=self.config, clock=clock)
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(READY_SECONDS)
        self.url = self._server.url

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(1), self._loop).result(READY_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def compact(self) -> None:
        """Forget what was."""
        store = self._server.feed.store
        asyncio.run_coroutine_threadsafe(store.compact(self._server.feed.revision), self._loop).result(READY_SECONDS)

    def client(self, url: str, user: str = "kubernetes-admin", *groups: str) -> ClientConfig:
        cert, key = self.ca.issue(user, groups or ("system:masters",), usages=(CLIENT,))
        return ClientConfig(url, self.ca.cert_pem, cert_pem=cert, key_pem=key)


@contextmanager
def run_upstream(directory: Path, ours: Ours) -> Iterator[tuple[str, EtcdServer]]:
    """Its URL and its store; returns from `with` when both have ended."""
    etcd = EtcdServer(directory / "etcd", binary=ETCD if ETCD.exists() else ETCD_ON_MACHINE)
    etcd.start()
    try:
        arguments, url = _arguments(directory, ours, etcd.endpoint)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([BINARY, *arguments], stdout=log, stderr=log, cwd=directory)
        try:
            yield url, etcd
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        etcd.stop()


def _arguments(directory: Path, ours: Ours, etcd: str) -> tuple[list[str], str]:
    port = free_port()
    (directory / "ca.pem").write_bytes(ours.ca.cert_pem)
    for name, pem in zip(("tls.pem", "key.pem"), (ours.config.tls_cert_pem, ours.config.tls_key_pem), strict=True):
        (directory / name).write_bytes(pem)
    (directory / "kubeconfig").write_text(dump(ours.client(ours.url)))
    arguments = [
        f"--etcd-servers=http://{etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--tls-cert-file={directory}/tls.pem",
        f"--tls-private-key-file={directory}/key.pem",
        f"--client-ca-file={directory}/ca.pem",
        *(f"--{use}kubeconfig={directory}/kubeconfig" for use in ("", "authentication-", "authorization-")),
        "--authentication-skip-lookup",
        f"--emulated-version=kube={EMULATED}",
        # Off by default in 1.33, where ours has it on.
        "--feature-gates=WatchList=true",
    ]
    return arguments, f"https://127.0.0.1:{port}"


def compact(etcd: EtcdServer) -> None:
    """Forget what was; over etcd's gateway from HTTP."""
    revision = _etcd(etcd, "range", {"key": "AA=="})["header"]["revision"]
    _etcd(etcd, "compaction", {"revision": revision, "physical": True})


def _etcd(etcd: EtcdServer, call: str, message: dict[str, object]) -> dict[str, dict[str, str]]:
    request = urllib.request.Request(f"http://{etcd.endpoint}/v3/kv/{call}", json.dumps(message).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, dict[str, str]] = json.load(answer)
    return found


def wait_until(what: str, holds: object, seconds: float = READY_SECONDS) -> None:
    """Until `holds()` is true."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
