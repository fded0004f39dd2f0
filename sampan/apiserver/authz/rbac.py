"""The RBAC authorizer: a request is allowed if any rule of any role bound to its user allows it.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. Decisions are remembered until the policy changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sampan.apiserver.authz.policy import Policy, Source
from sampan.apiserver.authz.rules import Question, Rule
from sampan.apiserver.user import User

REMEMBERED = 20_000
_LONGEST = 1024


class Decision(NamedTuple):
    """`reason` says by which binding it is allowed; or, refused, what stood in the way if that is more than no rule."""

    allowed: bool
    reason: str = ""


class RBAC:
    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._decisions: dict[tuple[object, ...], Decision] = {}
        self.policy = Policy(sources, self._decisions.clear)

    def authorize(self, user: User, question: Question) -> Decision:
        self.policy.refresh()
        asked: tuple[str, ...] = (question.verb, question.path)
        if question.is_resource:
            asked = (
                question.verb, question.group, question.resource, question.subresource, question.namespace, question.name,
            )  # fmt: skip
        key = (user.name, user.groups, *asked)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._decide(user, question)
            if len(self._decisions) >= REMEMBERED:
                self._decisions.clear()
            # Anybody may ask for anything: what is as long as clients like is not kept.
            if sum(map(len, asked)) <= _LONGEST:
                self._decisions[key] = decision
        return decision

    def rules_for(self, user: User, namespace: str) -> list[Rule]:
        """Every rule that is granted to the user in the namespace ("": at cluster scope)."""
        self.policy.refresh()
        return [rule for grant in self.policy.grants(user, namespace) for rule in grant.rules or ()]

    def _decide(self, user: User, question: Question) -> Decision:
        absent: list[str] = []
        namespace = question.namespace if question.is_resource else ""
        for grant in self.policy.grants(user, namespace):
            binding = grant.binding
            if grant.rules is None:
                absent.append(f'{binding.role_kind.lower()}.rbac.authorization.k8s.io "{binding.role_name}" not found')
            elif any(rule.allows(question) for rule in grant.rules):
                return Decision(True, f"RBAC: allowed by {binding} to {grant.subject}")
        if not absent:
            return Decision(False)
        missing = list(dict.fromkeys(absent))
        return Decision(False, "RBAC: " + (missing[0] if len(missing) == 1 else "[" + ", ".join(missing) + "]"))
