"""What admission is told at start: which plugins are on, and the file of `--admission-control-config-file`.

https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/
https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/
https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sampan.api import yamltree
from sampan.api.names import dns_label, dns_subdomain
from sampan.api.podsecurity import Policy, policy_of
from sampan.api.podsecurity.policy import EVERYTHING_GOES, LABEL_PREFIX
from sampan.api.quota.charging import Limited
from sampan.api.quota.scopes import Scope

Read = Callable[[str], bytes]

ON: Final = frozenset(
    ("CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction", "DefaultIngressClass", "DefaultStorageClass",
     "DefaultTolerationSeconds", "LimitRanger", "MutatingAdmissionWebhook", "NamespaceLifecycle", "NodeRestriction",
     "PersistentVolumeClaimResize", "PodSecurity", "Priority", "ResourceQuota", "RuntimeClass", "ServiceAccount",
     "StorageObjectInUseProtection", "TaintNodesByCondition", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook")
)  # fmt: skip
"""NodeRestriction is upstream's to turn on; kubeadm does."""
OTHERS: Final = frozenset(
    ("AlwaysAdmit", "AlwaysDeny", "AlwaysPullImages", "ClusterTrustBundleAttest", "DenyServiceExternalIPs", "EventRateLimit",
     "ExtendedResourceToleration", "ImagePolicyWebhook", "LimitPodHardAntiAffinityTopology", "MutatingAdmissionPolicy",
     "NamespaceAutoProvision", "NamespaceExists", "OwnerReferencesPermissionEnforcement", "PodNodeSelector",
     "PodTolerationRestriction", "PodTopologyLabels")
)  # fmt: skip
"""Upstream's that are not here."""

_VERSIONS: Final = {
    "AdmissionConfiguration": ("apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"),
    "PodSecurityConfiguration": tuple(f"pod-security.admission.config.k8s.io/v1{more}" for more in ("", "beta1", "alpha1")),
    "ResourceQuotaConfiguration": (
        "apiserver.config.k8s.io/v1",
        "resourcequota.admission.k8s.io/v1",
        "resourcequota.admission.k8s.io/v1beta1",
        "resourcequota.admission.k8s.io/v1alpha1",
    ),
}  # fmt: skip
_MODES: Final = ("enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version")


@dataclass(frozen=True, slots=True)
class PodSecuritySettings:
    """What holds where a namespace says nothing, and for whom nothing holds."""

    defaults: Policy = EVERYTHING_GOES
    users: frozenset[str] = frozenset()
    runtime_classes: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    off: frozenset[str] = frozenset()
    pod_security: PodSecuritySettings = PodSecuritySettings()
    limited: tuple[Limited, ...] = ()


def plugins_off(enable: Iterable[str], disable: Iterable[str]) -> frozenset[str]:
    """Raises ValueError, in upstream's words where it has them."""
    wanted, unwanted = frozenset(enable), frozenset(disable)
    for flag, names in (("disable", unwanted), ("enable", wanted)):
        for name in sorted(names - ON - OTHERS):
            raise ValueError(f'{flag}-admission-plugins plugin "{name}" is unknown')
    if both := wanted & unwanted:
        raise ValueError(f"[{' '.join(sorted(both))}] in enable-admission-plugins and disable-admission-plugins overlapped")
    for name in sorted(wanted - ON):
        raise ValueError(f'enable-admission-plugins plugin "{name}" is not available')
    return unwanted & ON


def read_settings(text: bytes, read: Read) -> AdmissionSettings:
    """Of an AdmissionConfiguration; `read` is for the files that it names. Raises ValueError."""
    tree = _loaded(text, "AdmissionConfiguration")
    _only(tree, "", ("apiVersion", "kind", "plugins"))
    found = AdmissionSettings()
    for index, plugin in enumerate(_list(tree, "plugins")):
        where = f"plugins[{index}]"
        _only(plugin, where, ("name", "path", "configuration"))
        name = plugin.get("name")
        if name not in ON:
            raise ValueError(f"{where}.name: {name!r} is no plugin that is on")
        own = plugin.get("configuration")
        if own is None and plugin.get("path"):
            own = yamltree.load(read(plugin["path"]))[0]
        if own is not None:
            found = _with(found, name, own)
    return found


