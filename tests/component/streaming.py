"""A node with one pod for the streaming tests: the real node server and SPDY, before it the real API server, behind it
pretended processes and a log file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from sampan.api.types.core_v1 import Pod, PodStatus
from sampan.kubelet.podstate import ContainerState, PodState
from sampan.kubelet.runtime.base import ContainerStatus, Runtime, RuntimeFailure, SandboxStatus, State
from sampan.kubelet.runtime.simulatedstreams import SimulatedStreaming
from sampan.kubelet.server import KubeletServer
from sampan.kubelet.streams import RuntimeStreams
from sampan.lib.clock import RealClock
from sampan.lib.spdy import Session, Stream
from sampan.lib.tasks import Tasks
from sampan.lib.websocket import WebSocket, accepted, new_key, offer_headers
from sampan.pki.certificates import CA, CLIENT, SERVER
from tests.component.conftest import Api, Served

NAMESPACE = "/api/v1/namespaces/default"


def pod_tree(*containers: str, name: str = "web", node: str = "node-1") -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": each, "image": "busybox"} for each in containers]}
    return {"metadata": {"name": name}, "spec": spec | ({"nodeName": node} if node else {})}


class Pretend:
    """The agent's view of its pods, and the few calls of a runtime that streaming makes."""

    def __init__(self, log_dir: Path) -> None:
        self.streaming = SimulatedStreaming()
        self.log_dir = log_dir
        self.known: dict[str, Pod] = {}
        self.statuses: dict[str, PodStatus] = {}
        self.containers: dict[str, ContainerStatus] = {}

    def add(self, tree: dict[str, Any]) -> None:
        pod = msgspec.convert(tree, Pod)
        name = pod.metadata.name
        self.known[name] = pod
        statuses = []
        for container in pod.spec.containers:
            container_id = f"{name}-{container.name}"
            path = str(self.log_dir / f"{container_id}.log")
            self.containers[container_id] = ContainerStatus(
                container_id, container.name, 0, State.RUNNING, 1.0, started=1.0, log_path=path
            )
            state = {"running": {"startedAt": "2024-01-01T00:00:00Z"}}
            statuses.append({"name": container.name, "containerID": f"simulated://{container_id}", "state": state})
        self.statuses[name] = msgspec.convert({"phase": "Running", "containerStatuses": statuses}, PodStatus)

    def write_log(self, container_id: str, *lines: str) -> None:
        with (self.log_dir / f"{container_id}.log").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def stop(self, container_id: str) -> None:
        self.containers[container_id] = replace(self.containers[container_id], state=State.EXITED)

    # NodePods

    def pods(self) -> Sequence[Pod]:
        return list(self.known.values())

    def pod(self, namespace: str, name: str) -> Pod | None:
        return self.known.get(name)

    def status(self, pod: Pod) -> PodStatus:
        return self.statuses[pod.metadata.name]

    async def state(self, pod: Pod) -> PodState:
        name = pod.metadata.name
        sandbox = SandboxStatus(f"{name}-sandbox", name, "default", "uid", 0, True, 1.0)
        found = [each for each in self.containers.values() if each.id.startswith(f"{name}-")]
        return PodState((sandbox,), tuple(ContainerState(each, sandbox.id) for each in found))

    # Runtime

    async def container_status(self, container_id: str) -> ContainerStatus:
        if container_id not in self.containers:
            raise RuntimeFailure("NotFound", "no such container")
        return self.containers[container_id]

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool, stdout: bool, stderr: bool
    ) -> str:
        return await self.streaming.command_url(command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)

    async def attach_url(self, container_id: str, *, tty: bool, stdin: bool, stdout: bool, stderr: bool) -> str:
        return await self.streaming.command_url((), tty=tty, stdin=stdin, stdout=stdout, stderr=stderr)

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        return await self.streaming.port_forward_url()


