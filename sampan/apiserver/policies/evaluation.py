"""Running the expressions of webhooks and policies: their variables, their costs, and the words for what goes wrong.

After k8s.io/apiserver/pkg/admission/plugin/cel/{activation,condition,composition}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sampan.api.cel import CelRuntimeError, LazyMap, Program, Value
from sampan.api.cel.limits import PER_CALL_LIMIT
from sampan.api.groups.admissionregistration.expressions import VARIABLES, BadExpression, Scope

_SPENT: Final = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclass(frozen=True, slots=True)
class Expression:
    """`program` None: it does not compile, for the reason `problem`."""

    text: str
    program: Program | None
    problem: str = ""


def compiled(compile_: Callable[[], Program], text: str) -> Expression:
    """What is stored may have compiled once, elsewhere; here it fails when it is asked."""
    try:
        return Expression(text, compile_())
    except BadExpression as bad:
        return Expression(text, None, str(bad))


def compiled_in(scope: Scope, text: str, returns: Sequence[str] = ("bool",), *, authorizer: bool = True) -> Expression:
    return compiled(lambda: scope.compile(text, returns, authorizer=authorizer), text)


class ExpressionFailed(Exception):
    """An expression has no value."""


class OutOfBudget(Exception):
    """What was left of the budget is spent; nothing more is run."""

    def __init__(self) -> None:
        super().__init__(_SPENT)


class Evaluation:
    """Of some expressions over the same objects, one after another, on one budget."""

    def __init__(self, known: Mapping[str, Value], variables: Mapping[str, Expression], budget: int) -> None:
        makers = {name: partial(self._variable, name, expression) for name, expression in variables.items()}
        self._known: Mapping[str, Value] = {**known, VARIABLES: LazyMap(makers)}
        self.remaining = budget
        self._composed = 0

    def value(self, expression: Expression) -> Value:
        """Raises ExpressionFailed, OutOfBudget."""
        program = expression.program
        if program is None:
            raise ExpressionFailed(f"compilation error: {expression.problem}")
        failure: CelRuntimeError | None = None
        found: Value = None
        try:
            found = program.evaluate(self._known, PER_CALL_LIMIT)
        except CelRuntimeError as error:
            failure = error
        self._spend(self._composed)
        self._composed = 0
        self._spend(program.spent)
        if failure is not None:
            raise ExpressionFailed(f"expression '{expression.text}' resulted in error: {failure}")
        return found

    def _spend(self, cost: int) -> None:
        if cost > self.remaining:
            raise OutOfBudget
        self.remaining -= cost

    def _variable(self, name: str, expression: Expression) -> Value:
        if expression.program is None:
            raise CelRuntimeError(f'composited variable "{name}" fails to compile: {expression.problem}')
        try:
            return expression.program.evaluate(self._known, PER_CALL_LIMIT)
        except CelRuntimeError as error:
            raise CelRuntimeError(f'composited variable "{name}" fails to evaluate: {error}') from None
        finally:
            self._composed += expression.program.spent
