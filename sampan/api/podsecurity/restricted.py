"""What the restricted level demands beyond the baseline: the practice of hardened pods."""

from __future__ import annotations

from sampan.api.podsecurity.baseline import PROFILES, adding_capabilities, forbidden_seccomp, seccomp_type
from sampan.api.podsecurity.findings import (
    Check,
    Finding,
    but_on_windows,
    containers,
    named,
    names_of,
    plural,
    quoted,
    setters,
    setting,
)
from sampan.api.resource import Tree

_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_RESTRICTED_VOLUMES = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
)


def _privilege_escalation(metadata: Tree, spec: Tree) -> Finding | None:
    found = names_of(c for c in containers(spec) if setting(c, "allowPrivilegeEscalation") is not False)
    if not found:
        return None
    detail = f"{named(found)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail)


def _capabilities(metadata: Tree, spec: Tree) -> Finding | None:
    keeping = names_of(c for c in containers(spec) if "ALL" not in (setting(c, "capabilities", "drop") or ()))
    adding = adding_capabilities(spec, lambda name: name == "NET_BIND_SERVICE", "")
    details = [f'{named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    details += [adding.detail] if adding is not None else []
    return Finding("unrestricted capabilities", "; ".join(details)) if details else None


def _volumes(metadata: Tree, spec: Tree) -> Finding | None:
    found = [volume for volume in spec.get("volumes") or () if not any(volume.get(source) is not None for source in _VOLUMES)]
    if not found:
        return None
    types = sorted({next((source for source in _RESTRICTED_VOLUMES if v.get(source) is not None), "unknown") for v in found})
    use = plural(len(found), "uses", "use")
    kind = plural(len(types), "restricted volume type")
    return Finding("restricted volume types", f"{named(names_of(found), 'volume')} {use} {kind} {quoted(types)}")


def _non_root(metadata: Tree, spec: Tree) -> Finding | None:
    pod = setting(spec, "runAsNonRoot")
    reason = "runAsNonRoot != true"
    who = setters(pod is False, names_of(c for c in containers(spec) if setting(c, "runAsNonRoot") is False))
    if who:
        return Finding(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    silent = [] if pod else names_of(c for c in containers(spec) if setting(c, "runAsNonRoot") is None)
    return Finding(reason, f"pod or {named(silent)} must set securityContext.runAsNonRoot=true") if silent else None


def _user(metadata: Tree, spec: Tree) -> Finding | None:
    who = setters(
        setting(spec, "runAsUser") == 0,
        names_of(container for container in containers(spec) if setting(container, "runAsUser") == 0),
    )
    return Finding("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def _seccomp(metadata: Tree, spec: Tree) -> Finding | None:
    forbidden = forbidden_seccomp(spec)
    if forbidden is not None or seccomp_type(spec) in PROFILES:
        return forbidden
    silent = names_of(container for container in containers(spec) if seccomp_type(container) is None)
    if not silent:
        return None
    choices = '"RuntimeDefault" or "Localhost"'
    return Finding("seccompProfile", f"pod or {named(silent)} must set securityContext.seccompProfile.type to {choices}")


CHECKS: dict[str, dict[int, Check]] = {
    "allowPrivilegeEscalation": {8: _privilege_escalation, 25: but_on_windows(_privilege_escalation)},
    "capabilities_restricted": {22: _capabilities, 25: but_on_windows(_capabilities)},
    "restrictedVolumes": {0: _volumes},
    "runAsNonRoot": {0: _non_root},
    "runAsUser": {23: _user},
    "seccompProfile_restricted": {19: _seccomp, 25: but_on_windows(_seccomp)},
}
"""As those of the baseline."""

REPLACES = {
    "capabilities_restricted": "capabilities_baseline",
    "restrictedVolumes": "hostPathVolumes",
    "seccompProfile_restricted": "seccompProfile_baseline",
}
"""Checks of the baseline that need not be made as well."""
