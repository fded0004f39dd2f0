"""A namespace of a real cluster for one file of tests, and short words for what they say to it."""

from __future__ import annotations

import json
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from typing import Any

from tests.e2e.local import KUBECTL_SECONDS, LocalCluster, eventually

BUSYBOX = "localhost/busybox:1"
Manifest = dict[str, Any]


def container(*command: str, name: str = "main", **fields: Any) -> Manifest:
    """A busybox container; without a command it sleeps and ends at SIGTERM."""
    return {"name": name, "image": BUSYBOX, "command": list(command) or ["sh", "-c", IDLE], **fields}


IDLE = "trap 'exit 0' TERM; sleep 3600 & wait"
"""For `sh -c`: the first process of a container gets no signal that it does not handle, so a bare sleep would not end."""


def pod(name: str, *containers: Manifest, labels: Mapping[str, str] | None = None, **spec: Any) -> Manifest:
    """A pod that ends fast."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels or {"app": name})},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container()], **spec},
    }


def shell(script: str, **fields: Any) -> Manifest:
    """A container that runs a script."""
    return container("sh", "-c", script, **fields)


def mounted(each: Manifest, **mounts: str) -> Manifest:
    """A container with volumes at paths."""
    return {**each, "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()]}


@dataclass
class Space:
    """One namespace: its kubectl has --namespace."""

    cluster: LocalCluster
    name: str

    def argv(self, *arguments: str) -> list[str]:
        return [self.cluster.kubectl_path, "--namespace", self.name, *arguments]

    def kubectl(self, *arguments: str, check: bool = True, input_text: str | None = None) -> subprocess.CompletedProcess[str]:
        return self.cluster.kubectl("--namespace", self.name, *arguments, check=check, input_text=input_text)

    def out(self, *arguments: str) -> str:
        return self.kubectl(*arguments).stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.out("get", *arguments, "-o", "json"))

    def apply(self, *objects: Manifest) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", input_text=json.dumps(items))

    def exec(self, name: str, *command: str, check: bool = True) -> str:
        return self.kubectl("exec", name, "--", *command, check=check).stdout

    def sh(self, name: str, script: str) -> str:
        return self.exec(name, "sh", "-c", script)

    def delete(self, *arguments: str) -> None:
        self.kubectl("delete", "--wait=false", "--ignore-not-found", *arguments)

    def state(self, name: str) -> Manifest:
        """The status of the pod's first container."""
        statuses = self.get("pod", name)["status"].get("containerStatuses") or [{}]
        first: Manifest = statuses[0]
        return first

    def waiting_as(self, name: str, reason: str) -> Manifest | None:
        """How that container waits, where that is its reason."""
        waiting = self.state(name).get("state", {}).get("waiting") or {}
        return waiting if waiting.get("reason") == reason else None

    def terminated(self, name: str) -> Manifest:
        """How that container ended, once it has."""
        ended: Manifest = eventually(lambda: self.state(name).get("state", {}).get("terminated"), f"{name} has ended")
        return ended

    def phase(self, name: str) -> str:
        return self.out("get", "pod", name, "--ignore-not-found", "-o", "jsonpath={.status.phase}")

    def is_ready(self, name: str) -> bool:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "pod", name, "-o", f"jsonpath={path}", check=False).stdout == "True"

    def start(self, *pods: Manifest) -> None:
        """Apply pods and wait until all of them are ready."""
        self.apply(*pods)
        for each in pods:
            if each["kind"] == "Pod":
                self.wait_ready(each["metadata"]["name"])

    def wait_ready(self, name: str) -> None:
        done = self.kubectl("wait", "--for=condition=Ready", "--timeout=20s", f"pod/{name}", check=False)
        assert done.returncode == 0, f"{done.stderr}{self.out('describe', 'pod', name)}"

    def wait_phase(self, name: str, phase: str) -> None:
        eventually(lambda: self.phase(name) == phase, f"pod {name} is {phase}")

    def events(self, name: str) -> dict[str, str]:
        """Messages of the events about an object, by reason; the newest of a reason."""
        found = self.get("events", "--field-selector", f"involvedObject.name={name}")["items"]
        return {item["reason"]: item["message"] for item in found}

    def wait_event(self, name: str, reason: str) -> str:
        message: str = eventually(lambda: self.events(name).get(reason), f"event {reason} about {name}")
        return message

    @contextmanager
    def background(self, *arguments: str) -> Iterator[Following]:
        """A kubectl that goes on, such as `get -w`; ended with the block."""
        process = subprocess.Popen(
            self.argv(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            text=True,
            env=self.cluster.environment,
        )
        try:
            yield Following(process)
        finally:
            process.kill()
            process.communicate(timeout=10)


class Following:
    """What a running process has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                self.said += line
        except ValueError:
            pass  # Closed by the end of the block.

    def wait_for(self, text: str, seconds: float = 20.0) -> str:
        eventually(lambda: text in self.said, f"{text!r} (said so far: {self.said!r})", seconds)
        return self.said


def in_terminal(
    argv: Sequence[str], environment: Mapping[str, str], typed: bytes, rows: int = 31, columns: int = 97
) -> tuple[str, int]:
    """Run a program on a terminal of that size with `typed` as its input: what the terminal showed, and the exit code."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + KUBECTL_SECONDS
    try:
        os.write(ours, typed)
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # The last holder of the other end has closed it.
                    break
            elif process.poll() is not None:
                break
        return shown.decode(errors="replace"), process.wait(timeout=5)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
