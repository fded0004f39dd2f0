"""Liveness, readiness and startup probes: a task for each probe of each running container, and what they have found.

After k8s.io/kubernetes/pkg/kubelet/prober. A container's probes live as long as the container: a restart is a new
container with new probes. Liveness and readiness probes begin when the startup probe has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from sampan.api.types.core_v1 import Pod, Probe
from sampan.client.events import EventRecorder
from sampan.lib.clock import Clock
from sampan.lib.tasks import Tasks

from .labels import AnyContainer
from .podstate import ContainerState, PodState
from .probeactions import Outcome, Result, run_exec, run_grpc, run_http, run_tcp
from .runtime.base import Runtime
from .sync import ProbeView

LIVENESS, READINESS, STARTUP = "Liveness", "Readiness", "Startup"
TRIES = 3
"""How often a try that itself fails is repeated at once."""


class Target(NamedTuple):
    """The container a probe looks at."""

    pod: Pod
    container: AnyContainer
    state: ContainerState
    ip: str
    field_path: str


@runtime_checkable
class Prober(Protocol):
    """Makes one try of a probe. A runtime whose containers cannot be reached from the node is one itself."""

    async def probe(self, probe: Probe, target: Target) -> Outcome: ...


class NodeProber:
    """Probes from the node, which reaches its pods' addresses."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def probe(self, probe: Probe, target: Target) -> Outcome:
        seconds = probe.timeoutSeconds or 1
        if probe.exec is not None:
            return await run_exec(self._runtime, target.state.id, probe.exec.command, seconds)
        if probe.httpGet is not None:
            return await run_http(probe.httpGet, target.container, target.ip, seconds)
        if probe.tcpSocket is not None:
            return await run_tcp(probe.tcpSocket, target.container, target.ip, seconds)
        if probe.grpc is not None:
            return await run_grpc(probe.grpc, target.ip, seconds)
        return Outcome(Result.UNKNOWN, "missing probe handler")


