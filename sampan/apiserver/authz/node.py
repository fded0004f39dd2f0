"""The node authorizer: an agent may touch what its own pods need, and little else.

After k8s.io/kubernetes/plugin/pkg/auth/authorizer/node. A node is a user `system:node:NAME` in the group `system:nodes`. What
is not cut down here goes by the rules of the ClusterRole `system:node`; what is not allowed here may still be by RBAC.
https://kubernetes.io/docs/reference/access-authn-authz/node/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sampan.api.selectors import parse_fields
from sampan.apiserver.authz.policy import Cached, Source
from sampan.apiserver.authz.rbac import Decision
from sampan.apiserver.authz.rules import Question, Rule
from sampan.apiserver.user import User

NODE_PREFIX = "system:node:"
NODES_GROUP = "system:nodes"
LEASE_NAMESPACE = "kube-node-lease"

_READS = ("get", "list", "watch")
_ALLOWED = Decision(True)

Reference = tuple[str, str]
"""(plural, name) of an object in the pod's namespace."""


def node_name(user: User) -> str | None:
    """The node that a user is; None where he is none, "" where the name is missing."""
    if NODES_GROUP not in user.groups or not user.name.startswith(NODE_PREFIX):
        return None
    return user.name[len(NODE_PREFIX) :]


class PodGraph:
    """Which pods are on which node, and what they refer to; the latter is worked out only when somebody asks."""

    def __init__(self, pods: Source, node_of: Callable[[Any], str], claims: Source | None = None) -> None:
        self._pods = pods
        self._node_of = node_of
        self._claims = claims
        self._seen: Mapping[str, Cached] | None = None
        self._on_node: dict[str, dict[str, Cached]] = {}
        self._node_by_key: dict[str, str] = {}
        self._references: dict[str, tuple[Cached, frozenset[Reference]]] = {}
        pods.listen(self._apply)

    def runs(self, node: str, namespace: str, name: str) -> bool:
        self._refresh()
        return any(pod.namespace == namespace and pod.name == name for pod in self._on_node.get(node, {}).values())

    def refers(self, node: str, plural: str, namespace: str, name: str) -> bool:
        """Whether a pod on the node refers to the object."""
        self._refresh()
        wanted = (plural, name)
        for key, pod in self._on_node.get(node, {}).items():
            if pod.namespace == namespace and wanted in self._references_of(key, pod):
                return True
        return False

    def mounts_volume(self, node: str, volume: str) -> bool:
        """Whether a pod on the node refers to a claim that is bound to the PersistentVolume."""
        for claim in self._claims.objects.values() if self._claims else ():
            if claim.tree().get("spec", {}).get("volumeName") == volume:
                return self.refers(node, "persistentvolumeclaims", claim.namespace, claim.name)
        return False

    def _refresh(self) -> None:
        if self._seen is self._pods.objects:
            return
        self._seen = self._pods.objects
        self._on_node, self._node_by_key, self._references = {}, {}, {}
        for key, pod in self._seen.items():
            self._put(key, pod)

    def _apply(self, events: Sequence[Any]) -> None:
        for event in events:
            if event.deleted:
                self._remove(event.object.key)
            else:
                self._put(event.object.key, event.object)

    def _put(self, key: str, pod: Cached) -> None:
        node = self._node_of(pod)
        if self._node_by_key.get(key) != node:
            self._remove(key)
        if node:
            self._node_by_key[key] = node
            self._on_node.setdefault(node, {})[key] = pod

    def _remove(self, key: str) -> None:
        self._references.pop(key, None)
        node = self._node_by_key.pop(key, "")
        pods = self._on_node.get(node)
        if pods is not None:
            pods.pop(key, None)
            if not pods:
                del self._on_node[node]

    def _references_of(self, key: str, pod: Cached) -> frozenset[Reference]:
        known = self._references.get(key)
        if known is None or known[0] is not pod:
            known = self._references[key] = pod, frozenset(references(pod.tree()))
        return known[1]


def references(pod: Mapping[str, Any]) -> Iterator[Reference]:
    """Every Secret, ConfigMap, claim and ServiceAccount that a pod names."""
    spec = pod.get("spec") or {}
    yield "serviceaccounts", spec.get("serviceAccountName") or "default"
    for secret in spec.get("imagePullSecrets") or ():
        yield "secrets", secret.get("name", "")
    for volume in spec.get("volumes") or ():
        yield from _volume_references(volume, pod["metadata"]["name"])
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            yield from _environment_references(container)


