"""The controller manager: every controller in one process, on shared informers.

manager = ControllerManager(client, options=ControllerManagerOptions(ca_pem=ca))
await manager.run()
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass

from sampan.client.informer import InformerFactory
from sampan.client.leader import LeaderElector
from sampan.client.rest import Client
from sampan.controllers import (
    clusterrole_aggregation,
    deployment,
    disruption,
    endpoints,
    endpointslice,
    endpointslice_mirroring,
    namespace,
    replicaset,
    root_ca,
    serviceaccount,
    storage_protection,
    taint_eviction,
    tokens,
)
from sampan.controllers.garbage_collector import GarbageCollector
from sampan.controllers.node_ipam import NodeIPAM
from sampan.controllers.node_lifecycle import GRACE_SECONDS, NodeHealth
from sampan.controllers.pod_gc import TERMINATED_THRESHOLD, PodGC
from sampan.controllers.resourcequota import ResourceQuotaController
from sampan.controllers.runtime import Controller, PeriodicRunner, Runner
from sampan.lib.clock import Clock
from sampan.lib.tasks import Tasks
from sampan.pki.tokens import TokenSigner

LEASE = "kube-controller-manager"


@dataclass(frozen=True)
class ControllerManagerOptions:
    ca_pem: bytes = b""
    """Published to every namespace; empty: not published."""
    service_account_key_pem: bytes = b""
    """Signs the tokens that lie in Secrets; empty: such Secrets stay without."""
    cluster_cidr: str = "10.244.0.0/16"
    """Shared out to the nodes; "": nodes get no podCIDR."""
    service_cidr: str = "10.96.0.0/12"
    node_monitor_grace_seconds: float = GRACE_SECONDS
    terminated_pod_threshold: int = TERMINATED_THRESHOLD
    leader_elect: bool = False


class ControllerManager:
    """`client.clock` is the controllers' clock."""

    def __init__(self, client: Client, *, clock: Clock | None = None, options: ControllerManagerOptions | None = None) -> None:
        if clock is not None:
            client.clock = clock
        self._client = client
        self._options = options or ControllerManagerOptions()

    async def run(self) -> None:
        """Until cancelled; with leader election while leading. Raises LeadershipLost."""
        if not self._options.leader_elect:
            await self._run()
            return
        identity = f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4()}"
        await LeaderElector(self._client, LEASE, identity=identity).run(self._run)

    async def _run(self) -> None:
        factory = InformerFactory(self._client)
        runners = [Runner(controller, factory) for controller in self.controllers()]
        pod_gc = PeriodicRunner(PodGC(self._options.terminated_pod_threshold).periodic(), factory)
        quotas = ResourceQuotaController(factory)
        collector = GarbageCollector(factory)
        async with Tasks() as tasks:
            tasks.start(factory.run(), "informers")
            for runner in runners:
                tasks.start(runner.run(), runner.controller.name)
            tasks.start(pod_gc.run(), "pod-garbage-collector")
            tasks.start(quotas.run(), "resource-quota")
            await collector.run()

    def controllers(self) -> list[Controller]:
        options = self._options
        found = [
            replicaset.CONTROLLER,
            deployment.CONTROLLER,
            endpointslice.CONTROLLER,
            endpointslice_mirroring.CONTROLLER,
            endpoints.CONTROLLER,
            namespace.CONTROLLER,
            serviceaccount.CONTROLLER,
            clusterrole_aggregation.CONTROLLER,
            taint_eviction.CONTROLLER,
            disruption.CONTROLLER,
            disruption.STALE_TARGETS,
            storage_protection.CLAIMS,
            storage_protection.VOLUMES,
            NodeHealth(options.node_monitor_grace_seconds).controller(),
        ]
        if options.ca_pem:
            found.append(root_ca.make_controller(options.ca_pem))
        if options.service_account_key_pem:
            found.append(tokens.make_controller(TokenSigner(options.service_account_key_pem, ""), options.ca_pem))
        if options.cluster_cidr:
            found.append(NodeIPAM(options.cluster_cidr, options.service_cidr).controller())
        return found
