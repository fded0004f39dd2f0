"""What a pod may say only under one operating system: Windows' options, and the fields that mean nothing there.

After validateOS, validateLinux, validateWindows, validateWindowsHostProcessPod and validateWindowsSecurityContextOptions
(pkg/apis/core/validation).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.resource import Tree

_SYSTEMS = ("linux", "windows")
_NOT_ON_WINDOWS = "cannot be set for a windows pod"
_NOT_ON_LINUX = "windows options cannot be set for a linux pod"
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
_OF_PODS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_OF_CONTAINERS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_LONGEST_CREDENTIALS = 64 * 1024
_DOMAIN_LENGTH, _USER_LENGTH = 256, 104
_DOMAIN_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_has_control = re.compile(r"[\x00-\x1f\x7f]").search
_is_netbios = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}').fullmatch
_is_domain = re.compile(rf"{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*").fullmatch
_has_forbidden = re.compile(r'["/\\:;|=,+*?<>@\[\]]').search
_only_dots = re.compile(r"[. ]+").fullmatch


def containers_with_paths(spec: Tree, path: str) -> Iterator[tuple[Tree, str]]:
    """Every container and where it stands, in the order in which upstream visits them."""
    for field in _CONTAINER_LISTS:
        for index, container in enumerate(spec.get(field, ())):
            yield container, f"{path}.{field}[{index}]"


def validate_system(spec: Tree, path: str) -> list[FieldError]:
    """`os`, and what follows of it."""
    name = spec["os"].get("name", "")
    if not name:
        return [required(f"{path}.os.name", "cannot be empty")]
    if name not in _SYSTEMS:
        return [not_supported(f"{path}.os", name, _SYSTEMS)]
    return _validate_linux(spec, path) if name == "linux" else _validate_windows(spec, path)


def _validate_linux(spec: Tree, path: str) -> list[FieldError]:
    contexts = [(spec["securityContext"], path)]
    contexts += [(container.get("securityContext", {}), where) for container, where in containers_with_paths(spec, path)]
    return [
        forbidden_field(f"{where}.securityContext.windowsOptions", _NOT_ON_LINUX)
        for context, where in contexts
        if "windowsOptions" in context
    ]


def _validate_windows(spec: Tree, path: str) -> list[FieldError]:
    context = spec["securityContext"]
    fields = [f"securityContext.{field}" for field in _OF_PODS if context.get(field) not in (None, [])]
    fields += [field for field in ("hostUsers", "shareProcessNamespace") if spec.get(field) is not None]
    fields += [field for field in ("hostPID", "hostIPC") if spec.get(field)]
    errors = [forbidden_field(f"{path}.{field}", _NOT_ON_WINDOWS) for field in fields]
    for container, where in containers_with_paths(spec, path):
        context = container.get("securityContext", {})
        found = [field for field in _OF_CONTAINERS if context.get(field) is not None]
        errors += [forbidden_field(f"{where}.securityContext.{field}", _NOT_ON_WINDOWS) for field in found]
    return errors


def validate_host_process(spec: Tree, path: str) -> list[FieldError]:
    """Containers that are processes of a Windows host: all of a pod's are, or none."""
    of_pod = spec["securityContext"].get("windowsOptions", {}).get("hostProcess")
    errors: list[FieldError] = []
    total = found = 0
    for container, where in containers_with_paths(spec, path):
        total += 1
        own = container.get("securityContext", {}).get("windowsOptions", {}).get("hostProcess")
        if own is not None and of_pod is not None and own != of_pod:
            why = f"pod hostProcess value must be identical if both are specified, was {'true' if of_pod else 'false'}"
            errors.append(invalid(f"{where}.securityContext.windowsOptions.hostProcess", own, why))
        found += bool(of_pod if own is None else own)
    if not found:
        return errors
    if found != total:
        why = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.append(invalid(path, "", why))
    if not spec.get("hostNetwork"):
        why = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.append(invalid(f"{path}.hostNetwork", False, why))
    return errors


def validate_windows_options(options: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        errors += [invalid(f"{path}.gmsaCredentialSpecName", name, why) for why in names.dns_subdomain(name)]
    if (credentials := options.get("gmsaCredentialSpec")) is not None:
        if not credentials:
            why = "gmsaCredentialSpec cannot be an empty string"
            errors.append(invalid(f"{path}.gmsaCredentialSpec", credentials, why))
        elif len(credentials.encode()) > _LONGEST_CREDENTIALS:
            why = f"gmsaCredentialSpec size must be under {_LONGEST_CREDENTIALS // 1024} KiB"
            errors.append(invalid(f"{path}.gmsaCredentialSpec", credentials, why))
    if (user := options.get("runAsUserName")) is not None:
        errors += [invalid(f"{path}.runAsUserName", user, f"runAsUserName{why}") for why in _problems_of_user(user)]
    return errors


def _problems_of_user(name: str) -> list[str]:
    if not name:
        return [" cannot be an empty string"]
    if _has_control(name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, backslash, user = name.rpartition("\\")
    problems: list[str] = []
    if len(domain.encode()) >= _DOMAIN_LENGTH:
        problems.append(f"'s Domain length must be under {_DOMAIN_LENGTH} characters")
    if backslash and not (_is_netbios(domain) or _is_domain(domain)):
        problems.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        problems.append("'s User cannot be empty")
    elif len(user.encode()) > _USER_LENGTH:
        problems.append(f"'s User length must not be longer than {_USER_LENGTH} characters")
    if _only_dots(user):
        problems.append("'s User cannot contain only periods or spaces")
    if _has_forbidden(user):
        problems.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return problems
