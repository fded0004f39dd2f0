"""A runtime that starts no process: containers "run" on the injected clock until they are stopped or said to exit.

For tests, for machines without root, for thousands of pretend nodes. What containers do is told by the pod:

    metadata:
      annotations:
        sampan.dev/simulate: "exit=1,after=2"       # every container exits with 1 after 2 seconds
        sampan.dev/simulate.app: "exit=0"           # this one exits at once, whatever the others do
        sampan.dev/simulate: "probes=fail"          # every probe of the pod fails

A command that is plainly an end is understood, too: `true`, `false`, `exit 3`, `sleep 5`, `sh -c "sleep 2; exit 1"`. Every
image can be pulled but one whose tag is "missing". What containers log is in `simulatedlogs.py`, what exec, attach and
port-forward reach in `simulatedstreams.py`.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from sampan.api.types.core_v1 import Probe
from sampan.lib.clock import Clock
from sampan.lib.tasks import Tasks

from ..labels import CONTAINER_NAME
from ..probeactions import Outcome, Result
from ..probes import Target
from .base import (
    ContainerConfig,
    ContainerStats,
    ContainerStatus,
    ContainerSummary,
    ExecResult,
    ImageCredentials,
    ImageRef,
    NamespaceMode,
    Resources,
    RuntimeCondition,
    RuntimeFailure,
    RuntimeVersion,
    SandboxConfig,
    SandboxStatus,
    State,
)
from .simulatedlogs import SimulatedLog, first_words
from .simulatedscript import Script, script_of
from .simulatedstreams import SimulatedStreaming

POD_CIDR = "10.244.0.0/14"


class AddressRange:
    """Pod addresses of all simulated nodes that share it, which are all of a process unless they say otherwise."""

    def __init__(self, cidr: str = POD_CIDR) -> None:
        self._fresh: Iterator[str] = (str(ip) for ip in ipaddress.ip_network(cidr).hosts())
        self._returned: deque[str] = deque()

    def take(self) -> str:
        fresh = next(self._fresh, "")
        if fresh:
            return fresh
        if not self._returned:
            raise RuntimeFailure("Unknown", "failed to setup network for sandbox: no IP addresses available in range")
        return self._returned.popleft()

    def give_back(self, ip: str) -> None:
        self._returned.append(ip)


_SHARED = AddressRange()


@dataclass(slots=True)
class _Sandbox:
    id: str
    config: SandboxConfig
    created: float
    ip: str
    ready: bool = True


@dataclass(slots=True)
class _Container:
    id: str
    sandbox: _Sandbox
    config: ContainerConfig
    created: float
    script: Script
    log: SimulatedLog
    started: float = 0.0
    finished: float = 0.0
    exit_code: int = 0
    resources: Resources = field(default_factory=Resources)

    @property
    def due(self) -> float | None:
        """When it will have exited by itself."""
        if not self.started or self.finished or self.script.exit_code is None:
            return None
        return self.started + self.script.after_seconds

    def settle(self, now: float) -> bool:
        """Exit if it is time; whether it just did."""
        due = self.due
        if due is None or now < due:
            return False
        self.finished, self.exit_code = due, self.script.exit_code or 0
        self.log.end()
        return True

    def end(self, now: float, exit_code: int) -> None:
        if self.started and not self.finished:
            self.finished, self.exit_code = now, exit_code
            self.log.end()

    @property
    def state(self) -> State:
        if self.finished:
            return State.EXITED
        return State.RUNNING if self.started else State.CREATED


class SimulatedRuntime:
    """See the module's docstring. One for each node."""

    def __init__(self, clock: Clock, *, addresses: AddressRange | None = None) -> None:
        self._clock = clock
        self._addresses = addresses or _SHARED
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._images: dict[str, ImageRef] = {}
        self._changed: deque[str] = deque()
        self._bell = asyncio.Event()
        self._count = 0
        self._streaming = SimulatedStreaming()

    async def version(self) -> RuntimeVersion:
        return RuntimeVersion("simulated", "1.0.0")

    async def status(self) -> Sequence[RuntimeCondition]:
        return [RuntimeCondition("RuntimeReady", True), RuntimeCondition("NetworkReady", True)]

    # -- changes that nobody asked for --

    def changes(self) -> AsyncIterator[str] | None:
        return self._changes()

    async def _changes(self) -> AsyncIterator[str]:
        while True:
            for container in self._containers.values():
                self._settle(container)
            while self._changed:
                yield self._changed.popleft()
            await self._wait(min((c.due for c in self._containers.values() if c.due is not None), default=None))

    def _settle(self, container: _Container) -> None:
        """Whoever looks first sees an exit; the agent is told of it all the same."""
        if container.settle(self._clock.now()):
            self._changed.append(container.sandbox.config.uid)
            self._bell.set()

    async def _wait(self, until: float | None) -> None:
        if until is None:
            await self._bell.wait()
        else:
            async with Tasks() as tasks:
                alarm = tasks.start(self._clock.sleep(until - self._clock.now()), "simulated exit")
                bell = tasks.start(self._bell.wait(), "simulated change")
                await asyncio.wait({alarm, bell}, return_when=asyncio.FIRST_COMPLETED)
        self._bell.clear()

    def fail_container(self, container_id: str, exit_code: int) -> None:
        """Make a running container exit now, as by a crash."""
        container = self._container(container_id)
        container.end(self._clock.now(), exit_code)
        self._changed.append(container.sandbox.config.uid)
        self._bell.set()

    # -- sandboxes --

    def _new_id(self) -> str:
        self._count += 1
        return f"{id(self) & 0xFFFFFFFFFFFF:012x}{self._count:052x}"

    async def run_sandbox(self, config: SandboxConfig) -> str:
        host = config.security.namespaces.network is NamespaceMode.NODE
        ip = "" if host else self._addresses.take()
        sandbox = _Sandbox(self._new_id(), config, self._clock.now(), ip)
        self._sandboxes[sandbox.id] = sandbox
        return sandbox.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            return
        for container in self._of(sandbox):
            self._settle(container)
            container.end(self._clock.now(), 137)
        sandbox.ready = False
        if sandbox.ip:
            self._addresses.give_back(sandbox.ip)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            for container in self._of(sandbox):
                del self._containers[container.id]

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise RuntimeFailure("NotFound", f'an error occurred when try to find sandbox: "{sandbox_id}": not found')
        return _sandbox_status(sandbox)

    async def list_sandboxes(self, pod_uid: str = "") -> Sequence[SandboxStatus]:
        return [_sandbox_status(s) for s in self._sandboxes.values() if not pod_uid or s.config.uid == pod_uid]

    def _of(self, sandbox: _Sandbox) -> list[_Container]:
        return [c for c in self._containers.values() if c.sandbox is sandbox]

    # -- containers --

    def _container(self, container_id: str) -> _Container:
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailure("NotFound", f'an error occurred when try to find container "{container_id}": not found')
        self._settle(container)
        return container

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: SandboxConfig) -> str:
        home = self._sandboxes.get(sandbox_id)
        if home is None or not home.ready:
            raise RuntimeFailure("Unknown", f'failed to find sandbox id "{sandbox_id}": not found')
        script = script_of(home.config.annotations, config.name, [*config.command, *config.args])
        container = _Container(
            self._new_id(), home, config, self._clock.now(), script, SimulatedLog(self._clock), resources=config.resources
        )  # fmt: skip
        self._containers[container.id] = container
        return container.id

    async def start_container(self, container_id: str) -> None:
        container = self._container(container_id)
        container.started = self._clock.now()
        config = container.config
        command = [*config.command, *config.args]
        container.log.write(
            first_words(container.sandbox.config.annotations, config.name, config.user_specified_image, command)
        )  # fmt: skip
        if container.script.exit_code is not None:
            self._bell.set()

    async def stop_container(self, container_id: str, timeout_seconds: int) -> None:
        container = self._containers.get(container_id)
        if container is not None:
            self._settle(container)
            container.end(self._clock.now(), 0 if timeout_seconds else 137)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            container.log.end()

    def log_of(self, container_id: str) -> SimulatedLog:
        """What the container said; write to it and it says more. Raises RuntimeFailure."""
        return self._container(container_id).log

    async def container_status(self, container_id: str) -> ContainerStatus:
        container = self._container(container_id)
        ended = container.state is State.EXITED
        config = container.config
        return ContainerStatus(
            id=container.id,
            name=config.name,
            attempt=config.attempt,
            state=container.state,
            created=container.created,
            started=container.started,
            finished=container.finished,
            exit_code=container.exit_code,
            image=config.user_specified_image,
            image_ref=config.image,
            reason="" if not ended else "Completed" if container.exit_code == 0 else "Error",
            labels=config.labels,
            annotations=config.annotations,
        )

    async def list_containers(self, pod_uid: str = "") -> Sequence[ContainerSummary]:
        found = []
        for container in self._containers.values():
            if not pod_uid or container.sandbox.config.uid == pod_uid:
                self._settle(container)
                found.append(_summary(container))
        return found

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        self._container(container_id).resources = resources

    async def reopen_log(self, container_id: str) -> None:
        self._container(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: int) -> ExecResult:
        container = self._container(container_id)
        if container.state is not State.RUNNING:
            raise RuntimeFailure("Unknown", f"failed to exec in container: container is in {container.state.name} state")
        return ExecResult(b"", b"", 0)

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        self._container(container_id)
        return await self._streaming.command_url(command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)

    async def attach_url(self, container_id: str, *, tty: bool, stdin: bool, stdout: bool, stderr: bool) -> str:
        self._container(container_id)
        return await self._streaming.command_url((), tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        return await self._streaming.port_forward_url()

    async def stats(self) -> Sequence[ContainerStats]:
        now = self._clock.now()
        running = [c for c in self._containers.values() if c.state is State.RUNNING]
        return [ContainerStats(c.id, c.sandbox.config.uid, c.config.labels[CONTAINER_NAME], now, 0, 0) for c in running]

    # -- images --

    async def pull_image(self, image: str, credentials: ImageCredentials | None, sandbox: SandboxConfig | None) -> str:
        if image.endswith(":missing"):
            text = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
            raise RuntimeFailure("NotFound", text)
        found = ImageRef(id=f"simulated:{image}", tags=(image,), size_bytes=1)
        self._images[image] = found
        return found.id

    async def image_status(self, image: str) -> ImageRef | None:
        return self._images.get(image)

    async def list_images(self) -> Sequence[ImageRef]:
        return list(self._images.values())

    async def remove_image(self, image: str) -> None:
        self._images.pop(image, None)

    async def close(self) -> None:
        await self._streaming.close()

    # -- probes: there is nothing a node could reach --

    async def probe(self, probe: Probe, target: Target) -> Outcome:
        script = script_of(target.pod.metadata.annotations, target.container.name, ())
        return Outcome(Result.FAILURE, "simulated failure") if script.probes_fail else Outcome(Result.SUCCESS)


def _sandbox_status(sandbox: _Sandbox) -> SandboxStatus:
    config = sandbox.config
    return SandboxStatus(
        id=sandbox.id,
        name=config.name,
        namespace=config.namespace,
        uid=config.uid,
        attempt=config.attempt,
        ready=sandbox.ready,
        created=sandbox.created,
        labels=config.labels,
        annotations=config.annotations,
        ips=(sandbox.ip,) if sandbox.ip else (),
    )


def _summary(container: _Container) -> ContainerSummary:
    return ContainerSummary(
        id=container.id,
        sandbox_id=container.sandbox.id,
        name=container.config.name,
        attempt=container.config.attempt,
        state=container.state,
        created=container.created,
        pod_uid=container.sandbox.config.uid,
        labels=container.config.labels,
    )
