"""The Service `kubernetes`, by which pods find the API server, and its endpoints; whenever they differ they are put right.

After pkg/controlplane/controller/kubernetesservice. One server names itself alone; several of one store come with leases.
"""

from __future__ import annotations

from sampan.api.errors import StatusError
from sampan.api.resource import Tree
from sampan.apiserver.bootstrap import ensure
from sampan.apiserver.context import Context
from sampan.apiserver.registry.allocators import AddressPool
from sampan.apiserver.registry.generic import Caller, Registry
from sampan.lib.log import get_logger
from sampan.store.base import StoreUnavailable

NAME, NAMESPACE = "kubernetes", "default"
SERVICE_PORT = 443
_SECONDS = 10.0
_LABELS = {"component": "apiserver", "provider": "kubernetes"}

log = get_logger("apiserver")


async def keep_kubernetes_service(context: Context, port: int) -> None:
    """Until cancelled."""
    while True:
        try:
            await write_kubernetes_service(context, port)
        except (StatusError, StoreUnavailable) as error:
            log.warning("the kubernetes service could not be written", error=str(error))
        await context.clock.sleep(_SECONDS)


async def write_kubernetes_service(context: Context, port: int) -> None:
    """Raises StatusError."""
    address = context.config.advertise_address or context.config.bind[0][0]
    family = "IPv6" if ":" in address else "IPv4"
    await _ensure_service(context)
    # Upstream names no loopback address in Endpoints, and validation refuses one; such a server has no pods to serve.
    if address.startswith("127.") or address == "::1":
        return
    named_port = {"name": "https", "port": port, "protocol": "TCP"}
    endpoints = {
        "metadata": {"name": NAME, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": [{"ip": address}], "ports": [named_port]}],
    }
    await _keep(context.registry("", "endpoints"), endpoints)
    endpoint_slice = {
        "metadata": {"name": NAME, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": family,
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [named_port],
    }
    await _keep(context.registry("discovery.k8s.io", "endpointslices"), endpoint_slice)


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

    def change(old: Tree) -> Tree:
        fields = {field: value for field, value in wanted.items() if field != "metadata"}
        return {**old, **fields, "metadata": {**old["metadata"], "labels": wanted["metadata"]["labels"]}}

    await registry.update(NAMESPACE, NAME, change, Caller(), must_match=False)
