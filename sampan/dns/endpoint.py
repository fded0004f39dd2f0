"""How a node's DNS server becomes an endpoint of the Service `kube-system/kube-dns`.

Every node serves DNS itself, so the Service routes each node's queries to that node (internalTrafficPolicy Local). Its
EndpointSlice is written by the server it describes, as there are no pods from which a controller could make it.
"""

from __future__ import annotations

from sampan.api.errors import NOT_FOUND, StatusError
from sampan.api.types.core_v1 import Service, ServicePort, ServiceSpec
from sampan.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.client.rest import Client

NAMESPACE = "kube-system"
SERVICE = "kube-dns"
PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def kube_dns_service(cluster_ip: str) -> Service:
    """The Service as kubeadm makes it, but for the selector: its endpoints are nodes."""
    return Service(
        metadata=ObjectMeta(
            name=SERVICE,
            namespace=NAMESPACE,
            labels={"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        ),
        spec=ServiceSpec(
            clusterIP=cluster_ip,
            internalTrafficPolicy="Local",
            ports=[ServicePort(name=name, port=53, protocol=protocol, targetPort=53) for name, protocol in PORTS],
        ),
    )


async def ensure_service(client: Client, cluster_ip: str) -> None:
    """Create the Service unless it is there. Looks first: a create would be refused for its address before its name."""
    try:
        await client.get(Service, SERVICE, NAMESPACE)
    except StatusError as error:
        if error.reason != NOT_FOUND:
            raise
        await client.create(kube_dns_service(cluster_ip))


async def publish(client: Client, *, node_name: str, node_ip: str, port: int = 53) -> None:
    """Write this node's EndpointSlice, making or correcting it."""
    wanted = EndpointSlice(
        metadata=ObjectMeta(
            name=f"{SERVICE}-{node_name}",
            namespace=NAMESPACE,
            labels={"kubernetes.io/service-name": SERVICE, "endpointslice.kubernetes.io/managed-by": "sampan-agent"},
        ),
        addressType="IPv4",
        ports=[EndpointPort(name=name, port=port, protocol=protocol) for name, protocol in PORTS],
        endpoints=[
            Endpoint(
                addresses=[node_ip],
                nodeName=node_name,
                conditions=EndpointConditions(ready=True, serving=True, terminating=False),
            )
        ],
    )
    try:
        current = await client.get(EndpointSlice, wanted.metadata.name, NAMESPACE)
    except StatusError as error:
        if error.reason != NOT_FOUND:
            raise
        await client.create(wanted)
        return
    if (current.endpoints, current.ports) != (wanted.endpoints, wanted.ports):
        wanted.metadata.resourceVersion = current.metadata.resourceVersion
        await client.update(wanted)
