"""The loop that keeps the node's routes as planned, in the network namespace of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sampan.api.types.core_v1 import Node
from sampan.client.informer import InformerFactory
from sampan.client.rest import Client
from sampan.lib.command import CommandError, run_command
from sampan.lib.log import get_logger
from sampan.network.plan import cni_configuration, masquerade_rules, plan_routes, pod_cidrs

PROTOCOL = "83"
"""Marks our routes (`ip route list proto 83`), so that those of a former life are found and no other's are touched."""
SERVICE_DEVICE = "kube-svc0"
MASQUERADE_TABLE = "sampan-network"
COMMAND_TIMEOUT_SECONDS = 15.0
RETRY_SECONDS = 2.0

log = get_logger("network")


async def _tool(*arguments: str, text: str = "") -> str:
    return await run_command(arguments, text, deadline_seconds=COMMAND_TIMEOUT_SECONDS)


class PodNetwork:
    """Routes, masquerading, and the CNI configuration once the node has a pod CIDR. Runs until cancelled."""

    def __init__(
        self,
        client: Client,
        *,
        node_name: str,
        node_ip: str,
        cluster_cidr: str,
        service_cidr: str,
        cni_dir: Path,
        state_dir: Path,
        informers: InformerFactory | None = None,
    ) -> None:
        self._clock = client.clock
        self._node_name = node_name
        self._node_ip = node_ip
        self._cluster_cidr = cluster_cidr
        self._service_cidr = service_cidr
        self._cni_dir = cni_dir
        self._state_dir = state_dir
        self._own_informers = informers is None
        self._informers = informers or InformerFactory(client)
        self._nodes = self._informers.informer(Node)
        self._changed = asyncio.Event()
        self._pod_cidr = ""

    async def run(self) -> None:
        self._nodes.add_handler(self._on_node)
        async with asyncio.TaskGroup() as tasks:
            if self._own_informers:
                tasks.create_task(self._informers.run(), name="network-informers")
            await self._nodes.wait_synced()
            await self._retrying(self._prepare)
            self._changed.set()
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._retrying(self._apply)

    def _on_node(self, old: Node | None, new: Node | None) -> None:
        # A node's status changes every few seconds; only these two make a route.
        if old is None or new is None or (old.spec, old.status.addresses) != (new.spec, new.status.addresses):
            self._changed.set()

    async def _retrying(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
                return
            except (CommandError, OSError) as error:
                log.error("cannot set up the network, trying again", error=str(error))
                await self._clock.sleep(RETRY_SECONDS)

    async def _prepare(self) -> None:
        """A packet of the node's own to a cluster IP needs a route before NAT can see it: one to a device that leads
        nowhere, so that what no rule catches dies there."""
        if SERVICE_DEVICE not in await _tool("ip", "-o", "link"):
            await _tool("ip", "link", "add", SERVICE_DEVICE, "type", "bridge")
        await _tool("ip", "link", "set", SERVICE_DEVICE, "up")
        route = f"route replace {self._service_cidr} dev {SERVICE_DEVICE} src {self._node_ip} proto {PROTOCOL}"
        # The pods of a node that is not there: the exact routes win over this one.
        hole = f"route replace blackhole {self._cluster_cidr} metric 4096 proto {PROTOCOL}"
        await _tool("ip", "-batch", "-", text=f"{route}\n{hole}\n")

    async def _apply(self) -> None:
        own = self._nodes.get(self._node_name)
        pod_cidr = next(iter(pod_cidrs(own)), "") if own is not None else ""
        if pod_cidr and pod_cidr != self._pod_cidr:
            await self._use_pod_cidr(pod_cidr)
        wanted = plan_routes(self._nodes.list(), self._node_name)
        current = await self._current_routes()
        lines = [f"route del {cidr} proto {PROTOCOL}" for cidr in sorted(current.keys() - wanted.keys())]
        lines += [
            f"route replace {cidr} via {gateway} proto {PROTOCOL}"
            for cidr, gateway in sorted(wanted.items())
            if current.get(cidr) != gateway
        ]
        if lines:
            await _tool("ip", "-batch", "-", text="\n".join(lines) + "\n")

    async def _current_routes(self) -> dict[str, str]:
        output = await _tool("ip", "-4", "route", "list", "proto", PROTOCOL)
        lines = [line.split() for line in output.splitlines()]
        return {words[0]: words[2] for words in lines if len(words) > 2 and words[1] == "via"}

    async def _use_pod_cidr(self, pod_cidr: str) -> None:
        await _tool("nft", "-f", "-", text=masquerade_rules(MASQUERADE_TABLE, pod_cidr, self._cluster_cidr))
        text = cni_configuration(pod_cidr, state_dir=str(self._state_dir))
        path = self._cni_dir / "10-sampan.conflist"
        if not path.exists() or path.read_text() != text:
            self._cni_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            # containerd watches the directory and must not read half a file.
            temporary = path.with_suffix(".tmp")
            temporary.write_text(text)
            temporary.replace(path)
        self._pod_cidr = pod_cidr
        log.info("pod network configured", pod_cidr=pod_cidr)
