"""NodeRestriction: a kubelet writes its own Node, its own Lease and the pods bound to it, and nothing else.

After plugin/pkg/admission/noderestriction. It goes with the node authorizer, which decides what a kubelet may ask at all; here
the content of what it writes is looked at. https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from collections.abc import Callable

from sampan.api.errors import bad_request
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, DELETE, Attributes, Judge
from sampan.apiserver.authz.node import LEASE_NAMESPACE, node_name
from sampan.apiserver.registry.watchcache import WatchCache

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
_RESTRICTED_PREFIX = "node-restriction.kubernetes.io"
# Labels of kubernetes.io and k8s.io that a kubelet may set on its own node.
_KUBELET_LABELS = frozenset(
    (
        "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
    )
)  # fmt: skip
_REFERENCES = {"secret": "secrets", "configMap": "configmaps", "persistentVolumeClaim": "persistentvolumeclaims"}
_KUBELET_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")


class NodeRestriction(Judge):
    name = "NodeRestriction"

    def __init__(self, pods: WatchCache) -> None:
        self._pods = pods
        self._checks: dict[tuple[str, str, str], Callable[[Attributes, str], None]] = {
            ("", "pods", ""): self._check_pod,
            ("", "pods", "status"): self._check_pod_status,
            ("", "pods", "eviction"): self._check_eviction,
            ("", "nodes", ""): self._check_node,
            ("", "nodes", "status"): self._check_node,
            ("", "serviceaccounts", "token"): self._check_token,
            ("coordination.k8s.io", "leases", ""): self._check_lease,
        }

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return (resource.group, resource.plural, subresource) in self._checks

    def validate(self, attributes: Attributes) -> None:
        node = node_name(attributes.user)
        if node is None:
            return
        if not node:
            raise attributes.refused("could not determine node from user " + f'"{attributes.user.name}"')
        resource = attributes.resource
        self._checks[resource.group, resource.plural, attributes.subresource](attributes, node)

    def _check_pod(self, attributes: Attributes, node: str) -> None:
        if attributes.operation == CREATE:
            _check_mirror(attributes, node)
        elif attributes.operation == DELETE:
            _check_bound(attributes, attributes.old, node, "delete")
        else:
            raise attributes.refused(
                f'unexpected operation "{attributes.operation}", node "{node}" can only create and delete mirror pods'
            )

    def _check_pod_status(self, attributes: Attributes, node: str) -> None:
        _check_bound(attributes, attributes.old, node, "update status for")
        new, old = attributes.object or {}, attributes.old or {}
        if new.get("metadata", {}).get("labels", {}) != old.get("metadata", {}).get("labels", {}):
            raise attributes.refused(f'node "{node}" cannot update labels through pod status')

    def _check_eviction(self, attributes: Attributes, node: str) -> None:
        pod = self._pods.get(attributes.namespace, attributes.name)
        if pod is not None:
            _check_bound(attributes, pod.tree(), node, "evict")

    def _check_node(self, attributes: Attributes, node: str) -> None:
        if attributes.operation == DELETE or attributes.name != node:
            verb = "delete" if attributes.operation == DELETE else "modify"
            raise attributes.refused(f'node "{node}" is not allowed to {verb} node "{attributes.name}"')
        new, old = attributes.object, attributes.old
        if new is None:
            return
        if new.get("spec", {}).get("configSource") != (old or {}).get("spec", {}).get("configSource"):
            raise attributes.refused(f'node "{node}" is not allowed to set or change spec.configSource')
        if old is not None and new.get("spec", {}).get("taints", []) != old.get("spec", {}).get("taints", []):
            raise attributes.refused(f'node "{node}" is not allowed to modify taints')
        if old is not None and new["metadata"].get("ownerReferences", []) != old["metadata"].get("ownerReferences", []):
            raise attributes.refused(f'node "{node}" is not allowed to modify ownerReferences')
        bad = _forbidden_labels(new, old)
        if bad:
            verb = "set" if old is None else "modify"
            raise attributes.refused(f"is not allowed to {verb} the following labels: {', '.join(bad)}")

    def _check_token(self, attributes: Attributes, node: str) -> None:
        """A token for a pod of the node, bound to that pod."""
        reference = ((attributes.object or {}).get("spec") or {}).get("boundObjectRef") or {}
        if reference.get("kind") != "Pod" or reference.get("apiVersion") != "v1" or not reference.get("name"):
            raise attributes.refused("node requested token not bound to a pod")
        if not reference.get("uid"):
            raise attributes.refused("node requested token with a pod binding without a uid")
        pod = self._pods.get(attributes.namespace, reference["name"])
        if pod is None:
            raise attributes.refused(f'pod "{reference["name"]}" not found')
        tree = pod.tree()
        if tree["metadata"]["uid"] != reference["uid"]:
            raise attributes.refused(
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
        if tree["spec"].get("nodeName") != node:
            raise attributes.refused("node requested token bound to a pod scheduled on a different node")
        if tree["spec"].get("serviceAccountName") != attributes.name:
            raise attributes.refused("node requested token for a service account that is not the pod's")

    def _check_lease(self, attributes: Attributes, node: str) -> None:
        if attributes.namespace != LEASE_NAMESPACE:
            raise attributes.refused(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
        if attributes.name != node:
            raise attributes.refused("can only access node lease with the same name as the requesting node")


def _check_bound(attributes: Attributes, pod: Tree | None, node: str, what: str) -> None:
    held = (pod or {}).get("spec", {}).get("nodeName", "")
    if held != node:
        raise attributes.refused(f'node "{node}" can only {what} pods with spec.nodeName set to itself')


def _check_mirror(attributes: Attributes, node: str) -> None:
    pod = attributes.object
    if pod is None:
        raise bad_request("unexpected type, want a Pod")
    if MIRROR_ANNOTATION not in pod["metadata"].get("annotations", {}):
        raise attributes.refused(
            f'pod does not have "{MIRROR_ANNOTATION}" annotation, node "{node}" can only create mirror pods'
        )
    if pod["spec"].get("nodeName") != node:
        raise attributes.refused(f'node "{node}" can only create pods with spec.nodeName set to itself')
    owners = pod["metadata"].get("ownerReferences", [])
    if len(owners) != 1 or owners[0].get("kind") != "Node" or owners[0].get("name") != node:
        raise attributes.refused(f'node "{node}" can only create pods with an owner reference set to itself')
    if pod["spec"].get("serviceAccountName"):
        raise attributes.refused(f'node "{node}" can not create pods that reference a service account')
    for volume in pod["spec"].get("volumes", ()):
        for kind, plural in _REFERENCES.items():
            if kind in volume:
                raise attributes.refused(f'node "{node}" can not create pods that reference {plural}')


def _forbidden_labels(new: Tree, old: Tree | None) -> list[str]:
    """Labels that changed and that a kubelet may not change: it could draw pods to itself with them."""
    now, before = new["metadata"].get("labels", {}), (old or {}).get("metadata", {}).get("labels", {})
    changed = {key for key in {*now, *before} if now.get(key) != before.get(key)}
    return sorted(key for key in changed if not _is_allowed(key))


def _is_allowed(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if domain == _RESTRICTED_PREFIX or domain.endswith("." + _RESTRICTED_PREFIX):
        return False
    reserved = any(domain == d or domain.endswith("." + d) for d in ("kubernetes.io", "k8s.io"))
    if not reserved or key in _KUBELET_LABELS:
        return True
    return any(domain == prefix or domain.endswith("." + prefix) for prefix in _KUBELET_PREFIXES)
