"""`Cluster`: the face of a test's cluster, usable from plain synchronous code."""

from __future__ import annotations

import builtins
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sampan.api.errors import NOT_FOUND, StatusError
from sampan.client.config import ClientConfig
from sampan.client.kubeconfig import dump
from sampan.client.rest import Client
from sampan.lib.clock import Clock, ManualClock, RealClock
from sampan.testing import pace
from sampan.testing.background import Background
from sampan.testing.controlplane import ControlPlane, Credentials
from sampan.testing.journal import journal
from sampan.testing.manifests import Manifest, objects
from sampan.testing.objects import Objects
from sampan.testing.waiting import DELETE, Condition, WaitTimeout, complaint, holds

__all__ = ["Cluster", "Manifest", "WaitTimeout"]

T = TypeVar("T")
Tree = dict[str, Any]

READY_SECONDS = 30.0
ADVANCE_SECONDS = 600.0
POLL_SECONDS = 0.01
SERVICE_ACCOUNT = "system:serviceaccount:"


class Cluster:
    """A cluster in this process; use it as a context manager, once.

    nodes: how many simulated nodes, called node-1, node-2 …; 0 is a control plane alone, where pods stay Pending.
    clock: what all parts take for time. With a ManualClock it stands still between calls of `advance`.
    """

    def __init__(self, *, nodes: int = 1, clock: Clock | None = None) -> None:
        self._nodes = nodes
        self.clock: Clock = clock or RealClock()
        self._background = Background(self._main, "the cluster")
        self._stack = contextlib.ExitStack()
        self._plane: ControlPlane
        self._client: Client
        self._objects: Objects
        self._directory: Path
        self.config: ClientConfig
        """An administrator's, for `sampan.client` (and, by its fields, any other library)."""
        self.kubeconfig: Path
        """An administrator's, for kubectl and every client library."""

    def __enter__(self) -> Self:
        if self._background.used:
            raise RuntimeError("a Cluster runs once: make another")
        try:
            self._stack.enter_context(journal())
            self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sampan-testing-")))
            self._stack.callback(self._background.stop, READY_SECONDS)
            self._background.start(READY_SECONDS)
            self._check()
            self.config = self._plane.config("kubernetes-admin", "system:masters")
            self.kubeconfig = self._write_kubeconfig("kubeconfig", self.config)
            self._wait_until_usable()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stack.close()
        if error is None:
            self._check()

    # Objects

    def apply(self, manifest: Manifest, *, namespace: str = "default") -> builtins.list[Tree]:
        """Make the cluster have what a manifest says, as `kubectl apply` does; returns the objects as they are then.

        `manifest`: YAML or JSON text of one or several documents, the path of a file or of a directory of them, an object or
        several; Lists are taken apart. What is not there is created. Of what is there, fields that the manifest names are
        set, fields that the manifest applied before it named and this one does not are removed, all others stay. Objects
        that a later manifest leaves out stay; `delete` them. An object with `generateName` is a new one each time.

        `namespace` is for objects that name none. Raises StatusError as the API does, ValueError for what is no manifest.
        """
        return [self.run(self._objects.apply(tree, namespace)) for tree in objects(manifest)]

    def get(self, what: str, *, namespace: str = "default") -> Tree:
        """An object by "kind/name", such as "deploy/web" or "deployments.apps/web". Raises StatusError where there is none."""
        return self.run(self._objects.get(what, namespace))

    def list(self, kind: str, *, namespace: str = "", labels: str = "", fields: str = "") -> builtins.list[Tree]:
        """The objects of a kind that selectors select, in one namespace or (the default) in all."""
        return self.run(self._objects.list(kind, namespace, labels, fields))

    def patch(self, what: str, patch: Mapping[str, Any], *, namespace: str = "default", subresource: str = "") -> Tree:
        """Merge `patch` into "kind/name"; None removes a field. With `subresource="status"` a test plays another controller."""
        return self.run(self._objects.patch(what, patch, namespace, subresource))

    def delete(
        self, what: str, *, namespace: str = "default", grace_seconds: int | None = None, propagation: str = ""
    ) -> None:  # fmt: skip
        """Ask for the deletion of "kind/name"; `wait_for(what, "delete")` waits until it is done.

        `propagation`: Background, Foreground or Orphan. Raises StatusError where there is no such object.
        """
        self.run(self._objects.delete(what, namespace, grace_seconds, propagation))

    def events(self, what: str, *, namespace: str = "default") -> builtins.list[Tree]:
        """The Events about "kind/name", the oldest first."""
        return self.run(self._objects.events(what, namespace))

    def wait_for(
        self, what: str, condition: Condition = "Ready", *, namespace: str = "default", timeout: float = 30.0
    ) -> Tree:  # fmt: skip
        """Wait until "kind/name" is there and is as it should be; returns it as it is then. `condition` is one of

        - a condition of its status: "Ready", "Available=False"; not before the status speaks of the newest generation
        - "rollout": every replica is there, available, and of the newest template
        - a function of the object; while it raises LookupError, TypeError, AttributeError (a field is not there yet) or
          AssertionError, it does not hold
        - "delete": it is gone; returns it as it was seen last, {} if it never was

        Raises WaitTimeout, an AssertionError with the object and its events, after `timeout` seconds of real time.
        """
        deadline = time.monotonic() + timeout
        last: Tree = {}
        while True:
            seen: Tree = {}
            try:
                seen = last = self.get(what, namespace=namespace)
                held, why = holds(seen, condition)
            except StatusError as error:
                if error.reason != NOT_FOUND:
                    raise
                held, why = condition == DELETE, error.message
            if held:
                return last
            if time.monotonic() > deadline:
                raise WaitTimeout(complaint(what, condition, timeout, seen, why, self._events_of(what, namespace)))
            time.sleep(POLL_SECONDS)

    def _events_of(self, what: str, namespace: str) -> builtins.list[Tree]:
        try:
            return self.events(what, namespace=namespace)
        except StatusError:
            return []

    # Pods and nodes

    def logs(self, what: str, *, namespace: str = "default", container: str = "", previous: bool = False) -> str:
        """What a pod ("pod/web") has logged: what its annotation `sampan.dev/logs` says, and what `say` added."""
        return self.run(self._objects.log(what, namespace, container, previous))

    def say(
        self, what: str, text: str, *, namespace: str = "default", container: str = "", stream: str = "stdout"
    ) -> None:  # fmt: skip
        """Let a running container (by default the first) of "pod/name" log some lines. Raises LookupError if it never ran."""
        self.run(self._plane.say(namespace, _name(what), container, text, stream))

    def crash(self, what: str, *, namespace: str = "default", container: str = "", exit_code: int = 1) -> None:
        """Let a running container of "pod/name" exit. Raises LookupError if it never ran."""
        self.run(self._plane.crash(namespace, _name(what), container, exit_code))

    def add_node(
        self, name: str, *, labels: Mapping[str, str] | None = None, capacity: Mapping[str, str] | None = None
    ) -> Tree:  # fmt: skip
        """Add a node and wait until it is ready; `capacity` by resource, where it differs from 8 CPUs and 32Gi."""

        async def added() -> None:
            self._plane.add_node(name, labels, capacity)

        self.run(added())
        return self._wait_for_node(name)

    def stop_node(self, name: str) -> None:
        """A node stops talking, as when its machine loses power: the cluster finds out when its lease is over."""
        self.run(self._plane.stop_node(name))

    def start_node(self, name: str) -> None:
        """A stopped node comes back with the containers it had."""

        async def started() -> None:
            self._plane.start_node(name)

        self.run(started())

    # Time, users, tools

    def advance(self, seconds: float) -> None:
        """Turn the cluster's ManualClock; whatever becomes due meanwhile happens at its time. Raises TypeError for others."""
        if not isinstance(self.clock, ManualClock):
            raise TypeError("only time by hand can be advanced: Cluster(clock=ManualClock())")
        self.run(pace.advance(self.clock, self._plane.traffic, seconds), timeout=ADVANCE_SECONDS)

    def kubeconfig_of(self, user: str, *groups: str) -> Path:
        """A kubeconfig for somebody else, who may do what RBAC lets them: a user, or a service account by its full name
        ("system:serviceaccount:NAMESPACE:NAME"), whose groups go without saying."""
        if user.startswith(SERVICE_ACCOUNT):
            namespace = user.removeprefix(SERVICE_ACCOUNT).partition(":")[0]
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", *groups)
        number = len(builtins.list(self._directory.iterdir()))
        return self._write_kubeconfig(f"kubeconfig-{number}", self._plane.config(user, *groups))

    def kubectl(self, *arguments: str, input: str = "") -> str:
        """What kubectl prints; it must be on the PATH. Raises CalledProcessError, whose notes and `stderr` say why."""
        program = shutil.which("kubectl")
        if program is None:
            raise FileNotFoundError("kubectl is not on the PATH")
        command = [program, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._directory / 'cache'}", *arguments]
        try:
            return subprocess.run(command, input=input, capture_output=True, text=True, check=True).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr.strip())
            raise

    def run(self, work: Coroutine[Any, Any, T], *, timeout: float = 60.0) -> T:
        """Run a coroutine on the cluster's event loop and wait for its result. Raises TimeoutError, and RuntimeError where
        the cluster has ended or failed."""
        try:
            return self._background.run(work, timeout)
        except (ConnectionError, RuntimeError):
            self._check()  # it is the failed part that matters, not who found it gone
            raise

    @property
    def client(self) -> Client:
        """An administrator's typed client, for coroutines handed to `run`."""
        return self._client

    # Inside

    async def _main(self, ready: Callable[[], None]) -> None:
        credentials = Credentials.create()
        plane = self._plane = ControlPlane(credentials, nodes=self._nodes, clock=self.clock)

        def started() -> None:
            self._client = plane.client("kubernetes-admin", "system:masters")
            self._objects = Objects(self._client)
            ready()

        await plane.run(started)

    def _write_kubeconfig(self, name: str, config: ClientConfig) -> Path:
        path = self._directory / name
        path.touch(mode=0o600)
        path.write_text(dump(config))
        return path

    def _wait_until_usable(self) -> None:
        """A pod can be created: its namespace has a service account, and its nodes are ready."""
        self.wait_for("serviceaccounts/default", lambda account: True, timeout=READY_SECONDS)
        for number in range(1, self._nodes + 1):
            self._wait_for_node(f"node-{number}")

    def _wait_for_node(self, name: str) -> Tree:
        def usable(node: Tree) -> bool:
            return holds(node, "Ready")[0] and not node["spec"].get("taints")

        return self.wait_for(f"nodes/{name}", usable, timeout=READY_SECONDS)

    def _check(self) -> None:
        failure = self._background.failure or (self._plane.failure if hasattr(self, "_plane") else None)
        if failure is not None:
            raise RuntimeError(f"the cluster failed: {_first(failure)}") from failure


def _first(failure: BaseException) -> BaseException:
    """Of a group, what it began with."""
    return _first(failure.exceptions[0]) if isinstance(failure, BaseExceptionGroup) else failure


def _name(what: str) -> str:
    """Of "pod/web": this is asked of pods only."""
    kind, _, name = what.partition("/")
    if kind not in ("pod", "pods", "po") or not name:
        raise ValueError(f'{what!r} is not of the form "pod/name"')
    return name
