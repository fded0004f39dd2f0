"""One pod's life on this node: a task that syncs it whenever something may have changed, never twice at once.

    living       sync: volumes, sandbox, containers, as `sync.plan` says
    terminating  stop everything, within the grace period
    ended        tear down volumes and cgroup; if the object is being deleted, let it go

After the kubelet's pod workers. Whatever happens, the state is read from the runtime first: a worker remembers nothing that
a restarted agent would miss but the reasons of its last failures.
"""

from __future__ import annotations

import asyncio
import enum

import msgspec

from sampan.api.types.core_v1 import Pod, PodStatus
from sampan.lib.clock import parse_rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

from . import labels, podconfig, resources, sync
from .backoff import Backoff
from .containerstatus import Knowledge, Reason
from .crashloop import wait_before_restart
from .images import StartError
from .lifecycle import (
    Node,
    Starter,
    create_cgroup,
    grace_seconds,
    kill_grace_seconds,
    make_sandbox_config,
    run_sandbox,
    stop_container,
)
from .observer import Observer
from .podstate import ContainerState, PodState
from .probes import Probes
from .runtime.base import RuntimeFailure
from .status import foreign_conditions, pod_status, ready_containers, rejected_status
from .statuswriter import StatusWriter
from .volumes import pod as pod_volumes
from .volumes.keeper import VolumeKeeper

log = get_logger("kubelet")

RETRY_SECONDS = (1.0, 10.0)
"""First and longest wait before a failed sync is tried again."""
EARLY_LOOKS = (0.05, 0.1, 0.2, 0.4)
"""Waits before looking again at what will soon be done, such as an init container: most end before the next relist."""


class Phase(enum.Enum):
    LIVING = "living"
    TERMINATING = "terminating"
    ENDED = "ended"


