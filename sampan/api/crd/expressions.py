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

    @cached_property
    def plain(self) -> Environment:
        own = self.declaration.cel_type
        return Environment({_SELF: own, _OLD_SELF: own})

    @cached_property
    def with_optional(self) -> Environment:
        """For rules that also see to values that are new."""
        own = self.declaration.cel_type
        return Environment({_SELF: own, _OLD_SELF: optional_of(own)})


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


def compile_rules(scope: Scope, rules: Sequence[Tree]) -> list[Rule]:
    return [_compiled(scope, raw) for raw in rules]


def _compiled(scope: Scope, raw: Tree) -> Rule:
    rule = Rule(raw)
    environment = scope.with_optional if rule.old_self_is_optional else scope.plain
    text: str = raw.get("rule") or ""
    if not text.strip():
        return rule
    rule.program, rule.error = _program(environment, text, "")
    if rule.program is None:
        return rule
    if rule.program.output_type != BOOL:
        rule.program, rule.error = None, "cel expression must evaluate to a bool"
        return rule
    rule.uses_old_self = _OLD_SELF in rule.program.variables
    rule.max_cost = rule.program.estimate_cost(scope.declaration).max
    if raw.get("messageExpression"):
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
