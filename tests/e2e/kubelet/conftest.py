"""One containerd for this directory's tests, and a real API server and node agent beside it in the node's namespace."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from sampan.api.errors import ALREADY_EXISTS, StatusError
from sampan.api.types.core_v1 import ConfigMap
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.kubelet.agent import Agent
from sampan.kubelet.config import AgentConfig
from sampan.kubelet.runtime.cri import CRIRuntime
from sampan.lib.clock import RealClock
from sampan.pki.certificates import SERVER
from sampan.store.memory import MemoryStore
from tests.component.conftest import Api, Credentials, credentials  # noqa: F401
from tests.component.kubelet.nodes import Nodes, nodes

from .testbed import TestBed, node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    able = os.geteuid() == 0 and shutil.which("containerd") is not None
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if not able:
                item.add_marker(pytest.mark.skip(reason="needs root and containerd"))


@pytest.fixture(scope="package")
def bed() -> Iterator[TestBed]:
    with node(Path("/tmp") / f"sampan-test-{os.getpid()}") as made:
        yield made


class RealNode(Nodes):
    """As `Nodes`, with one real node."""

    bed: TestBed
    config: AgentConfig

    def start(self, name: str = "node-1", **config: object) -> Agent:
        agent = Agent(self.client, CRIRuntime(self.bed.socket), config=self.config)
        self.agents[name] = agent
        self.running[name] = self._tasks.start(agent.run(), f"agent {name}")
        return agent


Play = Callable[[RealNode], Awaitable[None]]


@pytest.fixture
def real(bed: TestBed, credentials: Credentials) -> Callable[[Play], None]:  # noqa: F811
    """Runs a scenario against a fresh API server and an agent on the package's containerd."""

    async def whole(scenario: Play) -> None:
        api = Api(credentials)
        cert, key = credentials.ca.issue("system:node:node-1", ("system:nodes",), ips=("127.0.0.1",), usages=(SERVER,))
        clock = RealClock()
        async with api.serve(clock, MemoryStore(clock)) as served, nodes(served) as plain, asyncio.timeout(100):
            plain.__class__ = RealNode
            assert isinstance(plain, RealNode)
            plain.bed = bed
            plain.config = AgentConfig(
                node_name="node-1",
                node_ip="127.0.0.1",
                root_dir=bed.root / "kubelet",
                port=0,
                cgroup_root=f"/{bed.namespace}",
                serving_cert=cert,
                serving_key=key,
                client_ca=credentials.ca.cert_pem,
            )
            authority = ConfigMap(metadata=ObjectMeta(name="kube-root-ca.crt", namespace="default"), data={"ca.crt": "x"})
            try:
                await plain.client.create(authority)
            except StatusError as error:
                if error.reason != ALREADY_EXISTS:
                    raise
            plain.start()
            await scenario(plain)

    def run(scenario: Play) -> None:
        failures: list[BaseException] = []

        def inside() -> None:
            # Only this thread moves: a network namespace is a thread's, not a process's.
            try:
                bed.enter()
                uvloop.run(whole(scenario))
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    return run