class PodWorker:
    def __init__(self, node: Node, pod: Pod, probes: Probes, writer: StatusWriter, crashes: Backoff) -> None:
        self._node = node
        self._probes = probes
        self._writer = writer
        self._crashes = crashes
        self._retry = Backoff(node.clock, *RETRY_SECONDS)
        self._volumes = VolumeKeeper(node)
        self._observer = Observer(node.runtime, pod.metadata.uid)
        self.pod = pod
        self.uid = pod.metadata.uid
        self.phase = Phase.LIVING
        self.vanished = False
        """The object is gone from the API; the worker ends when the pod has."""
        self._reasons: dict[str, Reason] = {}
        self._wake = asyncio.Event()
        self._current: asyncio.Task[None] | None = None
        self._grace = 0
        self._next: float | None = None
        self._early = len(EARLY_LOOKS)
        self._adopted = ready_containers(pod)
        self._decided: PodStatus | None = None
        """A Failed status that the agent itself gave the pod (rejected, deadline exceeded)."""
        if pod.status.phase in ("Succeeded", "Failed"):
            self._terminate(grace_seconds(pod))
        self._terminate_if_deleted()

    @property
    def state(self) -> PodState:
        return self._observer.state

    # -- what happens to the pod --

    def update(self, pod: Pod) -> None:
        """The object changed."""
        before, self.pod = self.pod, pod
        self._writer.see(pod)
        old, new = before.metadata, pod.metadata
        spec_changed = before.spec != pod.spec
        if spec_changed or old.labels != new.labels or old.annotations != new.annotations:
            self._volumes.outdate()
        elif (
            old.deletionTimestamp == new.deletionTimestamp
            and old.deletionGracePeriodSeconds == new.deletionGracePeriodSeconds
            and foreign_conditions(before) == foreign_conditions(pod)
        ):
            # Only our own status came back.
            return
        self._terminate_if_deleted()
        self.wake()

    def vanish(self) -> None:
        """The object was deleted from the API: by us at the pod's end, or by force before it."""
        self.vanished = True
        if self.phase is not Phase.ENDED:
            self._terminate(1)
        self.wake()

    def abandon(self, grace: int) -> None:
        """The object was gone before this agent saw it."""
        self.vanished = True
        self._terminate(grace)

    def reject(self, reason: str, message: str) -> None:
        """This node cannot take the pod."""
        self._node.recorder.event(self.pod, "Warning", reason, message)
        self._decide(reason, f"Pod was rejected: {message}")

    def wake(self) -> None:
        self._wake.set()

    def _terminate_if_deleted(self) -> None:
        if self.pod.metadata.deletionTimestamp and self.phase is not Phase.ENDED:
            self._terminate(grace_seconds(self.pod))

    def _terminate(self, grace: int) -> None:
        """Begin to end the pod, or, where that has begun, allow less time: a grace period may only get shorter."""
        if self.phase is Phase.TERMINATING and grace >= self._grace:
            return
        self.phase = Phase.TERMINATING
        self._grace = grace
        # What is under way (an image pull, a hook, a longer grace period) must not delay the end.
        if self._current is not None:
            self._current.cancel()

    def _decide(self, reason: str, message: str) -> None:
        self._decided = rejected_status(self._observed(), reason, message, self._node.clock.now())
        self.phase, self._grace = Phase.TERMINATING, grace_seconds(self.pod)
        self.wake()

    # -- the loop --

    async def run(self) -> None:
        """Until the object has vanished and everything of it is gone from the node."""
        async with Tasks() as tasks:
            while True:
                self._wake.clear()
                self._next = None
                self._current = tasks.start(self._step(), f"pod {self.uid}")
                await asyncio.wait({self._current})
                if self._current.cancelled():
                    self.wake()
                self._current = None
                if self.phase is Phase.ENDED and self.vanished:
                    return
                await self._wait(tasks)

    async def _wait(self, tasks: Tasks) -> None:
        if self._wake.is_set():
            return
        if self._next is None:
            await self._wake.wait()
            return
        alarm = tasks.start(self._alarm(self._next), f"pod {self.uid} alarm")
        await self._wake.wait()
        alarm.cancel()

    async def _alarm(self, seconds: float) -> None:
        await self._node.clock.sleep(seconds)
        self._wake.set()

    def _again_in(self, seconds: float) -> None:
        self._next = seconds if self._next is None else min(self._next, seconds)

    async def _step(self) -> None:
        try:
            if self.phase is Phase.LIVING:
                await self._live()
            if self.phase is Phase.TERMINATING:
                await self._end()
            if self.phase is Phase.ENDED:
                await self._clean()
        except (RuntimeFailure, OSError, TimeoutError) as error:
            self._retry_later()
            log.warning("pod sync failed", pod=labels.pod_name(self.pod), error=str(error), retry_seconds=self._next)
        except Exception:
            self._retry_later()
            log.exception("pod sync failed", pod=labels.pod_name(self.pod))
        else:
            self._retry.forget("")

    def _retry_later(self) -> None:
        self._retry.fail("")
        self._again_in(self._retry.remaining_since_failure(""))

    # -- status --

    def _observed(self) -> Pod:
        """The pod with the newest status we know."""
        return msgspec.structs.replace(self.pod, status=self._writer.current(self.pod))

    def _publish(self, *, terminated: bool = False) -> None:
        pod = self._observed()
        known = Knowledge(
            reasons=self._reasons,
            ready=self._probes.ready,
            started=self._probes.started,
            terminated=terminated,
            runtime_name=self._node.runtime_name,
        )
        if self._decided is not None:
            pod.status = self._decided
        status = pod_status(pod, self.state, known, self._node.config.node_ip, self._node.clock.now())
        if self._decided is not None and not self.state.containers:
            # A pod that never ran here has nothing but the reason.
            status = self._decided
        if not self.vanished:
            self._writer.set(self.pod, status)

    # -- living --

    async def _live(self) -> None:
        await self._observe()
        if self._deadline_exceeded():
            return
        plan = sync.plan(self.pod, self.state, self._probes.view())
        if plan.kill_pod and not plan.create_sandbox:
            # Nothing is left to run: the pod has finished.
            self.phase, self._grace = Phase.TERMINATING, grace_seconds(self.pod)
            return
        if not await self._volumes.keep(self.pod, self.state.ips, self._again_in):
            return
        await self._kill(plan)
        if plan.create_sandbox:
            await self._new_sandbox(plan.attempt)
        started = await self._start(plan)
        if started or plan.kill or plan.create_sandbox:
            await self._observe()
        self._look_again(started)

    async def _observe(self) -> None:
        await self._observer.refresh()
        self._probes.sync(self.pod, self.state, adopted_ready=self._adopted)
        self._publish()

    def _deadline_exceeded(self) -> bool:
        limit = self.pod.spec.activeDeadlineSeconds
        start = self._writer.current(self.pod).startTime
        if limit is None or not start:
            return False
        left = parse_rfc3339(start) + limit - self._node.clock.now()
        if left > 0:
            self._again_in(left)
            return False
        message = "Pod was active on the node longer than the specified deadline"
        self._node.recorder.event(self.pod, "Normal", "DeadlineExceeded", message)
        self._decide("DeadlineExceeded", message)
        return True

    async def _kill(self, plan: sync.Plan) -> None:
        if plan.kill_pod:
            await self._stop_all(grace_seconds(self.pod))
            await self._observer.refresh()
            return
        ip = self.state.ips[0] if self.state.ips else ""
        for kill in plan.kill:
            await stop_container(self._node, self.pod, kill.container, kill.message, kill_grace_seconds(self.pod, kill), ip)
        if plan.kill:
            await self._observer.refresh()

    async def _new_sandbox(self, attempt: int) -> None:
        problem = "" if self.pod.spec.hostNetwork else self._node.network_problem()
        if problem:
            message = f"network is not ready: {problem}"
            self._node.recorder.event(self.pod, "Warning", "NetworkNotReady", message)
            raise RuntimeFailure("Unavailable", message)
        create_cgroup(self._node, self.pod)
        try:
            await run_sandbox(self._node, self.pod, attempt)
        except StartError as error:
            raise RuntimeFailure("Unknown", error.why.message) from None
        await self._observer.refresh()

    async def _start(self, plan: sync.Plan) -> list[str]:
        """Names of the containers that were started."""
        if not plan.start:
            return []
        sandbox = self.state.sandbox
        if sandbox is None or not sandbox.ready:
            raise RuntimeFailure("NotFound", "the pod's sandbox is gone")
        config = make_sandbox_config(self._node, self.pod, sandbox.attempt)
        starter = Starter(
            self._node, self._observed(), self.state, sandbox.id, config, self._volumes.paths, self._volumes.since
        )  # fmt: skip
        started = []
        for container in plan.start:
            wait = wait_before_restart(self._node, self._crashes, self.pod, container, self.state, self._reasons)
            if wait > 0:
                self._again_in(wait)
                continue
            starter.state = self.state
            try:
                await starter.start(container)
            except StartError as error:
                self._reasons[container.name] = error.why
                wait = self._node.images.retry_after(self.pod, container) or RETRY_SECONDS[1]
                # The next look tells that the pull is backed off, which people look for; the pull itself waits its time.
                self._again_in(min(wait, RETRY_SECONDS[0]) if error.why.reason == "ErrImagePull" else wait)
            else:
                self._reasons.pop(container.name, None)
                started.append(container.name)
            await self._observer.refresh()
            await self._observer.remove_old(container.name)
        self._publish()
        return started

    def _look_again(self, started: list[str]) -> None:
        """Sooner than the relist, where something short was started."""
        inits = {c.name for c in self.pod.spec.initContainers}
        if started and (self.pod.spec.restartPolicy != "Always" or inits.intersection(started)):
            self._early = 0
        elif self._early >= len(EARLY_LOOKS) or not self.state.running:
            return
        if self._early < len(EARLY_LOOKS):
            self._again_in(EARLY_LOOKS[self._early])
            self._early += 1

    # -- terminating --

    async def _end(self) -> None:
        await self._observer.refresh()
        self._publish()
        # A liveness failure of a pod that ends would mean nothing.
        self._probes.forget_pod(self.uid)
        await self._stop_all(self._grace)
        await self._observer.refresh()
        if self.state.running:
            raise RuntimeFailure("Unknown", "containers still run after they were stopped")
        self._publish(terminated=True)
        self.phase = Phase.ENDED

    async def _stop_all(self, grace: int) -> None:
        ip = self.state.ips[0] if self.state.ips else ""
        for group in sync.stop_order(self.pod, self.state.running):
            async with asyncio.TaskGroup() as tasks:
                for container in group:
                    tasks.create_task(self._stop(container, grace, ip))
        for sandbox in self.state.sandboxes:
            if sandbox.ready:
                await self._node.runtime.stop_sandbox(sandbox.id)

    async def _stop(self, container: ContainerState, grace: int, ip: str) -> None:
        try:
            await stop_container(self._node, self.pod, container, "", grace, ip)
        except RuntimeFailure as failure:
            # The look at what still runs, afterwards, decides.
            log.warning("container not stopped", pod=labels.pod_name(self.pod), container=container.name, error=str(failure))

    # -- ended --

    async def _clean(self) -> None:
        node = self._node
        directory = podconfig.pod_directory(node.config, self.uid)
        if directory is not None:
            await asyncio.to_thread(pod_volumes.tear_down, directory)
        if node.cgroups is not None:
            node.cgroups.remove(resources.cgroup_path(node.config.cgroup_root, self.pod))
        if self.vanished:
            await self._remove_all()
        elif self.pod.metadata.deletionTimestamp:
            self._writer.delete(self.pod)

    async def _remove_all(self) -> None:
        node = self._node
        for sandbox in self.state.sandboxes:
            await node.runtime.remove_sandbox(sandbox.id)
        logs = podconfig.log_directory(node.config, self.pod)
        if logs is not None:
            await asyncio.to_thread(pod_volumes.tear_down, logs)
        if node.cgroups is not None:
            node.cgroups.remove(resources.cgroup_path(node.config.cgroup_root, self.pod))
        for forget in (self._writer.forget, node.objects.forget_pod, node.images.forget_pod, self._probes.forget_pod):
            forget(self.uid)
        self._crashes.forget(f"{self.uid}_")