class Probes:
    def __init__(self, prober: Prober, recorder: EventRecorder, clock: Clock, changed: Callable[[str], None]) -> None:
        """`changed` is told the uid of a pod whose probes say something new."""
        self._prober = prober
        self._recorder = recorder
        self._clock = clock
        self._changed = changed
        self._tasks: Tasks | None = None
        self._cancel: dict[str, list[Callable[[], object]]] = {}
        self.ready: set[str] = set()
        self.started: set[str] = set()
        self._failed_liveness: set[str] = set()
        self._failed_startup: set[str] = set()
        self._known: dict[str, set[str]] = {}

    def attach(self, tasks: Tasks) -> None:
        """The scope that owns the probes' tasks."""
        self._tasks = tasks

    def view(self) -> ProbeView:
        return ProbeView(self._failed_liveness, self._failed_startup, self.started)

    def sync(self, pod: Pod, state: PodState, *, adopted_ready: set[str] | None = None) -> None:
        """Probe the running containers of a pod and no others. `adopted_ready`: ids of containers that were ready before
        this agent started; they stay so until a probe says otherwise."""
        uid = pod.metadata.uid
        targets = {c.id: c for c in state.running}
        known = self._known.setdefault(uid, set())
        for gone in known - targets.keys():
            self._forget(gone)
        for identity in targets.keys() - known:
            self._begin(pod, targets[identity], state, adopted_ready or set())
        self._known[uid] = set(targets)

    def forget_pod(self, uid: str) -> None:
        for identity in self._known.pop(uid, set()):
            self._forget(identity)

    def stop_pod(self, uid: str) -> None:
        """A pod that ends is no longer probed: a liveness failure now would mean nothing."""
        self.forget_pod(uid)

    def _forget(self, identity: str) -> None:
        for cancel in self._cancel.pop(identity, []):
            cancel()
        for group in (self.ready, self.started, self._failed_liveness, self._failed_startup):
            group.discard(identity)

    def _begin(self, pod: Pod, state: ContainerState, pod_state: PodState, adopted: set[str]) -> None:
        found = _spec_of(pod, state.name)
        if found is None:
            return
        container, field_path = found
        ip = pod_state.ips[0] if pod_state.ips else pod.status.hostIP
        target = Target(pod, container, state, ip, field_path)
        if container.readinessProbe is None or state.id in adopted:
            self.ready.add(state.id)
        if container.startupProbe is None or (state.id in adopted):
            self._pass_startup(target)
        else:
            self._start(STARTUP, container.startupProbe, target)

    def _pass_startup(self, target: Target) -> None:
        self.started.add(target.state.id)
        container = target.container
        if container.livenessProbe is not None:
            self._start(LIVENESS, container.livenessProbe, target)
        if container.readinessProbe is not None:
            self._start(READINESS, container.readinessProbe, target)

    def _start(self, kind: str, probe: Probe, target: Target) -> None:
        assert self._tasks is not None, "attach first"
        task = self._tasks.start(self._run(kind, probe, target), f"{kind} probe {target.state.id[:12]}")
        self._cancel.setdefault(target.state.id, []).append(task.cancel)

    async def _run(self, kind: str, probe: Probe, target: Target) -> None:
        delay = target.state.status.started + (probe.initialDelaySeconds or 0) - self._clock.now()
        if delay > 0:
            await self._clock.sleep(delay)
        last: Result | None = None
        run = 0
        while True:
            outcome = await self._try(probe, target)
            self._tell(kind, target, outcome)
            if outcome.result is not Result.UNKNOWN:
                run = run + 1 if outcome.result is last else 1
                last = outcome.result
                threshold = (probe.failureThreshold or 3) if last is Result.FAILURE else (probe.successThreshold or 1)
                if run >= threshold and not self._take(kind, last, target):
                    return
            await self._clock.sleep(probe.periodSeconds or 10)

    async def _try(self, probe: Probe, target: Target) -> Outcome:
        for _ in range(TRIES):
            outcome = await self._prober.probe(probe, target)
            if outcome.result is not Result.UNKNOWN:
                break
        return outcome

    def _take(self, kind: str, result: Result, target: Target) -> bool:
        """Note what a probe has established; returns whether it goes on."""
        identity, uid = target.state.id, target.pod.metadata.uid
        failed = result is Result.FAILURE
        match kind:
            case "Readiness":
                if failed is (identity in self.ready):
                    (self.ready.discard if failed else self.ready.add)(identity)
                    self._changed(uid)
                return True
            case "Liveness":
                if failed:
                    self._failed_liveness.add(identity)
                    self._changed(uid)
                # After a failure the container is killed; more tries would say nothing new.
                return not failed
        if failed:
            self._failed_startup.add(identity)
        else:
            self._pass_startup(target)
        self._changed(uid)
        return False

    def _tell(self, kind: str, target: Target, outcome: Outcome) -> None:
        if outcome.result is Result.SUCCESS:
            return
        if outcome.result is Result.UNKNOWN:
            message = f"{kind} probe errored and resulted in unknown state: {outcome.output}"
        else:
            message = f"{kind} probe failed: {outcome.output}"
        self._recorder.event(target.pod, "Warning", "Unhealthy", message, field_path=target.field_path)


def _spec_of(pod: Pod, name: str) -> tuple[AnyContainer, str] | None:
    """A container of the pod that may have probes, and its path in the pod for events."""
    for container in pod.spec.containers:
        if container.name == name:
            return container, f"spec.containers{{{name}}}"
    for container in pod.spec.initContainers:
        if container.name == name:
            return container, f"spec.initContainers{{{name}}}"
    for ephemeral in pod.spec.ephemeralContainers:
        if ephemeral.name == name:
            return ephemeral, f"spec.ephemeralContainers{{{name}}}"
    return None
