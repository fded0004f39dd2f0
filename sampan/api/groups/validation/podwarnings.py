"""What clients are warned of in pods and pod templates: fields that do nothing, hide each other, or will soon be gone.

After pkg/api/pod/warnings.go. It runs on every Pod that is made, so that what most pods have not costs one look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from sampan.api import names
from sampan.api.groups.validation.amounts import has_fraction, warn_of_fractions
from sampan.api.groups.validation.claims import warn_of_claim
from sampan.api.groups.validation.nodelabels import warn_of_expressions, why_deprecated
from sampan.api.groups.validation.operatingsystems import containers_with_paths
from sampan.api.groups.validation.overlaps import warn_of_overlaps
from sampan.api.groups.validation.podannotations import APPARMOR_PREFIX, SECCOMP, SECCOMP_PREFIX
from sampan.api.groups.validation.ranges import warn_of_ip
from sampan.api.resource import Tree

NAME_OF_PODS = (
    "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
    "a DNS label is recommended: "
)
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_OLD_DOMAIN = ".alpha.kubernetes.io/"
"""In the name of every annotation that a Pod is warned of; those of seccomp, too."""
_OLD_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SHOWN_AS = {"storageos": "storageOS"}
_OF_NODES = frozenset(("nodeSelector", "affinity", "topologySpreadConstraints"))
_WHOLE = ("memory", "ephemeral-storage")
_COMPARED_PORTS = 32
"""A port is compared with the first so many of its number; upstream compares it with all before it."""
_ENOUGH = 1000
"""So many warnings of ports are more than an answer's headers can hold."""


def warn_of_name(tree: Tree, why: str = NAME_OF_PODS) -> list[str]:
    """Of a name that pods' names, and so their hosts' names, are made of."""
    problems = names.dns_label(tree["metadata"].get("name", ""))
    return [f"{why}[{' '.join(problems)}]"] if problems else []


def warn_of_pod_status(tree: Tree) -> list[str]:
    status = tree.get("status", {})
    return [
        why
        for field in ("podIPs", "hostIPs")
        for index, address in enumerate(status.get(field, ()))
        for why in warn_of_ip(address.get("ip", ""), f"status.{field}[{index}].ip")
    ]


def warn_of_template(template: Tree, path: str) -> list[str]:
    """Of a pod template that stands at `path`."""
    return warn_of_pod(template.get("spec", {}), template.get("metadata", {}), f"{path}.")


def has_old_annotations(meta: Tree) -> bool:
    """Whether what a Pod is warned of may depend on more than its spec."""
    return any(_OLD_DOMAIN in key for key in meta.get("annotations", ()))


def warn_of_pod(spec: Tree, meta: Tree, prefix: str = "") -> list[str]:
    """`prefix`: the path of a template with its dot, "" of a Pod."""
    path = f"{prefix}spec"
    warnings = [] if _OF_NODES.isdisjoint(spec) else _warn_of_nodes(spec, path)
    annotations = meta.get("annotations")
    if annotations:
        found = [(key, why) for key, why in _OLD_ANNOTATIONS.items() if key in annotations]
        warnings += [f"{prefix}metadata.annotations[{key}]: {why}" for key, why in found]
    if "volumes" in spec:
        warnings += _warn_of_volumes(spec["volumes"], path)
    if "hostAliases" in spec:
        warnings += _repeated((alias.get("ip", "") for alias in spec["hostAliases"]), f"{path}.hostAliases", "ip")
    if "imagePullSecrets" in spec:
        warnings += _warn_of_secrets(spec["imagePullSecrets"], f"{path}.imagePullSecrets")
    if "overhead" in spec:
        warnings += warn_of_fractions(spec["overhead"], _WHOLE, f"{path}.overhead")
    if annotations:
        warnings += _warn_of_profiles(spec, annotations, prefix)
    warnings += _warn_of_containers(spec, path)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        why = "must be >= 0; negative values are invalid and will be treated as 1"
        warnings.append(f"{path}.terminationGracePeriodSeconds: {why}")
    if "affinity" in spec:
        warnings += _warn_of_affinity(spec["affinity"], f"{path}.affinity")
    if "dnsConfig" in spec or "hostAliases" in spec:
        warnings += _warn_of_addresses(spec, path)
    return warnings


