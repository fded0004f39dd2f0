"""The Service `kubernetes`, by which pods find the API servers, and its endpoints; whenever they differ they are put right.

After pkg/controlplane/controller/kubernetesservice and pkg/controlplane/reconcilers. Its endpoints are the servers of the store
whose leases live.
"""

from __future__ import annotations

import asyncio
import ipaddress

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.bootstrap import ensure
from sampan.apiserver.context import Context
from sampan.apiserver.masterleases import MasterLeases
from sampan.apiserver.registry.allocators import AddressPool
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.apiserver.registry.updating import Present
from sampan.lib.log import get_logger
from sampan.store.base import StoreUnavailable

NAME, NAMESPACE = "kubernetes", "default"
SERVICE_PORT = 443
_SECONDS = 10.0
_LEAVE_SECONDS = 2.0
_LABELS = {"component": "apiserver", "provider": "kubernetes"}

log = get_logger("apiserver")


class KubernetesService:
    """What one server does for the Service: keep it right, with itself among its endpoints, until it leaves."""

    def __init__(self, context: Context, port: int) -> None:
        self._context = context
        self._port = port
        self._leases = MasterLeases(context.store)
        self._address = context.config.advertise_address or context.config.bind[0][0]
        self._writing = asyncio.Lock()
        self._left = False

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.write()
            except (StatusError, StoreUnavailable) as error:
                log.warning("the kubernetes service could not be written", error=str(error))
            await self._context.clock.sleep(_SECONDS)

    async def write(self) -> None:
        """Raises StatusError, StoreUnavailable."""
        async with self._writing:
            if self._left:
                return
            await _ensure_service(self._context)
            if not self._has_endpoint():
                return
            await self._leases.renew(self._address)
            await self._write_endpoints()

    async def leave(self) -> None:
        """Take this server from the endpoints, so that nobody is sent to it any more; of a store that cannot be written, let
        its lease do that."""
        self._left = True
        if not self._has_endpoint():
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS), self._writing:
                await self._leases.remove(self._address)
                await self._write_endpoints()
        except (StatusError, StoreUnavailable, TimeoutError) as error:
            log.warning("could not leave the kubernetes service", error=repr(error))

    def _has_endpoint(self) -> bool:
        """Upstream names no loopback address in Endpoints, and validation refuses one; such a server has no pods to serve."""
        return not self._address.startswith("127.") and self._address != "::1"

    async def _write_endpoints(self) -> None:
        family = _family(self._address)
        addresses = [address for address in await self._leases.addresses() if _family(address) == family]
        if not addresses:
            return  # the last one out leaves the endpoints as they are, as upstream does
        named_port = {"name": "https", "port": self._port, "protocol": "TCP"}
        endpoints = {
            "metadata": {"name": NAME, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address} for address in addresses], "ports": [named_port]}],
        }
        await _keep(self._context.registry("", "endpoints"), endpoints)
        endpoint_slice = {
            "metadata": {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": family,
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
            "ports": [named_port],
        }
        await _keep(self._context.registry("discovery.k8s.io", "endpointslices"), endpoint_slice)


def _family(address: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(address).version}"
    except ValueError:
        return ""


async def _ensure_service(context: Context) -> None:
    services = context.registry("", "services")
    address = AddressPool(context.config.service_cidr).first
    wanted_port = {"name": "https", "port": SERVICE_PORT, "protocol": "TCP"}
    service = {
        "metadata": {"name": NAME, "labels": _LABELS},
        "spec": {"type": "ClusterIP", "clusterIP": address, "ports": [wanted_port], "sessionAffinity": "None"},
    }
    found = services.cache.get(NAMESPACE, NAME)
    if found is not None and found.tree()["spec"].get("clusterIP") != address:
        await services.remove(found)
    await ensure(services, NAMESPACE, service)


async def _keep(registry: Registry, wanted: Tree) -> None:
    if registry.cache.get(NAMESPACE, NAME) is None:
        await ensure(registry, NAMESPACE, wanted)
        return

    def change(present: Present) -> Tree:
        old = present.own()
        fields = {field: value for field, value in wanted.items() if field != "metadata"}
        return {**old, **fields, "metadata": {**old["metadata"], "labels": wanted["metadata"]["labels"]}}

    await registry.update(NAMESPACE, NAME, change, Caller(), must_match=False)
