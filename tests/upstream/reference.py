"""A real kube-apiserver over a real etcd, on free loopback ports, its data in a directory of its own."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from sampan.pki.certificates import SERVER
from tests.component.conftest import Credentials
from tests.etcdserver import BINARY as ETCD
from tests.etcdserver import EtcdServer, free_port

DIRECTORY = Path(os.environ.get("SAMPAN_UPSTREAM") or Path.home() / ".cache/sampan/upstream")
BINARY = DIRECTORY / "kube-apiserver"
MISSING = "no upstream binaries: run make upstream"
PATIENCE_SECONDS = 90.0

# What 1.20 had behind a gate and 1.33 always does.
GATES = (
    "BoundServiceAccountTokenVolume",
    "CSIStorageCapacity",
    "EndpointSliceNodeName",
    "EndpointSliceTerminatingCondition",
    "GenericEphemeralVolume",
    "HPAContainerMetrics",
    "IPv6DualStack",
    "MixedProtocolLBService",
    "ServiceLBNodePortControl",
    "TTLAfterFinished",
)
VERSIONS = ("storage.k8s.io/v1alpha1", "api/all")


def is_missing() -> bool:
    return not (BINARY.exists() and ETCD.exists())


class Reference:
    def __init__(self, directory: Path, credentials: Credentials) -> None:
        self._directory = directory
        self._credentials = credentials
        self._etcd = EtcdServer(directory / "etcd")
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it is ready."""
        self._etcd.start()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([BINARY, *self._flags()], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert time.monotonic() < deadline and self._process.poll() is None, self._log.read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            assert self._process.poll() is None, self._log.read_text()[-5000:]
            self._process.kill()  # it would wait a minute for connections to end, and keeps nothing
            self._process.wait()
        self._etcd.stop()

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _flags(self) -> list[str]:
        ca, given = self._credentials.ca, self._credentials.config
        cert, key = ca.issue("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",), usages=(SERVER,))
        files = {"ca.crt": ca.cert_pem, "tls.crt": cert, "tls.key": key, "sa.key": _traditional(given.service_account_key_pem)}
        for name, content in files.items():
            (self._directory / name).write_bytes(content)
        gates = ",".join(f"{gate}=true" for gate in GATES)
        return [
            f"--etcd-servers=http://{self._etcd.endpoint}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self._directory}",
            f"--client-ca-file={self._directory}/ca.crt",
            f"--tls-cert-file={self._directory}/tls.crt",
            f"--tls-private-key-file={self._directory}/tls.key",
            f"--service-account-key-file={self._directory}/sa.key",
            f"--service-account-signing-key-file={self._directory}/sa.key",
            f"--service-account-issuer={given.issuer}",
            f"--service-cluster-ip-range={given.service_cidr}",
            "--endpoint-reconciler-type=lease",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged",
            "--enable-admission-plugins=NodeRestriction",
            f"--runtime-config={','.join(f'{version}=true' for version in VERSIONS)}",
            f"--feature-gates={gates}",
        ]

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cadata=self._credentials.ca.cert_pem.decode())
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2, context=context) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _traditional(key_pem: bytes) -> bytes:
    """A key in the only form of those in which 1.20 finds the public half, too."""
    key = load_pem_private_key(key_pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