@dataclass
class Cluster:
    served: Served
    node: Pretend
    kubelet: KubeletServer
    port: int
    ca: CA

    async def add_pod(self, *containers: str, **options: Any) -> None:
        tree = pod_tree(*containers, **options)
        answer = await self.served.create("pods", tree)
        assert answer.status == 201, answer.body
        self.node.add(tree)
        status = msgspec.to_builtins(self.node.statuses[tree["metadata"]["name"]])
        patched = await self.served.patch(f"{NAMESPACE}/pods/{tree['metadata']['name']}/status", {"status": status})
        assert patched.status == 200, patched.body

    @asynccontextmanager
    async def spdy(self, path: str, query: Sequence[tuple[str, str]], version: str) -> AsyncIterator[Session]:
        headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", version)]
        # A repeated header, as client-go sends it.
        headers.append(("X-Stream-Protocol-Version", "v1.unheard-of"))
        upgraded = await self.served.transport.upgrade("POST", f"{NAMESPACE}/{path}", query=query, headers=headers)
        assert upgraded.duplex is not None, (upgraded.status, upgraded.body)
        assert upgraded.headers["x-stream-protocol-version"] == version
        async with Tasks() as tasks:
            session = Session(upgraded.duplex, server=False)
            tasks.start(session.run(), "client")
            try:
                yield session
            finally:
                session.close()

    @asynccontextmanager
    async def websocket(self, path: str, query: Sequence[tuple[str, str]], *protocols: str) -> AsyncIterator[WebSocket]:
        key = new_key()
        upgraded = await self.served.transport.upgrade(
            "GET", f"{NAMESPACE}/{path}", query=query, headers=offer_headers(key, protocols)
        )
        assert upgraded.duplex is not None, (upgraded.status, upgraded.body)
        assert accepted(key, upgraded.headers)
        assert upgraded.headers.get("sec-websocket-protocol", "") == (protocols[0] if protocols else "")
        try:
            yield WebSocket(upgraded.duplex, client=True)
        finally:
            upgraded.duplex.close()


async def run_spdy(session: Session, *, stdin: bytes | None = None, tty: bool = False) -> tuple[bytes, bytes, dict[str, Any]]:
    """As client-go's remotecommand does; returns stdout, stderr, status."""
    error = await session.open({"streamtype": "error"})
    source = await session.open({"streamtype": "stdin"}) if stdin is not None else None
    out = await session.open({"streamtype": "stdout"})
    err: Stream | None = None
    if tty:
        (await session.open({"streamtype": "resize"})).write(b'{"Width":80,"Height":24}')
    else:
        err = await session.open({"streamtype": "stderr"})
    if source is not None:
        source.write(stdin or b"")
        source.close()
    stdout = await out.read_all()
    stderr = await err.read_all() if err is not None else b""
    return stdout, stderr, msgspec.json.decode(await error.read_all())


def on_node(api: Api, tmp_path: Path, scenario: Callable[[Cluster], Awaitable[None]], **config: Any) -> None:
    """Run a scenario against an API server and a node it can reach; `config` as APIServerConfig has it."""
    ca = api.credentials.ca
    client_cert, client_key = ca.issue("kube-apiserver-kubelet-client", ("system:masters",), usages=(CLIENT,))

    async def work(served: Served) -> None:
        node = Pretend(tmp_path)
        cert, key = ca.issue("system:node:node-1", ("system:nodes",), ips=("127.0.0.1",), usages=(SERVER,))
        kubelet = KubeletServer(
            RuntimeStreams(node, cast(Runtime, node), RealClock()),
            client=served.client,
            clock=RealClock(),
            node_name="node-1",
            cert_pem=cert,
            key_pem=key,
            client_ca_pem=ca.cert_pem,
        )
        port = await kubelet.start("127.0.0.1", 0)
        try:
            await _register(served, port)
            async with asyncio.timeout(30):
                await scenario(Cluster(served, node, kubelet, port, ca))
        finally:
            await kubelet.stop(0)
            await node.streaming.close()

    api(work, kubelet_client_cert_pem=client_cert, kubelet_client_key_pem=client_key, **config)


async def _register(served: Served, port: int) -> None:
    made = await served.request("POST", "/api/v1/nodes", {"metadata": {"name": "node-1"}})
    assert made.status == 201, made.body
    status = {
        "addresses": [{"type": "Hostname", "address": "node-1"}, {"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    patched = await served.patch("/api/v1/nodes/node-1/status", {"status": status})
    assert patched.status == 200, patched.body
    account = {"metadata": {"name": "default"}}
    await served.request("POST", "/api/v1/namespaces/default/serviceaccounts", account)
