"""Where a Service is reached from the API server: at one of its ready endpoints.

Upstream goes to the cluster IP unless told `--enable-aggregator-routing`; here it is always an endpoint, for cluster IPs exist
on nodes only, and the API server need not be on one. After k8s.io/apiserver/pkg/util/proxy.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from sampan.api.errors import not_found, service_unavailable
from sampan.api.resource import Tree
from sampan.apiserver.registry.registries import Registries

SERVICE_NAME = "kubernetes.io/service-name"


class Place(NamedTuple):
    address: str
    port: int
    pod: tuple[str, str] | tuple[()] = ()
    """Namespace and name of the pod whose address it is."""


def resolve_service(registries: Registries, namespace: str, name: str, port: int) -> Place:
    """A ready endpoint of a service's port. Raises StatusError 404 for no such service, 503 where nobody serves it."""
    found = registries.get("", "services").cache.get(namespace, name)
    if found is None:
        raise not_found("service", "", name)
    spec: Tree = found.tree().get("spec", {})
    if spec.get("type") == "ExternalName":
        return Place(spec.get("externalName", ""), port)
    wanted = next((each for each in spec.get("ports", ()) if each.get("port") == port), None)
    if wanted is None:
        raise service_unavailable(f'no service port {port} found for service "{name}"')
    places = ready_places(registries, namespace, name, wanted.get("name", ""))
    if not places:
        raise service_unavailable(f'no endpoints available for service "{name}"')
    return random.choice(places)


def ready_places(registries: Registries, namespace: str, service: str, port_name: str) -> list[Place]:
    """The ready endpoints of a Service at its port of that name."""
    places: list[Place] = []
    for obj in registries.get("discovery.k8s.io", "endpointslices").cache.in_namespace(namespace):
        if obj.labels.get(SERVICE_NAME) == service:
            places += _places(obj.tree(), namespace, port_name)
    return places


def _places(tree: Tree, namespace: str, port_name: str) -> Iterator[Place]:
    numbers = [port["port"] for port in tree.get("ports") or () if port.get("name", "") == port_name and port.get("port")]
    for endpoint in tree.get("endpoints") or ():
        if not (endpoint.get("conditions") or {}).get("ready", True):
            continue
        target = endpoint.get("targetRef") or {}
        # Who may write slices of one namespace must not get by them to the loopback of another's pods.
        is_own_pod = target.get("kind") == "Pod" and target.get("namespace", namespace) == namespace
        pod = (namespace, target.get("name", "")) if is_own_pod else ()
        for address in endpoint.get("addresses", ())[:1]:
            yield from (Place(address, number, pod) for number in numbers)
