"""What clients are warned of in Services. After pkg/api/service/warnings.go."""

from __future__ import annotations

from sampan.api.groups.validation.ranges import warn_of_cidr, warn_of_ip
from sampan.api.resource import Tree

TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"


def warn_of_service_status(new: Tree) -> list[str]:
    points = enumerate(new.get("status", {}).get("loadBalancer", {}).get("ingress", ()))
    return [why for i, point in points for why in warn_of_ip(point.get("ip", ""), f"status.loadBalancer.ingress[{i}]")]


def warn_of_service(new: Tree, old: Tree | None) -> list[str]:
    spec = new["spec"]
    warnings: list[str] = []
    if TOPOLOGY_HINTS in new["metadata"].get("annotations", {}):
        warnings.append(f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    if spec.get("clusterIP", "") not in ("", "None"):
        for index, address in enumerate(spec.get("clusterIPs", ())):
            warnings += warn_of_ip(address, f"spec.clusterIPs[{index}]")
    outside = spec.get("externalIPs", ())
    if spec["type"] == "ClusterIP" and spec.get("clusterIP") == "None":
        ignored = [field for field in ("loadBalancerIP", "externalIPs") if spec.get(field)]
        ignored += ["SessionAffinity"] if spec["sessionAffinity"] != "None" else []
        warnings += [f"spec.{field} is ignored for headless services" for field in ignored]
    for index, address in enumerate(outside):
        warnings += warn_of_ip(address, f"spec.externalIPs[{index}]")
    if address := spec.get("loadBalancerIP"):
        warnings += warn_of_ip(address, "spec.loadBalancerIP")
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges", ())):
        warnings += warn_of_cidr(cidr, f"spec.loadBalancerSourceRanges[{index}]")
    if spec["type"] == "ExternalName" and outside:
        warnings.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec["type"] != "ExternalName" and spec.get("externalName"):
        warnings.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    return warnings
