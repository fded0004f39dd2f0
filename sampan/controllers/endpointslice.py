"""EndpointSlices: for each service with a selector, the addresses and ports of its pods, at most a hundred to a slice.

After staging/src/k8s.io/endpointslice. Writes are minimal: an endpoint stays in the slice it is in, a slice without
changes is not written, and a slice that is to go is turned into one that is to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from sampan.api.types.core_v1 import Node, Pod, Service
from sampan.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from sampan.api.types.meta_v1 import ObjectMeta, OwnerReference
from sampan.controllers import backends, triggertimes
from sampan.controllers.ownership import controller_reference
from sampan.controllers.pods import is_ready
from sampan.controllers.runtime import Context, Controller, Key, Watch

MAX_ENDPOINTS = 100
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpointslice-controller.k8s.io"

Ports = tuple[tuple[str, int | None, str, str], ...]
"""(name, port, protocol, appProtocol) of a slice, hashable."""


@dataclass(slots=True)
class Group:
    """Endpoints that can share slices: the same family and ports."""

    family: str
    ports: Ports
    endpoints: list[Endpoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all slices made of one object have in common."""

    prefix: str
    namespace: str
    labels: dict[str, str]
    owner: OwnerReference
    triggered: str | None = None
    """When the change happened that they are written for, "" where nobody knows; None: they say nothing of that."""


@dataclass(slots=True)
class Plan:
    create: list[EndpointSlice] = field(default_factory=list)
    update: list[EndpointSlice] = field(default_factory=list)
    delete: list[EndpointSlice] = field(default_factory=list)


async def reconcile(ctx: Context, key: Key) -> None:
    service = ctx.get(Service, key)
    if service is None:
        triggertimes.forget(ctx)
    if service is None or service.metadata.deletionTimestamp or not backends.has_managed_endpoints(service):
        return  # slices of a service that is gone go with it, by their owner reference
    pods = [(pod, backends.zone_of(ctx, pod)) for pod in backends.pods_of(ctx, service)]
    existing = [s for s in ctx.owned(EndpointSlice, service) if s.metadata.labels.get(MANAGED_BY) == CONTROLLER_NAME]
    frame = frame_of(service, triggertimes.trigger_time(ctx, service, (pod for pod, _ in pods)))
    await apply(ctx, plan_slices(frame, backends.families(service), plan_groups(service, pods), existing))


async def apply(ctx: Context, plan: Plan) -> None:
    for gone in plan.delete:
        await ctx.delete(gone)
    for changed in plan.update:
        await ctx.update(changed)
    for new in plan.create:
        await ctx.create(new)


def plan_groups(service: Service, pods: Iterable[tuple[Pod, str]]) -> list[Group]:
    """`pods` with the zone of each. Pods that ended, or have no address yet, are no endpoints."""
    groups: dict[tuple[str, Ports], Group] = {}
    for pod, zone in pods:
        if backends.is_over(pod):
            continue
        ports = _ports(service, pod)
        for family in backends.families(service):
            if address := backends.address_of_family(pod, family):
                group = groups.setdefault((family, ports), Group(family, ports))
                group.endpoints.append(_endpoint(service, pod, address, zone))
    return list(groups.values())


def plan_slices(
    frame: Frame, families: Iterable[str], groups: Sequence[Group], existing: Sequence[EndpointSlice]
) -> Plan:  # fmt: skip
    """`families`: those that get an empty slice where no group has any endpoints of them."""
    plan = Plan()
    left = {s.metadata.uid: s for s in existing if not s.metadata.deletionTimestamp}
    for group in groups:
        fitting = [s for s in left.values() if s.addressType == group.family and ports_of(s) == group.ports]
        for used in fitting:
            del left[used.metadata.uid]
        _plan_group(frame, group, fitting, plan)
    for family in families:
        if not any(group.family == family for group in groups):
            _plan_placeholder(frame, family, left, plan)
    plan.delete.extend(left.values())
    _recycle(plan)
    return plan


