"""`Cluster`: the face of a test's cluster, usable from plain synchronous code."""

from __future__ import annotations

import asyncio
import builtins
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import structlog
import uvloop
import yaml

from sampan.api.errors import ALREADY_EXISTS, NOT_FOUND, StatusError
from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.client.rest import MERGE_PATCH, Client
from sampan.client.transport import Transport
from sampan.lib.clock import Clock, RealClock
from sampan.lib.log import configure
from sampan.testing.controlplane import ControlPlane, Credentials
from sampan.testing.resources import Resource, discover, find_kind, find_name

T = TypeVar("T")
Tree = dict[str, Any]
Manifest = str | Path | Mapping[str, Any] | Iterable[Mapping[str, Any]]

READY_SECONDS = 30.0
POLL_SECONDS = 0.02


class WaitTimeout(AssertionError):
    """What was waited for did not happen in time; the message shows the object as it was last seen."""


class Cluster:
    """A cluster in this process; use it as a context manager.

    nodes: how many simulated nodes. clock: what the control plane takes for time (a ManualClock turns pods' lives by hand).
    """

    def __init__(self, *, nodes: int = 1, clock: Clock | None = None) -> None:
        if not structlog.is_configured():
            configure("warning")
        self._nodes = nodes
        self._clock = clock or RealClock()
        self._thread = threading.Thread(target=self._main, name="sampan-cluster", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="sampan-testing-")
        self._resources: list[Resource] = []
        self._loop: asyncio.AbstractEventLoop
        self._plane: ControlPlane
        self._client: Client
        self.config: ClientConfig
        """An administrator's, for `sampan.client` (and, by its fields, any other library)."""
        self.kubeconfig = Path(self._directory.name) / "kubeconfig"

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            if not self._started.wait(READY_SECONDS):
                raise TimeoutError(f"the cluster did not start within {READY_SECONDS:.0f} s")
            self._check()
            self.kubeconfig.touch(mode=0o600)
            self.kubeconfig.write_text(dump(self.config))
            self._wait_until_usable()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stop()
        if error is None:
            self._check()

    # Objects

    def apply(self, manifest: Manifest, *, namespace: str = "default") -> list[Tree]:
        """Create what is not there, merge into what is. Takes YAML text, a file, an object or several; returns the results.

        Raises StatusError as the API does.
        """
        return [self.run(self._apply(tree, namespace)) for tree in _objects(manifest)]

    def get(self, what: str, *, namespace: str = "default") -> Tree:
        """An object by "kind/name", such as "deploy/web". Raises StatusError where there is none."""
        return self.run(self._get(what, namespace))

    def list(self, kind: str, *, namespace: str = "", labels: str = "") -> list[Tree]:
        """The objects of a kind, in one namespace or in all."""

        async def listed() -> list[Tree]:
            resource = await self._find(kind)
            query = {"labelSelector": labels} if labels else {}
            body = await self._client.request("GET", resource.path(namespace), query=query)
            items: list[Tree] = msgspec.json.decode(body)["items"]
            return items

        return self.run(listed())

    def delete(self, what: str, *, namespace: str = "default") -> None:
        """Ask for the deletion of "kind/name"; `wait_for(what, "delete")` waits until it is done."""

        async def deleted() -> None:
            kind, _, name = what.partition("/")
            await self._client.request("DELETE", (await self._find(kind)).path(namespace, name))

        self.run(deleted())

    def wait_for(
        self, what: str, condition: str | Callable[[Tree], Any] = "Ready", *, namespace: str = "default", timeout: float = 30.0
    ) -> Tree | None:
        """Wait until "kind/name" has a condition that is True, until it is gone ("delete"), or until a function of it is true.

        Returns the object, None once it is gone. Raises WaitTimeout after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        seen: Tree | None = None
        while True:
            try:
                seen = self.get(what, namespace=namespace)
            except StatusError as error:
                if error.reason != NOT_FOUND:
                    raise
                seen = None
                if condition == "delete":
                    return None
            if seen is not None and condition != "delete" and _holds(seen, condition):
                return seen
            if time.monotonic() > deadline:
                shown = yaml.safe_dump(seen, sort_keys=False) if seen else "it does not exist"
                raise WaitTimeout(f"{what} was not {condition} after {timeout:g} s:\n{shown}")
            time.sleep(POLL_SECONDS)

    def kubectl(self, *arguments: str, input: str = "") -> str:
        """What kubectl prints; it must be on the PATH. Raises CalledProcessError with its words."""
        program = shutil.which("kubectl")
        if program is None:
            raise FileNotFoundError("kubectl is not on the PATH")
        command = [program, f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=input, capture_output=True, text=True, check=True).stdout

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float = 60.0) -> T:
        """Run a coroutine on the cluster's event loop, and wait for its result."""
        self._check()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    @property
    def client(self) -> Client:
        """An administrator's typed client, for coroutines handed to `run`."""
        return self._client

    # Inside

    async def _apply(self, tree: Tree, default_namespace: str) -> Tree:
        resource = await self._find_kind(tree["apiVersion"], tree["kind"])
        namespace = tree["metadata"].get("namespace", default_namespace)
        body = msgspec.json.encode(tree)
        try:
            answer = await self._client.request("POST", resource.path(namespace), body=body)
        except StatusError as error:
            if error.reason != ALREADY_EXISTS:
                raise
            path = resource.path(namespace, tree["metadata"]["name"])
            answer = await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        result: Tree = msgspec.json.decode(answer)
        return result

    async def _get(self, what: str, namespace: str) -> Tree:
        kind, _, name = what.partition("/")
        path = (await self._find(kind)).path(namespace, name)
        tree: Tree = msgspec.json.decode(await self._client.request("GET", path))
        return tree

    async def _find(self, name: str) -> Resource:
        return await self._looked_up(lambda resources: find_name(resources, name))

    async def _find_kind(self, api_version: str, kind: str) -> Resource:
        return await self._looked_up(lambda resources: find_kind(resources, api_version, kind))

    async def _looked_up(self, find: Callable[[builtins.list[Resource]], Resource]) -> Resource:
        """What was known may be out of date: a custom resource may have come since."""
        try:
            return find(self._resources)
        except StatusError:
            self._resources = await discover(self._client)
            return find(self._resources)

    def _wait_until_usable(self) -> None:
        """A pod can be created: its namespace has a service account, and its nodes are ready."""
        self.wait_for("serviceaccounts/default", lambda account: True, timeout=READY_SECONDS)
        for i in range(self._nodes):
            self.wait_for(f"nodes/node-{i + 1}", lambda node: _holds(node, "Ready") and not node["spec"].get("taints"))

    def _main(self) -> None:
        try:
            uvloop.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        credentials = Credentials.create()
        self._plane = ControlPlane(credentials, nodes=self._nodes, clock=self._clock)
        await self._plane.start()
        self.config = credentials.client(self._plane.url, "kubernetes-admin", "system:masters")
        transport = Transport(self.config)
        self._client = Client(transport)
        self._started.set()
        try:
            await self._plane.run()
        finally:
            await transport.close()

    def _stop(self) -> None:
        if self._thread.is_alive() and hasattr(self, "_plane"):
            self._loop.call_soon_threadsafe(self._plane.stop.set)
        self._thread.join(READY_SECONDS)
        self._directory.cleanup()

    def _check(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the cluster failed") from self._failure


def _objects(manifest: Manifest) -> Iterable[Tree]:
    if isinstance(manifest, Mapping):
        yield dict(manifest)
    elif isinstance(manifest, (str, Path)):
        is_text = isinstance(manifest, str) and ("\n" in manifest or ":" in manifest)
        text = str(manifest) if is_text else Path(manifest).read_text()
        for tree in yaml.safe_load_all(text):
            if tree:
                yield from tree["items"] if tree.get("kind") == "List" else (tree,)
    else:
        for each in manifest:
            yield dict(each)


def _holds(tree: Tree, condition: str | Callable[[Tree], Any]) -> bool:
    if callable(condition):
        return bool(condition(tree))
    conditions = (tree.get("status") or {}).get("conditions") or ()
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)
