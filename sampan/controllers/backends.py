"""The pods behind a service: which they are, at what ports, in what condition. Endpoints and EndpointSlices are made of it.

After upstream's pkg/controller/util/endpoint and staging/src/k8s.io/endpointslice/util.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from sampan.api.types.core_v1 import Container, Node, ObjectReference, Pod, Service, ServicePort
from sampan.controllers.runtime import Context, Key, key_of

HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"


def selects(service: Service, pod: Pod) -> bool:
    """An empty selector selects nothing: the endpoints of such a service are its owner's business."""
    selector = service.spec.selector
    return bool(selector) and selector.items() <= pod.metadata.labels.items()


def has_managed_endpoints(service: Service) -> bool:
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    return service.spec.clusterIP == "None"


def pods_of(ctx: Context, service: Service) -> list[Pod]:
    """In a stable order, so that equal worlds make equal objects."""
    found = [pod for pod in ctx.list(Pod, service.metadata.namespace) if selects(service, pod)]
    return sorted(found, key=lambda pod: pod.metadata.name)


def services_of(ctx: Context, pod: Pod) -> Iterable[Key]:
    """A Watch mapping: the services that a pod stands behind."""
    return [key_of(service) for service in ctx.list(Service, pod.metadata.namespace) if selects(service, pod)]


def is_over(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def addresses(pod: Pod) -> list[str]:
    return [entry.ip for entry in pod.status.podIPs] or ([pod.status.podIP] if pod.status.podIP else [])


def address_of_family(pod: Pod, family: str) -> str:
    """`family`: IPv4 or IPv6; "" where the pod has no address of it."""
    for address in addresses(pod):
        if f"IPv{ipaddress.ip_address(address).version}" == family:
            return address
    return ""


def families(service: Service) -> list[str]:
    if service.spec.ipFamilies:
        return service.spec.ipFamilies
    cluster_ip = service.spec.clusterIP
    return ["IPv6"] if ":" in cluster_ip else ["IPv4"]


def target_port(pod: Pod, port: ServicePort) -> int | None:
    """The pod's port behind a service's; None: it has no container port of that name and protocol."""
    target = port.targetPort
    if not isinstance(target, str):
        return target or port.port
    for container in _serving_containers(pod):
        for offered in container.ports:
            if offered.name == target and (offered.protocol or "TCP") == (port.protocol or "TCP"):
                return offered.containerPort
    return None


def _serving_containers(pod: Pod) -> Iterable[Container]:
    yield from pod.spec.containers
    for container in pod.spec.initContainers:
        if container.restartPolicy == "Always":  # a sidecar
            yield container


def reference_to(pod: Pod) -> ObjectReference:
    return ObjectReference(
        kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
    )  # fmt: skip


def hostname_in(service: Service, pod: Pod) -> str:
    """The pod's own DNS name under a headless service that is its subdomain."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""


def zone_of(ctx: Context, pod: Pod) -> str:
    node = ctx.get(Node, Key("", pod.spec.nodeName)) if pod.spec.nodeName else None
    return node.metadata.labels.get(ZONE, "") if node is not None else ""
