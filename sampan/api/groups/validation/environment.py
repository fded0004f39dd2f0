"""Environment variables of containers, and the references to fields, resources and keys that values come from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api import names, quantity
from sampan.api.errors import FieldError, invalid, not_supported, required
from sampan.api.resource import Tree

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
RESOURCE_FIELDS = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_KNOWN_FIELDS = frozenset(
    (*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host")
)
_SIZES = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
_subscripted = re.compile(r"([^\[]+)\['(.*)'\]").fullmatch

_VALUE_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")


def validate_env(variables: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        name = variable.get("name")
        if not name:
            errors.append(required(f"{path}[{index}].name"))
        elif problems := names.environment_name(name):
            errors += [invalid(f"{path}[{index}].name", name, why) for why in problems]
        if "valueFrom" in variable:
            errors += _validate_source(variable, f"{path}[{index}].valueFrom")
    return errors


def _validate_source(variable: Tree, path: str) -> list[FieldError]:
    source = variable["valueFrom"]
    errors: list[FieldError] = []
    found = [kind for kind in _VALUE_SOURCES if kind in source]
    for kind in found:
        reference, where = source[kind], f"{path}.{kind}"
        if kind == "fieldRef":
            errors += validate_field_reference(reference, ENV_FIELDS, where)
        elif kind == "resourceFieldRef":
            errors += validate_resource_reference(reference, where)
        else:
            errors += _validate_key_reference(reference, where)
    if not found:
        why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        errors.append(invalid(path, "", why))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(found) > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _validate_key_reference(reference: Tree, path: str) -> list[FieldError]:
    name, key = reference.get("name", ""), reference.get("key", "")
    errors = [invalid(f"{path}.name", name, why) for why in names.name_is_subdomain(name)]
    if not key:
        return [*errors, required(f"{path}.key")]
    return errors + [invalid(f"{path}.key", key, why) for why in names.config_map_key(key)]


def validate_env_from(sources: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        if prefix := source.get("prefix"):
            errors += [invalid(f"{path}[{index}].prefix", prefix, why) for why in names.environment_name(prefix)]
        found = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        for kind in found:
            name, where = source[kind].get("name", ""), f"{path}[{index}].{kind}.name"
            problems = names.name_is_subdomain(name, True)
            errors += [invalid(where, name, why) for why in problems] if name else [required(where)]
        # Upstream names the list here, not its entry.
        if not found:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def validate_field_reference(reference: Tree, allowed: Sequence[str], path: str) -> list[FieldError]:
    """A downward API fieldRef."""
    version, field = reference.get("apiVersion", ""), reference.get("fieldPath", "")
    if not field:
        return [required(f"{path}.fieldPath")]
    if version != "v1":
        why = f"error converting fieldPath: unsupported pod version: {version}"
        return [invalid(f"{path}.fieldPath", field, why)]
    if match := _subscripted(field):
        return _validate_subscript(match[1], match[2], field, path)
    if field not in _KNOWN_FIELDS:
        why = f"error converting fieldPath: field label not supported: {field}"
        return [invalid(f"{path}.fieldPath", field, why)]
    if field == "spec.host":
        field = "spec.nodeName"
    return [] if field in allowed else [not_supported(f"{path}.fieldPath", field, allowed)]


def _validate_subscript(base: str, key: str, field: str, path: str) -> list[FieldError]:
    if base == "metadata.annotations":
        return [invalid(path, key, why) for why in names.qualified_name(key.lower())]
    if base == "metadata.labels":
        return [invalid(path, key, why) for why in names.qualified_name(key)]
    if base not in _KNOWN_FIELDS:
        why = f"error converting fieldPath: field label does not support subscript: {field}"
        return [invalid(f"{path}.fieldPath", field, why)]
    return [invalid(path, base, "does not support subscript")]


def validate_resource_reference(reference: Tree, path: str, needs_container: bool = False) -> list[FieldError]:
    """A downward API resourceFieldRef; a volume must say which container it means."""
    resource = reference.get("resource", "")
    errors: list[FieldError] = []
    if needs_container and not reference.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in RESOURCE_FIELDS and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        errors.append(not_supported(f"{path}.resource", resource, RESOURCE_FIELDS))
    divisor = str(reference.get("divisor", "0"))
    return errors if divisor == "0" else errors + _validate_divisor(resource, divisor, path)


def _kind_of_size(resource: str) -> str:
    """How a resource that is counted in bytes is called; "" of those that are not known."""
    if resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        return "hugepages"
    if resource not in RESOURCE_FIELDS:
        return ""
    return "local ephemeral storage" if resource.endswith("ephemeral-storage") else "memory"


def _validate_divisor(resource: str, divisor: str, path: str) -> list[FieldError]:
    canonical = quantity.canonical(divisor)
    if resource in ("limits.cpu", "requests.cpu"):
        if canonical not in ("1m", "1", "0"):
            why = "only divisor's values 1m and 1 are supported with the cpu resource"
            return [invalid(f"{path}.divisor", resource, why)]
    elif canonical != "0" and canonical not in _SIZES.split(", ") and (kind := _kind_of_size(resource)):
        why = f"only divisor's values {_SIZES} are supported with the {kind} resource"
        return [invalid(f"{path}.divisor", resource, why)]
    return []
