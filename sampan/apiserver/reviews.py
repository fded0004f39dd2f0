"""Reviews: questions about users and rights, put as objects that are created, answered in their status and forgotten.

`kubectl auth whoami`, `kubectl auth can-i` and `can-i --list` ask them for whoever runs it, webhooks and kubelets for others.
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sampan.api.errors import FieldError, bad_request, invalid, invalid_object
from sampan.api.groups.authentication import selfsubjectreview, tokenreview
from sampan.api.groups.authorization import (
    localsubjectaccessreview,
    selfsubjectaccessreview,
    selfsubjectrulesreview,
    subjectaccessreview,
)
from sampan.api.resource import Resource, Tree
from sampan.api.selectors import FieldRequirement, FieldSelector
from sampan.apiserver.admission.chain import CREATE, Attributes
from sampan.apiserver.answers import dress
from sampan.apiserver.authz.authorizer import Asked
from sampan.apiserver.authz.node import node_name
from sampan.apiserver.context import Context
from sampan.apiserver.negotiation import negotiate
from sampan.apiserver.registry.bodies import read_object
from sampan.apiserver.registry.options import write_options
from sampan.apiserver.requestinfo import RequestInfo
from sampan.apiserver.user import User
from sampan.lib.clock import rfc3339
from sampan.lib.http import Answer, Handler, Request
from sampan.pki.tokens import TokenError

Answering = Callable[[Context, User, Tree, str], Tree]
"""(context, who asks, the review, the URL's namespace) → its status. Raises StatusError."""


def handlers(context: Context) -> dict[tuple[str, str, str], Handler]:
    """By group, version and plural."""
    return {(r.group, r.version, r.plural): _handler(context, r, answer) for r, answer in _ANSWERS}


def _handler(context: Context, resource: Resource, answer: Answering) -> Handler:
    async def handle(request: Request) -> Answer:
        info: RequestInfo = request.attributes
        options = write_options(request.parameters(), "CreateOptions")
        review = await read_object(request, resource, options.field_validation, info.warnings)
        attributes = Attributes(
            CREATE, resource, info.namespace, review["metadata"].get("name", ""), request.user, review, None, "",
            options.dry_run, info.warnings, options,
        )  # fmt: skip
        await context.registries.admission.judge(attributes)
        status = answer(context, request.user, review, info.namespace)
        tree = {"kind": resource.kind, "apiVersion": resource.group_version, **review, "status": status}
        form = negotiate(request.headers.get("accept", ""))
        return dress(request, msgspec.json.encode(tree), form, 201)

    return handle


def _token_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise bad_request("token is required for TokenReview in authentication")
    try:
        verified = context.authenticator.by_token(spec["token"], spec.get("audiences") or ())
    except TokenError as error:
        # What is no JWT at all is nothing to the one that looks into those.
        why = f"[invalid bearer token, {error}]" if spec["token"].count(".") == 2 else "invalid bearer token"
        return {"user": {}, "error": why}
    status: Tree = {"authenticated": True, "user": user_info(verified.user)}
    if verified.audiences:
        status["audiences"] = list(verified.audiences)
    return status


def _self_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    review["metadata"] = {"creationTimestamp": rfc3339(context.clock.now())}
    return {"userInfo": user_info(user)}


def user_info(user: User) -> Tree:
    found: Tree = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def _access_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    _check(subjectaccessreview.RESOURCE, review, _subject_errors(review.setdefault("spec", {})) + _metadata_errors(review))
    return _decide(context, _subject(review["spec"]), review["spec"])


def _self_access_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    errors = _attribute_errors(review.setdefault("spec", {})) + _metadata_errors(review)
    _check(selfsubjectaccessreview.RESOURCE, review, errors)
    return _decide(context, user, review["spec"])


def _local_access_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    spec, metadata = review.setdefault("spec", {}), review["metadata"]
    if metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    errors = _subject_errors(spec)
    if set(metadata) - {"namespace", "managedFields", "creationTimestamp"}:
        errors.append(invalid("metadata", metadata, "must be empty except for namespace"))
    attributes = spec.get("resourceAttributes")
    if attributes is not None and attributes.get("namespace", "") != namespace:
        where = "spec.resourceAttributes.namespace"
        errors.append(invalid(where, attributes.get("namespace", ""), "must match metadata.namespace"))
    if spec.get("nonResourceAttributes") is not None:
        where = "spec.nonResourceAttributes"
        errors.append(invalid(where, spec["nonResourceAttributes"], "disallowed on this kind of request"))
    _check(localsubjectaccessreview.RESOURCE, review, errors)
    return _decide(context, _subject(spec), spec)


def _rules_review(context: Context, user: User, review: Tree, namespace: str) -> Tree:
    wanted = (review.get("spec") or {}).get("namespace", "")
    review["spec"] = {}  # upstream does not repeat it
    if not wanted:
        raise bad_request("no namespace on request")
    resources: list[Tree] = []
    urls: list[Tree] = []
    for rule in context.authorizer.rules_for(user, wanted):
        if rule.urls:
            urls.append({"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)})
        else:
            resources.append(rule.tree())
    status: Tree = {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}
    if node_name(user) is not None:
        status |= {"incomplete": True, "evaluationError": "node authorizer does not support user rule resolution"}
    return status


def _decide(context: Context, user: User, spec: Mapping[str, Any]) -> Tree:
    decision = context.authorizer.authorize(user, _question(spec))
    status: Tree = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return status


def _question(spec: Mapping[str, Any]) -> Asked:
    attributes = spec.get("resourceAttributes")
    if attributes is None:
        attributes = spec["nonResourceAttributes"]
        return Asked(attributes.get("verb", ""), path=attributes.get("path", ""), is_resource=False)
    return Asked(
        attributes.get("verb", ""),
        group=attributes.get("group", ""),
        resource=attributes.get("resource", ""),
        subresource=attributes.get("subresource", ""),
        namespace=attributes.get("namespace", ""),
        name=attributes.get("name", ""),
        field_selector=_field_selector(attributes.get("fieldSelector") or {}),
    )


def _field_selector(selector: Mapping[str, Any]) -> str:
    """Requirements of one value, which are all that narrows anything here, in the form of a query."""
    if selector.get("rawSelector"):
        return str(selector["rawSelector"])
    single = [r for r in selector.get("requirements") or () if r.get("operator") == "In" and len(r.get("values") or ()) == 1]
    return str(FieldSelector(FieldRequirement(r.get("key", ""), "=", r["values"][0]) for r in single))


def _subject(spec: Mapping[str, Any]) -> User:
    extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def _check(resource: Resource, review: Tree, errors: list[FieldError]) -> None:
    if errors:
        # Upstream says no kind here.
        raise invalid_object("", resource.group, review["metadata"].get("name", ""), errors)


def _subject_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    errors = _attribute_errors(spec)
    if not spec.get("user") and not spec.get("groups"):
        errors.append(invalid("spec.user", "", "at least one of user or group must be specified"))
    return errors


def _attribute_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        return [invalid("spec.nonResourceAttributes", path, why)]
    if resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid("spec.resourceAttributes", None, why)]
    return []


def _metadata_errors(review: Tree) -> list[FieldError]:
    metadata = {k: v for k, v in review["metadata"].items() if k not in ("managedFields", "creationTimestamp")}
    return [invalid("metadata", metadata, "must be empty")] if metadata else []


_ANSWERS: tuple[tuple[Resource, Answering], ...] = (
    (tokenreview.RESOURCE, _token_review),
    (selfsubjectreview.RESOURCE, _self_review),
    (subjectaccessreview.RESOURCE, _access_review),
    (localsubjectaccessreview.RESOURCE, _local_access_review),
    (selfsubjectaccessreview.RESOURCE, _self_access_review),
    (selfsubjectrulesreview.RESOURCE, _rules_review),
)