def _with(found: AdmissionSettings, name: str, own: Any) -> AdmissionSettings:
    if name == "PodSecurity":
        return replace(found, pod_security=_pod_security(_checked(own, "PodSecurityConfiguration")))
    if name == "ResourceQuota":
        return replace(found, limited=_limited(_checked(own, "ResourceQuotaConfiguration")))
    raise ValueError(f"{name} takes no configuration")


def _pod_security(tree: Mapping[str, Any]) -> PodSecuritySettings:
    _only(tree, "", ("apiVersion", "kind", "defaults", "exemptions"))
    defaults, exemptions = tree.get("defaults") or {}, tree.get("exemptions") or {}
    _only(defaults, "defaults", _MODES)
    _only(exemptions, "exemptions", ("usernames", "runtimeClasses", "namespaces"))
    said = {"enforce": "privileged", "audit": "privileged", "warn": "privileged"} | {k: v for k, v in defaults.items() if v}
    policy, errors = policy_of({LABEL_PREFIX + mode: value for mode, value in said.items()})
    if errors:
        raise ValueError("; ".join(_in_file(str(error)) for error in errors))
    return PodSecuritySettings(
        policy,
        _names(exemptions, "usernames", lambda name: [] if name else ["username must not be empty"]),
        _names(exemptions, "runtimeClasses", dns_subdomain),
        _names(exemptions, "namespaces", dns_label),
    )


def _in_file(problem: str) -> str:
    return problem.replace(f"metadata.labels[{LABEL_PREFIX}", "defaults[")


def _names(tree: Mapping[str, Any], field: str, problems: Callable[[str], Sequence[str]]) -> frozenset[str]:
    found: set[str] = set()
    for index, name in enumerate(tree.get(field) or ()):
        where = f"exemptions.{field}[{index}]"
        if not isinstance(name, str) or (why := ", ".join(problems(name))):
            raise ValueError(f'{where}: Invalid value: "{name}": {why if isinstance(name, str) else "must be a string"}')
        if name in found:
            raise ValueError(f'{where}: Duplicate value: "{name}"')
        found.add(name)
    return frozenset(found)


def _limited(tree: Mapping[str, Any]) -> tuple[Limited, ...]:
    _only(tree, "", ("apiVersion", "kind", "limitedResources"))
    found = []
    for index, each in enumerate(_list(tree, "limitedResources")):
        where = f"limitedResources[{index}]"
        _only(each, where, ("apiGroup", "resource", "matchContains", "matchScopes"))
        if not each.get("resource"):
            raise ValueError(f"{where}.resource: Required value")
        scopes = []
        for scope in each.get("matchScopes") or ():
            _only(scope, f"{where}.matchScopes", ("scopeName", "operator", "values"))
            scopes.append(Scope(scope.get("scopeName", ""), scope.get("operator", ""), tuple(scope.get("values") or ())))
        contains = tuple(each.get("matchContains") or ())
        found.append(Limited(each.get("apiGroup") or "", each["resource"], contains, tuple(scopes)))
    return tuple(found)


def _loaded(text: bytes, kind: str) -> Mapping[str, Any]:
    try:
        tree, repeats = yamltree.load(text)
    except yamltree.YAMLError as error:
        raise ValueError(str(error)) from None
    if repeats:
        raise ValueError(repeats[0])
    return _checked(tree, kind)


def _checked(tree: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(tree, dict) or tree.get("kind") not in (kind, "Configuration"):
        raise ValueError(f"no {kind}")
    if tree.get("apiVersion") not in _VERSIONS[kind]:
        raise ValueError(f'no kind "{kind}" is registered for version "{tree.get("apiVersion", "")}"')
    return tree


def _list(tree: Mapping[str, Any], field: str) -> list[Any]:
    found = tree.get(field) or []
    if not isinstance(found, list):
        raise ValueError(f"{field} is no list")
    return found


def _only(tree: Any, where: str, fields: Sequence[str]) -> None:
    if not isinstance(tree, dict):
        raise ValueError(f"{where} is no object")
    for name in tree:
        if name not in fields:
            raise ValueError(f'unknown field "{where + "." if where else ""}{name}"')
