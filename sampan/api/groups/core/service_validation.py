"""Rules of Services. Addresses and ports that are left open are allocated after these checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api import names
from sampan.api.errors import FieldError, GoText, duplicate, forbidden_field, go_strings, invalid, not_supported, required
from sampan.api.groups.core.service_warnings import TOPOLOGY_HINTS, TOPOLOGY_MODE
from sampan.api.groups.validation.addresses import validate_ip, validate_ordinary_ip
from sampan.api.groups.validation.metadata import validate_labels
from sampan.api.repeats import repeats
from sampan.api.resource import Tree

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_POLICIES = ("Cluster", "Local")
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_MAX_AFFINITY_SECONDS = 86400
_ONLY_LOAD_BALANCERS = "may only be used when `type` is 'LoadBalancer'"


def is_headless(spec: Tree) -> bool:
    return spec.get("clusterIPs") == ["None"]


def is_external(spec: Tree) -> bool:
    """Whether the service is reached from outside the cluster: ExternallyAccessible."""
    type_ = spec["type"]
    return type_ in ("LoadBalancer", "NodePort") or (type_ == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Tree) -> bool:
    return spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate_service(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    type_, ports = spec["type"], spec.get("ports", ())
    errors = _validate_annotations(tree["metadata"].get("annotations", {}))
    if not ports and not is_headless(spec) and type_ != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _validate_by_type(spec)
    errors += _validate_ports(ports)
    errors += validate_labels(spec.get("selector", {}), "spec.selector")
    errors += _validate_affinity(spec)
    if type_ != "ExternalName":
        errors += validate_cluster_ips(spec)
    for index, address in enumerate(spec.get("externalIPs", ())):
        errors += validate_ordinary_ip(address, f"spec.externalIPs[{index}]")
    if type_ not in TYPES:
        errors.append(not_supported("spec.type", type_, TYPES))
    errors += _validate_port_clashes(type_, ports)
    errors += _validate_load_balancer(tree)
    return errors + _validate_traffic(spec)


def _validate_annotations(annotations: Mapping[str, str]) -> list[FieldError]:
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if mode is None or hints is None or mode == hints:
        return []
    why = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
    return [invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, why)]


def _validate_by_type(spec: Tree) -> list[FieldError]:
    type_ = spec["type"]
    errors: list[FieldError] = []
    if type_ in ("LoadBalancer", "NodePort") and is_headless(spec):
        errors.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {type_} services"))
    if type_ == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                errors.append(forbidden_field(f"spec.{field}", "may not be set for ExternalName services"))
        name = spec.get("externalName", "").removesuffix(".")
        if not name:
            errors.append(required("spec.externalName"))
        else:
            errors += [invalid("spec.externalName", name, why) for why in names.dns_subdomain(name)]
    return errors


def _validate_ports(ports: Sequence[Tree]) -> list[FieldError]:
    errors: list[FieldError] = []
    taken: set[str] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name, number, target = port.get("name", ""), port.get("port", 0), port["targetPort"]
        if name:
            errors += [invalid(f"{path}.name", name, why) for why in names.dns_label(name)]
            if name in taken:
                errors.append(duplicate(f"{path}.name", name))
            taken.add(name)
        elif len(ports) > 1:
            errors.append(required(f"{path}.name"))
        errors += [invalid(f"{path}.port", number, why) for why in names.port_number(number)]
        if port["protocol"] not in _PROTOCOLS:
            errors.append(not_supported(f"{path}.protocol", port["protocol"], _PROTOCOLS))
        problems = names.port_number(target) if isinstance(target, int) else names.port_name(target)
        errors += [invalid(f"{path}.targetPort", target, why) for why in problems]
        if (protocol := port.get("appProtocol")) is not None:
            errors += [invalid(f"{path}.appProtocol", protocol, why) for why in names.qualified_name(protocol)]
    return errors


def _validate_affinity(spec: Tree) -> list[FieldError]:
    affinity, path = spec["sessionAffinity"], "spec.sessionAffinityConfig"
    config = spec.get("sessionAffinityConfig")
    if affinity not in _AFFINITIES:
        return [not_supported("spec.sessionAffinity", affinity, _AFFINITIES)]
    if affinity == "None":
        if config is None:
            return []
        return [forbidden_field(path, "must not be set when session affinity is None")]
    seconds = config["clientIP"]["timeoutSeconds"] if config else 0
    if 0 < seconds <= _MAX_AFFINITY_SECONDS:
        return []
    why = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
    return [invalid(f"{path}.clientIP.timeoutSeconds", seconds, why)]


def validate_cluster_ips(spec: Tree) -> list[FieldError]:
    path, first, addresses = "spec.clusterIPs", spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    errors: list[FieldError] = []
    if first and not addresses:
        errors.append(required(path))
    elif first and addresses[0] != first:
        errors.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses and not first:
        errors.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    errors += _validate_families(spec)
    bad = False
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                bad = True
                errors.append(invalid(path, addresses, "'None' must be the first and only value"))
            continue
        found = validate_ip(address, f"{path}[{index}]")
        bad = bad or bool(found)
        errors += found
    if len(addresses) > 2:
        errors.append(invalid(path, addresses, "may only hold up to 2 values"))
    if bad:
        return errors
    if len(addresses) > 1 and len({":" in address for address in addresses}) < 2:
        errors.append(invalid(path, addresses, "may specify no more than one IP for each IP family"))
    if not is_headless(spec):
        for index, (address, family) in enumerate(zip(addresses, spec.get("ipFamilies", ()), strict=False)):
            if (family == "IPv6") != (":" in address):
                why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                errors.append(invalid(f"{path}[{index}]", address, why))
    return errors


def _validate_families(spec: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    families = spec.get("ipFamilies", ())
    again = {index for index, _ in repeats(families)}
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            errors.append(not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if index in again:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    return errors


def _validate_port_clashes(type_: str, ports: Sequence[Tree]) -> list[FieldError]:
    errors: list[FieldError] = []
    node_ports: set[tuple[str, int]] = set()
    seen: set[tuple[str, int]] = set()
    if type_ == "ClusterIP":
        why = "may not be used when `type` is 'ClusterIP'"
        fields = [f"spec.ports[{index}].nodePort" for index, port in enumerate(ports) if port.get("nodePort")]
        errors += [forbidden_field(field, why) for field in fields]
    for index, port in enumerate(ports):
        protocol, node_port = port["protocol"], port.get("nodePort", 0)
        if node_port:
            if (protocol, node_port) in node_ports:
                errors.append(duplicate(f"spec.ports[{index}].nodePort", node_port))
            node_ports.add((protocol, node_port))
    for index, port in enumerate(ports):
        key = (port["protocol"], port.get("port", 0))
        if key in seen:
            errors.append(duplicate(f"spec.ports[{index}]", {"protocol": key[0], "port": key[1]}))
        seen.add(key)
    return errors


def _validate_load_balancer(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    is_balancer = spec["type"] == "LoadBalancer"
    errors: list[FieldError] = []
    ranges, path = spec.get("loadBalancerSourceRanges", ()), "spec.LoadBalancerSourceRanges"
    if ranges and not is_balancer:
        errors.append(forbidden_field(path, _ONLY_LOAD_BALANCERS))
    for index, text in enumerate(ranges):
        cidr = text.strip()
        errors += [invalid(f"{path}[{index}]", cidr, why) for why in names.cidr(cidr)]
    if not ranges and (text := tree["metadata"].get("annotations", {}).get(_SOURCE_RANGES)) is not None:
        errors += _validate_annotated_ranges(text, is_balancer)
    if not is_balancer:
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if field in spec:
                errors.append(forbidden_field(f"spec.{field}", _ONLY_LOAD_BALANCERS))
    elif class_ := spec.get("loadBalancerClass"):
        errors += [invalid("spec.loadBalancerClass", class_, why) for why in names.qualified_name(class_)]
    return errors


def _validate_annotated_ranges(text: str, is_balancer: bool) -> list[FieldError]:
    """Where the ranges stood before they had a field."""
    path = f"metadata.annotations[{_SOURCE_RANGES}]"
    errors = [] if is_balancer else [forbidden_field(path, _ONLY_LOAD_BALANCERS)]
    cidrs = [cidr.strip() for cidr in text.split(",")] if text.strip() else []
    return errors + [invalid(path, cidr, why) for cidr in cidrs for why in names.cidr(cidr)]


def _validate_traffic(spec: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    policy, path = spec.get("externalTrafficPolicy", ""), "spec.externalTrafficPolicy"
    if not is_external(spec):
        if policy:
            errors.append(invalid(path, policy, "may only be set for externally-accessible services"))
    elif policy not in _POLICIES:
        errors.append(not_supported(path, policy, _POLICIES))
    check, path = spec.get("healthCheckNodePort", 0), "spec.healthCheckNodePort"
    if check and not needs_health_check(spec):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid(path, check, why))
    elif check:
        errors += [invalid(path, check, why) for why in names.port_number(check)]
    policy = spec.get("internalTrafficPolicy")
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", policy, _POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution != "PreferClose":
        errors.append(not_supported("spec.trafficDistribution", distribution, ("PreferClose",)))
    return errors


def validate_service_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    if "ExternalName" not in (spec["type"], before["type"]):
        errors += _validate_cluster_ip_change(spec, before)
        errors += _validate_family_change(spec, before)
    if spec["type"] == before["type"] == "LoadBalancer":
        class_ = spec.get("loadBalancerClass")
        if class_ != before.get("loadBalancerClass"):
            errors.append(invalid("spec.loadBalancerClass", class_, "may not change once set"))
    same_port = spec.get("healthCheckNodePort") == before.get("healthCheckNodePort")
    if not same_port and needs_health_check(spec) and needs_health_check(before):
        errors.append(forbidden_field("spec.healthCheckNodePort", "field is immutable"))
    return errors


def _validate_cluster_ip_change(spec: Tree, before: Tree) -> list[FieldError]:
    now, old = spec.get("clusterIPs", []), before.get("clusterIPs", [])
    if is_headless(spec) and is_headless(before):
        return []
    errors: list[FieldError] = []
    if len(now) == len(old):
        for index, (new_address, address) in enumerate(zip(now, old, strict=True)):
            if new_address != address:
                errors.append(invalid(f"spec.clusterIPs[{index}]", now, "may not change once set"))
        return errors
    if old and not now:
        return [invalid("spec.clusterIPs[0]", GoText("[]string(nil)"), "primary clusterIP can not be unset")]
    if old and now[0] != old[0]:
        errors.append(invalid("spec.clusterIPs[0]", now, "may not change once set"))
    if len(old) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def _validate_family_change(spec: Tree, before: Tree) -> list[FieldError]:
    if is_headless(spec) or is_headless(before):
        return []
    now, old = spec.get("ipFamilies", []), before.get("ipFamilies", [])
    path, changed = "spec.ipFamilies[0]", "may not change once set"
    shown = go_strings("core.IPFamily", now)
    if len(now) == len(old):
        return [invalid(path, shown, changed) for was, family in zip(old, now, strict=True) if was != family]
    errors: list[FieldError] = []
    if len(old) > len(now) and not spec.get("clusterIPs"):
        errors.append(invalid(path, shown, "primary ipFamily can not be unset"))
    if old and now and now[0] != old[0]:
        # Upstream shows the addresses here.
        errors.append(invalid(path, spec.get("clusterIPs", []), changed))
    if len(old) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        errors.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def validate_service_status(new: Tree, old: Tree) -> list[FieldError]:
    """Where a load balancer can be reached."""
    errors: list[FieldError] = []
    ingress = new.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    path = "status.loadBalancer.ingress"
    if ingress and new["spec"].get("type") != "LoadBalancer":
        return [forbidden_field(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    for index, point in enumerate(ingress):
        address, host, mode = point.get("ip"), point.get("hostname"), point.get("ipMode")
        if address:
            errors += validate_ip(address, f"{path}[{index}].ip")
        if mode is not None and not address:
            errors.append(forbidden_field(f"{path}[{index}].ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in ("Proxy", "VIP"):
            errors.append(not_supported(f"{path}[{index}].ipMode", mode, ("Proxy", "VIP")))
        if host:
            where = f"{path}[{index}].hostname"
            errors += [invalid(where, host, why) for why in names.dns_subdomain(host)]
            if not names.ip_address(host):
                errors.append(invalid(where, host, "must be a DNS name, not an IP address"))
    return errors
