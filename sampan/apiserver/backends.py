"""Connections from the API server into the cluster: to pods, to what stands behind Services, to addresses of nodes.

A pod that has a network of its own is reached through its node's kubelet (`podports`), anything else at its address.
"""

from __future__ import annotations

import socket
from collections import OrderedDict

from sampan.apiserver.kubelet import Tree
from sampan.apiserver.podports import PodPorts
from sampan.apiserver.registry.registries import Registries
from sampan.apiserver.webhooks.resolve import Place, resolve_service
from sampan.client.config import ClientConfig
from sampan.client.transport import Transport

_KEPT_TRANSPORTS = 200


class Backends:
    def __init__(self, registries: Registries, ports: PodPorts) -> None:
        self._registries = registries
        self._ports = ports
        self._transports: OrderedDict[tuple[str, str, int, str], Transport] = OrderedDict()

    async def dial(self, place: Place) -> tuple[str, int] | socket.socket:
        """How to get to a place: where to connect, or a connection. Raises ConnectionError, TimeoutError, StatusError."""
        pod = self._pod(place)
        if pod is None or pod["spec"].get("hostNetwork"):
            return place.address, place.port
        return await self._ports.connect(pod, place.port)

    async def dial_service(self, namespace: str, name: str, port: int) -> tuple[str, int] | socket.socket:
        """A ready endpoint of a Service, another one for each connection. Raises as `dial` does."""
        return await self.dial(resolve_service(self._registries, namespace, name, port))

    def transport(self, scheme: str, place: Place) -> Transport:
        """To what a proxy subresource leads to, kept for requests to come. Certificates are not looked at, as upstream."""
        key = (scheme, place.address, place.port, "/".join(place.pod))
        found = self._transports.get(key)
        if found is not None:
            self._transports.move_to_end(key)
            return found
        host = f"[{place.address}]" if ":" in place.address else place.address
        config = ClientConfig(f"{scheme}://{host}:{place.port}", insecure=True, user_agent="")
        found = self._transports[key] = Transport(config, dial=lambda: self.dial(place))
        if len(self._transports) > _KEPT_TRANSPORTS:
            _, oldest = self._transports.popitem(last=False)
            oldest.retire()
        return found

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()

    def _pod(self, place: Place) -> Tree | None:
        if not place.pod:
            return None
        found = self._registries.get("", "pods").cache.get(*place.pod)
        return found.tree() if found is not None else None
