"""Containers of a pod: what all have in common, and what regular, init and ephemeral ones may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, not_found_field, not_supported, required
from sampan.api.groups.validation.environment import validate_env, validate_env_from
from sampan.api.groups.validation.probes import validate_lifecycle, validate_liveness, validate_readiness
from sampan.api.groups.validation.resources import validate_resources
from sampan.api.groups.validation.security import validate_container_security
from sampan.api.groups.validation.volumes import validate_devices, validate_mounts
from sampan.api.resource import Tree

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PADDED = "must not have leading or trailing whitespace"
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"
_EPHEMERAL_FORBIDDEN = (
    "ports",
    "resizePolicy",
    "restartPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


def validate_containers(containers: Sequence[Tree], volumes: Mapping[str, Tree], pod: Tree, path: str) -> list[FieldError]:
    """The regular containers, of which there must be one; `pod` is the spec that they are of."""
    if not containers:
        return [required(path)]
    errors: list[FieldError] = []
    taken: set[str] = set()
    has_ports = False
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        errors += _validate_any(container, volumes, pod, where)
        name = container.get("name", "")
        if name in taken:
            errors.append(duplicate(f"{where}.name", name))
        taken.add(name)
        errors += _validate_hooks(container, pod["terminationGracePeriodSeconds"], where)
        if "restartPolicy" in container:
            errors.append(forbidden_field(f"{where}.restartPolicy", "may not be set for non-init containers"))
        has_ports = has_ports or "ports" in container
    return errors + _validate_host_ports(containers, path) if has_ports else errors


def validate_init_containers(
    containers: Sequence[Tree], regular: Iterable[Tree], volumes: Mapping[str, Tree], pod: Tree, path: str
) -> list[FieldError]:
    errors: list[FieldError] = []
    taken = {container.get("name", "") for container in regular}
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        errors += _validate_any(container, volumes, pod, where)
        policy = container.get("restartPolicy")
        if policy is not None and policy != "Always":
            errors.append(not_supported(f"{where}.restartPolicy", policy, ("Always",)))
        name = container.get("name", "")
        if name in taken:
            errors.append(duplicate(f"{where}.name", name))
        elif name:
            taken.add(name)
        # Init containers run one after another, so each is alone with its ports.
        errors += _validate_host_ports((container,), path)
        if policy == "Always":
            errors += _validate_hooks(container, pod["terminationGracePeriodSeconds"], where)
        else:
            fields = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
            errors += [forbidden_field(f"{where}.{field}", _ONLY_SIDECARS) for field in fields if field in container]
    return errors


def validate_ephemeral_containers(
    containers: Sequence[Tree], others: Iterable[Tree], volumes: Mapping[str, Tree], pod: Tree, path: str
) -> list[FieldError]:
    errors: list[FieldError] = []
    targets = {container.get("name", "") for container in others}
    taken = set(targets)
    for index, container in enumerate(containers):
        where = f"{path}[{index}]"
        errors += _validate_any(container, volumes, pod, where)
        errors += validate_image(container, where)
        name = container.get("name", "")
        if name in taken:
            errors.append(duplicate(f"{where}.name", name))
        taken.add(name)
        target = container.get("targetContainerName")
        if target and target not in targets:
            errors.append(not_found_field(f"{where}.targetContainerName", target))
        forbidden = [field for field in _EPHEMERAL_FORBIDDEN if container.get(field)]
        if container.get("resources"):
            forbidden.append("resources")
        errors += [forbidden_field(f"{where}.{field}", _NOT_EPHEMERAL) for field in forbidden]
        for number, mount in enumerate(container.get("volumeMounts", ())):
            fields = [field for field in ("subPath", "subPathExpr") if mount.get(field)]
            errors += [forbidden_field(f"{where}.volumeMounts[{number}].{field}", _NOT_EPHEMERAL) for field in fields]
    return errors


def validate_image(container: Tree, path: str) -> list[FieldError]:
    """Pods are stricter with images than templates are."""
    image = container.get("image", "")
    return [invalid(f"{path}.image", image, _PADDED)] if image != image.strip() else []


def _validate_hooks(container: Tree, grace_seconds: int, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if "lifecycle" in container:
        errors += validate_lifecycle(container["lifecycle"], grace_seconds, f"{path}.lifecycle")
    if "livenessProbe" in container:
        errors += validate_liveness(container["livenessProbe"], f"{path}.livenessProbe")
    if "readinessProbe" in container:
        errors += validate_readiness(container["readinessProbe"], f"{path}.readinessProbe")
    if "startupProbe" in container:
        errors += validate_liveness(container["startupProbe"], f"{path}.startupProbe")
    return errors


def _validate_any(container: Tree, volumes: Mapping[str, Tree], pod: Tree, path: str) -> list[FieldError]:
    """What every container must satisfy."""
    errors: list[FieldError] = []
    name = container.get("name")
    if not name:
        errors.append(required(f"{path}.name"))
    elif problems := names.dns_label(name):
        errors += [invalid(f"{path}.name", name, why) for why in problems]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container["terminationMessagePolicy"]
    if policy not in _MESSAGE_POLICIES:
        errors.append(not_supported(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES))
    if "ports" in container:
        errors += _validate_ports(container["ports"], f"{path}.ports")
    if "env" in container:
        errors += validate_env(container["env"], f"{path}.env")
    if "envFrom" in container:
        errors += validate_env_from(container["envFrom"], f"{path}.envFrom")
    if "volumeMounts" in container:
        errors += validate_mounts(container, volumes, f"{path}.volumeMounts")
    if "volumeDevices" in container:
        errors += validate_devices(container, volumes, f"{path}.volumeDevices")
    if container["imagePullPolicy"] not in PULL_POLICIES:
        errors.append(not_supported(f"{path}.imagePullPolicy", container["imagePullPolicy"], PULL_POLICIES))
    if container["resources"]:
        errors += validate_resources(container["resources"], f"{path}.resources")
    if "resizePolicy" in container:
        errors += _validate_resize(container["resizePolicy"], pod["restartPolicy"], f"{path}.resizePolicy")
    if "securityContext" in container:
        shares_users = pod.get("hostUsers", True)
        errors += validate_container_security(container["securityContext"], shares_users, f"{path}.securityContext")
    return errors


def _validate_ports(ports: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, port in enumerate(ports):
        if name := port.get("name"):
            if problems := names.port_name(name):
                errors += [invalid(f"{path}[{index}].name", name, why) for why in problems]
            elif name in taken:
                errors.append(duplicate(f"{path}[{index}].name", name))
            taken.add(name)
        number = port.get("containerPort", 0)
        if not number:
            errors.append(required(f"{path}[{index}].containerPort"))
        elif not 0 < number < 65536:
            errors += [invalid(f"{path}[{index}].containerPort", number, why) for why in names.port_number(number)]
        if host := port.get("hostPort"):
            errors += [invalid(f"{path}[{index}].hostPort", host, why) for why in names.port_number(host)]
        if port["protocol"] not in PROTOCOLS:
            errors.append(not_supported(f"{path}[{index}].protocol", port["protocol"], PROTOCOLS))
    return errors


def _validate_host_ports(containers: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    taken: set[str] = set()
    for number, container in enumerate(containers):
        for index, port in enumerate(container.get("ports", ())):
            if not port.get("hostPort"):
                continue
            key = f"{port['protocol']}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in taken:
                errors.append(duplicate(f"{path}[{number}].ports[{index}].hostPort", key))
            taken.add(key)
    return errors


def _validate_resize(policies: Sequence[Tree], of_pod: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        if name not in ("cpu", "memory"):
            errors.append(not_supported(path, name, ("cpu", "memory")) if name else required(path))
        if restart not in ("NotRequired", "RestartContainer"):
            choices = ("NotRequired", "RestartContainer")
            errors.append(not_supported(path, restart, choices) if restart else required(path))
        if of_pod == "Never" and restart != "NotRequired":
            errors.append(invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return errors
