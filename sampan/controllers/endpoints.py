"""Endpoints: the older form of a service's addresses, which `kubectl get endpoints` and older clients read.

After upstream's pkg/controller/endpoint: at most a thousand addresses, ports grouped by the addresses that have them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from sampan.api.types.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers import backends, triggertimes
from sampan.controllers.pods import is_ready
from sampan.controllers.runtime import Context, Controller, Key, Watch, key_of

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000

Port = tuple[str, int, str, str]


@dataclass(slots=True)
class _Addresses:
    ready: dict[str, EndpointAddress] = field(default_factory=dict)
    not_ready: dict[str, EndpointAddress] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(sorted(self.ready)), tuple(sorted(self.not_ready))


async def reconcile(ctx: Context, key: Key) -> None:
    service = ctx.get(Service, key)
    current = ctx.get(Endpoints, key)
    if service is None:
        triggertimes.forget(ctx)
        if current is not None:
            await ctx.delete(current)
        return
    if not backends.has_managed_endpoints(service) or service.metadata.deletionTimestamp:
        return
    pods = backends.pods_of(ctx, service)
    triggered = triggertimes.trigger_time(ctx, service, pods)
    wanted = plan_endpoints(service, pods, current)
    if wanted == current:
        return
    meta = wanted.metadata
    wanted = replace(wanted, metadata=replace(meta, annotations=triggertimes.annotated(meta.annotations, triggered)))
    await (ctx.create(wanted) if current is None else ctx.update(wanted))


def plan_endpoints(service: Service, pods: Iterable[Pod], current: Endpoints | None) -> Endpoints:
    """The object as it should be, upon the one that is there."""
    subsets, truncated = _truncate(plan_subsets(service, pods))
    meta = current.metadata if current is not None else ObjectMeta(
        name=service.metadata.name, namespace=service.metadata.namespace
    )  # fmt: skip
    labels = {**service.metadata.labels, MANAGED_BY: CONTROLLER_NAME}
    if backends.is_headless(service):
        labels[backends.HEADLESS] = ""
    else:
        labels.pop(backends.HEADLESS, None)
    annotations = {k: v for k, v in meta.annotations.items() if k != OVER_CAPACITY}
    if truncated:
        annotations[OVER_CAPACITY] = "truncated"
    meta = replace(meta, labels=labels, annotations=annotations)
    return (
        replace(current, metadata=meta, subsets=subsets) if current is not None else Endpoints(metadata=meta, subsets=subsets)
    )


def plan_subsets(service: Service, pods: Iterable[Pod]) -> list[EndpointSubset]:
    by_port: dict[Port | None, _Addresses] = {}
    family = backends.families(service)[0]
    for pod in pods:
        if address := _address(service, pod, family):
            for port in _ports(service, pod):
                _add(by_port.setdefault(port, _Addresses()), service, pod, address)
    by_addresses: dict[object, tuple[list[EndpointPort], _Addresses]] = {}
    for port, found in sorted(by_port.items(), key=lambda item: item[0] or ("", 0, "", "")):
        ports, _ = by_addresses.setdefault(found.identity, ([], found))
        if port is not None:
            ports.append(EndpointPort(name=port[0], port=port[1], protocol=port[2], appProtocol=port[3]))
    subsets = [
        EndpointSubset(
            addresses=[a for _, a in sorted(found.ready.items())],
            notReadyAddresses=[a for _, a in sorted(found.not_ready.items())],
            ports=ports,
        )
        for ports, found in by_addresses.values()
    ]
    return [subset for subset in subsets if subset.addresses or subset.notReadyAddresses]


def _address(service: Service, pod: Pod, family: str) -> EndpointAddress | None:
    if backends.is_over(pod) or (pod.metadata.deletionTimestamp and not service.spec.publishNotReadyAddresses):
        return None
    ip = backends.address_of_family(pod, family)
    if not ip:
        return None
    return EndpointAddress(
        ip=ip, nodeName=pod.spec.nodeName, targetRef=backends.reference_to(pod), hostname=backends.hostname_in(service, pod)
    )


def _ports(service: Service, pod: Pod) -> Iterable[Port | None]:
    if not service.spec.ports:  # headless, perhaps: addresses without ports
        return [None]
    found = ((p, backends.target_port(pod, p)) for p in service.spec.ports)
    return [(p.name, number, p.protocol or "TCP", p.appProtocol) for p, number in found if number is not None]


def _add(found: _Addresses, service: Service, pod: Pod, address: EndpointAddress) -> None:
    if service.spec.publishNotReadyAddresses or is_ready(pod):
        found.ready[address.ip] = address
        found.not_ready.pop(address.ip, None)
    elif address.ip not in found.ready:
        found.not_ready[address.ip] = address


def _truncate(subsets: list[EndpointSubset]) -> tuple[list[EndpointSubset], bool]:
    """Ready addresses are kept before others."""
    total = sum(len(s.addresses) + len(s.notReadyAddresses) for s in subsets)
    if total <= MAX_ADDRESSES:
        return subsets, False
    room = MAX_ADDRESSES
    kept = []
    for subset in subsets:
        ready = subset.addresses[:room]
        room -= len(ready)
        kept.append(replace(subset, addresses=ready))
    for index, subset in enumerate(kept):
        not_ready = subset.notReadyAddresses[:room]
        room -= len(not_ready)
        kept[index] = replace(subset, notReadyAddresses=not_ready)
    return [s for s in kept if s.addresses or s.notReadyAddresses], True


def _written_by_us(ctx: Context, endpoints: Endpoints) -> Iterable[Key]:
    """Endpoints without a service may be anybody's; only our own are looked after."""
    key = key_of(endpoints)
    service = ctx.get(Service, key)
    ours = endpoints.metadata.labels.get(MANAGED_BY) == CONTROLLER_NAME
    return (key,) if ours or (service is not None and service.spec.selector) else ()


CONTROLLER = Controller(
    "endpoint-controller",
    for_=Service,
    watches=(Watch(Pod, backends.services_of), Watch(Endpoints, _written_by_us)),
    reconcile=reconcile,
)
