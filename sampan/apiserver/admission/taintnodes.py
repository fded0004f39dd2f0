"""TaintNodesByCondition: a new node takes no pods until the node lifecycle controller has seen it ready."""

from __future__ import annotations

from sampan.api.resource import Resource
from sampan.apiserver.admission.chain import CREATE, Attributes, Judge

TAINT = "node.kubernetes.io/not-ready"
_EFFECT = "NoSchedule"


class TaintNodesByCondition(Judge):
    name = "TaintNodesByCondition"

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.plural == "nodes" and not resource.group and not subresource and operation == CREATE

    def mutate(self, attributes: Attributes) -> None:
        node = attributes.object
        assert node is not None, "a create has an object"
        spec = node.setdefault("spec", {})
        taints = spec.get("taints", [])
        if not any(taint.get("key") == TAINT and taint.get("effect") == _EFFECT for taint in taints):
            spec["taints"] = [*taints, {"key": TAINT, "effect": _EFFECT}]
