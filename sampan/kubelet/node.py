"""The node's own object: registered, kept up to date, and a Lease renewed so that the cluster knows we live.

After kubelet_node_status.go and component-helpers' lease controller.
"""

from __future__ import annotations

import msgspec

from sampan.api.errors import ALREADY_EXISTS, CONFLICT, NOT_FOUND, StatusError
from sampan.api.types.coordination_v1 import Lease, LeaseSpec
from sampan.api.types.core_v1 import Node, NodeStatus, ObjectReference
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from sampan.client.codec import clone
from sampan.client.events import EventRecorder
from sampan.client.rest import STRATEGIC_PATCH, Client
from sampan.lib.clock import rfc3339_micro
from sampan.lib.log import get_logger

from .config import AgentConfig
from .machine import Machine, pressure
from .nodestatus import new_node, node_status, same_but_heartbeats
from .runtime.base import ImageRef, Runtime, RuntimeCondition, RuntimeFailure, RuntimeVersion

log = get_logger("kubelet")

LEASE_NAMESPACE = "kube-node-lease"
RETRY_SECONDS = (0.1, 7.0)
UNREADY_SECONDS = 0.25
"""How often to look while the node is not Ready: its network's configuration may come any moment."""
IMAGES_SECONDS = 60.0


class NodeKeeper:
    def __init__(
        self, client: Client, runtime: Runtime, config: AgentConfig, machine: Machine, recorder: EventRecorder
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = client.clock
        self._runtime = runtime
        self.config = config
        self._machine = machine
        self._recorder = recorder
        self._version: RuntimeVersion | None = None
        self._images: list[ImageRef] = []
        self._images_at: float | None = None
        self._reported_at: float | None = None
        self._unready_since: float | None = None
        self._was: str = ""
        self.conditions: list[RuntimeCondition] | str = "container runtime status check may not have completed yet"
        self.node: Node | None = None

    @property
    def reference(self) -> ObjectReference:
        """What events about the node name; upstream uses the node's name as its uid."""
        name = self.config.node_name
        return ObjectReference(kind="Node", name=name, uid=name)

    async def register(self) -> Node:
        """Create the Node, or bring our labels onto the one that is there. Tries until the API answers."""
        wait = RETRY_SECONDS[0]
        while True:
            try:
                self.node = await self._register()
                return self.node
            except (StatusError, ConnectionError, TimeoutError) as error:
                log.warning("node not registered", node=self.config.node_name, error=str(error))
            await self._clock.sleep(wait)
            wait = min(wait * 2, RETRY_SECONDS[1])

    async def _register(self) -> Node:
        wanted = new_node(self.config, self._machine)
        # With its status from the start: a node that is there without capacity would refuse every pod for a moment.
        wanted.status = await self._status(NodeStatus())
        try:
            made = await self._client.create(wanted)
            log.info("node registered", node=self.config.node_name)
            return made
        except StatusError as error:
            if error.reason != ALREADY_EXISTS:
                raise
        found = await self._client.get(Node, self.config.node_name)
        missing = {k: v for k, v in wanted.metadata.labels.items() if found.metadata.labels.get(k) != v}
        if not missing:
            return found
        return await self._client.patch(Node, self.config.node_name, "", {"metadata": {"labels": missing}})

    async def run(self) -> None:
        """Keep the status; look often until the node is Ready, then every `status_seconds`."""
        while True:
            ready = False
            try:
                ready = await self._report()
            except (StatusError, ConnectionError, TimeoutError) as error:
                log.warning("node status not written", error=str(error))
            now = self._clock.monotonic()
            self._unready_since = None if ready else (now if self._unready_since is None else self._unready_since)
            # A node that stays unready is looked at less often, lest it burn the machine it waits for.
            hurry = self._unready_since is not None and now - self._unready_since < 60
            await self._clock.sleep(UNREADY_SECONDS if hurry else self.config.status_seconds)

    async def _report(self) -> bool:
        """Write the status if it changed or is due; whether the node is Ready."""
        # As it is now, for others write there too: a controller that did not hear of us for a while, that we are unknown.
        self.node = await self._register() if self.node is None else await self._read()
        old = self.node.status
        status = await self._status(clone(old))
        now = self._clock.monotonic()
        due = self._reported_at is None or now - self._reported_at >= self.config.report_seconds
        if due or not same_but_heartbeats(old, status):
            await self._write(status)
            self._reported_at = now
        ready = next((c.status == "True" for c in status.conditions if c.type == "Ready"), False)
        self._tell(ready)
        return ready

    async def _read(self) -> Node:
        """The Node; as long as we run, it is there."""
        try:
            return await self._client.get(Node, self.config.node_name)
        except StatusError as error:
            if error.reason != NOT_FOUND:
                raise
        return await self._register()

    async def _write(self, status: NodeStatus) -> None:
        body = {"status": msgspec.to_builtins(status)}
        try:
            self.node = await self._client.patch(
                Node, self.config.node_name, "", body, type=STRATEGIC_PATCH, subresource="status"
            )
        except StatusError as error:
            if error.reason == NOT_FOUND:
                # Somebody deleted the Node; as long as we run, it is there.
                self.node = await self._register()
                return
            raise

    async def _status(self, old: NodeStatus) -> NodeStatus:
        await self._look_at_runtime()
        return node_status(
            self.config,
            self._machine,
            old,
            version=self._version,
            runtime=self.conditions,
            pressure=pressure(self.config.root_dir),
            images=self._images,
            now=self._clock.now(),
        )

    async def _look_at_runtime(self) -> None:
        now = self._clock.monotonic()
        try:
            if self._version is None:
                self._version = await self._runtime.version()
            self.conditions = list(await self._runtime.status())
            if self._images_at is None or now - self._images_at > IMAGES_SECONDS:
                self._images = list(await self._runtime.list_images())
                self._images_at = now
        except RuntimeFailure as failure:
            self.conditions = f"container runtime is down: {failure.description}"

    def _tell(self, ready: bool) -> None:
        now = "NodeReady" if ready else "NodeNotReady"
        if now != self._was:
            self._recorder.event(self.reference, "Normal", now, f"Node {self.config.node_name} status is now: {now}")
        self._was = now

    async def keep_lease(self) -> None:
        """Renew the node's Lease until cancelled."""
        lease: Lease | None = None
        failures = 0
        while True:
            try:
                lease = await self._renew(lease)
                failures = 0
            except StatusError as error:
                # Changed or deleted by somebody else: read it again. It goes with the Node, so see soon whether that is there.
                lease = None
                self._reported_at = None
                failures += 1
                if error.reason not in (CONFLICT, NOT_FOUND, ALREADY_EXISTS):
                    log.warning("lease not renewed", error=error.message)
            except (ConnectionError, TimeoutError) as error:
                failures += 1
                log.warning("lease not renewed", error=str(error))
            quick = min(0.2 * 2**failures, 7.0)
            await self._clock.sleep(
                min(quick, self.config.lease_renew_seconds) if failures else self.config.lease_renew_seconds
            )

    async def _renew(self, lease: Lease | None) -> Lease:
        name = self.config.node_name
        if lease is None:
            try:
                lease = await self._client.get(Lease, name, LEASE_NAMESPACE)
            except StatusError as error:
                if error.reason != NOT_FOUND:
                    raise
                made = Lease(metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE), spec=self._lease_spec())
                self._own(made)
                return await self._client.create(made)
        renewed = clone(lease)
        renewed.spec = msgspec.structs.replace(lease.spec, **msgspec.structs.asdict(self._lease_spec()))
        self._own(renewed)
        return await self._client.update(renewed)

    def _lease_spec(self) -> LeaseSpec:
        return LeaseSpec(
            holderIdentity=self.config.node_name,
            leaseDurationSeconds=self.config.lease_seconds,
            renewTime=rfc3339_micro(self._clock.now()),
        )

    def _own(self, lease: Lease) -> None:
        if self.node is not None and not lease.metadata.ownerReferences:
            owner = OwnerReference(apiVersion="v1", kind="Node", name=self.node.metadata.name, uid=self.node.metadata.uid)
            lease.metadata.ownerReferences = [owner]
