"""The node agent (kubelet): registers its node and runs the pods that are bound to it.

    agent = Agent(client, CRIRuntime(socket), config=AgentConfig(node_name="node-1", node_ip="10.89.0.2", root_dir=...))
    await agent.run()

Cancelling `run` leaves the containers running, as stopping a kubelet does; the next agent takes them up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec

from sampan.api.types.core_v1 import Pod, PodStatus, Service
from sampan.client.events import EventRecorder
from sampan.client.informer import Informer, InformerFactory
from sampan.client.rest import Client
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger
from sampan.lib.tasks import Tasks

from . import restart
from .admission import admit
from .backoff import Backoff
from .cgroups import Cgroups
from .config import AgentConfig
from .images import Images
from .lifecycle import Node, grace_seconds
from .machine import inspect
from .node import NodeKeeper
from .nodestatus import allocatable, network_problem
from .objects import Objects
from .podstate import PodState
from .probes import NodeProber, Prober, Probes
from .relist import Relist
from .runtime.base import Runtime, RuntimeFailure
from .server import KubeletServer
from .statuswriter import StatusWriter
from .streams import RuntimeStreams
from .worker import Phase, PodWorker

log = get_logger("kubelet")

SWEEP_SECONDS = 60.0


class Agent:
    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        *,
        config: AgentConfig,
        clock: Clock | None = None,
        services: Informer[Service] | None = None,
    ) -> None:
        """`services`: a running informer shared with others of the process; None: the agent runs its own."""
        self._client = client
        self.runtime = runtime
        self._clock = clock or client.clock
        self.config = config
        self._factory = InformerFactory(client)
        self._pods = self._factory.informer(Pod, fields=f"spec.nodeName={config.node_name}")
        self._services = services if services is not None else self._factory.informer(Service)
        self._recorder = EventRecorder(client, "kubelet", config.node_name)
        self._writer = StatusWriter(client)
        self._machine = inspect(config.root_dir)
        self._keeper = NodeKeeper(client, runtime, config, self._machine, self._recorder)
        prober = runtime if isinstance(runtime, Prober) else NodeProber(runtime)
        self._probes = Probes(prober, self._recorder, self._clock, self._wake)
        self._relist = Relist(runtime, self._clock, config.relist_seconds, self._wake)
        self._crashes = Backoff(self._clock)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: Tasks | None = None
        self.ready = False
        """Whether the agent has taken up its pods."""
        self.node = Node(
            config=config,
            runtime=runtime,
            recorder=self._recorder,
            clock=self._clock,
            machine=self._machine,
            objects=Objects(client),
            images=Images(runtime, self._recorder, self._clock, config.default_registries),
            services=self._services,
            cgroups=Cgroups() if config.manage_cgroups and config.root_dir is not None else None,
            allocatable=allocatable(config, self._machine),
            network_problem=lambda: (
                "" if isinstance(self._keeper.conditions, str) else network_problem(self._keeper.conditions)
            ),
        )

    async def run(self) -> None:
        """Until cancelled. Raises OSError where the port is taken."""
        self._make_directories()
        server = await self._serve()
        try:
            async with Tasks() as tasks:
                self._tasks = tasks
                self._probes.attach(tasks)
                tasks.start(self._recorder.run(), "events")
                tasks.start(self._factory.run(), "informers")
                tasks.start(self._keep_node(), "node")
                tasks.start(self._keeper.keep_lease(), "lease")
                await self._take_up_pods()
                writer = tasks.start(self._writer.run(), "status writer")
                tasks.start(self._relist.run(), "relist")
                tasks.start(self._sweep(), "sweep")
                await writer
        finally:
            if server is not None:
                await server.stop()

    def _make_directories(self) -> None:
        for directory in (self.config.root_dir, self.config.pods_dir, self.config.logs_dir):
            if directory is not None:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def _serve(self) -> KubeletServer | None:
        config = self.config
        if not config.serving_cert:
            return None
        server = KubeletServer(
            RuntimeStreams(self, self.runtime, self._clock),
            client=self._client,
            clock=self._clock,
            node_name=config.node_name,
            cert_pem=config.serving_cert,
            key_pem=config.serving_key,
            client_ca_pem=config.client_ca,
        )
        port = await server.start(config.node_ip, config.port)
        # Port 0 asked for any; the Node says which it became.
        self.config = dataclasses.replace(config, port=port)
        self._keeper.config = self.config
        return server

    async def _keep_node(self) -> None:
        if self.config.register:
            await self._keeper.register()
            await self._keeper.run()

    # -- pods --

    async def _take_up_pods(self) -> None:
        await self._runtime_name()
        await self._pods.wait_synced()
        # A container made before its services are known would lack their variables for its whole life.
        await self._services.wait_synced()
        self._pods.add_handler(self._changed)
        await self._end_orphans()
        self.ready = True

    async def _runtime_name(self) -> None:
        while True:
            try:
                self.node.runtime_name = (await self.runtime.version()).name
                return
            except RuntimeFailure as failure:
                log.warning("runtime does not answer", error=str(failure))
                await self._clock.sleep(0.2)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            worker = self._workers.get(old.metadata.uid)
            if worker is not None:
                worker.vanish()
        if new is None:
            return
        worker = self._workers.get(new.metadata.uid)
        if worker is not None:
            worker.update(new)
            return
        worker = self._worker(new)
        # A pod that once was let in stays, even if the node has shrunk.
        if not new.status.startTime and worker.phase is Phase.LIVING:
            others = [w.pod for w in self._workers.values() if w.phase is not Phase.ENDED]
            rejection = admit(new, others, self.node.allocatable)
            if rejection is not None:
                worker.reject(*rejection)
        self._start(worker)

    def _worker(self, pod: Pod) -> PodWorker:
        return PodWorker(self.node, pod, self._probes, self._writer, self._crashes)

    def _start(self, worker: PodWorker) -> None:
        assert self._tasks is not None, "pods are taken up while the agent runs"
        self._workers[worker.uid] = worker
        self._tasks.start(self._run_worker(worker), f"pod {worker.uid} worker")

    async def _run_worker(self, worker: PodWorker) -> None:
        await worker.run()
        self._workers.pop(worker.uid, None)

    def _wake(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.wake()

    async def _end_orphans(self) -> None:
        try:
            for pod in await restart.orphans(self.node, self._workers):
                log.info("ending a pod that is no more", pod=f"{pod.metadata.namespace}/{pod.metadata.name}")
                worker = self._worker(pod)
                worker.abandon(grace_seconds(pod))
                self._start(worker)
        except RuntimeFailure as failure:
            log.warning("orphaned sandboxes not looked for", error=str(failure))

    async def _sweep(self) -> None:
        while True:
            await restart.sweep(self.node, self._workers)
            self.node.objects.forget_old()
            await self._clock.sleep(SWEEP_SECONDS)
            await self._end_orphans()

    # -- what the node's server asks (streams.NodePods) --

    def pods(self) -> Sequence[Pod]:
        return [msgspec.structs.replace(w.pod, status=self._writer.current(w.pod)) for w in self._workers.values()]

    def pod(self, namespace: str, name: str) -> Pod | None:
        found = [w for w in self._workers.values() if (w.pod.metadata.namespace, w.pod.metadata.name) == (namespace, name)]
        # Of a pod that ends and its successor of the same name, the successor, which may be of the same second.
        newest = max(found, key=lambda w: (not w.vanished, w.pod.metadata.creationTimestamp), default=None)
        return newest.pod if newest is not None else None

    def status(self, pod: Pod) -> PodStatus:
        return self._writer.current(pod)

    async def state(self, pod: Pod) -> PodState:
        worker = self._workers.get(pod.metadata.uid)
        return worker.state if worker is not None else PodState()
