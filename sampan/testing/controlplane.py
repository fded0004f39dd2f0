"""The parts of a cluster on one event loop, as `Cluster` runs them in its thread."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sampan.apiserver.config import APIServerConfig
from sampan.apiserver.server import APIServer
from sampan.client.config import ClientConfig
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.controllers.manager import ControllerManager, ControllerManagerOptions
from sampan.kubelet.agent import Agent
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.runtime.simulated import SimulatedRuntime
from sampan.lib.clock import Clock
from sampan.pki.certificates import CA, CLIENT, SERVER, new_key_pem
from sampan.scheduler.loop import Scheduler
from sampan.store.memory import MemoryStore

HOST = "127.0.0.1"
STOP_SECONDS = 1.0


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
        return ClientConfig(url, self.ca.cert_pem, cert_pem=cert, key_pem=key)


class ControlPlane:
    """Starts everything, runs until `stop` is set, ends everything in the reverse order."""

    def __init__(self, credentials: Credentials, *, nodes: int, clock: Clock) -> None:
        self._credentials = credentials
        self._nodes = nodes
        self._clock = clock
        self._server = APIServer(MemoryStore(clock), config=credentials.server, clock=clock)
        self.stop = asyncio.Event()

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        await self._server.start()

    async def run(self) -> None:
        """From after `start` until `stop` is set. Raises what made a part fail."""
        transports: list[Transport] = []

        def client(user: str, *groups: str) -> Client:
            transports.append(Transport(self._credentials.client(self.url, user, *groups)))
            return Client(transports[-1], self._clock)

        try:
            async with asyncio.TaskGroup() as tasks:
                options = ControllerManagerOptions(ca_pem=self._credentials.ca.cert_pem)
                manager = ControllerManager(client("system:kube-controller-manager"), clock=self._clock, options=options)
                parts = [
                    tasks.create_task(manager.run(), name="controllers"),
                    tasks.create_task(Scheduler(client("system:kube-scheduler")).run(), name="scheduler"),
                ]
                for i in range(self._nodes):
                    name = f"node-{i + 1}"
                    agent = self._agent(client(f"system:node:{name}", "system:nodes"), name)
                    parts.append(tasks.create_task(agent.run(), name=name))
                await self.stop.wait()
                for part in parts:
                    part.cancel()
        finally:
            for transport in transports:
                await transport.close()
            await self._server.stop(STOP_SECONDS)

    def _agent(self, client: Client, name: str) -> Agent:
        cert, key = self._credentials.ca.issue(
            f"system:node:{name}", ("system:nodes",), dns_names=(name,), ips=(HOST,), usages=(SERVER,)
        )  # fmt: skip
        config = AgentConfig(
            node_name=name,
            node_ip=HOST,
            port=0,
            capacity={"cpu": "8", "memory": "32Gi"},
            serving_cert=cert,
            serving_key=key,
            client_ca=self._credentials.ca.cert_pem,
            manage_cgroups=False,
        )
        return Agent(client, SimulatedRuntime(self._clock), config=config, clock=self._clock)
