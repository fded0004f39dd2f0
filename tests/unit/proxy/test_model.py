"""Which endpoints a service port's traffic goes to."""

from __future__ import annotations

import msgspec
import pytest

from sampan.api.types.core_v1 import Service
from sampan.api.types.discovery_v1 import EndpointSlice
from sampan.proxy.model import PortRules, plan


def service(**spec: object) -> Service:
    tree = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": [{"name": "http", "port": 80}], **spec},
    }
    return msgspec.convert(tree, Service)


def endpoint(ip: str, node: str = "a", **conditions: bool) -> dict[str, object]:
    return {"addresses": [ip], "nodeName": node, "conditions": conditions or {"ready": True}}


def slice_of(*endpoints: dict[str, object]) -> EndpointSlice:
    tree = {
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }
    return msgspec.convert(tree, EndpointSlice)


def only(rules: dict[str, PortRules]) -> PortRules:
    [made] = rules.values()
    return made


LEAVING = {"ready": False, "serving": True, "terminating": True}
A, B = endpoint("10.244.0.2"), endpoint("10.244.1.2", "b")
HERE, THERE = ("10.244.0.2", 8080), ("10.244.1.2", 8080)


@pytest.mark.parametrize(
    ("spec", "endpoints", "internal", "external"),
    [
        pytest.param({}, [A, B], (HERE, THERE), (HERE, THERE), id="all ready"),
        pytest.param({}, [A, endpoint("10.244.1.2", "b", ready=False)], (HERE,), (HERE,), id="one not ready"),
        pytest.param({}, [endpoint("10.244.0.2", **LEAVING)], (HERE,), (HERE,), id="only a terminating one serves"),
        pytest.param({}, [endpoint("10.244.0.2", **LEAVING), B], (THERE,), (THERE,), id="a ready one is preferred"),
        pytest.param({}, [], (), (), id="nobody"),
        pytest.param(
            {"internalTrafficPolicy": "Local"},
            [A, B],
            (HERE,), (HERE, THERE),
            id="internal traffic stays on the node",
        ),
        pytest.param(
            {"type": "NodePort", "externalTrafficPolicy": "Local"},
            [A, B],
            (HERE, THERE), (HERE,),
            id="external traffic stays on the node",
        ),
    ],
)  # fmt: skip
def test_traffic_goes_to_the_endpoints_that_the_policies_name(spec, endpoints, internal, external):
    made = only(plan([service(**spec)], [slice_of(*endpoints)], "a"))
    assert (made.internal, made.external) == (internal, external)


def test_a_local_policy_without_a_local_endpoint_drops_instead_of_rejecting():
    made = only(plan([service(internalTrafficPolicy="Local")], [slice_of(endpoint("10.244.1.2", "b"))], "a"))
    assert made.drop_internal and not made.internal


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"type": "ExternalName", "clusterIP": ""}], ids=["headless", "external name"]
)
def test_a_service_without_a_cluster_ip_has_no_rules(spec):
    assert plan([service(**spec)], [], "a") == {}


def test_a_service_that_names_another_proxy_is_left_alone():
    other = service()
    other.metadata.labels["service.kubernetes.io/service-proxy-name"] = "mine"
    assert plan([other], [], "a") == {}


def test_session_affinity_lasts_three_hours_unless_the_service_says_otherwise():
    assert only(plan([service(sessionAffinity="ClientIP")], [], "a")).affinity_seconds == 10800
    config = {"clientIP": {"timeoutSeconds": 60}}
    assert only(plan([service(sessionAffinity="ClientIP", sessionAffinityConfig=config)], [], "a")).affinity_seconds == 60
