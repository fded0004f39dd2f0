"""Nobody makes a policy look at parameters that he may not read himself.

Not one of upstream's plugins, where the strategies of both kinds do it (pkg/registry/admissionregistration); kinds here know
nothing of users.
"""

from __future__ import annotations

from typing import NamedTuple

from sampan.api.errors import StatusError, forbidden_field, invalid_object
from sampan.api.resource import Resource, Tree
from sampan.api.scheme import Scheme
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.authz.authorizer import Asked, Authorizer
from sampan.apiserver.registry.watchcache import WatchCache
from sampan.apiserver.user import User

_GROUP = "admissionregistration.k8s.io"
_POLICIES, _BINDINGS = "validatingadmissionpolicies", "validatingadmissionpolicybindings"


class _Kind(NamedTuple):
    """What must be readable: of a kind that nobody serves, everything of its group; of none, everything."""

    group: str = "*"
    plural: str = "*"


class ParamAccess(Judge):
    name = "ParamAccess"

    def __init__(self, authorizer: Authorizer, scheme: Scheme, policies: WatchCache) -> None:
        self._authorizer = authorizer
        self._scheme = scheme
        self._policies = policies

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        here = resource.group == _GROUP and resource.plural in (_POLICIES, _BINDINGS)
        return here and not subresource and operation in (CREATE, UPDATE)

    def validate(self, attributes: Attributes) -> None:
        spec, before = _spec(attributes.object), _spec(attributes.old)
        if attributes.resource.plural == _POLICIES:
            kind = spec.get("paramKind")
            if kind is not None and kind != before.get("paramKind"):
                self._check_policy(attributes, kind)
        elif "paramRef" in spec and any(spec.get(f) != before.get(f) for f in ("paramRef", "policyName")):
            self._check_binding(attributes, spec)

    def _check_policy(self, attributes: Attributes, kind: Tree) -> None:
        wanted = self._resolve(kind)
        question = Asked("get", group=wanted.group, resource=wanted.plural, namespace="*", name="*")
        if not self._authorizer.authorize(attributes.user, question).allowed:
            raise _refused(
                attributes,
                "spec.paramKind",
                f'user {_shown(attributes.user)} must have "get" permission on all objects of the referenced paramKind '
                f"(kind={kind.get('kind', '')}, apiVersion={kind.get('apiVersion', '')})",
            )

    def _check_binding(self, attributes: Attributes, spec: Tree) -> None:
        policy = self._policies.get("", spec.get("policyName", ""))
        kind = _spec(policy.tree()).get("paramKind") if policy is not None else None
        wanted = self._resolve(kind) if kind else _Kind()
        reference = spec["paramRef"]
        name, namespace = reference.get("name", ""), reference.get("namespace", "")
        verb = "get" if name else "list"
        question = Asked(verb, group=wanted.group, resource=wanted.plural, namespace=namespace, name=name)
        if not self._authorizer.authorize(attributes.user, question).allowed:
            why = f'user {_shown(attributes.user)} does not have "{verb}" permission on the object referenced by paramRef'
            raise _refused(attributes, "spec.paramRef", why)

    def _resolve(self, kind: Tree) -> _Kind:
        group, _, version = kind.get("apiVersion", "").rpartition("/")
        resource = self._scheme.for_kind(group, version, kind.get("kind", ""))
        return _Kind(group, resource.plural if resource is not None else "*")


def _spec(tree: Tree | None) -> Tree:
    spec: Tree = (tree or {}).get("spec", {})
    return spec


def _shown(user: User) -> str:
    """As Go prints a user."""
    extra = " ".join(f"{key}:[{' '.join(user.extra[key])}]" for key in sorted(user.extra))
    return f"&{{{user.name} {user.uid} [{' '.join(user.groups)}] map[{extra}]}}"


def _refused(attributes: Attributes, path: str, why: str) -> StatusError:
    resource = attributes.resource
    return invalid_object(resource.kind, resource.group, attributes.name, [forbidden_field(path, why)])
