"""`authorizer.group('apps').resource('deployments').namespace('x').check('update').allowed()`.

Who provides the variable `authorizer` says what is allowed:

    authorizer = Authorizer(lambda check: Decision(allowed=check.verb == "get", reason="readers"))

After k8s.io/apiserver/pkg/cel/library/authz.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from sampan.api import names
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.types import CelType, object_type
from sampan.api.cel.values import Opaque, Value

_PREFIX = "kubernetes.authorization."
AUTHORIZER: Final = object_type(f"{_PREFIX}Authorizer")
PATH_CHECK: Final = object_type(f"{_PREFIX}PathCheck")
GROUP_CHECK: Final = object_type(f"{_PREFIX}GroupCheck")
RESOURCE_CHECK: Final = object_type(f"{_PREFIX}ResourceCheck")
DECISION: Final = object_type(f"{_PREFIX}Decision")

_DECLARATIONS = """
    authorizer_path              <authorizer>.path(string) -> pathcheck
    authorizer_group             <authorizer>.group(string) -> groupcheck
    authorizer_serviceaccount    <authorizer>.serviceAccount(string, string) -> authorizer
    groupcheck_resource          <groupcheck>.resource(string) -> resourcecheck
    resourcecheck_subresource    <resourcecheck>.subresource(string) -> resourcecheck
    resourcecheck_namespace      <resourcecheck>.namespace(string) -> resourcecheck
    resourcecheck_name           <resourcecheck>.name(string) -> resourcecheck
    pathcheck_check              <pathcheck>.check(string) -> decision
    resourcecheck_check          <resourcecheck>.check(string) -> decision
    decision_errored             <decision>.errored() -> bool
    decision_error               <decision>.error() -> string
    decision_allowed             <decision>.allowed() -> bool
    decision_reason              <decision>.reason() -> string
"""
_SELECTORS = """
    authorizer_fieldselector     <resourcecheck>.fieldSelector(string) -> resourcecheck
    authorizer_labelselector     <resourcecheck>.labelSelector(string) -> resourcecheck
"""


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked for: of a path, or of a resource in any version of its group.

    `service_account` is (namespace, name) of who asks, if it is not the user of the request.
    """

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


class _Alone(Opaque):
    """Values that only these functions look into."""

    __slots__ = ()

    def equals(self, other: Value) -> bool:
        if not isinstance(other, _Alone):
            raise no_such_overload()
        return self is other


class Decision(_Alone):
    """Whether it is allowed, and why; `error` where that could not be found out."""

    __slots__ = ("allowed", "error", "reason")
    cel_type: CelType = DECISION

    def __init__(self, allowed: bool, reason: str = "", error: str = "") -> None:
        self.allowed = allowed
        self.reason = reason
        self.error = error


Authorize = Callable[[Check], Decision]


class Authorizer(_Alone):
    """The variable `authorizer`."""

    __slots__ = ("account", "authorize")
    cel_type: CelType = AUTHORIZER

    def __init__(self, authorize: Authorize, account: tuple[str, str] | None = None) -> None:
        self.authorize = authorize
        self.account = account


@dataclass(frozen=True, slots=True, eq=False)
class PathCheck(_Alone):
    authorizer: Authorizer
    path: str
    cel_type: CelType = field(default=PATH_CHECK, init=False)


@dataclass(frozen=True, slots=True, eq=False)
class GroupCheck(_Alone):
    authorizer: Authorizer
    group: str
    cel_type: CelType = field(default=GROUP_CHECK, init=False)


@dataclass(frozen=True, slots=True, eq=False)
class ResourceCheck(_Alone):
    """Also the variable `authorizer.requestResource`, of what the request is about."""

    authorizer: Authorizer
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    cel_type: CelType = field(default=RESOURCE_CHECK, init=False)


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise CelRuntimeError("path must not be empty")
    return PathCheck(authorizer, path)


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.name_is_subdomain(name):
        raise CelRuntimeError("Invalid service account name")
    if names.name_is_label(namespace):
        raise CelRuntimeError("Invalid service account namespace")
    return Authorizer(authorizer.authorize, (namespace, name))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise CelRuntimeError("resource must not be empty")
    return ResourceCheck(check.authorizer, check.group, resource)


def _check(check: PathCheck | ResourceCheck, verb: str) -> Decision:
    account = check.authorizer.account
    if isinstance(check, PathCheck):
        return check.authorizer.authorize(Check(verb, path=check.path, service_account=account))
    asked = Check(
        verb,
        group=check.group,
        resource=check.resource,
        subresource=check.subresource,
        namespace=check.namespace,
        name=check.name,
        field_selector=check.field_selector,
        label_selector=check.label_selector,
        service_account=account,
    )
    return check.authorizer.authorize(asked)


_BINDINGS: Final[dict[str, Binding]] = {
    "authorizer_path": _path,
    "authorizer_group": GroupCheck,
    "authorizer_serviceaccount": _service_account,
    "groupcheck_resource": _resource,
    "resourcecheck_subresource": lambda check, name: replace(check, subresource=name),
    "resourcecheck_namespace": lambda check, name: replace(check, namespace=name),
    "resourcecheck_name": lambda check, name: replace(check, name=name),
    "authorizer_fieldselector": lambda check, selector: replace(check, field_selector=selector),
    "authorizer_labelselector": lambda check, selector: replace(check, label_selector=selector),
    "pathcheck_check": _check,
    "resourcecheck_check": _check,
    "decision_errored": lambda decision: bool(decision.error),
    "decision_error": lambda decision: decision.error,
    "decision_allowed": lambda decision: decision.allowed,
    "decision_reason": lambda decision: decision.reason,
}
_OWN: Final = {
    "authorizer": AUTHORIZER,
    "pathcheck": PATH_CHECK,
    "groupcheck": GROUP_CHECK,
    "resourcecheck": RESOURCE_CHECK,
    "decision": DECISION,
}

LIBRARY: Final = Library("kubernetes.authz", declared(_DECLARATIONS, _BINDINGS, _OWN), since=27)
SELECTORS: Final = Library("kubernetes.authzSelectors", declared(_SELECTORS, _BINDINGS, _OWN), since=31)
