"""What the baseline level forbids: known ways out of a container."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sampan.api.podsecurity.findings import (
    Check,
    Finding,
    containers,
    go_quoted,
    named,
    names_of,
    plural,
    quoted,
    setters,
    setting,
)
from sampan.api.resource import Tree

_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"
_LOCALHOST = "localhost/"
PROFILES = ("RuntimeDefault", "Localhost")
_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
_SYSCTLS_1_0 = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
    )
)
_SYSCTLS_1_27 = _SYSCTLS_1_0 | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_1_29 = _SYSCTLS_1_27 | {
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
_SYSCTLS_1_32 = _SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
_SELINUX_1_0 = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SELINUX_1_31 = _SELINUX_1_0 | {"container_engine_t"}


def _apparmor(metadata: Tree, spec: Tree) -> Finding | None:
    def bad(holder: Tree) -> str | None:
        profile = setting(holder, "appArmorProfile")
        type_: str = profile.get("type", "") if profile is not None else PROFILES[0]
        return None if type_ in PROFILES else type_

    pod = bad(spec)
    found = [(container, type_) for container in containers(spec) if (type_ := bad(container)) is not None]
    annotations = sorted(
        f"{name}={go_quoted(value)}"
        for name, value in (metadata.get("annotations") or {}).items()
        if name.startswith(_APPARMOR_ANNOTATION) and value not in ("", "runtime/default") and not value.startswith(_LOCALHOST)
    )
    who = setters(pod is not None, names_of(container for container, _ in found))
    if annotations:
        who = f"{who} and " * bool(who) + plural(len(annotations), "annotation")
    if not who:
        return None
    values = sorted({*([pod] if pod is not None else []), *(type_ for _, type_ in found)}) + annotations
    reason = plural(len(values), "forbidden AppArmor profile")
    return Finding(reason, f"{who} must not set AppArmor profile type to {quoted(values)}")


def _capabilities(metadata: Tree, spec: Tree) -> Finding | None:
    return adding_capabilities(spec, lambda name: name in _CAPABILITIES, "non-default capabilities")


def adding_capabilities(spec: Tree, allowed: Callable[[str], bool], reason: str) -> Finding | None:
    found = [
        (container, bad)
        for container in containers(spec)
        if (bad := [name for name in setting(container, "capabilities", "add") or () if not allowed(name)])
    ]
    if not found:
        return None
    names = names_of(container for container, _ in found)
    capabilities = sorted({name for _, bad in found for name in bad})
    return Finding(reason, f"{named(names)} must not include {quoted(capabilities)} in securityContext.capabilities.add")


def _host_namespaces(metadata: Tree, spec: Tree) -> Finding | None:
    found = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return Finding("host namespaces", ", ".join(found)) if found else None


def _host_path_volumes(metadata: Tree, spec: Tree) -> Finding | None:
    found = [volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Finding("hostPath volumes", named(found, "volume")) if found else None


def _host_ports(metadata: Tree, spec: Tree) -> Finding | None:
    found = [
        (container, ports)
        for container in containers(spec)
        if (ports := {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")})
    ]
    if not found:
        return None
    names = names_of(container for container, _ in found)
    every = sorted({port for _, ports in found for port in ports})
    use = plural(len(found), "uses", "use")
    return Finding("hostPort", f"{named(names)} {use} {plural(len(every), 'hostPort')} {', '.join(every)}")


def _privileged(metadata: Tree, spec: Tree) -> Finding | None:
    found = names_of(container for container in containers(spec) if setting(container, "privileged"))
    return Finding("privileged", f"{named(found)} must not set securityContext.privileged=true") if found else None


def _proc_mount(metadata: Tree, spec: Tree) -> Finding | None:
    found = [c for c in containers(spec) if setting(c, "procMount") not in (None, "Default")]
    if not found:
        return None
    types = sorted({setting(container, "procMount") for container in found})
    return Finding("procMount", f"{named(names_of(found))} must not set securityContext.procMount to {quoted(types)}")


def _selinux(allowed: frozenset[str], metadata: Tree, spec: Tree) -> Finding | None:
    def bad(holder: Tree) -> Tree | None:
        options: Tree | None = setting(holder, "seLinuxOptions")
        if options is None or (options.get("type", "") in allowed and not options.get("user") and not options.get("role")):
            return None
        return options

    pod = bad(spec)
    found = [(container, options) for container in containers(spec) if (options := bad(container)) is not None]
    who = setters(pod is not None, names_of(container for container, _ in found))
    if not who:
        return None
    every = [*([pod] if pod is not None else []), *(options for _, options in found)]
    types = sorted({options.get("type", "") for options in every} - allowed)
    data = [f"{plural(len(types), 'type')} {quoted(types)}"] if types else []
    data += [f"{field} may not be set" for field in ("user", "role") if any(options.get(field) for options in every)]
    return Finding("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}")


def _seccomp_1_0(metadata: Tree, spec: Tree) -> Finding | None:
    annotations = metadata.get("annotations") or {}
    names = [_SECCOMP_POD_ANNOTATION, *(f"{_SECCOMP_ANNOTATION}{container.get('name', '')}" for container in containers(spec))]
    found = sorted(
        {
            f"{name}={go_quoted(annotations[name])}"
            for name in names
            if name in annotations
            and annotations[name] not in ("runtime/default", "docker/default")
            and not annotations[name].startswith(_LOCALHOST)
        }
    )
    return Finding("seccompProfile", f"forbidden {plural(len(found), 'annotation')} {', '.join(found)}") if found else None


def _seccomp_1_19(metadata: Tree, spec: Tree) -> Finding | None:
    return forbidden_seccomp(spec)


def seccomp_type(holder: Tree) -> str | None:
    profile = setting(holder, "seccompProfile")
    return None if profile is None else str(profile.get("type", ""))


def forbidden_seccomp(spec: Tree) -> Finding | None:
    allowed = (None, *PROFILES)
    pod = seccomp_type(spec) not in allowed
    found = [container for container in containers(spec) if seccomp_type(container) not in allowed]
    who = setters(pod, names_of(found))
    if not who:
        return None
    types = sorted({str(seccomp_type(holder)) for holder in (*([spec] if pod else []), *found)})
    return Finding("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(types)}")


def _sysctls(allowed: frozenset[str], metadata: Tree, spec: Tree) -> Finding | None:
    found = [name for sysctl in setting(spec, "sysctls") or () if (name := sysctl.get("name", "")) not in allowed]
    return Finding("forbidden sysctls", ", ".join(found)) if found else None


def _host_process(metadata: Tree, spec: Tree) -> Finding | None:
    pod = bool(setting(spec, "windowsOptions", "hostProcess"))
    found = names_of(container for container in containers(spec) if setting(container, "windowsOptions", "hostProcess"))
    who = setters(pod, found)
    return Finding("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None


CHECKS: dict[str, dict[int, Check]] = {
    "appArmorProfile": {0: _apparmor},
    "capabilities_baseline": {0: _capabilities},
    "hostNamespaces": {0: _host_namespaces},
    "hostPathVolumes": {0: _host_path_volumes},
    "hostPorts": {0: _host_ports},
    "privileged": {0: _privileged},
    "procMount": {0: _proc_mount},
    "seLinuxOptions": {0: partial(_selinux, _SELINUX_1_0), 31: partial(_selinux, _SELINUX_1_31)},
    "seccompProfile_baseline": {0: _seccomp_1_0, 19: _seccomp_1_19},
    "sysctls": {
        0: partial(_sysctls, _SYSCTLS_1_0),
        27: partial(_sysctls, _SYSCTLS_1_27),
        29: partial(_sysctls, _SYSCTLS_1_29),
        32: partial(_sysctls, _SYSCTLS_1_32),
    },
    "windowsHostProcess": {0: _host_process},
}
"""By id, in the order they are told in; by the minor version since which the check is so."""
