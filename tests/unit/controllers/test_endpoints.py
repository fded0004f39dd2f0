from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from sampan.api.types.core_v1 import (
    Container,
    ContainerPort,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.controllers import backends
from sampan.controllers.endpoints import plan_endpoints, plan_subsets
from sampan.controllers.endpointslice import Plan, frame_of, plan_groups, plan_slices
from sampan.controllers.runtime import Context, Key
from sampan.controllers.triggertimes import ANNOTATION, annotated, forget, trigger_time
from tests.unit.controllers.objects import pod


def service(ports: list[ServicePort] | None = None, **spec: Any) -> Service:
    ports = [ServicePort(port=80, targetPort=8080, protocol="TCP")] if ports is None else ports
    meta = ObjectMeta(name="web", namespace="default", uid="svc")
    return Service(metadata=meta, spec=ServiceSpec(selector={"app": "web"}, ports=ports, **spec))


def pods(*numbers: int, ready: bool = True) -> list[Pod]:
    return [pod(f"p{n:03}", ip=f"10.0.{n // 250}.{n % 250 + 1}", ready=ready, node="n") for n in numbers]


def plan(svc: Service, found: Iterable[Pod], existing: list[EndpointSlice] | None = None) -> Plan:
    groups = plan_groups(svc, [(p, "") for p in found])
    return plan_slices(frame_of(svc), backends.families(svc), groups, existing or [])


def stored(planned: Plan, existing: list[EndpointSlice] | None = None) -> list[EndpointSlice]:
    """The slices after the plan was carried out."""
    left = {s.metadata.uid: s for s in existing or []}
    for gone in planned.delete:
        del left[gone.metadata.uid]
    left |= {s.metadata.uid: s for s in planned.update}
    for new in planned.create:
        new.metadata.uid = f"slice-{len(left)}-{id(new)}"
        left[new.metadata.uid] = new
    return list(left.values())


def shape(planned: Plan) -> tuple[int, int, int]:
    return len(planned.create), len(planned.update), len(planned.delete)


def test_equal_worlds_need_no_write() -> None:
    svc = service()
    slices = stored(plan(svc, pods(*range(250))))
    assert sorted(len(s.endpoints) for s in slices) == [50, 100, 100]
    assert shape(plan(svc, reversed(pods(*range(250))), slices)) == (0, 0, 0)


def test_one_more_pod_changes_one_slice() -> None:
    svc = service()
    slices = stored(plan(svc, pods(*range(150))))
    planned = plan(svc, pods(*range(151)), slices)
    assert shape(planned) == (0, 1, 0)
    assert len(planned.update[0].endpoints) == 51


def test_one_less_pod_changes_the_slice_it_was_in() -> None:
    svc = service()
    slices = stored(plan(svc, pods(*range(150))))
    assert shape(plan(svc, pods(*range(1, 150)), slices)) == (0, 1, 0)


def test_a_pod_that_becomes_unready_stays_where_it_is() -> None:
    svc = service()
    slices = stored(plan(svc, pods(1, 2)))
    planned = plan(svc, [*pods(1, ready=False), *pods(2)], slices)
    assert shape(planned) == (0, 1, 0)
    first, second = planned.update[0].endpoints
    assert first.conditions is not None
    assert second.conditions is not None
    assert (first.conditions.ready, second.conditions.ready) == (False, True)


def test_the_first_pod_takes_over_the_placeholder_and_the_last_leaves_one() -> None:
    svc = service()
    empty = stored(plan(svc, []))
    assert [(s.endpoints, s.ports) for s in empty] == [([], [])]
    filled = plan(svc, pods(1), empty)
    assert shape(filled) == (0, 1, 0)
    emptied = plan(svc, [], stored(filled, empty))
    assert shape(emptied) == (0, 1, 0)
    assert emptied.update[0].endpoints == []


def test_two_families_have_their_own_slices() -> None:
    svc = service(ipFamilies=["IPv4", "IPv6"])
    both = pod("a", ip="10.0.0.1", ready=True)
    both.status.podIPs = [backends_ip("10.0.0.1"), backends_ip("fd00::1")]
    found = {s.addressType: s.endpoints[0].addresses for s in plan(svc, [both]).create}
    assert found == {"IPv4": ["10.0.0.1"], "IPv6": ["fd00::1"]}


def backends_ip(ip: str) -> PodIP:
    return PodIP(ip=ip)


def test_finished_pods_and_pods_without_address_are_no_endpoints() -> None:
    svc = service()
    found = [pod("a", phase="Failed", ip="10.0.0.1"), pod("b", phase="Succeeded", ip="10.0.0.2"), pod("c")]
    assert plan_groups(svc, [(p, "") for p in found]) == []
    assert plan_subsets(svc, found) == []


def with_ports(name: str, **ports: int) -> Pod:
    p = pod(name, ip="10.0.0.1", ready=True)
    offered = [ContainerPort(name=n, containerPort=number, protocol="TCP") for n, number in ports.items()]
    p.spec.containers = [Container(name="c", ports=offered)]
    return p


@pytest.mark.parametrize(
    ("target", "expected"), [(8080, 8080), (None, 80), ("web", 9090), ("nothing", None)]
)  # fmt: skip
def test_a_target_port_is_a_number_a_name_or_the_services_own(target: int | str | None, expected: int | None) -> None:
    port = ServicePort(port=80, targetPort=target, protocol="TCP")
    assert backends.target_port(with_ports("a", web=9090), port) == expected


def test_ports_are_grouped_by_the_addresses_that_have_them() -> None:
    svc = service([ServicePort(name="fix", port=1, targetPort=1), ServicePort(name="named", port=2, targetPort="x")])
    a, b = with_ports("a", x=7), with_ports("b", x=8)
    b.status.podIP = "10.0.0.2"
    subsets = plan_subsets(svc, [a, b])
    assert [([x.ip for x in s.addresses], [(p.name, p.port) for p in s.ports]) for s in subsets] == [
        (["10.0.0.1", "10.0.0.2"], [("fix", 1)]),
        (["10.0.0.1"], [("named", 7)]),
        (["10.0.0.2"], [("named", 8)]),
    ]


def test_endpoints_stop_at_a_thousand_addresses_ready_ones_first() -> None:
    svc = service()
    found = plan_endpoints(svc, [*pods(*range(600), ready=False), *pods(*range(600, 1300))], None)
    (subset,) = found.subsets
    assert (len(subset.addresses), len(subset.notReadyAddresses)) == (700, 300)
    assert found.metadata.annotations["endpoints.kubernetes.io/over-capacity"] == "truncated"
    again = plan_endpoints(svc, pods(1), found)
    assert again.metadata.annotations == {}


def test_a_headless_service_without_ports_has_addresses_all_the_same() -> None:
    (subset,) = plan_subsets(service([], clusterIP="None"), pods(1))
    assert (len(subset.addresses), subset.ports) == (1, [])


def test_the_change_behind_endpoints_is_the_earliest_since_the_last_look() -> None:
    memory = SimpleNamespace(memory={}, key=Key("default", "web"))
    ctx = cast(Context, memory)
    svc = replace(service(), metadata=ObjectMeta(name="web", creationTimestamp="2026-01-01T00:00:10Z"))

    def ready(name: str, second: int) -> Pod:
        condition = PodCondition(type="Ready", status="True", lastTransitionTime=f"2026-01-01T00:00:{second}Z")
        return Pod(metadata=ObjectMeta(name=name), status=PodStatus(conditions=[condition]))

    looks = [
        ([ready("a", 12)], "10"),
        ([ready("a", 12), ready("b", 15)], "15"),
        ([ready("a", 18), ready("b", 17)], "17"),
        ([ready("b", 17)], ""),
        ([Pod(metadata=ObjectMeta(name="b"))], ""),
    ]
    for pods_now, second in looks:
        assert trigger_time(ctx, svc, pods_now) == (f"2026-01-01T00:00:{second}Z" if second else "")
    forget(ctx)
    assert trigger_time(ctx, svc, []) == "2026-01-01T00:00:10Z"
    assert annotated({"a": "1", ANNOTATION: "x"}, "") == {"a": "1"}
