"""`sampan apiserver` as a process with a store that outlives it, and upstream's components as processes against it.

The components are what `make upstream` builds; each writes a log, which a test may look into.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem
from sampan.store.factory import make_store
from tests.etcdserver import free_port

Tree = dict[str, Any]
T = TypeVar("T")

DIRECTORY = Path(os.environ.get("SAMPAN_UPSTREAM") or Path.home() / ".cache/sampan/upstream")
MISSING = "no upstream binaries: run make upstream"
NO_INFORMERS = "no informers program: run tests/upstream/informers/build.sh"
PATIENCE_SECONDS = 60.0
MASTERS = ("system:masters",)


def has(*programs: str) -> bool:
    return all((DIRECTORY / program).exists() for program in programs)


def eventually(what: str, value: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """The first true `value()`; one that is not there yet may raise LookupError or TypeError."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(LookupError, TypeError):
            if found := value():
                return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


class Process:
    """A program and its log. A context manager, which ends it."""

    def __init__(self, argv: list[str], log: Path, *, environment: dict[str, str] | None = None, pipes: bool = False) -> None:
        self.log = log
        pipe = subprocess.PIPE if pipes else None
        with log.open("ab") as file:
            self.handle = subprocess.Popen(
                argv,
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or file,
                stderr=file,
                env={**os.environ, **(environment or {})},
                text=True,
            )

    @property
    def stdin(self) -> IO[str]:
        assert self.handle.stdin is not None
        return self.handle.stdin

    @property
    def stdout(self) -> IO[str]:
        assert self.handle.stdout is not None
        return self.handle.stdout

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, seconds: float = 15.0) -> None:
        if self.handle.poll() is None:
            self.handle.send_signal(signal.SIGCONT)
            self.handle.terminate()
        try:
            self.handle.wait(seconds)
        except subprocess.TimeoutExpired:
            self.handle.kill()
            self.handle.wait()
        for pipe in (self.handle.stdin, self.handle.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Refused(LookupError):
    """The server's answer when it is none of success."""

    def __init__(self, status: int, tree: Tree) -> None:
        super().__init__(f"{status} {tree.get('message')}")
        self.status = status


class Plane:
    """The API server alone, with files for everybody who is to speak to it."""

    def __init__(self, directory: Path, datastore: str = "") -> None:
        self.directory = directory
        self.datastore = datastore or f"sqlite://{directory}/state.db"
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = CA.create("sampan-upstream")
        cert, key = self.ca.issue("kube-apiserver", dns_names=("localhost",), ips=("127.0.0.1",), usages=(SERVER,))
        kubelet = self.ca.issue("kube-apiserver-kubelet-client", MASTERS, usages=(CLIENT,))
        self.write("ca.crt", self.ca.cert_pem)
        self.write("ca.key", self.ca.key_pem)
        self.write("tls.crt", cert)
        self.write("tls.key", key)
        self.write("kubelet.crt", kubelet[0])
        self.write("kubelet.key", kubelet[1])
        self.write("front-proxy-ca.crt", CA.create("front-proxy-ca").cert_pem)
        self.write("sa.key", new_key_pem())
        self.admin = self.kubeconfig("kubernetes-admin", *MASTERS)
        self._context = ssl.create_default_context(cadata=self.ca.cert_pem.decode())
        cert, key = self.ca.issue("kubernetes-admin", MASTERS, usages=(CLIENT,))
        self._context.load_cert_chain(self.write("admin.crt", cert), self.write("admin.key", key))
        self.server: Process | None = None

    def write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content)
        return path

    def kubeconfig(self, user: str, *groups: str, url: str = "") -> Path:
        """`url`: where to find the server, if not where it is."""
        cert, key = self.ca.issue(user, groups, usages=(CLIENT,))
        config = ClientConfig(url or self.url, self.ca.cert_pem, cert_pem=cert, key_pem=key)
        return self.write(f"{user.replace(':', '-')}.conf", dump(config).encode())

    def twin(self) -> Plane:
        """Another API server over the same store, which everybody may take for this one."""
        other = copy.copy(self)
        other.port = free_port()
        other.url = f"https://127.0.0.1:{other.port}"
        other.server = None
        return other

    def start(self) -> None:
        here = self.directory
        flags = [
            f"--datastore={self.datastore}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={here}/tls.crt",
            f"--tls-private-key-file={here}/tls.key",
            f"--client-ca-file={here}/ca.crt",
            f"--service-account-signing-key-file={here}/sa.key",
            f"--kubelet-client-certificate={here}/kubelet.crt",
            f"--kubelet-client-key={here}/kubelet.key",
            f"--requestheader-client-ca-file={here}/front-proxy-ca.crt",
        ]
        self.server = Process(sampan("apiserver", *flags), here / "apiserver.log")
        eventually("the API server is ready", self._is_ready)

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    def kill(self) -> None:
        """As a crash does."""
        assert self.server is not None
        self.server.handle.kill()
        self.stop()

    def compact(self) -> None:
        """Forget all history; over SQLite the server must not run."""

        async def work() -> None:
            store = make_store(self.datastore)
            await store.open()
            try:
                await store.compact(await store.current_revision())
            finally:
                await store.close()

        asyncio.run(work())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Requests as administrator

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Tree:
        """The answer, decoded. Raises Refused."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self._context, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
            answer = connection.getresponse()
            tree: Tree = json.loads(answer.read() or b"{}")
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, tree)
        return tree

    def get(self, path: str) -> Tree:
        return self.request("GET", path)

    def items(self, path: str) -> list[Tree]:
        items: list[Tree] = self.request("GET", path)["items"]
        return items

    def create(self, path: str, tree: Tree) -> Tree:
        return self.request("POST", path, tree)

    def patch(self, path: str, tree: Any) -> Tree:
        return self.request("PATCH", path, tree, "application/merge-patch+json")

    def delete(self, path: str, **options: Any) -> Tree:
        return self.request("DELETE", path, options or None)

    def is_gone(self, path: str) -> bool:
        try:
            self.get(path)
        except Refused as refused:
            return refused.status == 404
        return False

    def namespace(self, name: str) -> str:
        self.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def _is_ready(self) -> bool:
        assert self.server is not None and self.server.handle.poll() is None, self.server and self.server.text()[-3000:]
        try:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self._context, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except OSError:
            return False


def sampan(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sampan.cmd.main", *arguments]
