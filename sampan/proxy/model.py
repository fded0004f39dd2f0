"""What each service port does on one node, computed from Services and EndpointSlices.

Follows https://kubernetes.io/docs/reference/networking/virtual-ips/: traffic goes to ready endpoints; while there is none,
to those that still serve while they terminate; a `Local` policy keeps to this node's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sampan.api.types.core_v1 import Service, ServicePort
from sampan.api.types.discovery_v1 import Endpoint, EndpointSlice

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
DEFAULT_AFFINITY_SECONDS = 10800

Address = tuple[str, int]
"""An endpoint's IP and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRules:
    """The rules of one port of one Service. `name` is "namespace/service:port", unique on the node with the protocol."""

    name: str
    protocol: str
    """"tcp", "udp" or "sctp"."""
    port: int
    cluster_ip: str
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    """spec.externalIPs and load-balancer IPs."""
    affinity_seconds: int = 0
    """ClientIP session affinity; 0: none."""
    internal: tuple[Address, ...] = ()
    """Where traffic to the cluster IP goes."""
    external: tuple[Address, ...] = ()
    """Where traffic to the node port and the external IPs goes."""
    local_only: bool = False
    """externalTrafficPolicy Local: traffic from outside keeps its source address and this node's endpoints."""
    drop_internal: bool = False
    """Nobody here, somebody elsewhere, and a Local policy for the cluster IP: drop rather than reject."""
    drop_external: bool = False


def plan(services: Iterable[Service], slices: Iterable[EndpointSlice], node_name: str) -> dict[str, PortRules]:
    """The rules of every service port this node's proxy is responsible for, by "namespace/service:port/protocol"."""
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    for each in slices:
        if each.addressType == "IPv4":
            owner = each.metadata.labels.get(SERVICE_NAME_LABEL, "")
            by_service.setdefault((each.metadata.namespace, owner), []).append(each)
    rules: dict[str, PortRules] = {}
    for service in services:
        if not _is_proxied(service):
            continue
        mine = by_service.get((service.metadata.namespace, service.metadata.name), [])
        for port in service.spec.ports:
            made = _port_rules(service, port, mine, node_name)
            rules[f"{made.name}/{made.protocol}"] = made
    return rules


def _is_proxied(service: Service) -> bool:
    spec = service.spec
    if spec.type == "ExternalName" or spec.clusterIP in ("", "None") or ":" in spec.clusterIP:
        return False
    return PROXY_NAME_LABEL not in service.metadata.labels


def _port_rules(service: Service, port: ServicePort, slices: list[EndpointSlice], node_name: str) -> PortRules:
    spec = service.spec
    everywhere = _endpoints(slices, port, "")
    here = _endpoints(slices, port, node_name)
    internal_local = spec.internalTrafficPolicy == "Local"
    external_local = spec.externalTrafficPolicy == "Local" and spec.type in ("NodePort", "LoadBalancer")
    affinity = 0
    if spec.sessionAffinity == "ClientIP":
        config = spec.sessionAffinityConfig
        client_ip = config.clientIP if config else None
        affinity = (client_ip.timeoutSeconds if client_ip else None) or DEFAULT_AFFINITY_SECONDS
    ingress = service.status.loadBalancer.ingress if service.status.loadBalancer else []
    return PortRules(
        name=f"{service.metadata.namespace}/{service.metadata.name}:{port.name}",
        protocol=(port.protocol or "TCP").lower(),
        port=port.port,
        cluster_ip=spec.clusterIP,
        node_port=port.nodePort or 0,
        external_ips=tuple(sorted({*spec.externalIPs, *(i.ip for i in ingress if i.ip and i.ipMode != "Proxy")})),
        affinity_seconds=affinity,
        internal=here if internal_local else everywhere,
        external=here if external_local else everywhere,
        local_only=external_local,
        drop_internal=internal_local and not here and bool(everywhere),
        drop_external=external_local and not here and bool(everywhere),
    )


def _endpoints(slices: list[EndpointSlice], port: ServicePort, node_name: str) -> tuple[Address, ...]:
    """Ready endpoints of the port (on `node_name` only, if given) or, when there are none, those serving to their end."""
    ready: set[Address] = set()
    leaving: set[Address] = set()
    for each in slices:
        number = next(
            (p.port for p in each.ports if p.name == port.name and (p.protocol or "TCP") == (port.protocol or "TCP")), None
        )
        if not number:
            continue
        for endpoint in each.endpoints:
            if not endpoint.addresses or (node_name and endpoint.nodeName != node_name):
                continue
            address = (endpoint.addresses[0], number)
            if _is_ready(endpoint):
                ready.add(address)
            elif endpoint.conditions and endpoint.conditions.serving and endpoint.conditions.terminating:
                leaving.add(address)
    return tuple(sorted(ready or leaving))


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False
