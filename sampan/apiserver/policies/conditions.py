"""matchConditions: expressions that all must hold for a webhook or policy to be asked.

After k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions. One that is false settles it, whatever fails beside it; one
that fails is a matter of the failurePolicy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api.cel import Value
from sampan.api.cel.limits import RUNTIME_COST_BUDGET_MATCH_CONDITIONS
from sampan.api.groups.admissionregistration.expressions import Scope
from sampan.api.resource import Tree
from sampan.apiserver.policies.evaluation import Evaluation, Expression, ExpressionFailed, OutOfBudget, compiled_in


class ConditionsFailed(Exception):
    """Whether they hold cannot be told, and the failurePolicy is Fail."""


class Conditions:
    """`variables` are those of the policy; webhooks have none."""

    def __init__(
        self, trees: Sequence[Tree], scope: Scope, *, fails_open: bool, variables: Mapping[str, Expression] | None = None
    ) -> None:
        self._expressions = [compiled_in(scope, tree.get("expression", "")) for tree in trees]
        self._fails_open = fails_open
        self._variables = variables or {}

    def hold(self, known: Mapping[str, Value]) -> bool:
        """Raises ConditionsFailed."""
        evaluation = Evaluation(known, self._variables, RUNTIME_COST_BUDGET_MATCH_CONDITIONS)
        problems: list[str] = []
        outcomes: list[Value] = []
        for expression in self._expressions:
            try:
                outcomes.append(evaluation.value(expression))
            except ExpressionFailed as failed:
                problems.append(str(failed))
            except OutOfBudget as spent:
                return self._failed([str(spent)])
        if any(outcome is False for outcome in outcomes):
            return False
        return self._failed(problems) if problems else True

    def _failed(self, problems: Sequence[str]) -> bool:
        if self._fails_open:
            return False
        distinct = list(dict.fromkeys(problems))
        raise ConditionsFailed(distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]")
