"""ValidatingAdmissionPolicy: holds writes to the policies that are bound to them.

After k8s.io/apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple

from sampan.api.cel import Value
from sampan.api.errors import StatusError, not_found
from sampan.api.groups.admissionregistration.expressions import NAMESPACE, PARAMS
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Attributes, Judge
from sampan.apiserver.context import Context
from sampan.apiserver.policies.known import authorizer_of, known_of, namespace_object
from sampan.apiserver.policies.params import BadConfiguration, ParamSource
from sampan.apiserver.policies.policies import Binding, Policies, Policy
from sampan.apiserver.policies.policy import INVALID, Decision
from sampan.apiserver.webhooks.equivalents import Equivalents
from sampan.apiserver.webhooks.matching import Concerned, NamespaceLabels, is_namespace, namespace_of
from sampan.apiserver.webhooks.rules import is_exempt
from sampan.apiserver.webhooks.versioned import Versioned

_CODES: Final = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, INVALID: 422}
_REVIEWS: Final = frozenset(("authentication.k8s.io", "authorization.k8s.io"))
"""Groups of nothing but reviews; policies on these might break the cluster."""


class Denial(NamedTuple):
    policy: Policy
    binding: Binding | None
    decision: Decision


class ValidatingPolicies(Judge):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, context: Context) -> None:
        self._authorizer = context.authorizer
        self._namespaces = context.registry("", "namespaces").cache
        self._equivalents = Equivalents(context)
        self._params = ParamSource(context)
        self._policies = Policies(context, self._equivalents)

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        return bool(self._policies.index) and not is_exempt(resource) and resource.group not in _REVIEWS

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        concerned = self._policies.index.concerned(attributes)
        if not concerned:
            return None
        namespace = NamespaceLabels(attributes, self._namespaces)
        matched = ((each.who, _matched(each, attributes, namespace)) for each in concerned)
        found = [(policy, target) for policy, target in matched if target is not None]
        return self._judge(attributes, found, namespace) if found else None

    async def _judge(
        self, attributes: Attributes, found: Sequence[tuple[Policy, Resource | StatusError]], namespace: NamespaceLabels
    ) -> None:
        """Every policy is asked, and of all that is against it the first counts."""
        versioned = Versioned(attributes, self._equivalents)
        common = authorizer_of(attributes, self._authorizer)
        denials: list[Denial] = []
        for policy, target in found:
            try:
                denials += await self._ask(policy, target, attributes, versioned, common, namespace)
            except BadConfiguration as bad:
                denials += _misconfigured(policy, None, bad)
        if denials:
            raise _refusal(attributes, denials[0])

    async def _ask(
        self,
        policy: Policy,
        target: Resource | StatusError,
        attributes: Attributes,
        versioned: Versioned,
        common: dict[str, Value],
        namespace: NamespaceLabels,
    ) -> list[Denial]:
        if isinstance(target, StatusError):
            raise BadConfiguration(target.message)
        registry = self._params.registry(policy.param_kind) if policy.param_kind is not None else None
        denials: list[Denial] = []
        for each in policy.bindings.concerned(attributes):
            matched = _matched(each, attributes, namespace)
            if matched is None:
                continue
            binding = each.who
            try:
                if isinstance(matched, StatusError):
                    raise BadConfiguration(matched.message)
                params: Sequence[Tree | None] = (None,)
                if registry is not None and binding.param_reference is not None:
                    params = await self._params.collect(registry, binding.param_reference, namespace_of(attributes))
                known = {**await self._known(attributes, target, versioned), **common} if params else {}
            except BadConfiguration as bad:
                denials += _misconfigured(policy, binding, bad)
                continue
            for param in params:
                denials += _decide(policy, binding, {**known, PARAMS: param}, attributes)
        return denials

    async def _known(self, attributes: Attributes, target: Resource, versioned: Versioned) -> dict[str, Value]:
        try:
            shown, old = await versioned.shown(target), await versioned.old(target)
        except StatusError as error:
            raise BadConfiguration(f"failed to convert object version: {error.message}") from None
        known = known_of(attributes, target, shown, old)
        known[NAMESPACE] = self._namespace(attributes)
        return known

    def _namespace(self, attributes: Attributes) -> Tree | None:
        """A Namespace is in none. Raises StatusError 404 for one that is not there."""
        if not attributes.namespace or is_namespace(attributes.resource):
            return None
        found = self._namespaces.get("", attributes.namespace)
        if found is None:
            raise not_found("namespaces", "", attributes.namespace)
        return namespace_object(found.tree())


def _matched(
    each: Concerned[Policy] | Concerned[Binding], attributes: Attributes, namespace: NamespaceLabels
) -> Resource | StatusError | None:
    """As what the request matches; an error where that cannot be told."""
    target = each.target("" if attributes.nameless else attributes.name)
    if target is None:
        return None
    try:
        return target.resource if each.who.criteria.selects(attributes, attributes.object, namespace) else None
    except StatusError as error:
        return error


def _decide(policy: Policy, binding: Binding, known: dict[str, Value], attributes: Attributes) -> list[Denial]:
    against, always = policy.program.judge(known)
    denials: list[Denial] = []
    for decision in against:
        if "Deny" in binding.actions:
            denials.append(Denial(policy, binding, decision))
        if "Warn" in binding.actions:
            attributes.warnings.append(
                f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': "
                f"{decision.message}"
            )
    return denials + [Denial(policy, binding, decision) for decision in always]


def _misconfigured(policy: Policy, binding: Binding | None, bad: BadConfiguration) -> list[Denial]:
    if policy.program.fails_open:
        return []
    what = "policy" if binding is None else "binding"
    return [Denial(policy, binding, Decision(f"failed to configure {what}: {bad}"))]


def _refusal(attributes: Attributes, denial: Denial) -> StatusError:
    policy, binding, decision = denial
    bound = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy.name}'{bound} denied request: {decision.message}"
    error = attributes.refused(message)
    error.reason = decision.reason or INVALID
    error.code = _CODES.get(error.reason, 422)
    error.details["causes"] = [{"message": message}]
    return error