def _warn_of_nodes(spec: Tree, path: str) -> list[str]:
    warnings: list[str] = []
    if "nodeSelector" in spec:
        found = [(key, why_deprecated(key)) for key in spec["nodeSelector"]]
        warnings += [f"{path}.nodeSelector[{key}]: {why}" for key, why in found if why]
    if affinity := spec.get("affinity", {}).get("nodeAffinity"):
        where = f"{path}.affinity.nodeAffinity"
        for index, term in enumerate(affinity.get(_REQUIRED, {}).get("nodeSelectorTerms", ())):
            warnings += warn_of_expressions(term, f"{where}.{_REQUIRED}.nodeSelectorTerms[{index}]")
        for index, preferred in enumerate(affinity.get(_PREFERRED, ())):
            term = preferred.get("preference", {})
            warnings += warn_of_expressions(term, f"{where}.{_PREFERRED}[{index}].preference", values=True)
    for index, constraint in enumerate(spec.get("topologySpreadConstraints", ())):
        where, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey", "")
        if why := why_deprecated(key):
            warnings.append(f"{where}.topologyKey: {key} is {why}")
        if "labelSelector" not in constraint:
            warnings.append(f"{where}.labelSelector: {_NO_SELECTOR}")
    return warnings


def _warn_of_volumes(volumes: Sequence[Tree], path: str) -> list[str]:
    warnings: list[str] = []
    for index, volume in enumerate(volumes):
        for kind in volume:
            if kind in _OLD_VOLUMES:
                warnings.append(f"{path}.volumes[{index}].{_SHOWN_AS.get(kind, kind)}: {_OLD_VOLUMES[kind]}")
        if "ephemeral" in volume:
            where = f"{path}.volumes[{index}]"
            claim = volume["ephemeral"].get("volumeClaimTemplate", {}).get("spec", {})
            warnings += warn_of_claim(claim, f"{where}.ephemeral.volumeClaimTemplate.spec")
    return warnings + warn_of_overlaps(volumes)


def _repeated(values: Iterator[str], path: str, field: str) -> list[str]:
    warnings: list[str] = []
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            warnings.append(f"{path}[{index}].{field}: duplicate {field} {_quoted(value)}")
        seen.add(value)
    return warnings


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _warn_of_secrets(secrets: Sequence[Tree], path: str) -> list[str]:
    warnings = _repeated((secret.get("name", "") for secret in secrets), path, "name")
    return warnings + [
        f'{path}[{index}].name: invalid empty name ""' for index, secret in enumerate(secrets) if not secret.get("name")
    ]


def _warn_of_profiles(spec: Tree, annotations: Mapping[str, str], prefix: str) -> list[str]:
    """Of profiles that only annotations name."""
    path = f"{prefix}metadata.annotations"
    context = spec.get("securityContext", {})
    gone = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    warnings: list[str] = []
    if SECCOMP in annotations and "seccompProfile" not in context:
        warnings.append(f"{path}[{SECCOMP}]: {gone}")
    for container, _ in containers_with_paths(spec, ""):
        own, name = container.get("securityContext", {}), container.get("name", "")
        if (key := SECCOMP_PREFIX + name) in annotations and "seccompProfile" not in own:
            warnings.append(f"{path}[{key}]: {gone}")
        # Of Pods the field is filled in by the annotation.
        if prefix and (key := APPARMOR_PREFIX + name) in annotations and "appArmorProfile" not in {*own, *context}:
            warnings.append(f'{path}[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead')
    return warnings