def _plan_group(frame: Frame, group: Group, fitting: Sequence[EndpointSlice], plan: Plan) -> None:
    missing = {_identity(e): e for e in group.endpoints}
    kept: list[tuple[EndpointSlice, list[Endpoint]]] = []
    for old in fitting:
        stay = [missing.pop(_identity(e)) for e in old.endpoints if _identity(e) in missing]
        kept.append((old, stay))
    new = list(missing.values())
    # Fill first what has to be written anyway, then the fullest, so that the fewest slices change.
    order = sorted(kept, key=lambda pair: (pair[1] == pair[0].endpoints, -len(pair[1])))
    for _, stay in order:
        room = MAX_ENDPOINTS - len(stay)
        stay.extend(new[:room])
        del new[:room]
    for old, stay in kept:
        if not stay:
            plan.delete.append(old)
        elif stay != old.endpoints or old.metadata.labels != frame.labels:
            plan.update.append(replace(old, metadata=_meta(frame, old.metadata), endpoints=stay))
    while new:
        plan.create.append(_slice(frame, group.family, group.ports, new[:MAX_ENDPOINTS]))
        del new[:MAX_ENDPOINTS]


def _plan_placeholder(frame: Frame, family: str, left: dict[str, EndpointSlice], plan: Plan) -> None:
    """A service without endpoints has one empty slice, which says just that."""
    for old in left.values():
        if old.addressType == family and not old.endpoints and not old.ports:
            del left[old.metadata.uid]
            if old.metadata.labels != frame.labels:
                plan.update.append(replace(old, metadata=_meta(frame, old.metadata)))
            return
    plan.create.append(_slice(frame, family, (), []))


def _recycle(plan: Plan) -> None:
    for new in list(plan.create):
        for old in plan.delete:
            if old.addressType == new.addressType:
                meta = replace(
                    old.metadata,
                    labels=new.metadata.labels,
                    annotations=new.metadata.annotations,
                    ownerReferences=new.metadata.ownerReferences,
                )
                plan.update.append(replace(old, metadata=meta, ports=new.ports, endpoints=new.endpoints))
                plan.delete.remove(old)
                plan.create.remove(new)
                break


def _slice(frame: Frame, family: str, ports: Ports, endpoints: list[Endpoint]) -> EndpointSlice:
    return EndpointSlice(
        metadata=_meta(frame, ObjectMeta(generateName=frame.prefix, namespace=frame.namespace)),
        addressType=family,
        endpoints=endpoints,
        ports=[EndpointPort(name=n, port=p, protocol=proto, appProtocol=app) for n, p, proto, app in ports],
    )


def _meta(frame: Frame, meta: ObjectMeta) -> ObjectMeta:
    if frame.triggered is not None:
        meta = replace(meta, annotations=triggertimes.annotated(meta.annotations, frame.triggered))
    return replace(meta, labels=frame.labels, ownerReferences=[frame.owner])


def frame_of(service: Service, triggered: str | None = None) -> Frame:
    labels = {k: v for k, v in service.metadata.labels.items() if k != backends.HEADLESS}
    if backends.is_headless(service):
        labels[backends.HEADLESS] = ""
    labels |= {SERVICE_NAME: service.metadata.name, MANAGED_BY: CONTROLLER_NAME}
    return Frame(f"{service.metadata.name}-", service.metadata.namespace, labels, controller_reference(service), triggered)


def _ports(service: Service, pod: Pod) -> Ports:
    found = ((p, backends.target_port(pod, p)) for p in service.spec.ports)
    return tuple((p.name, number, p.protocol or "TCP", p.appProtocol) for p, number in found if number is not None)


def ports_of(slice: EndpointSlice) -> Ports:
    return tuple((p.name, p.port, p.protocol or "TCP", p.appProtocol) for p in slice.ports)


def _endpoint(service: Service, pod: Pod, address: str, zone: str) -> Endpoint:
    terminating = bool(pod.metadata.deletionTimestamp)
    serving = is_ready(pod)
    ready = bool(service.spec.publishNotReadyAddresses) or (serving and not terminating)
    return Endpoint(
        addresses=[address],
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=backends.hostname_in(service, pod),
        nodeName=pod.spec.nodeName,
        targetRef=backends.reference_to(pod),
        zone=zone,
    )


def _identity(endpoint: Endpoint) -> tuple[str, ...]:
    """The same pod at the same address is the same endpoint, whatever its condition."""
    return (endpoint.targetRef.uid if endpoint.targetRef is not None else "", *endpoint.addresses)


CONTROLLER = Controller(
    "endpoint-slice-controller",
    for_=Service,
    owns=(EndpointSlice,),
    watches=(Watch(Pod, backends.services_of),),
    reads=(Node,),
    reconcile=reconcile,
)
