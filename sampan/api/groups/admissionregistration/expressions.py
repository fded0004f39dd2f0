"""CEL expressions of webhooks and policies: what they can name, and whether they compile, and to what.

After k8s.io/apiserver/pkg/admission/plugin/cel. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sampan.api.cel import CelError, CelType, Environment, Program, types
from sampan.api.cel.environment import STORED
from sampan.api.cel.errors import CelProgramError
from sampan.api.cel.libraries.authorization import AUTHORIZER, RESOURCE_CHECK
from sampan.api.cel.types import Kind
from sampan.api.errors import FieldError, invalid

OBJECT, OLD_OBJECT, PARAMS, REQUEST = "object", "oldObject", "params", "request"
NAMESPACE, AUTHORIZED, REQUESTED, VARIABLES = "namespaceObject", "authorizer", "authorizer.requestResource", "variables"

_STRINGS: Final = types.list_of(types.STRING)
_STRING_MAP: Final = types.map_of(types.STRING, types.STRING)


def _object(name: str, /, **fields: CelType) -> CelType:
    return types.object_type(f"kubernetes.{name}", fields)


def _texts(*names: str) -> dict[str, CelType]:
    return dict.fromkeys(names, types.STRING)


_KIND: Final = _object("GroupVersionKind", **_texts("group", "version", "kind"))
_RESOURCE: Final = _object("GroupVersionResource", **_texts("group", "version", "resource"))
_USER: Final = _object("UserInfo", **_texts("username", "uid"), groups=_STRINGS, extra=types.map_of(types.STRING, _STRINGS))
REQUEST_TYPE: Final = _object(
    "AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    userInfo=_USER,
    dryRun=types.BOOL,
    options=types.DYN,
    **_texts("subResource", "requestSubResource", "name", "namespace", "operation"),
)
_CONDITION: Final = _object(
    "NamespaceCondition", **_texts("status", "type", "message", "reason"), lastTransitionTime=types.TIMESTAMP
)
NAMESPACE_TYPE: Final = _object(
    "Namespace",
    metadata=_object(
        "NamespaceMetadata",
        **_texts("name", "generateName", "namespace", "UID", "resourceVersion"),
        labels=_STRING_MAP,
        annotations=_STRING_MAP,
        creationTimestamp=types.TIMESTAMP,
        deletionTimestamp=types.TIMESTAMP,
        deletionGracePeriodSeconds=types.INT,
        generation=types.INT,
        finalizers=_STRINGS,
    ),
    spec=_object("NamespaceSpec", finalizers=_STRINGS),
    status=_object("NamespaceStatus", conditions=types.list_of(_CONDITION), phase=types.STRING),
)


class BadExpression(Exception):
    """Why an expression is of no use, in upstream's words."""


class Scope:
    """What expressions can name, beyond `object`, `oldObject`, `request`, `namespaceObject` and `authorizer`.

    `variables`: whether there may be some, as in policies; each is known once it is defined. `version` of Kubernetes: NEW for
    what somebody is about to write, as a cluster may have to go back to the version before.
    """

    def __init__(self, *, params: bool = False, variables: bool = False, version: str = STORED) -> None:
        self._known: dict[str, CelType] = {OBJECT: types.DYN, OLD_OBJECT: types.DYN}
        if params:
            self._known[PARAMS] = types.DYN
        self._variables: dict[str, CelType] = {}
        if variables:
            self._known[VARIABLES] = types.object_type("kubernetes.variables", self._variables)
        self._version = version
        self._environments: dict[bool, Environment] = {}

    def declare(self, name: str, of: CelType) -> None:
        """Say more of a variable than that it can be anything. Before anything is compiled."""
        self._known[name] = of

    def compile(self, text: str, returns: Sequence[str] = ("bool",), *, authorizer: bool = True) -> Program:
        """`returns`: the types it may give; none named: any. Raises BadExpression."""
        try:
            program = self._environment(authorizer).compile(text)
        except CelProgramError as error:
            raise BadExpression(f"program instantiation failed: {error}") from None
        except CelError as error:
            raise BadExpression(f"compilation failed: {error}") from None
        if returns and program.output_type.name not in returns:
            what = returns[0] if len(returns) == 1 else f"one of [{' '.join(returns)}]"
            raise BadExpression(f"must evaluate to {what} but got {_shown(program.output_type)}")
        return program

    def define(self, name: str, text: str) -> Program:
        """A variable, which all that is compiled from now on can name. Raises BadExpression; it may be anything then."""
        self._variables[name] = types.DYN
        program = self.compile(text, ())
        self._variables[name] = _as_variable(program.output_type)
        return program

    def _environment(self, authorizer: bool) -> Environment:
        found = self._environments.get(authorizer)
        if found is None:
            more = {AUTHORIZED: AUTHORIZER, REQUESTED: RESOURCE_CHECK} if authorizer else {}
            fixed = {NAMESPACE: NAMESPACE_TYPE, REQUEST: REQUEST_TYPE}
            found = self._environments[authorizer] = Environment({**fixed, **self._known, **more}, version=self._version)
        return found


def _as_variable(of: CelType) -> CelType:
    """What is left of a type once a variable is of it: objects are no longer known by their fields."""
    if of.kind in (Kind.LIST, Kind.MAP):
        return CelType(of.kind, of.name, tuple(map(_as_variable, of.parameters)))
    return types.DYN if of.kind in (Kind.STRUCT, Kind.OPAQUE, Kind.TYPE) else of


def _shown(of: CelType) -> str:
    inner = ", ".join(map(_shown, of.parameters))
    return f"{of.name}({inner})" if inner else of.name


def check_expression(
    text: str, path: str, scope: Scope, returns: Sequence[str] = ("bool",), *, authorizer: bool = True
) -> list[FieldError]:
    """What is wrong with an expression that must give one of the types `returns`; none named: any."""
    try:
        scope.compile(text, returns, authorizer=authorizer)
    except BadExpression as bad:
        return [invalid(path, text, str(bad))]
    return []


def check_variable(name: str, text: str, path: str, scope: Scope) -> list[FieldError]:
    try:
        scope.define(name, text)
    except BadExpression as bad:
        return [invalid(path, text, str(bad))]
    return []
