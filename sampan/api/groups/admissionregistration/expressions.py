"""CEL expressions of webhooks and policies: what they can name, and that they compile, and to what.

After k8s.io/apiserver/pkg/admission/plugin/cel. What evaluates them compiles them by the same `environment_of`.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-expression
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sampan.api.cel import CelError, CelType, Environment
from sampan.api.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Kind, list_of, map_of, object_type
from sampan.api.errors import FieldError, invalid


@dataclass(frozen=True)
class Scope:
    """What an expression can name, beyond `object`, `oldObject`, `request` and `namespaceObject`."""

    params: bool = False
    authorizer: bool = True
    variables: tuple[tuple[str, str], ...] | None = None
    """Name and expression of each, in order; None: there is no such thing."""

    def knowing(self, name: str, expression: str) -> Scope:
        return replace(self, variables=(*(self.variables or ()), (name, expression)))

    def without_authorizer(self) -> Scope:
        return replace(self, authorizer=False)


def _kind_of(what: str, last: str) -> CelType:
    return object_type(f"kubernetes.{what}", {"group": STRING, "version": STRING, last: STRING})


# As the library of authorization calls them.
AUTHORIZER = object_type("kubernetes.authorization.Authorizer")
RESOURCE_CHECK = object_type("kubernetes.authorization.ResourceCheck")
_USER = object_type(
    "kubernetes.UserInfo",
    {"username": STRING, "uid": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING))},
)
_KIND, _RESOURCE = _kind_of("GroupVersionKind", "kind"), _kind_of("GroupVersionResource", "resource")
REQUEST = object_type(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)
_CONDITION = object_type(
    "kubernetes.NamespaceCondition",
    {"status": STRING, "type": STRING, "lastTransitionTime": TIMESTAMP, "message": STRING, "reason": STRING},
)
_METADATA = object_type(
    "kubernetes.NamespaceMetadata",
    {
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "labels": map_of(STRING, STRING),
        "annotations": map_of(STRING, STRING),
        "UID": STRING,
        "creationTimestamp": TIMESTAMP,
        "deletionGracePeriodSeconds": INT,
        "deletionTimestamp": TIMESTAMP,
        "generation": INT,
        "resourceVersion": STRING,
        "finalizers": list_of(STRING),
    },
)
NAMESPACE = object_type(
    "kubernetes.Namespace",
    {
        "metadata": _METADATA,
        "spec": object_type("kubernetes.NamespaceSpec", {"finalizers": list_of(STRING)}),
        "status": object_type("kubernetes.NamespaceStatus", {"conditions": list_of(_CONDITION), "phase": STRING}),
    },
)


@lru_cache(maxsize=256)
def environment_of(scope: Scope) -> Environment:
    found = {"object": DYN, "oldObject": DYN, "namespaceObject": NAMESPACE, "request": REQUEST}
    if scope.params:
        found["params"] = DYN
    if scope.authorizer:
        found |= {"authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE_CHECK}
    if scope.variables is not None:
        found["variables"] = object_type("kubernetes.variables", _types_of(scope))
    return Environment(found)


def _types_of(scope: Scope) -> dict[str, CelType]:
    """Of each variable, as those before it give it; one that does not compile may be anything."""
    found: dict[str, CelType] = {}
    for index, (name, text) in enumerate(scope.variables or ()):
        before = replace(scope, authorizer=True, variables=(scope.variables or ())[:index])
        try:
            found[name] = _declared(environment_of(before).compile(text).output_type)
        except CelError:
            found[name] = DYN
    return found


_SCALARS = frozenset((Kind.BOOL, Kind.BYTES, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.STRING, Kind.TIMESTAMP, Kind.UINT))


def _declared(type_: CelType) -> CelType:
    """A variable's type as far as others see it: scalars, and lists and maps of them."""
    if type_.kind in _SCALARS:
        return type_
    if type_.kind is Kind.LIST:
        return list_of(_declared(type_.parameters[0]))
    if type_.kind is Kind.MAP:
        return map_of(*map(_declared, type_.parameters))
    return DYN


def _shown(type_: CelType) -> str:
    return f"{type_.name}({', '.join(map(_shown, type_.parameters))})" if type_.parameters else type_.name


def check_expression(text: str, path: str, scope: Scope, returns: Sequence[str] = ("bool",)) -> list[FieldError]:
    """What is wrong with an expression that must give one of the types `returns`; none named: any."""
    try:
        output = environment_of(scope).compile(text).output_type
    except CelError as error:
        return [invalid(path, text, f"compilation failed: {error}")]
    if not returns or output.name in returns:
        return []
    wanted = returns[0] if len(returns) == 1 else f"one of [{' '.join(returns)}]"
    return [invalid(path, text, f"must evaluate to {wanted} but got {_shown(output)}")]