def _warn_of_containers(spec: Tree, path: str) -> list[str]:
    warnings: list[str] = []
    ports: dict[tuple[int, str], list[tuple[str, Tree]]] = {}
    of_ports: list[str] = []
    for container, where in containers_with_paths(spec, path):
        if resources := container.get("resources"):
            warnings += _warn_of_resources(resources, f"{where}.resources")
        if len(container.get("env", ())) > 1:
            warnings += _warn_of_env(container["env"], f"{where}.env")
        for index, port in enumerate(container.get("ports", ())):
            if len(of_ports) < _ENOUGH:
                of_ports += _warn_of_port(port, f"{where}.ports[{index}]", ports)
    return warnings + of_ports


def _warn_of_resources(resources: Tree, path: str) -> list[str]:
    both = [(field, resources[field]) for field in ("limits", "requests") if field in resources]
    if not any(name in amounts and has_fraction(amounts[name]) for _, amounts in both for name in _WHOLE):
        return []
    # By amounts rather than by requests and limits, as upstream.
    return [
        warning
        for name in _WHOLE
        for field, amounts in both
        for warning in warn_of_fractions(amounts, (name,), f"{path}.{field}")
    ]  # fmt: skip


def _warn_of_env(variables: Sequence[Tree], path: str) -> list[str]:
    if len({variable.get("name") for variable in variables}) == len(variables):
        return []
    warnings: list[str] = []
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name, value = variable.get("name", ""), variable.get("value", "")
        reference = f"$({name})"
        if name in seen and ("valueFrom" in variable or value == reference or reference not in value):
            why = f"hides previous definition of {_quoted(name)}, which may be dropped when using apply"
            warnings.append(f"{path}[{index}]: {why}")
        seen.add(name)
    return warnings


def _warn_of_port(port: Tree, path: str, known: dict[tuple[int, str], list[tuple[str, Tree]]]) -> list[str]:
    address, host = port.get("hostIP", ""), port.get("hostPort", 0)
    number, protocol = port.get("containerPort", 0), port.get("protocol", "")
    warnings: list[str] = []
    if address and not host:
        shown = f"{{Name:{port.get('name', '')} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{address}}}"
        warnings.append(f"{path}: hostIP set without hostPort: {shown}")
    others = known.setdefault((number, protocol), [])
    for where, other in others:
        its_address, its_host = other.get("hostIP", ""), other.get("hostPort", 0)
        if address == its_address and host == its_host:
            warnings.append(f"{path}: duplicate port definition with {where}")
        elif not host or not its_host:
            warnings.append(f"{path}: overlapping port definition with {where}")
        elif host == its_host and bool(address) != bool(its_address):
            warnings.append(f"{path}: dangerously ambiguous port definition with {where}")
    if len(others) < _COMPARED_PORTS:
        others.append((path, port))
    return warnings


def _warn_of_affinity(affinity: Tree, path: str) -> list[str]:
    warnings: list[str] = []
    for field in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(field, {})
        for index, term in enumerate(pods.get(_REQUIRED, ())):
            if "labelSelector" not in term:
                warnings.append(f"{path}.{field}.{_REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}")
        for index, preferred in enumerate(pods.get(_PREFERRED, ())):
            if "labelSelector" not in preferred.get("podAffinityTerm", {}):
                warnings.append(f"{path}.{field}.{_PREFERRED}[{index}].podAffinityTerm.labelSelector: {_NO_SELECTOR}")
    return warnings


def _warn_of_addresses(spec: Tree, path: str) -> list[str]:
    warnings: list[str] = []
    for index, server in enumerate(spec.get("dnsConfig", {}).get("nameservers", ())):
        warnings += warn_of_ip(server, f"{path}.dnsConfig.nameservers[{index}]")
    for index, alias in enumerate(spec.get("hostAliases", ())):
        warnings += warn_of_ip(alias.get("ip", ""), f"{path}.hostAliases[{index}].ip")
    return warnings
