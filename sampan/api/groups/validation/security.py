"""Security contexts of pods and containers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid, not_supported, required, too_long
from sampan.api.groups.validation.operatingsystems import validate_windows_options
from sampan.api.groups.validation.volumesources import local_descending_path
from sampan.api.resource import Tree

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_APPARMOR_LENGTH = 4095
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = f"^({_SYSCTL_SEGMENT}[\\./])*{_SYSCTL_SEGMENT}$"
_SYSCTL_LENGTH = 253
_is_sysctl = re.compile(_SYSCTL).match
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "fs.mqueue.", "kernel.sem")


def validate_pod_security(context: Tree, spec: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        if (number := context.get(field)) is not None:
            errors += [invalid(f"{path}.{field}", number, why) for why in names.user_id(number)]
    for index, group in enumerate(context.get("supplementalGroups", ())):
        errors += [invalid(f"{path}.supplementalGroups[{index}]", group, why) for why in names.user_id(group)]
    if sysctls := context.get("sysctls"):
        errors += _validate_sysctls(sysctls, spec, f"{path}.sysctls")
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in ("Always", "OnRootMismatch"):
        errors.append(not_supported(f"{path}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch")))
    errors += _validate_profiles(context, path)
    policy = context.get("seLinuxChangePolicy")
    # MountOption needs the feature gate SELinuxMount, which is off by default.
    if policy is not None and policy != "Recursive":
        errors.append(not_supported(f"{path}.seLinuxChangePolicy", policy, ("Recursive",)))
    policy = context.get("supplementalGroupsPolicy")
    if policy is not None and policy not in ("Merge", "Strict"):
        errors.append(not_supported(f"{path}.supplementalGroupsPolicy", policy, ("Merge", "Strict")))
    return errors


def validate_host_namespaces(spec: Tree, path: str) -> list[FieldError]:
    """A shared process namespace and the host's exclude each other."""
    if not (spec.get("shareProcessNamespace") and spec.get("hostPID")):
        return []
    why = "ShareProcessNamespace and HostPID cannot both be enabled"
    # The field lives in the security context of upstream's internal type, and its path says so.
    return [invalid(f"{path}.securityContext.shareProcessNamespace", True, why)]


def _validate_sysctls(sysctls: Sequence[Tree], spec: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        name, where = sysctl.get("name", ""), f"{path}[{index}].name"
        if not name:
            errors.append(required(where))
        elif len(name) > _SYSCTL_LENGTH or not _is_sysctl(name):
            why = f"must have at most {_SYSCTL_LENGTH} characters and match regex {_SYSCTL}"
            errors.append(invalid(where, name, why))
        elif name in seen:
            errors.append(duplicate(where, name))
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            errors.append(invalid(where, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and dotted.startswith(_IPC_SYSCTLS):
            errors.append(invalid(where, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
    return errors


def _validate_profiles(context: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if (profile := context.get("seccompProfile")) is not None:
        errors += _validate_profile(profile, "seccomp", f"{path}.seccompProfile")
    if (profile := context.get("appArmorProfile")) is not None:
        errors += _validate_profile(profile, "AppArmor", f"{path}.appArmorProfile")
    if (options := context.get("windowsOptions")) is not None:
        errors += validate_windows_options(options, f"{path}.windowsOptions")
    return errors


def _validate_profile(profile: Tree, what: str, path: str) -> list[FieldError]:
    type_, local = profile.get("type", ""), profile.get("localhostProfile")
    where = f"{path}.localhostProfile"
    errors: list[FieldError] = []
    if not type_:
        field = "seccompProfile" if what == "seccomp" else "appArmorProfile"
        errors.append(required(f"{path}.type", f"type is required when {field} is set"))
    elif type_ not in _PROFILES:
        errors.append(not_supported(f"{path}.type", type_, _PROFILES))
    if type_ == "Localhost":
        if local is None or (what == "AppArmor" and not local):
            errors.append(required(where, f"must be set when {what} type is Localhost"))
        elif what == "seccomp":
            errors += local_descending_path(local, where)
        elif local.strip() != local:
            errors.append(invalid(where, local, "must not be padded with whitespace"))
        if local is not None and what == "AppArmor" and len(local.encode()) > _APPARMOR_LENGTH:
            errors.append(too_long(where, _APPARMOR_LENGTH))
    elif local is not None:
        errors.append(invalid(where, local, f"can only be set when {what} type is Localhost"))
    return errors


def validate_container_security(context: Tree, shares_users: bool, path: str) -> list[FieldError]:
    """`shares_users`: whether the pod has the users of its node."""
    errors: list[FieldError] = []
    for field in ("runAsUser", "runAsGroup"):
        if (number := context.get(field)) is not None:
            errors += [invalid(f"{path}.{field}", number, why) for why in names.user_id(number)]
    mount = context.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        errors.append(not_supported(f"{path}.procMount", mount, ("Default", "Unmasked")))
    if mount == "Unmasked" and shares_users:
        errors.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += _validate_profiles(context, path)
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, context, why))
        if "CAP_SYS_ADMIN" in context.get("capabilities", {}).get("add", ()):
            why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, context, why))
    return errors
