"""The zone's directory over informers, and what tells the server's cache that something changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sampan.api.types.core_v1 import Namespace, Service
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.client.informer import InformerFactory


class InformerDirectory:
    """Implements `zone.Directory`; calls `on_change` after every change of what it would answer."""

    def __init__(self, informers: InformerFactory, on_change: Callable[[], None]) -> None:
        self._services = informers.informer(Service, indexers={"clusterIP": _cluster_ips})
        self._slices = informers.informer(EndpointSlice, indexers={"service": _service_key, "address": _addresses})
        self._namespaces = informers.informer(Namespace)
        for informer in (self._services, self._slices, self._namespaces):
            informer.add_handler(lambda old, new: on_change())

    async def wait_synced(self) -> None:
        await self._services.wait_synced()
        await self._slices.wait_synced()
        await self._namespaces.wait_synced()

    def service(self, namespace: str, name: str) -> Service | None:
        return self._services.get(name, namespace)

    def slices(self, namespace: str, service: str) -> Iterable[EndpointSlice]:
        return self._slices.by_index("service", f"{namespace}/{service}")

    def namespace_exists(self, name: str) -> bool:
        return self._namespaces.get(name) is not None

    def services_with_ip(self, ip: str) -> Iterable[Service]:
        return self._services.by_index("clusterIP", ip)

    def slices_with_ip(self, ip: str) -> Iterable[EndpointSlice]:
        return self._slices.by_index("address", ip)


def _cluster_ips(service: Service) -> list[str]:
    return [service.spec.clusterIP] if service.spec.clusterIP not in ("", "None") else []


def _service_key(slice_: EndpointSlice) -> list[str]:
    service = slice_.metadata.labels.get("kubernetes.io/service-name")
    return [f"{slice_.metadata.namespace}/{service}"] if service else []


def _addresses(slice_: EndpointSlice) -> set[str]:
    return {address for endpoint in slice_.endpoints for address in endpoint.addresses}