def _volume_references(volume: Mapping[str, Any], pod_name: str) -> Iterator[Reference]:
    if "ephemeral" in volume:
        yield "persistentvolumeclaims", f"{pod_name}-{volume['name']}"
    for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        if "secret" in source:
            yield "secrets", source["secret"].get("secretName") or source["secret"].get("name", "")
        if "configMap" in source:
            yield "configmaps", source["configMap"].get("name", "")
        if "persistentVolumeClaim" in source:
            yield "persistentvolumeclaims", source["persistentVolumeClaim"].get("claimName", "")
        for plugin in source.values():
            for field in ("secretRef", "nodePublishSecretRef"):
                if isinstance(plugin, Mapping) and plugin.get(field):
                    yield "secrets", plugin[field].get("name", "")


def _environment_references(container: Mapping[str, Any]) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        for field, plural in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
            if source.get(field):
                yield plural, source[field].get("name", "")
    for variable in container.get("env") or ():
        origin = variable.get("valueFrom") or {}
        for field, plural in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
            if origin.get(field):
                yield plural, origin[field].get("name", "")


class NodeAuthorizer:
    """`field_selector` of a question, where it has one, is what a list of pods is cut down by."""

    def __init__(self, graph: PodGraph, rules: Sequence[Rule]) -> None:
        self._graph = graph
        self._rules = rules
        self._special: dict[tuple[str, str], Callable[[str, Question], Decision]] = {
            ("", "secrets"): self._read_object,
            ("", "configmaps"): self._read_object,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._volume,
            ("", "serviceaccounts"): self._account,
            ("", "nodes"): self._node,
            ("", "pods"): self._pod,
            ("coordination.k8s.io", "leases"): self._lease,
            ("storage.k8s.io", "csinodes"): self._csi_node,
        }

    def authorize(self, user: User, question: Question) -> Decision:
        node = node_name(user)
        if node is None:
            return Decision(False)
        if not node:
            return Decision(False, f'unknown node for user "{user.name}"')
        judge = self._special.get((question.group, question.resource)) if question.is_resource else None
        return judge(node, question) if judge else self._by_rules(question)

    def _by_rules(self, question: Question) -> Decision:
        return _ALLOWED if any(rule.allows(question) for rule in self._rules) else Decision(False)

    def _related(self, node: str, question: Question) -> Decision:
        if not question.name:
            return Decision(False, "No Object name found")
        if self._graph.refers(node, question.resource, question.namespace, question.name):
            return _ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _read_object(self, node: str, question: Question) -> Decision:
        if question.verb not in _READS:
            return Decision(False, "can only read resources of this type")
        if question.subresource:
            return Decision(False, "cannot read subresource")
        if not question.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return self._related(node, question)

    def _claim(self, node: str, question: Question) -> Decision:
        if question.subresource == "status":
            if question.verb not in ("update", "patch"):
                return Decision(False, "can only update or patch the status of this type")
        elif question.subresource or question.verb != "get":
            return Decision(False, "can only get individual resources of this type")
        return self._related(node, question)

    def _volume(self, node: str, question: Question) -> Decision:
        if question.subresource or question.verb != "get":
            return Decision(False, "can only get individual resources of this type")
        if self._graph.mounts_volume(node, question.name):
            return _ALLOWED
        return Decision(False, f"no relationship found between node '{node}' and this object")

    def _account(self, node: str, question: Question) -> Decision:
        if question.verb != "create" or question.subresource != "token" or not question.name:
            return Decision(False, "can only create tokens for individual service accounts")
        return self._related(node, question)

    def _node(self, node: str, question: Question) -> Decision:
        if not question.subresource and question.verb in _READS and question.name != node:
            what = f"'{question.name}'" if question.name else "all nodes"
            return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
        return self._by_rules(question)

    def _pod(self, node: str, question: Question) -> Decision:
        if question.subresource or question.verb not in _READS:
            return self._by_rules(question)
        if question.verb == "get" or question.name:
            if self._graph.runs(node, question.namespace, question.name):
                return _ALLOWED
            return Decision(False, f"no relationship found between node '{node}' and this object")
        if _selects_node(getattr(question, "field_selector", ""), node):
            return _ALLOWED
        return Decision(False, f"can only {question.verb} pods with spec.nodeName field selector")

    def _lease(self, node: str, question: Question) -> Decision:
        if question.verb not in ("get", "create", "update", "patch", "delete"):
            return Decision(False, "can only get, create, update, patch, or delete a node lease")
        if question.namespace != LEASE_NAMESPACE:
            return Decision(False, f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
        if question.verb != "create" and question.name != node:
            return Decision(False, "can only access node lease with the same name as the requesting node")
        return _ALLOWED

    def _csi_node(self, node: str, question: Question) -> Decision:
        if question.verb not in ("get", "create", "update", "patch", "delete") or question.subresource:
            return Decision(False, "can only get, create, update, patch, or delete a CSINode")
        if question.verb != "create" and question.name != node:
            return Decision(False, "can only access CSINode with the same name as the requesting node")
        return _ALLOWED


def _selects_node(selector: str, node: str) -> bool:
    try:
        return ("spec.nodeName", "=", node) in parse_fields(selector).requirements
    except ValueError:
        return False
