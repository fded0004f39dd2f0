"""The spec of a pod, in a Pod or in a template, after defaults. After pkg/apis/core/validation (ValidatePodSpec)."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.validation.containers import (
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from sampan.api.groups.validation.metadata import validate_annotations, validate_labels
from sampan.api.groups.validation.operatingsystems import validate_host_process, validate_system
from sampan.api.groups.validation.podannotations import validate_matching_fields, validate_pod_annotations
from sampan.api.groups.validation.resources import validate_resources
from sampan.api.groups.validation.scheduling import (
    validate_affinity,
    validate_gates,
    validate_node_selector,
    validate_spread,
    validate_tolerations,
)
from sampan.api.groups.validation.security import validate_host_namespaces, validate_pod_security
from sampan.api.groups.validation.volumes import validate_volumes
from sampan.api.resource import Tree

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_MAX_INT32 = 2**31 - 1
_MAX_NAMESERVERS, _MAX_SEARCHES, _MAX_SEARCH_LENGTH = 3, 32, 2048
# Fields that few pods have: one set operation tells whether any of them is there.
_RARE = frozenset(
    (
        "ephemeralContainers",
        "hostNetwork",
        "hostPID",
        "nodeSelector",
        "affinity",
        "dnsConfig",
        "readinessGates",
        "schedulingGates",
        "topologySpreadConstraints",
        "hostUsers",
        "activeDeadlineSeconds",
        "hostname",
        "subdomain",
        "hostAliases",
        "priorityClassName",
        "runtimeClassName",
        "preemptionPolicy",
        "overhead",
        "os",
    )
)
_NAMES = (
    ("serviceAccountName", names.dns_subdomain),
    ("nodeName", names.dns_subdomain),
    ("hostname", names.dns_label),
    ("subdomain", names.dns_label),
    ("priorityClassName", names.dns_subdomain),
    ("runtimeClassName", names.dns_subdomain),
)


def validate_template(template: Tree, path: str) -> list[FieldError]:
    """The pod template of a workload: labels, annotations and spec."""
    meta = template.get("metadata", {})
    errors = validate_labels(meta.get("labels", {}), f"{path}.labels")
    spec = template.get("spec", {})
    annotations = meta.get("annotations")
    if annotations:
        errors += validate_annotations(annotations, f"{path}.annotations")
        errors += validate_pod_annotations(annotations, spec, f"{path}.annotations")
    errors += validate_pod_spec(spec, f"{path}.spec")
    if annotations:
        errors += validate_matching_fields(annotations, spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        errors.append(forbidden_field(f"{path}.spec.ephemeralContainers", why))
    return errors


def validate_pod_spec(spec: Tree, path: str, pod: Tree | None = None) -> list[FieldError]:
    """`pod`: the metadata of the Pod whose spec it is; in one, host ports have been set for the host's network."""
    name = pod.get("name", "") if pod else ""
    volumes, errors = validate_volumes(spec["volumes"], name, f"{path}.volumes") if "volumes" in spec else ({}, [])
    containers = spec.get("containers", ())
    errors += validate_containers(containers, volumes, spec, f"{path}.containers")
    initial = spec.get("initContainers", ())
    if initial:
        errors += validate_init_containers(initial, containers, volumes, spec, f"{path}.initContainers")
    policy = spec["restartPolicy"]
    if policy not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    if spec["dnsPolicy"] not in DNS_POLICIES:
        errors.append(not_supported(f"{path}.dnsPolicy", spec["dnsPolicy"], DNS_POLICIES))
    if spec["securityContext"]:
        errors += validate_pod_security(spec["securityContext"], spec, f"{path}.securityContext")
    for field, rule in _NAMES:
        if value := spec.get(field):
            errors += [invalid(f"{path}.{field}", value, why) for why in rule(value)]
    if tolerations := spec.get("tolerations"):
        errors += validate_tolerations(tolerations, f"{path}.tolerations")
    if "imagePullSecrets" in spec:
        errors += _validate_pull_secrets(spec["imagePullSecrets"], f"{path}.imagePullSecrets")
    if not _RARE.isdisjoint(spec) or spec["dnsPolicy"] == "None":
        if ephemeral := spec.get("ephemeralContainers"):
            where = f"{path}.ephemeralContainers"
            errors += validate_ephemeral_containers(ephemeral, (*containers, *initial), volumes, spec, where)
        errors += _validate_placement(spec, path)
        errors += _validate_network(spec, path, pod is not None)
        errors += _validate_rest(spec, path)
    if _may_be_host_process(spec):
        errors += validate_host_process(spec, path)
    return errors


