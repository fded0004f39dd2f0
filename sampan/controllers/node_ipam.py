"""Each node gets its own part of the cluster's pod network: spec.podCIDR.

After upstream's pkg/controller/nodeipam (the range allocator). A node keeps its CIDR for life; a CIDR is free again when its
node is deleted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from sampan.api.types.core_v1 import Node
from sampan.controllers.runtime import Context, Controller, Key

NODE_BITS = {4: 24, 6: 64}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NodeIPAM:
    def __init__(self, cluster_cidr: str, service_cidr: str = "") -> None:
        """Pods never get addresses of `service_cidr`. Raises ValueError for what is no network."""
        self._cluster = ipaddress.ip_network(cluster_cidr)
        self._bits = max(NODE_BITS[self._cluster.version], self._cluster.prefixlen)
        self._reserved = [service_cidr] if service_cidr else []
        self._given: dict[str, str] = {}
        """By node, what was handed out and may not be in the cache yet."""

    def controller(self) -> Controller:
        # One worker: two at once could choose the same network.
        return Controller("cidrAllocator", for_=Node, reconcile=self.reconcile, workers=1)

    async def reconcile(self, ctx: Context, key: Key) -> None:
        node = ctx.get(Node, key)
        if node is None or node.spec.podCIDR:
            self._given.pop(key.name, None)
            return
        used = [cidr for other in ctx.list(Node) for cidr in (*other.spec.podCIDRs, other.spec.podCIDR) if cidr]
        cidr = self._given.get(key.name) or plan_cidr(
            self._cluster, self._bits, [*used, *self._given.values(), *self._reserved]
        )
        if cidr is None:
            ctx.events.event(node, "Normal", "CIDRNotAvailable", f"Node {key.name} status is now: CIDRNotAvailable")
            return
        self._given[key.name] = cidr
        precondition = {"uid": node.metadata.uid, "resourceVersion": node.metadata.resourceVersion}
        await ctx.patch(node, {"metadata": precondition, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}})


def plan_cidr(cluster: Network, bits: int, used: Iterable[str]) -> str | None:
    """The first network of `bits` in `cluster` that overlaps none of `used`; None: it is full."""
    taken = [network for network in map(ipaddress.ip_network, used) if network.version == cluster.version]
    size = 2 ** (cluster.max_prefixlen - bits)
    ranges = sorted((int(n.network_address), int(n.broadcast_address)) for n in taken)
    first, last = int(cluster.network_address), int(cluster.broadcast_address)
    for low, high in ranges:
        if low >= first + size:
            break
        if high >= first:
            first = (high // size + 1) * size
    if first + size - 1 > last:
        return None
    return f"{ipaddress.ip_address(first)}/{bits}"
