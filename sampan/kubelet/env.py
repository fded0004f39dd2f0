"""A container's environment: its own variables, those of ConfigMaps and Secrets, and those of services. Pure but for the
lookups it is given.

After makeEnvironmentVariables and envvars.FromServices of the kubelet.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.api.names import environment_name
from sampan.api.types.core_v1 import ConfigMap, EnvVar, EnvVarSource, Pod, Secret, Service

from .fieldref import field_value, resource_value
from .labels import AnyContainer


class ConfigError(Exception):
    """The container cannot be configured yet; the text is for the user (CreateContainerConfigError)."""


@dataclass(slots=True)
class Surroundings:
    """What a container's variables may refer to. The lookups raise ConfigError(`secret "x" not found`) and the like."""

    config_map: Callable[[str, str], Awaitable[ConfigMap]]
    """(namespace, name)"""
    secret: Callable[[str, str], Awaitable[Secret]]
    services: Sequence[Service] = ()
    ips: Sequence[str] = ()
    host_ip: str = ""
    allocatable: Mapping[str, str] = field(default_factory=dict)
    skipped: list[tuple[str, list[str]]] = field(default_factory=list)
    """Filled in: what an envFrom named that cannot be a variable: ("ConfigMap ns/name", keys)."""


class NotFoundError(ConfigError):
    """The referenced object does not exist, which `optional` forgives."""


async def environment(pod: Pod, container: AnyContainer, around: Surroundings) -> list[tuple[str, str]]:
    links = True if pod.spec.enableServiceLinks is None else pod.spec.enableServiceLinks
    services = service_variables(around.services, pod.metadata.namespace, links=links)
    result: dict[str, str] = {}
    await _from_sources(pod, container, around, result)
    for variable in container.env:
        value = await _value(pod, container, variable, around, result, services)
        if value is not None:
            result[variable.name] = value
    for name, text in services.items():
        result.setdefault(name, text)
    return list(result.items())


async def _from_sources(pod: Pod, container: AnyContainer, around: Surroundings, result: dict[str, str]) -> None:
    namespace = pod.metadata.namespace
    for source in container.envFrom:
        if source.configMapRef is not None:
            reference = source.configMapRef
            kind = "configMap"
            try:
                data: Mapping[str, str] = (await around.config_map(namespace, reference.name)).data
            except NotFoundError:
                if reference.optional:
                    continue
                raise
        elif source.secretRef is not None:
            kind = "secret"
            try:
                data = _texts(await around.secret(namespace, source.secretRef.name))
            except NotFoundError:
                if source.secretRef.optional:
                    continue
                raise
        else:
            continue
        name = (source.configMapRef or source.secretRef).name  # type: ignore[union-attr]
        invalid = []
        for key, value in data.items():
            if environment_name(source.prefix + key):
                invalid.append(source.prefix + key)
            else:
                result[source.prefix + key] = value
        if invalid:
            around.skipped.append((f"{kind} {namespace}/{name}", sorted(invalid)))


def _texts(secret: Secret) -> dict[str, str]:
    return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in secret.data.items()}


async def _value(
    pod: Pod,
    container: AnyContainer,
    variable: EnvVar,
    around: Surroundings,
    result: Mapping[str, str],
    services: Mapping[str, str],
) -> str | None:
    """None: an optional reference to what is not there; the variable is left out."""
    if variable.valueFrom is None:
        return expand(variable.value, lambda name: result.get(name, services.get(name)))
    return await _referenced(pod, container, variable.valueFrom, around)


async def _referenced(pod: Pod, container: AnyContainer, source: EnvVarSource, around: Surroundings) -> str | None:
    namespace = pod.metadata.namespace
    if source.fieldRef is not None:
        return field_value(source.fieldRef, pod, around.ips, around.host_ip)
    if source.resourceFieldRef is not None:
        return resource_value(source.resourceFieldRef, pod, container, around.allocatable)
    if source.configMapKeyRef is not None:
        reference = source.configMapKeyRef
        try:
            config_map = await around.config_map(namespace, reference.name)
        except NotFoundError:
            if reference.optional:
                return None
            raise
        if reference.key not in config_map.data:
            if reference.optional:
                return None
            raise ConfigError(f"couldn't find key {reference.key} in ConfigMap {namespace}/{reference.name}")
        return config_map.data[reference.key]
    if source.secretKeyRef is not None:
        wanted = source.secretKeyRef
        try:
            secret = _texts(await around.secret(namespace, wanted.name))
        except NotFoundError:
            if wanted.optional:
                return None
            raise
        if wanted.key not in secret:
            if wanted.optional:
                return None
            raise ConfigError(f"couldn't find key {wanted.key} in Secret {namespace}/{wanted.name}")
        return secret[wanted.key]
    return ""


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replaces $(NAME) by its value; $$ is a dollar; what has no value, or no closing parenthesis, stays as it is."""
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) != -1 and dollar + 1 < len(text):
        parts.append(text[position:dollar])
        following = text[dollar + 1]
        if following == "$":
            parts.append("$")
            position = dollar + 2
        elif following == "(" and (end := text.find(")", dollar + 2)) != -1:
            name = text[dollar + 2 : end]
            value = lookup(name)
            parts.append(f"$({name})" if value is None else value)
            position = end + 1
        else:
            parts.append("$" + following)
            position = dollar + 2
    parts.append(text[position:])
    return "".join(parts)


def expand_all(texts: Iterable[str], variables: Mapping[str, str]) -> list[str]:
    """A command line or an array of arguments."""
    return [expand(text, variables.get) for text in texts]


def service_variables(services: Iterable[Service], namespace: str, *, links: bool) -> dict[str, str]:
    """Of the services a container may see: those of its namespace (`links`) and, always, `kubernetes` of `default`."""
    chosen: dict[str, Service] = {}
    for service in services:
        name, home = service.metadata.name, service.metadata.namespace
        if service.spec.clusterIP in ("", "None"):
            continue
        if home == "default" and name == "kubernetes":
            # A service of that name in the pod's own namespace wins.
            chosen.setdefault(name, service)
        elif home == namespace and links:
            chosen[name] = service
    variables: dict[str, str] = {}
    for name in sorted(chosen):
        variables.update(_of_service(chosen[name]))
    return variables


def _word(text: str) -> str:
    return text.upper().replace("-", "_")


def _of_service(service: Service) -> dict[str, str]:
    prefix, host, ports = _word(service.metadata.name), service.spec.clusterIP, service.spec.ports
    shown = f"[{host}]" if ":" in host else host
    made = {f"{prefix}_SERVICE_HOST": host}
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        url = f"{protocol}://{shown}:{port.port}"
        if index == 0:
            made[f"{prefix}_SERVICE_PORT"] = str(port.port)
            made[f"{prefix}_PORT"] = url
        if port.name:
            made[f"{prefix}_SERVICE_PORT_{_word(port.name)}"] = str(port.port)
        stem = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        made |= {stem: url, f"{stem}_PROTO": protocol, f"{stem}_PORT": str(port.port), f"{stem}_ADDR": host}
    return made
