"""The parts of a cluster on one event loop, as `Cluster` runs them in its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sampan.api.types.core_v1 import Pod, Service
from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.server import APIServer
from sampan.client.config import ClientConfig
from sampan.client.informer import Informer, InformerFactory
from sampan.client.rest import Client
from sampan.controllers.manager import ControllerManager, ControllerManagerOptions
from sampan.kubelet.agent import Agent
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.runtime.simulated import AddressRange, SimulatedRuntime
from sampan.lib.clock import Clock
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem
from sampan.scheduler.loop import Scheduler
from sampan.store.memory import MemoryStore
from sampan.testing.pace import CountedTransport, Traffic

HOST = "127.0.0.1"
STOP_SECONDS = 1.0
NODE_CONNECTIONS = 2
"""Of a node's agent: fifty nodes' worth of sockets must fit into one process, and each handshake costs both sides' time."""
CAPACITY = {"cpu": "8", "memory": "32Gi"}


@dataclass(frozen=True)
class Credentials:
    """Made before the loop starts: the server's side, and certificates for those who connect to it."""

    ca: CA
    server: APIServerConfig

    @classmethod
    def create(cls) -> Credentials:
        ca = CA.create("sampan-testing")
        cert, key = ca.issue(
            "kube-apiserver", dns_names=("localhost", "kubernetes", "kubernetes.default.svc"), ips=(HOST,), usages=(SERVER,)
        )  # fmt: skip
        kubelet_cert, kubelet_key = ca.issue("kube-apiserver-kubelet-client", ("system:masters",), usages=(CLIENT,))
        server = APIServerConfig(
            bind=((HOST, 0),),
            tls_cert_pem=cert,
            tls_key_pem=key,
            client_ca_pem=ca.cert_pem,
            service_account_key_pem=new_key_pem(),
            kubelet_client_cert_pem=kubelet_cert,
            kubelet_client_key_pem=kubelet_key,
        )
        return cls(ca, server)

    def client(self, url: str, user: str, *groups: str) -> ClientConfig:
        cert, key = self.ca.issue(user, groups, usages=(CLIENT,))
        # Components are called as upstream's: managedFields say so.
        agent = user.removeprefix("system:") if user.startswith("system:kube-") else "sampan"
        return ClientConfig(url, self.ca.cert_pem, cert_pem=cert, key_pem=key, user_agent=agent)


@dataclass(slots=True)
class SimulatedNode:
    """A node and what keeps it up. Its runtime outlives its agent, as containers outlive a kubelet."""

    config: AgentConfig
    client: Client
    runtime: SimulatedRuntime
    agent: Agent | None = None
    task: asyncio.Task[None] | None = None


