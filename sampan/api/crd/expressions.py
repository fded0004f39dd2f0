"""Rules compiled: the expressions of one schema node, with what they may cost.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sampan.api.cel import (
    NONE,
    CelError,
    CelProgramError,
    Declaration,
    Environment,
    Optional,
    Program,
    adapter_of,
    declaration_of,
)
from sampan.api.cel.environment import NEW, STORED
from sampan.api.cel.types import BOOL, STRING, optional_of
from sampan.api.crd.fieldpaths import FieldPathError, find_field
from sampan.api.crd.structure import Structure, Tree, Value

_SELF: Final = "self"
_OLD_SELF: Final = "oldSelf"


class NoTypeError(ValueError):
    """Expressions cannot see what a schema describes."""


class Scope:
    """What the rules of a schema node can name: the value there, and the one before it. Raises NoTypeError."""

    def __init__(self, raw: Tree, *, root: bool) -> None:
        declaration = declaration_of(raw, resource_root=root)
        if declaration is None:
            raise NoTypeError("failed to convert to declType for CEL validation rules")
        self.declaration: Declaration = declaration
        self.structure = Structure(raw)
        self.adapt = adapter_of(raw, resource_root=root)
        self._environments: dict[tuple[bool, str], Environment] = {}

    def environment(self, *, optional: bool, version: str) -> Environment:
        """`optional`: for rules that also see to values that are new. `version`: of Kubernetes, whose functions there are."""
        found = self._environments.get((optional, version))
        if found is None:
            own = self.declaration.cel_type
            variables = {_SELF: own, _OLD_SELF: optional_of(own) if optional else own}
            found = self._environments[optional, version] = Environment(variables, version=version)
        return found


@dataclass(frozen=True, slots=True)
class Known:
    """The expressions that a definition had before; what is new to it must do with the functions of the version before."""

    rules: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()

    def version_of_rule(self, text: str) -> str:
        return STORED if text in self.rules else NEW

    def version_of_message(self, text: str) -> str:
        return STORED if text in self.messages else NEW


@dataclass(slots=True)
class Rule:
    raw: Tree
    program: Program | None = None
    """None where there is an error."""
    error: str = ""
    max_cost: int = 0
    message_program: Program | None = None
    message_error: str = ""
    message_max_cost: int = 0
    uses_old_self: bool = False
    field_path: str = ""
    """Below the node; where an error is reported."""

    @property
    def old_self_is_optional(self) -> bool:
        return bool(self.raw.get("optionalOldSelf"))

    @property
    def text(self) -> str:
        """By which errors call it."""
        text: str = self.raw.get("message") or self.raw.get("rule") or ""
        return text.strip()

    @property
    def message(self) -> str:
        """Of its failure."""
        message: str = self.raw.get("message") or ""
        return message.strip() or f"failed rule: {self.text}"


class Bindings:
    """The variables of the rules of one node, for one value."""

    def __init__(self, scope: Scope, value: Value, old: Value) -> None:
        self._scope = scope
        self._value = value
        self._old = old

    @cached_property
    def _self(self) -> object:
        return self._scope.adapt(self._value)

    @cached_property
    def _old_self(self) -> object:
        return self._scope.adapt(self._old)

    def of(self, rule: Rule) -> Mapping[str, object]:
        """Raises CelRuntimeError for values that are not what the schema says."""
        if not rule.uses_old_self:
            return {_SELF: self._self}
        if not rule.old_self_is_optional:
            return {_SELF: self._self, _OLD_SELF: self._old_self}
        return {_SELF: self._self, _OLD_SELF: NONE if self._old is None else Optional(self._old_self)}


def compile_rules(scope: Scope, rules: Sequence[Tree], known: Known | None = None) -> list[Rule]:
    """`known` None: all are, as those of definitions that are in force."""
    return [_compiled(scope, raw, known) for raw in rules]


def _compiled(scope: Scope, raw: Tree, known: Known | None) -> Rule:
    rule = Rule(raw)
    text: str = raw.get("rule") or ""
    if not text.strip():
        return rule
    version = known.version_of_rule(text) if known else STORED
    environment = scope.environment(optional=rule.old_self_is_optional, version=version)
    rule.program, rule.error = _program(environment, text, "")
    if rule.program is None:
        return rule
    if rule.program.output_type != BOOL:
        rule.program, rule.error = None, "cel expression must evaluate to a bool"
        return rule
    rule.uses_old_self = _OLD_SELF in rule.program.variables
    rule.max_cost = rule.program.estimate_cost(scope.declaration).max
    if raw.get("messageExpression"):
        version = known.version_of_message(raw["messageExpression"]) if known else STORED
        environment = scope.environment(optional=rule.old_self_is_optional, version=version)
        _compile_message(rule, environment, scope)
    if raw.get("fieldPath"):
        try:
            rule.field_path = find_field(raw["fieldPath"], scope.structure).path
        except FieldPathError:
            pass  # as upstream, that reports it where the definition is written
    return rule


def _compile_message(rule: Rule, environment: Environment, scope: Scope) -> None:
    program, rule.message_error = _program(environment, rule.raw["messageExpression"], "messageExpression ")
    if program is None:
        return
    if program.output_type != STRING:
        rule.message_error = "messageExpression must evaluate to a string"
        return
    rule.message_program = program
    rule.message_max_cost = program.estimate_cost(scope.declaration).max


def _program(environment: Environment, text: str, what: str) -> tuple[Program | None, str]:
    """The program, or why there is none."""
    try:
        return environment.compile(text), ""
    except CelProgramError as error:
        return None, f"{what or 'program '}instantiation failed: {error}"
    except CelError as error:
        return None, f"{what}compilation failed: {error}"
