"""What both sorts of webhooks have in common: who is concerned with a request, and who calls them."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Attributes
from sampan.apiserver.context import Context
from sampan.apiserver.policies.conditions import ConditionsFailed
from sampan.apiserver.policies.known import authorizer_of, known_of
from sampan.apiserver.webhooks.calling import Caller
from sampan.apiserver.webhooks.configurations import Configurations, Hook
from sampan.apiserver.webhooks.equivalents import Equivalents
from sampan.apiserver.webhooks.matching import Concerned, NamespaceLabels

MUTATING = "mutatingwebhookconfigurations"
VALIDATING = "validatingwebhookconfigurations"


class Hooks:
    """Those of all configurations of a sort, `plural`."""

    def __init__(self, context: Context, plural: str) -> None:
        self.equivalents = Equivalents(context)
        self.caller = Caller(context.webhooks, mutating=plural == MUTATING)
        self._authorizer = context.authorizer
        self._namespaces = context.registry("", "namespaces").cache
        self._configurations = Configurations(context, plural, self.equivalents)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._configurations.index)

    def concerned(self, attributes: Attributes) -> Sequence[Concerned[Hook]]:
        """Nobody, if labels speak against all those that rules speak for."""
        found = self._configurations.index.concerned(attributes)
        if not found:
            return ()
        shown, namespace = attributes.object, self.namespace(attributes)
        return found if any(self.target(each, attributes, shown, namespace) for each in found) else ()

    def namespace(self, attributes: Attributes) -> NamespaceLabels:
        return NamespaceLabels(attributes, self._namespaces)

    def target(
        self, each: Concerned[Hook], attributes: Attributes, shown: Tree | None, namespace: NamespaceLabels
    ) -> Resource | None:
        """As what an object concerns a webhook, by rules and labels; None: not at all. Raises StatusError 404 where its
        namespace would have to be asked and is not there."""
        target = each.target(attributes.name)
        if target is None or not each.who.criteria.selects(attributes, shown, namespace):
            return None
        return target.resource

    def wants(self, hook: Hook, attributes: Attributes, target: Resource, shown: Tree | None, old: Tree | None) -> bool:
        """Whether its matchConditions hold. Raises StatusError 403 where they fail and the webhook does not fail open."""
        if hook.conditions is None:
            return True
        known = {**known_of(attributes, target, shown, old), **authorizer_of(attributes, self._authorizer)}
        try:
            return hook.conditions.hold(known)
        except ConditionsFailed as failed:
            raise attributes.refused(str(failed)) from None
