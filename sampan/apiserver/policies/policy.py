"""One ValidatingAdmissionPolicy, compiled, and what it decides.

After k8s.io/apiserver/pkg/admission/plugin/policy/validating/{plugin,validator,policy_decision}.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from sampan.api.cel import Value
from sampan.api.cel.limits import RUNTIME_COST_BUDGET
from sampan.api.groups.admissionregistration.expressions import AUTHORIZED, NAMESPACE, REQUESTED, Scope
from sampan.api.resource import Tree
from sampan.apiserver.policies.conditions import Conditions, ConditionsFailed
from sampan.apiserver.policies.evaluation import (
    Evaluation,
    Expression,
    ExpressionFailed,
    OutOfBudget,
    compiled,
    compiled_in,
)

INVALID: Final = "Invalid"
_LONGEST_MESSAGE_BYTES: Final = 5 * 1024


class Decision(NamedTuple):
    """A validation that speaks against a request; `reason` "" is that it could not be judged."""

    message: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Validation:
    expression: Expression
    message: str
    words: Expression | None
    reason: str


class Program:
    """The expressions of a policy."""

    def __init__(self, spec: Tree) -> None:
        scope = Scope(params=spec.get("paramKind") is not None, variables=True)
        self.fails_open = spec.get("failurePolicy") == "Ignore"
        self._variables = dict(_variables(spec.get("variables") or (), scope))
        conditions: Sequence[Tree] = spec.get("matchConditions") or ()
        self._conditions: Conditions | None = None
        if conditions:
            self._conditions = Conditions(conditions, scope, fails_open=self.fails_open, variables=self._variables)
        self._validations = [_validation(tree, scope) for tree in spec.get("validations") or ()]
        self._annotations = [
            compiled_in(scope, tree.get("valueExpression", ""), ("string", "null_type"))
            for tree in spec.get("auditAnnotations") or ()
        ]

    def judge(self, known: Mapping[str, Value]) -> tuple[list[Decision], list[Decision]]:
        """What validations have against it, which the binding says what to do with; and what can only be denied."""
        try:
            # Neither namespace nor, below, authorizer are there for every expression.
            if self._conditions is not None and not self._conditions.hold({**known, NAMESPACE: None}):
                return [], []
        except ConditionsFailed as failed:
            return self._error(str(failed)), []
        try:
            against = self._validate(known)
        except OutOfBudget as spent:
            return self._error(str(spent)), []
        try:
            return against, self._annotate(known)
        except OutOfBudget as spent:
            return self._error(str(spent)), []

    def _error(self, message: str) -> list[Decision]:
        return [] if self.fails_open else [Decision(message)]

    def _validate(self, known: Mapping[str, Value]) -> list[Decision]:
        evaluation = Evaluation(known, self._variables, RUNTIME_COST_BUDGET)
        outcomes = [_outcome(evaluation, validation.expression) for validation in self._validations]
        if all(outcome is True for outcome in outcomes):
            return []
        words, problem = self._words(known, evaluation.remaining)
        found: list[Decision] = []
        for index, (validation, outcome) in enumerate(zip(self._validations, outcomes, strict=True)):
            if isinstance(outcome, ExpressionFailed):
                found += self._error(str(outcome))
            elif problem:
                found += self._error(f"failed messageExpression: {problem}")
            elif outcome is not True:
                found.append(Decision(words[index] or _own_message(validation), validation.reason or INVALID))
        return found

    def _words(self, known: Mapping[str, Value], budget: int) -> tuple[list[str], str]:
        """What messageExpressions say, "" where they say nothing of use; and why they could not all be asked."""
        evaluation = Evaluation(_without_authorizer(known), self._variables, budget)
        found: list[str] = []
        for validation in self._validations:
            if validation.words is None:
                found.append("")
                continue
            try:
                found.append(_usable(evaluation.value(validation.words)))
            except ExpressionFailed:
                found.append("")
            except OutOfBudget as spent:
                return [], str(spent)
        return found, ""

    def _annotate(self, known: Mapping[str, Value]) -> list[Decision]:
        """Audit annotations go nowhere, but one that fails is a failure."""
        evaluation = Evaluation(_without_authorizer(known), self._variables, RUNTIME_COST_BUDGET)
        outcomes = [_outcome(evaluation, annotation) for annotation in self._annotations]
        return [each for outcome in outcomes if isinstance(outcome, ExpressionFailed) for each in self._error(str(outcome))]


def _variables(trees: Sequence[Tree], scope: Scope) -> Iterator[tuple[str, Expression]]:
    for tree in trees:
        name, text = tree.get("name", ""), tree.get("expression", "")
        yield name, compiled(partial(scope.define, name, text), text)


def _validation(tree: Tree, scope: Scope) -> Validation:
    words = tree.get("messageExpression") or ""
    return Validation(
        compiled_in(scope, tree.get("expression", "")),
        tree.get("message") or "",
        compiled_in(scope, words, ("string",), authorizer=False) if words else None,
        tree.get("reason") or "",
    )


def _outcome(evaluation: Evaluation, expression: Expression) -> Value | ExpressionFailed:
    """Raises OutOfBudget."""
    try:
        return evaluation.value(expression)
    except ExpressionFailed as failed:
        return failed


def _without_authorizer(known: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in known.items() if name not in (AUTHORIZED, REQUESTED)}


def _usable(value: Value) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return "" if len(text.encode()) > _LONGEST_MESSAGE_BYTES or "\n" in text else text


def _own_message(validation: Validation) -> str:
    return validation.message.strip() or f"failed expression: {validation.expression.text.strip()}"
