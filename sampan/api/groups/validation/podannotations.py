"""Annotations of pods that mean something to the server: those of old fields, which must say the same as the fields.

After ValidatePodSpecificAnnotations, validateSeccompAnnotationsAndFields and
validateAppArmorAnnotationsAndFieldsMatchOnCreate (pkg/apis/core/validation).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sampan.api.errors import FieldError, forbidden_field, invalid
from sampan.api.groups.validation.operatingsystems import containers_with_paths
from sampan.api.groups.validation.scheduling import validate_tolerations
from sampan.api.groups.validation.volumesources import local_descending_path
from sampan.api.resource import Tree

MIRROR = "kubernetes.io/config.mirror"
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"
_TOLERATIONS = "scheduler.alpha.kubernetes.io/tolerations"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_LOCALHOST = "localhost/"
_PLAIN = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)}
_SECCOMP_VALUES = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")}
_is_cost = re.compile("0|-[0-9]+|[1-9][0-9]*").fullmatch


def validate_pod_annotations(annotations: Mapping[str, str], spec: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in annotations.items():
        where = f"{path}[{key}]"
        if key == MIRROR and not spec.get("nodeName"):
            errors.append(invalid(where, value, "must set spec.nodeName if mirror pod annotation is set"))
        elif key == _TOLERATIONS and value:
            errors += _validate_tolerations(value, path)
        elif key == _DELETION_COST and not (_is_cost(value) and -(2**31) <= int(value[:12]) < 2**31 and len(value) < 12):
            errors.append(invalid(where, value, "must be a 32bit integer"))
        elif key == SECCOMP or key.startswith(SECCOMP_PREFIX):
            errors += _validate_seccomp(value, f"{path}.{key}")
        elif key.startswith(APPARMOR_PREFIX):
            errors += _validate_apparmor(key.removeprefix(APPARMOR_PREFIX), value, spec, where)
    return errors


def _validate_tolerations(value: str, path: str) -> list[FieldError]:
    try:
        tolerations = json.loads(value)
    except ValueError as error:
        return [invalid(path, _TOLERATIONS, str(error))]
    if not isinstance(tolerations, list) or not all(isinstance(toleration, dict) for toleration in tolerations):
        return [invalid(path, _TOLERATIONS, "json: cannot unmarshal value into Go value of type []v1.Toleration")]
    return validate_tolerations(tolerations, f"{path}.{_TOLERATIONS}")


def _validate_seccomp(value: str, path: str) -> list[FieldError]:
    if value in ("runtime/default", "docker/default", "unconfined"):
        return []
    if value.startswith(_LOCALHOST):
        return local_descending_path(value.removeprefix(_LOCALHOST), path)
    return [invalid(path, value, "must be a valid seccomp profile")]


def _validate_apparmor(name: str, value: str, spec: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if all(container.get("name") != name for container, _ in containers_with_paths(spec, "")):
        errors.append(invalid(path, name, "container not found"))
    if value not in ("", "runtime/default", "unconfined") and not value.startswith(_LOCALHOST):
        errors.append(invalid(path, value, f'invalid AppArmor profile name: "{value}"'))
    return errors


def validate_matching_fields(annotations: Mapping[str, str], spec: Tree, path: str) -> list[FieldError]:
    """Where both the annotation of old and the field are there, they agree; upstream looks at new pods and templates."""
    if not any(key == SECCOMP or key.startswith((SECCOMP_PREFIX, APPARMOR_PREFIX)) for key in annotations):
        return []
    context = spec["securityContext"]
    errors: list[FieldError] = []
    if (profile := context.get("seccompProfile")) is not None and SECCOMP in annotations:
        where = f"{path}.securityContext.seccompProfile"
        errors += _compare(annotations[SECCOMP], profile, "seccomp", _SECCOMP_VALUES, where)
    is_windows = spec.get("os", {}).get("name") == "windows"
    for container, where in containers_with_paths(spec, path):
        name, own = container.get("name", ""), container.get("securityContext", {})
        value, profile = annotations.get(SECCOMP_PREFIX + name), own.get("seccompProfile")
        if value is not None and profile is not None:
            errors += _compare(value, profile, "seccomp", _SECCOMP_VALUES, f"{where}.securityContext.seccompProfile")
        value = annotations.get(APPARMOR_PREFIX + name)
        profile = own.get("appArmorProfile") or context.get("appArmorProfile")
        if value is not None and profile is not None and not is_windows:
            errors += _compare(value, profile, "apparmor", _PLAIN, f"{where}.securityContext.appArmorProfile")
    return errors


def _compare(value: str, profile: Tree, what: str, plain: Mapping[str, tuple[str, ...]], path: str) -> list[FieldError]:
    type_ = profile.get("type", "")
    if type_ in plain:
        agrees = value in plain[type_]
    elif type_ == "Localhost":
        if value.startswith(_LOCALHOST):
            if value.removeprefix(_LOCALHOST) == profile.get("localhostProfile"):
                return []
            return [forbidden_field(f"{path}.localhostProfile", f"{what} profile in annotation and field must match")]
        agrees = False
    else:
        agrees = True
    return [] if agrees else [forbidden_field(f"{path}.type", f"{what} type in annotation and field must match")]
