"""What expressions of webhooks and policies can name, made of a request.

After k8s.io/apiserver/pkg/admission/plugin/cel/activation.go and condition.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel import Value
from sampan.api.cel.libraries.authorization import Authorizer, Check, Decision, ResourceCheck
from sampan.api.groups.admissionregistration.expressions import (
    AUTHORIZED,
    NAMESPACE,
    OBJECT,
    OLD_OBJECT,
    PARAMS,
    REQUEST,
    REQUESTED,
)
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import Attributes
from sampan.apiserver.authz.authorizer import Asked
from sampan.apiserver.authz.authorizer import Authorizer as ServerAuthorizer
from sampan.apiserver.user import User
from sampan.apiserver.webhooks.matching import namespace_of
from sampan.apiserver.webhooks.review import as_form, options_of, request_of

_HIDDEN: Final = frozenset(("managedFields", "ownerReferences", "selfLink"))


def known_of(attributes: Attributes, target: Resource, shown: Tree | None, old: Tree | None) -> dict[str, Value]:
    """Without authorizer, namespace and parameters; objects as `target` has them."""
    form = attributes.form or target
    request = {**request_of(attributes, target), "dryRun": attributes.dry_run, "options": options_of(attributes)}
    return {
        OBJECT: as_form(shown, form),
        OLD_OBJECT: as_form(old, form),
        REQUEST: request,
        NAMESPACE: None,
        PARAMS: None,
    }


def authorizer_of(attributes: Attributes, authorizer: ServerAuthorizer) -> dict[str, Value]:
    """`authorizer`, and that of what the request is about."""
    decisions: dict[Check, Decision] = {}

    def authorize(check: Check) -> Decision:
        if check not in decisions:
            decisions[check] = _decide(attributes.user, authorizer, check)
        return decisions[check]

    resource = attributes.resource
    mine = Authorizer(authorize)
    name = "" if attributes.nameless else attributes.name
    requested = ResourceCheck(mine, resource.group, resource.plural, attributes.subresource, namespace_of(attributes), name)
    return {AUTHORIZED: mine, REQUESTED: requested}


def _decide(user: User, authorizer: ServerAuthorizer, check: Check) -> Decision:
    if check.service_account is not None:
        user = _service_account(*check.service_account)
    if check.path:
        asked = Asked(check.verb, path=check.path, is_resource=False)
    else:
        asked = Asked(
            check.verb,
            group=check.group,
            resource=check.resource,
            subresource=check.subresource,
            namespace=check.namespace,
            name=check.name,
            field_selector=check.field_selector,
        )
    decision = authorizer.authorize(user, asked)
    return Decision(decision.allowed, decision.reason)


def _service_account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"system:serviceaccount:{namespace}:{name}", groups=groups)


def namespace_object(tree: Tree) -> Tree:
    """Of a Namespace, what expressions may see."""
    metadata = {key: value for key, value in tree["metadata"].items() if key not in _HIDDEN}
    return {"metadata": metadata, "spec": tree.get("spec") or {}, "status": tree.get("status") or {}}