class ControlPlane:
    """Starts everything, runs until cancelled, ends everything in the reverse order."""

    def __init__(self, credentials: Credentials, *, nodes: int, clock: Clock) -> None:
        self._credentials = credentials
        self._count = nodes
        self._clock = clock
        self._server = APIServer(MemoryStore(clock), config=credentials.server, clock=clock)
        self._addresses = AddressRange()
        self._transports: list[CountedTransport] = []
        self._nodes: dict[str, SimulatedNode] = {}
        self._services: Informer[Service]
        self._tasks: asyncio.TaskGroup
        self.traffic = Traffic()
        """What the parts ask of the server."""
        self.failure: Exception | None = None
        """What a part failed with, told before the server goes."""

    @property
    def url(self) -> str:
        return self._server.url

    def config(self, user: str, *groups: str) -> ClientConfig:
        return self._credentials.client(self.url, user, *groups)

    async def run(self, ready: Callable[[], None]) -> None:
        """Until cancelled; `ready` is called when the server answers. Raises what made a part fail."""
        await self._server.start()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._start_parts()
                ready()
                await asyncio.get_running_loop().create_future()
        except Exception as error:
            self.failure = error
            raise
        finally:
            for node in self._nodes.values():
                await node.runtime.close()
            for transport in self._transports:
                await transport.close()
            await self._server.stop(STOP_SECONDS)

    def client(self, user: str, *groups: str, connections: int = 32) -> Client:
        transport = CountedTransport(self.config(user, *groups), self.traffic)
        self._transports.append(transport)
        return Client(transport, self._clock, max_in_flight=connections)

    def _start_parts(self) -> None:
        key = self._credentials.server.service_account_key_pem
        options = ControllerManagerOptions(ca_pem=self._credentials.ca.cert_pem, service_account_key_pem=key)
        manager = ControllerManager(self.client("system:kube-controller-manager"), clock=self._clock, options=options)
        self._tasks.create_task(manager.run(), name="controllers")
        self._tasks.create_task(Scheduler(self.client("system:kube-scheduler")).run(), name="scheduler")
        # Every agent looks at all services: one view serves all of this process.
        shared = InformerFactory(self.client("system:kube-proxy"))
        self._services = shared.informer(Service)
        self._tasks.create_task(shared.run(), name="services")
        for number in range(1, self._count + 1):
            self.add_node(f"node-{number}")

    # Nodes

    def add_node(self, name: str, labels: Mapping[str, str] | None = None, capacity: Mapping[str, str] | None = None) -> None:
        if name in self._nodes:
            raise ValueError(f"there is a node {name} already")
        cert, key = self._credentials.ca.issue(
            f"system:node:{name}", ("system:nodes",), dns_names=(name,), ips=(HOST,), usages=(SERVER, CLIENT)
        )  # fmt: skip
        config = AgentConfig(
            node_name=name,
            node_ip=HOST,
            port=0,
            labels=labels or {},
            capacity={**CAPACITY, **(capacity or {})},
            serving_cert=cert,
            serving_key=key,
            client_ca=self._credentials.ca.cert_pem,
            manage_cgroups=False,
        )
        agent = ClientConfig(self.url, self._credentials.ca.cert_pem, cert, key, user_agent="kubelet")
        transport = CountedTransport(agent, self.traffic)
        self._transports.append(transport)
        client = Client(transport, self._clock, max_in_flight=NODE_CONNECTIONS)
        self._nodes[name] = SimulatedNode(config, client, SimulatedRuntime(self._clock, addresses=self._addresses))
        self.start_node(name)

    def start_node(self, name: str) -> None:
        node = self._node(name)
        if node.task is None:
            node.agent = Agent(node.client, node.runtime, config=node.config, clock=self._clock, services=self._services)
            node.task = self._tasks.create_task(node.agent.run(), name=name)

    async def stop_node(self, name: str) -> None:
        """Its agent says nothing any more."""
        node = self._node(name)
        if node.task is not None:
            node.task.cancel()
            await asyncio.wait({node.task})
            node.agent = node.task = None

    def _node(self, name: str) -> SimulatedNode:
        if name not in self._nodes:
            raise ValueError(f"there is no node {name}, only {', '.join(self._nodes) or 'none'}")
        return self._nodes[name]

    # Containers

    async def say(self, namespace: str, pod: str, container: str, text: str, stream: str) -> None:
        runtime, container_id = await self._container(namespace, pod, container)
        runtime.log_of(container_id).write(text, stream)

    async def crash(self, namespace: str, pod: str, container: str, exit_code: int) -> None:
        runtime, container_id = await self._container(namespace, pod, container)
        runtime.fail_container(container_id, exit_code)

    async def _container(self, namespace: str, name: str, container: str) -> tuple[SimulatedRuntime, str]:
        """The newest container of a name, the first of the pod where none is named. Raises LookupError."""
        for node in self._nodes.values():
            pod: Pod | None = node.agent.pod(namespace, name) if node.agent is not None else None
            if node.agent is None or pod is None:
                continue
            container = container or pod.spec.containers[0].name
            found = (await node.agent.state(pod)).latest(container)
            if found is None:
                raise LookupError(f"pod {namespace}/{name} has no container {container} yet")
            return node.runtime, found.id
        raise LookupError(f"no node runs a pod {namespace}/{name}")
