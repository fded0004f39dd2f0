"""Environment variables: expansion, references, services, the downward API."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from sampan.api.types.core_v1 import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ObjectFieldSelector,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretEnvSource,
    SecretKeySelector,
    Service,
    ServicePort,
    ServiceSpec,
)
from sampan.api.types.meta_v1 import ObjectMeta
from sampan.kubelet.env import ConfigError, NotFoundError, Surroundings, environment, expand, service_variables
from sampan.kubelet.fieldref import FieldRefError, field_value, resource_value

from .making import container, pod

EXPANSIONS = [
    ("plain", "plain"),
    ("$(A)", "1"),
    ("x$(A)y$(B)z", "x1y2z"),
    ("$(NOPE)", "$(NOPE)"),
    ("$$(A)", "$(A)"),
    ("$$$(A)", "$1"),
    ("$$$$(A)", "$$(A)"),
    ("$(A", "$(A"),
    ("$", "$"),
    ("$A", "$A"),
    ("$()", "$()"),
    ("end$", "end$"),
]


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS)
def test_references_are_expanded_as_upstream_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}.get) == expected


def around(**fields: Any) -> Surroundings:
    async def config_map(namespace: str, name: str) -> ConfigMap:
        if name != "settings":
            raise NotFoundError(f'configmap "{name}" not found')
        return ConfigMap(data={"a": "1", "bad=key": "x", "b-c": "2"})

    async def secret(namespace: str, name: str) -> Secret:
        if name != "hidden":
            raise NotFoundError(f'secret "{name}" not found')
        return Secret(data={"word": base64.b64encode(b"sesame").decode()})

    return Surroundings(config_map=config_map, secret=secret, ips=["10.244.0.2"], host_ip="10.0.0.1", **fields)


def variables(
    *env: EnvVar, sources: tuple[EnvFromSource, ...] = (), surroundings: Surroundings | None = None
) -> dict[str, str]:
    one = container(env=list(env), envFrom=list(sources))
    return dict(asyncio.run(environment(pod(containers=[one]), one, surroundings or around())))


def from_(**source: Any) -> EnvVar:
    return EnvVar(name="X", valueFrom=EnvVarSource(**source))


def test_later_variables_see_earlier_ones() -> None:
    made = variables(EnvVar(name="A", value="1"), EnvVar(name="B", value="$(A)2"), EnvVar(name="C", value="$(D)"))
    assert made == {"A": "1", "B": "12", "C": "$(D)"}


def test_all_keys_of_a_config_map_and_a_secret_come_in_with_a_prefix() -> None:
    surroundings = around()
    sources = (
        EnvFromSource(configMapRef=ConfigMapEnvSource(name="settings")),
        EnvFromSource(secretRef=SecretEnvSource(name="hidden"), prefix="S_"),
        EnvFromSource(configMapRef=ConfigMapEnvSource(name="nowhere", optional=True)),
    )
    assert variables(sources=sources, surroundings=surroundings) == {"a": "1", "b-c": "2", "S_word": "sesame"}
    assert surroundings.skipped == [("configMap default/settings", ["bad=key"])]


FAILURES = [
    (from_(configMapKeyRef=ConfigMapKeySelector(name="nowhere", key="k")), 'configmap "nowhere" not found'),
    (
        from_(configMapKeyRef=ConfigMapKeySelector(name="settings", key="k")),
        "couldn't find key k in ConfigMap default/settings",
    ),
    (from_(secretKeyRef=SecretKeySelector(name="nowhere", key="k")), 'secret "nowhere" not found'),
    (from_(secretKeyRef=SecretKeySelector(name="hidden", key="k")), "couldn't find key k in Secret default/hidden"),
]


@pytest.mark.parametrize(("variable", "message"), FAILURES, ids=[m for _, m in FAILURES])
def test_what_is_not_there_is_named(variable: EnvVar, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variables(variable)
    assert str(caught.value) == message


def test_an_optional_reference_to_nothing_leaves_the_variable_out() -> None:
    assert variables(from_(configMapKeyRef=ConfigMapKeySelector(name="nowhere", key="k", optional=True))) == {}
    assert variables(from_(secretKeyRef=SecretKeySelector(name="hidden", key="k", optional=True))) == {}


FIELDS = [
    ("metadata.name", "web"),
    ("metadata.namespace", "default"),
    ("metadata.uid", "u1"),
    ("metadata.labels['app']", "web"),
    ("metadata.labels['nope']", ""),
    ("metadata.labels", 'app="web"'),
    ("metadata.annotations", 'note="a \\"b\\""'),
    ("spec.nodeName", "n1"),
    ("status.hostIP", "10.0.0.1"),
    ("status.podIP", "10.244.0.2"),
    ("status.podIPs", "10.244.0.2"),
]


@pytest.mark.parametrize(("path", "expected"), FIELDS)
def test_a_field_reference_reads_the_pod(path: str, expected: str) -> None:
    assert field_value(ObjectFieldSelector(fieldPath=path), pod(nodeName="n1"), ["10.244.0.2"], "10.0.0.1") == expected


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(FieldRefError, match="unsupported fieldPath"):
        field_value(ObjectFieldSelector(fieldPath="spec.nope"), pod(), [], "")


RESOURCES = [
    ("limits.cpu", "", "2"),
    ("limits.cpu", "1m", "1500"),
    ("requests.cpu", "1m", "250"),
    ("limits.memory", "1Mi", "4096"),
    ("requests.memory", "1Mi", "64"),
    ("requests.ephemeral-storage", "", "0"),
]


@pytest.mark.parametrize(("resource", "divisor", "expected"), RESOURCES)
def test_a_resource_reference_counts_in_divisors_rounded_up(resource: str, divisor: str, expected: str) -> None:
    wanted = ResourceRequirements(limits={"cpu": "1500m"}, requests={"cpu": "250m", "memory": "64Mi"})
    selector = ResourceFieldSelector(resource=resource, divisor=divisor)
    node = {"cpu": "4", "memory": "4Gi"}
    assert resource_value(selector, pod(), container(resources=wanted), node) == expected


def service(name: str, namespace: str, ip: str, *ports: ServicePort) -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace=namespace), spec=ServiceSpec(clusterIP=ip, ports=list(ports)))


SERVICES = [
    service("kubernetes", "default", "10.96.0.1", ServicePort(port=443, name="https")),
    service("my-db", "team", "10.96.0.7", ServicePort(port=5432), ServicePort(port=53, protocol="UDP", name="dns-udp")),
    service("headless", "team", "None", ServicePort(port=1)),
    service("other", "elsewhere", "10.96.0.8", ServicePort(port=1)),
]


def test_services_become_variables() -> None:
    made = service_variables(SERVICES, "team", links=True)
    assert made["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert made["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"
    assert made["MY_DB_SERVICE_HOST"] == "10.96.0.7"
    assert made["MY_DB_SERVICE_PORT"] == "5432"
    assert made["MY_DB_PORT"] == "tcp://10.96.0.7:5432"
    assert made["MY_DB_PORT_53_UDP"] == "udp://10.96.0.7:53"
    assert made["MY_DB_PORT_53_UDP_PROTO"] == "udp"
    assert made["MY_DB_SERVICE_PORT_DNS_UDP"] == "53"
    assert not any(k.startswith(("HEADLESS", "OTHER")) for k in made)


def test_without_service_links_only_kubernetes_is_told() -> None:
    made = service_variables(SERVICES, "team", links=False)
    assert {k.split("_")[0] for k in made} == {"KUBERNETES"}
