"""The authorizers of the server, asked in turn: system:masters may do anything, then the node authorizer, then RBAC.

RBAC is in fact asked before the node authorizer, since its decisions are remembered; who allows does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.apiserver.authz.bootstrap import NODE_RULES
from sampan.apiserver.authz.node import NodeAuthorizer, PodGraph
from sampan.apiserver.authz.policy import GROUP, PLURALS
from sampan.apiserver.authz.rbac import RBAC, Decision
from sampan.apiserver.authz.rules import Question, Rule
from sampan.apiserver.registry.registries import Registries
from sampan.apiserver.user import User

MASTERS = "system:masters"

_MASTER = Decision(True)
_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",)))


class Asked:
    """A `Question` that no request asks: of a review, an impersonation, an escalation check."""

    __slots__ = ("field_selector", "group", "is_resource", "name", "namespace", "path", "resource", "subresource", "verb")

    def __init__(
        self,
        verb: str,
        *,
        group: str = "",
        resource: str = "",
        subresource: str = "",
        namespace: str = "",
        name: str = "",
        path: str = "",
        field_selector: str = "",
        is_resource: bool = True,
    ) -> None:
        self.verb = verb
        self.group = group
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
        self.path = path
        self.field_selector = field_selector
        self.is_resource = is_resource


class Authorizer:
    def __init__(self, rbac: RBAC, node: NodeAuthorizer | None = None) -> None:
        self._rbac = rbac
        self._node = node

    def authorize(self, user: User, question: Question) -> Decision:
        """Never waits, never raises."""
        if MASTERS in user.groups:
            return _MASTER
        decision = self._rbac.authorize(user, question)
        if decision.allowed or self._node is None:
            return decision
        by_node = self._node.authorize(user, question)
        if by_node.allowed:
            return by_node
        return Decision(False, "\n".join(reason for reason in (by_node.reason, decision.reason) if reason))

    def rules_for(self, user: User, namespace: str) -> Sequence[Rule]:
        """What the user is granted by rules: all that an escalation check and a rules review go by."""
        if MASTERS in user.groups:
            return [*_EVERYTHING, *self._rbac.rules_for(user, namespace)]
        return self._rbac.rules_for(user, namespace)

    def role_rules(self, kind: str, name: str, namespace: str) -> Sequence[Rule] | None:
        self._rbac.policy.refresh()
        return self._rbac.policy.rules(kind, name, namespace)


def make_authorizer(registries: Registries) -> Authorizer:
    """The authorizer of a server, going by the watch caches of its registries."""
    rbac = RBAC({plural: registries.get(GROUP, plural).cache for plural in PLURALS})
    pods = registries.find("", "pods")
    if pods is None:
        return Authorizer(rbac)
    claims = registries.find("", "persistentvolumeclaims")
    node_name = pods.cache.shape.field_names.index("spec.nodeName")
    graph = PodGraph(pods.cache, lambda pod: pod.fields[node_name], claims.cache if claims else None)
    return Authorizer(rbac, NodeAuthorizer(graph, NODE_RULES))
