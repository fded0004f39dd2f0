"""The parts of a control plane as processes, upstream's and ours, and nodes whose containers are simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sampan.client.kubeconfig import load
from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.kubelet.agent import Agent
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.runtime.simulated import SimulatedRuntime
from sampan.pki.certificates import CLIENT, SERVER
from sampan.testing.background import Background
from tests.etcdserver import free_port
from tests.upstream.plane import DIRECTORY, Plane, Process, sampan

START_SECONDS = 20.0
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/12"


JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
"""What these components write by themselves; they read what they are answered with."""


def upstream_controllers(plane: Plane, content_type: str = PROTOBUF) -> Process:
    """All of upstream's, each under a service account of its own, quicker than usual where they wait."""
    kubeconfig, here = plane.kubeconfig("system:kube-controller-manager"), plane.directory
    flags = [
        *_serving(plane, kubeconfig.name),
        f"--kube-api-content-type={content_type}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--controllers=*,bootstrapsigner,tokencleaner",
        "--use-service-account-credentials",
        "--leader-elect",
        f"--service-account-private-key-file={here}/sa.key",
        f"--root-ca-file={here}/ca.crt",
        f"--cluster-signing-cert-file={here}/ca.crt",
        f"--cluster-signing-key-file={here}/ca.key",
        "--allocate-node-cidrs",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--node-monitor-period=500ms",
        "--node-monitor-grace-period=4s",
        "--pvclaimbinder-sync-period=1s",
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--resource-quota-sync-period=2s",
        f"--flex-volume-plugin-dir={here}/flexvolumes",
    ]
    return Process([str(DIRECTORY / "kube-controller-manager"), *flags], here / "upstream-controllers.log")


def upstream_scheduler(plane: Plane, content_type: str = PROTOBUF) -> Process:
    kubeconfig = plane.kubeconfig("system:kube-scheduler")
    flags = [
        *_serving(plane, kubeconfig.name),
        f"--kube-api-content-type={content_type}",
        "--leader-elect",
        # Of policy it knows v1beta1 only, which is served no more.
        "--feature-gates=PodDisruptionBudget=false",
    ]
    return Process([str(DIRECTORY / "kube-scheduler"), *flags], plane.directory / "upstream-scheduler.log")


def _serving(plane: Plane, kubeconfig: str) -> list[str]:
    uses = ("", "authentication-", "authorization-")
    return [
        *(f"--{use}kubeconfig={plane.directory}/{kubeconfig}" for use in uses),
        f"--secure-port={free_port()}",
        "--port=0",
        "--bind-address=127.0.0.1",
        f"--cert-dir={plane.directory}",
    ]


def our_controllers(plane: Plane) -> Process:
    kubeconfig = plane.kubeconfig("system:kube-controller-manager")
    flags = [f"--kubeconfig={kubeconfig}", f"--root-ca-file={plane.directory}/ca.crt"]
    return Process(sampan("controller-manager", *flags), plane.directory / "controllers.log")


def our_scheduler(plane: Plane) -> Process:
    return Process(
        sampan("scheduler", f"--kubeconfig={plane.kubeconfig('system:kube-scheduler')}"), plane.directory / "scheduler.log"
    )


class Node:
    """Our agent with a simulated runtime, in a thread of its own. It may stop, and start again."""

    def __init__(self, plane: Plane, name: str) -> None:
        self.name = name
        self._plane = plane
        self._background: Background | None = None

    def start(self) -> None:
        self._background = Background(self._main, self.name)
        self._background.start(START_SECONDS)

    def stop(self) -> None:
        if self._background is not None:
            self._background.stop(START_SECONDS)
            self._background = None

    async def _main(self, ready: object) -> None:
        assert callable(ready)
        ca = self._plane.ca
        cert, key = ca.issue(self.name, dns_names=(self.name,), ips=("127.0.0.1",), usages=(SERVER, CLIENT))
        config = AgentConfig(
            node_name=self.name,
            node_ip="127.0.0.1",
            port=0,
            capacity={"cpu": "8", "memory": "32Gi"},
            serving_cert=cert,
            serving_key=key,
            client_ca=ca.cert_pem,
            manage_cgroups=False,
            lease_renew_seconds=1.0,
        )
        async with Transport(load(self._plane.kubeconfig(f"system:node:{self.name}", "system:nodes"))) as transport:
            client = Client(transport)
            runtime = SimulatedRuntime(client.clock)
            ready()
            try:
                await Agent(client, runtime, config=config).run()
            finally:
                await runtime.close()


@contextmanager
def nodes(plane: Plane, *names: str) -> Iterator[dict[str, Node]]:
    made = {name: Node(plane, name) for name in names}
    try:
        for node in made.values():
            node.start()
        yield made
    finally:
        for node in made.values():
            node.stop()
