"""DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or unreachable, unless it says otherwise."""

from __future__ import annotations

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge

SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Judge):
    name = "DefaultTolerationSeconds"

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.plural == "pods" and not resource.group and not subresource and operation in (CREATE, UPDATE)

    def mutate(self, attributes: Attributes) -> None:
        pod = attributes.object
        assert pod is not None, "creates and updates have an object"
        tolerations: list[Tree] = pod["spec"].get("tolerations", [])
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for key in _TAINTS
            if not any(_covers(toleration, key) for toleration in tolerations)
        ]
        if added:
            pod["spec"]["tolerations"] = [*tolerations, *added]


def _covers(toleration: Tree, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")