def _may_be_host_process(spec: Tree) -> bool:
    if "windowsOptions" in spec["securityContext"]:
        return True
    lists = (spec.get(field, ()) for field in ("containers", "initContainers", "ephemeralContainers"))
    return any("windowsOptions" in c["securityContext"] for part in lists for c in part if "securityContext" in c)


def _validate_pull_secrets(references: Sequence[Tree], path: str) -> list[FieldError]:
    return [
        invalid(f"{path}[{index}]", reference, "only name may be set")
        for index, reference in enumerate(references)
        if reference.keys() - {"name"}
    ]


def _validate_placement(spec: Tree, path: str) -> list[FieldError]:
    errors = validate_node_selector(spec.get("nodeSelector", {}), f"{path}.nodeSelector")
    if "affinity" in spec:
        errors += validate_affinity(spec["affinity"], f"{path}.affinity")
    for index, gate in enumerate(spec.get("readinessGates", ())):
        type_ = gate.get("conditionType", "")
        where = f"{path}.readinessGates[{index}].conditionType"
        errors += [invalid(where, type_, why) for why in names.qualified_name(type_)]
    errors += validate_gates(spec.get("schedulingGates", ()), f"{path}.schedulingGates")
    return errors + validate_spread(spec.get("topologySpreadConstraints", ()), f"{path}.topologySpreadConstraints")


def _validate_network(spec: Tree, path: str, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("hostNetwork"):
        errors += _validate_host_network(spec, path, is_pod)
    errors += _validate_dns(spec, f"{path}.dnsConfig")
    for index, alias in enumerate(spec.get("hostAliases", ())):
        address, where = alias.get("ip", ""), f"{path}.hostAliases[{index}]"
        errors += [invalid(f"{where}.ip", address, why) for why in names.ip_address(address)]
        for number, host in enumerate(alias.get("hostnames", ())):
            errors += [invalid(f"{where}.hostnames[{number}]", host, why) for why in names.dns_subdomain(host)]
    return errors


def _validate_host_network(spec: Tree, path: str, is_pod: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for number, container in enumerate(spec.get("containers", ())):
        for index, port in enumerate(container.get("ports", ())):
            host = port.get("hostPort", 0)
            if (is_pod or host) and host != port.get("containerPort", 0):
                why = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(f"{path}.containers[{number}].ports[{index}].hostPort", host, why))
    return errors


def _validate_dns(spec: Tree, path: str) -> list[FieldError]:
    config = spec.get("dnsConfig")
    if spec["dnsPolicy"] == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", why)]
    if config is None:
        return []
    errors: list[FieldError] = []
    servers, searches = config.get("nameservers", []), config.get("searches", [])
    if len(servers) > _MAX_NAMESERVERS:
        why = f"must not have more than {_MAX_NAMESERVERS} nameservers"
        errors.append(invalid(f"{path}.nameservers", servers, why))
    for index, server in enumerate(servers):
        errors += [invalid(f"{path}.nameservers[{index}]", server, why) for why in names.ip_address(server)]
    if len(searches) > _MAX_SEARCHES:
        errors.append(invalid(f"{path}.searches", searches, f"must not have more than {_MAX_SEARCHES} search paths"))
    if len(" ".join(searches)) > _MAX_SEARCH_LENGTH:
        why = f"must not have more than {_MAX_SEARCH_LENGTH} characters (including spaces) in the search list"
        errors.append(invalid(f"{path}.searches", searches, why))
    for index, search in enumerate(searches):
        if search != ".":
            bare = search.removesuffix(".")
            errors += [invalid(f"{path}.searches[{index}]", bare, why) for why in names.dns_subdomain_with_underscores(bare)]
    for index, option in enumerate(config.get("options", ())):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{index}]", "must not be empty"))
    return errors


def _validate_rest(spec: Tree, path: str) -> list[FieldError]:
    errors = validate_host_namespaces(spec, path)
    if spec.get("hostUsers") is False:
        # Upstream capitalizes two of the three.
        shared = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
        why = "when `hostUsers` is false"
        errors += [forbidden_field(f"{path}.{shown}", why) for field, shown in shared if spec.get(field)]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAX_INT32:
        errors.append(invalid(f"{path}.activeDeadlineSeconds", deadline, names.range_message(1, _MAX_INT32)))
    policy = spec.get("preemptionPolicy")
    if policy is not None and policy not in PREEMPTION_POLICIES:
        errors.append(not_supported(f"{path}.preemptionPolicy", policy, PREEMPTION_POLICIES))
    if "overhead" in spec:
        errors += validate_resources({"limits": spec["overhead"]}, f"{path}.overhead")
    if "os" in spec:
        errors += validate_system(spec, path)
    return errors
