"""Service. Cluster addresses, node ports and IP families are allocated by the server when it stores one."""

from __future__ import annotations

from typing import Any

from sampan.api import names
from sampan.api.groups.columns import AGE, NAME, NONE, format_labels
from sampan.api.groups.core.service_validation import (
    is_external,
    needs_health_check,
    validate_service,
    validate_service_status,
    validate_service_update,
)
from sampan.api.groups.core.service_warnings import warn_of_service, warn_of_service_status
from sampan.api.groups.strategies import keep_field, keep_spec
from sampan.api.resource import Column, Resource, Strategy, Tree

AFFINITY_SECONDS = 10800
_CLUSTER_TYPES = ("ClusterIP", "LoadBalancer", "NodePort")


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports", ()):
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    if not spec.get("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)
        if is_external(spec):
            spec["externalTrafficPolicy"] = "Cluster"
    if "internalTrafficPolicy" not in spec and spec["type"] in _CLUSTER_TYPES:
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for point in tree.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            if point.get("ip"):
                point.setdefault("ipMode", "VIP")


def _prepare_create(new: Tree) -> None:
    new["status"] = {"loadBalancer": {}}
    spec = new["spec"]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_field(new, old, "status")
    spec, before = new["spec"], old["spec"]
    _normalize_cluster_ips(spec, before)
    _carry_over(spec, before)
    _drop_of_other_type(spec, before)
    if before["type"] == "LoadBalancer" and spec["type"] != "LoadBalancer":
        new["status"] = {k: v for k, v in new.get("status", {}).items() if k != "loadBalancer"} | {"loadBalancer": {}}


def _normalize_cluster_ips(spec: Tree, before: Tree) -> None:
    """Bring `clusterIP` and `clusterIPs` together where a client changed only one of them."""
    same_one = spec.get("clusterIP", "") == before.get("clusterIP", "")
    same_all = spec.get("clusterIPs", []) == before.get("clusterIPs", [])
    if not same_one and same_all:
        if not spec.get("clusterIP"):
            spec.pop("clusterIPs", None)
        elif spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"], *spec["clusterIPs"][1:]]
        else:
            spec["clusterIPs"] = [spec["clusterIP"]]
    elif same_one and not same_all and not spec.get("clusterIPs") and "clusterIPs" in spec:
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)


def _carry_over(spec: Tree, before: Tree) -> None:
    """A replace need not repeat what the server allocated."""
    if spec["type"] in _CLUSTER_TYPES and before["type"] in _CLUSTER_TYPES:
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP") and "clusterIPs" in before:
            spec["clusterIPs"] = list(before["clusterIPs"])
    if _needs_node_port(spec) and _needs_node_port(before):
        _carry_node_ports(spec, before)
    if needs_health_check(spec) and needs_health_check(before) and not spec.get("healthCheckNodePort"):
        keep_field(spec, before, "healthCheckNodePort")


def _needs_node_port(spec: Tree) -> bool:
    """A load balancer that is to get no more node ports keeps those it has."""
    return spec["type"] in ("NodePort", "LoadBalancer")


def _node_ports(spec: Tree) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}


def _carry_node_ports(spec: Tree, before: Tree) -> None:
    used = _node_ports(before) & _node_ports(spec)
    by_name = {port.get("name", ""): port.get("nodePort", 0) for port in before.get("ports", ())}
    for port in spec.get("ports", ()):
        if not port.get("nodePort"):
            known = by_name.get(port.get("name", ""), 0)
            if known and known not in used:
                port["nodePort"] = known
                used.add(known)


def _drop_of_other_type(spec: Tree, before: Tree) -> None:
    """When the type changes, what belonged to the old type goes, unless the client set it anew."""
    if before["type"] in _CLUSTER_TYPES and spec["type"] not in _CLUSTER_TYPES:
        if all(spec.get(field) == before.get(field) for field in ("clusterIP", "clusterIPs")):
            _drop_unchanged(spec, before, "clusterIP", "clusterIPs")
        _drop_unchanged(spec, before, "ipFamilies", "ipFamilyPolicy")
    gives_up_node_ports = _needs_node_port(before) and not _needs_node_port(spec)
    if gives_up_node_ports and _node_ports(spec) <= _node_ports(before):
        for port in spec.get("ports", ()):
            port.pop("nodePort", None)
    if needs_health_check(before) and not needs_health_check(spec):
        _drop_unchanged(spec, before, "healthCheckNodePort")
    if before["type"] == "LoadBalancer" and spec["type"] != "LoadBalancer":
        _drop_unchanged(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if is_external(before) and not is_external(spec):
        _drop_unchanged(spec, before, "externalTrafficPolicy")


def _drop_unchanged(spec: Tree, before: Tree, *fields: str) -> None:
    for field in fields:
        if spec.get(field) == before.get(field):
            spec.pop(field, None)


def _cluster_ip(tree: Tree, now: float) -> str:
    addresses = tree["spec"].get("clusterIPs", ())
    return addresses[0] if addresses else NONE


def _ingress(tree: Tree) -> list[str]:
    points = tree.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    return sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""})


def _external_ip(tree: Tree, now: float) -> str:
    spec = tree["spec"]
    type_, addresses = spec.get("type"), spec.get("externalIPs", [])
    if type_ in ("ClusterIP", "NodePort"):
        return ",".join(addresses) or NONE
    if type_ == "LoadBalancer":
        return ",".join([*_ingress(tree), *addresses]) or "<pending>"
    if type_ == "ExternalName":
        name: str = spec.get("externalName", "")
        return name
    return "<unknown>"


def _ports(tree: Tree, now: float) -> str:
    def text(port: Tree) -> str:
        node_port = port.get("nodePort")
        return f"{port.get('port')}{f':{node_port}' if node_port else ''}/{port.get('protocol')}"

    return ",".join(map(text, tree["spec"].get("ports", ()))) or NONE


def _field(tree: Tree, field: str) -> str:
    value: Any = tree.get("spec", {}).get(field)
    return value or ""


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    definition="io.k8s.api.core.v1.Service",
    short=("svc",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=validate_service,
        validate_update=validate_service_update,
        validate_status=validate_service_status,
        warn=warn_of_service,
        warn_status=warn_of_service_status,
        allow_create_on_update=True,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Type", lambda tree, now: tree["spec"].get("type", "")),
        Column("Cluster-IP", _cluster_ip),
        Column("External-IP", _external_ip),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda tree, now: format_labels(tree["spec"].get("selector")), priority=1),
    ),
    selectable={
        "spec.clusterIP": lambda tree: _field(tree, "clusterIP"),
        "spec.type": lambda tree: _field(tree, "type"),
    },
    status=True,
    name_is_valid=names.name_is_label_1035,
)
