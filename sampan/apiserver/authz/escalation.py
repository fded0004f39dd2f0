"""Nobody may grant what he does not have: the check on every write of a role or a binding, as an admission plugin.

Whoever holds the verb `escalate` on the role, or `bind` on the role a binding refers to, is exempt, and so is system:masters.
https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.api.errors import StatusError, not_found
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.authz.authorizer import MASTERS, Asked, Authorizer
from sampan.apiserver.authz.policy import GROUP, PLURALS
from sampan.apiserver.authz.rules import Rule, compact, missing, quoted
from sampan.apiserver.user import User

_FULL = (Rule(("*",), ("*",), ("*",)), Rule(("*",), urls=("*",)))
_OWNERSHIP = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
_PLURAL_OF = {"Role": "roles", "ClusterRole": "clusterroles"}


class EscalationCheck(Judge):
    """Not one of upstream's plugins, where it wraps the storage of the four kinds; it comes first, which is as early."""

    name = "RBACEscalation"

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return resource.group == GROUP and resource.plural in PLURALS and operation in (CREATE, UPDATE)

    def mutate(self, attributes: Attributes) -> None:
        new, old = attributes.object, attributes.old
        if new is None or MASTERS in attributes.user.groups or _same(new, old):
            return
        if "bindings" in attributes.resource.plural:
            self._check_binding(attributes, new)
        else:
            self._check_role(attributes, new)

    def _check_role(self, attributes: Attributes, role: Tree) -> None:
        plural = attributes.resource.plural
        if self._may(attributes.user, "escalate", plural, attributes.name, attributes.namespace):
            return
        self._confirm(attributes, [Rule.of(rule) for rule in role.get("rules") or ()])
        # A role that gathers others' rules can come to hold anything.
        gathers = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
        if gathers and missing(self._authorizer.rules_for(attributes.user, ""), _FULL):
            raise attributes.refused("must have cluster-admin privileges to use an aggregationRule")

    def _check_binding(self, attributes: Attributes, binding: Tree) -> None:
        role = binding.get("roleRef") or {}
        kind, name = role.get("kind", ""), role.get("name", "")
        plural = _PLURAL_OF.get(kind)
        if plural is None:
            return  # validation refuses it with better words
        if self._may(attributes.user, "bind", plural, name, attributes.namespace):
            return
        rules = self._authorizer.role_rules(kind, name, attributes.namespace)
        if rules is None:
            raise _absent(plural, name)
        self._confirm(attributes, rules)

    def _may(self, user: User, verb: str, plural: str, name: str, namespace: str) -> bool:
        question = Asked(verb, group=GROUP, resource=plural, name=name, namespace=namespace)
        return self._authorizer.authorize(user, question).allowed

    def _confirm(self, attributes: Attributes, wanted: Iterable[Rule]) -> None:
        user = attributes.user
        lacking = missing(self._authorizer.rules_for(user, attributes.namespace), wanted)
        if lacking:
            shown = "\n".join(sorted({str(rule) for rule in compact(lacking)}))
            raise attributes.refused(
                f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC permissions not currently'
                f" held:\n{shown}"
            )


def _same(new: Tree, old: Tree | None) -> bool:
    """Whether an update changes only what the garbage collector does. A label may matter: others aggregate by it."""
    return old is not None and _without_ownership(new) == _without_ownership(old)


def _without_ownership(tree: Tree) -> Tree:
    metadata = {field: value for field, value in tree["metadata"].items() if field not in _OWNERSHIP}
    return {**tree, "metadata": metadata}


def _absent(plural: str, name: str) -> StatusError:
    return not_found(plural, GROUP, name)
