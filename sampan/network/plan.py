"""What a node's routing table and CNI configuration should be, computed from the Nodes."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable

from sampan.api.types.core_v1 import Node

CNI_VERSION = "0.4.0"


def internal_ip(node: Node) -> str:
    """The node's first IPv4 InternalIP; "" while it has none."""
    for address in node.status.addresses:
        # Every node writes its own addresses, and nobody checks them: what is none must not reach another node's tools.
        if address.type == "InternalIP" and _parsed(ipaddress.IPv4Address, address.address):
            return address.address
    return ""


def pod_cidrs(node: Node) -> list[str]:
    """The node's IPv4 ranges of pod addresses, in canonical form."""
    return [found for cidr in node.spec.podCIDRs or [node.spec.podCIDR] if (found := _parsed(_network, cidr))]


def plan_routes(nodes: Iterable[Node], node_name: str) -> dict[str, str]:
    """Pod CIDR → gateway, for every other node that has both."""
    routes: dict[str, str] = {}
    for node in nodes:
        gateway = internal_ip(node)
        if node.metadata.name != node_name and gateway:
            routes |= dict.fromkeys(pod_cidrs(node), gateway)
    return routes


def _network(text: str) -> ipaddress.IPv4Network:
    # The API takes a range with host bits, as upstream's does.
    return ipaddress.IPv4Network(text, strict=False)


def _parsed(parse: Callable[[str], object], text: str) -> str:
    """The canonical form; "" for what is no such thing."""
    try:
        return str(parse(text)) if text else ""
    except ValueError:
        return ""


def cni_configuration(pod_cidr: str, *, mtu: int = 0, state_dir: str = "/var/lib/cni") -> str:
    """The conflist for the bridge, host-local and portmap plugins, as JSON.

    hairpinMode lets a pod reach itself through a service. ipMasq is off, as `masquerade_rules` does that for the whole node.
    """
    bridge: dict[str, object] = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_cidr}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": f"{state_dir}/networks",
        },
    }
    if mtu:
        bridge["mtu"] = mtu
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return json.dumps({"cniVersion": CNI_VERSION, "name": "sampan", "plugins": [bridge, portmap]}, indent=2) + "\n"


def masquerade_rules(table: str, pod_cidr: str, cluster_cidr: str) -> str:
    """The `nft -f` script that gives pods the node's address when they talk to the world outside the pod network."""
    return (
        f"add table ip {table}\ndelete table ip {table}\nadd table ip {table}\n"
        f"add chain ip {table} postrouting {{ type nat hook postrouting priority srcnat + 5; }}\n"
        f"add rule ip {table} postrouting ip saddr {pod_cidr} ip daddr != {cluster_cidr} "
        "fib daddr type != local masquerade fully-random\n"
    )
