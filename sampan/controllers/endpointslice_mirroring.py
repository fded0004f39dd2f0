"""EndpointSlices for Endpoints that somebody keeps by hand, for a service without a selector.

After staging's counterpart pkg/controller/endpointslicemirroring. Whoever routes traffic reads slices only; this keeps the
older form working. Endpoints labelled `endpointslice.kubernetes.io/skip-mirror` have slices of their maker's own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from sampan.api.types.core_v1 import EndpointAddress, Endpoints, EndpointSubset, Service
from sampan.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice
from sampan.controllers.endpointslice import MANAGED_BY, SERVICE_NAME, Frame, Group, Plan, Ports, apply, plan_slices
from sampan.controllers.ownership import controller_reference
from sampan.controllers.runtime import Context, Controller, Key, Watch, key_of

CONTROLLER_NAME = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
MAX_ADDRESSES = 1000
"""Of a subset."""


async def reconcile(ctx: Context, key: Key) -> None:
    endpoints = ctx.get(Endpoints, key)
    if endpoints is None:
        return  # its slices go with it, by their owner reference
    existing = [s for s in ctx.owned(EndpointSlice, endpoints) if s.metadata.labels.get(MANAGED_BY) == CONTROLLER_NAME]
    if _is_mirrored(endpoints, ctx.get(Service, key)):
        await apply(ctx, plan_slices(_frame(endpoints), (), plan_groups(endpoints.subsets), existing))
    else:
        await apply(ctx, Plan(delete=existing))


def plan_groups(subsets: Iterable[EndpointSubset]) -> list[Group]:
    groups: dict[tuple[str, Ports], Group] = {}
    for subset in subsets:
        ports = tuple((p.name, p.port, p.protocol or "TCP", p.appProtocol) for p in subset.ports)
        addresses = [*((a, True) for a in subset.addresses), *((a, False) for a in subset.notReadyAddresses)]
        for address, ready in addresses[:MAX_ADDRESSES]:
            family = f"IPv{ipaddress.ip_address(address.ip).version}"
            groups.setdefault((family, ports), Group(family, ports)).endpoints.append(_endpoint(address, ready))
    return list(groups.values())


def _endpoint(address: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[address.ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname,
        nodeName=address.nodeName,
        targetRef=address.targetRef,
    )


def _is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    if service is None or service.spec.selector:
        return False
    return endpoints.metadata.labels.get(SKIP) != "true" and not endpoints.metadata.deletionTimestamp


def _frame(endpoints: Endpoints) -> Frame:
    meta = endpoints.metadata
    labels = {**meta.labels, SERVICE_NAME: meta.name, MANAGED_BY: CONTROLLER_NAME}
    return Frame(f"{meta.name}-", meta.namespace, labels, controller_reference(endpoints))


def _same_name(ctx: Context, service: Service) -> Iterable[Key]:
    return (key_of(service),)


CONTROLLER = Controller(
    "endpoint-slice-mirroring-controller",
    for_=Endpoints,
    owns=(EndpointSlice,),
    watches=(Watch(Service, _same_name),),
    reconcile=reconcile,
)
