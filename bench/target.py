"""The API server under test, started as a user starts it: `sampan apiserver` on a store on disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sampan.api.errors import StatusError
from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem

T = TypeVar("T")

READY_SECONDS = 30.0
NAMESPACE = "bench"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no resident memory")


class Target:
    """A control plane in a directory of its own. Leave the `with` block to end it."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="sampan-bench-")
        self.path = Path(self._directory.name)
        self.port = _free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            self._write_pki()
            self.server = self.start("apiserver", *self._server_flags())
            self._wait_ready()
            self.token = self.call(self._make_token)
        except BaseException:
            self.close()
            raise

    def _write_pki(self) -> None:
        ca = CA.create("bench")
        cert, key = ca.issue("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",), usages=(SERVER,))
        admin_cert, admin_key = ca.issue("kubernetes-admin", ("system:masters",), usages=(CLIENT,))
        files = {"ca.crt": ca.cert_pem, "server.crt": cert, "server.key": key, "sa.key": new_key_pem()}
        for name, data in files.items():
            (self.path / name).write_bytes(data)
        self.config = ClientConfig(self.url, ca.cert_pem, cert_pem=admin_cert, key_pem=admin_key)
        self.kubeconfig = self.path / "admin.conf"
        self.kubeconfig.write_text(dump(self.config))

    def _server_flags(self) -> list[str]:
        return [
            f"--datastore=sqlite:///{self.path}/state.db",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.path}/server.crt",
            f"--tls-private-key-file={self.path}/server.key",
            f"--client-ca-file={self.path}/ca.crt",
            f"--service-account-signing-key-file={self.path}/sa.key",
        ]

    def start(self, component: str, *flags: str) -> subprocess.Popen[bytes]:
        log = (self.path / f"{component}.log").open("wb")
        command = [sys.executable, "-m", "sampan.cmd.main", component, *flags]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._processes.append(process)
        return process

    def call(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run a coroutine with an administrator's client."""

        async def run() -> T:
            transport = Transport(self.config)
            try:
                return await work(Client(transport))
            finally:
                await transport.close()

        return asyncio.run(run())

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.server.poll() is not None:
                break
            try:
                self.call(lambda client: client.request("GET", "/readyz"))
                return
            except (StatusError, OSError, TimeoutError):
                time.sleep(0.1)
        raise RuntimeError("the API server did not become ready:\n" + (self.path / "apiserver.log").read_text()[-4000:])

    @staticmethod
    async def _make_token(client: Client) -> str:
        async def create(path: str, body: dict[str, Any]) -> Any:
            return json.loads(await client.request("POST", path, body=json.dumps(body).encode()))

        await create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        await create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})
        await create("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "bench"}})
        binding = {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "bench", "namespace": "kube-system"}],
        }
        await create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        path = "/api/v1/namespaces/kube-system/serviceaccounts/bench/token"
        made = await create(path, {"spec": {"expirationSeconds": 86400}})
        return str(made["status"]["token"])

    def close(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._directory.cleanup()
