"""Rules of a definition: that they compile, and what they may cost at worst.

After k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/{cel_validation,validation}.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sampan.api.cel.limits import STATIC_ESTIMATED_COST_LIMIT, STATIC_ESTIMATED_CRD_COST_LIMIT
from sampan.api.crd.expressions import Known, NoTypeError, Rule, Scope, compile_rules
from sampan.api.crd.internal import go_rule
from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError, forbidden_field, invalid

_LARGEST: Final = 2**64 - 1
_HINT: Final = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
)
_SHOWN: Final = 4
"""Of the rules that make a schema too expensive, those that do most."""


def product(cost: int, times: int) -> int:
    """As large as Go can count at most."""
    return min(cost * times, _LARGEST)


@dataclass(slots=True)
class TotalCost:
    """Of all rules of one schema."""

    total: int = 0
    _expensive: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        self.total = min(self.total + cost, _LARGEST)
        if cost >= STATIC_ESTIMATED_CRD_COST_LIMIT // 100:
            self._expensive.append((cost, path))
            self._expensive = sorted(self._expensive, key=lambda found: -found[0])[:_SHOWN]

    def errors(self, path: str) -> list[FieldError]:
        if self.total <= STATIC_ESTIMATED_CRD_COST_LIMIT:
            return []
        why = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        errors = [forbidden_field(place, why) for _, place in self._expensive]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        return [*errors, forbidden_field(path, _too_expensive(what, self.total, STATIC_ESTIMATED_CRD_COST_LIMIT))]


def _too_expensive(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:.6f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {_HINT}"


@dataclass(slots=True)
class RuleContext:
    """Of one schema node: how often values of it can be there, and what all rules cost together."""

    is_root: bool
    cheap: bool
    """Whether a rule may not be expensive by itself."""
    known: Known
    total: TotalCost
    times: int | None
    """How often there can be such a value in an object; None: nothing bounds it."""

    @classmethod
    def root(cls, raw: Tree, *, cheap: bool, known: Known) -> RuleContext:
        return cls(True, cheap, known, TotalCost(), 1)

    def child(self, raw: Tree, inner: Tree, name: str = "") -> RuleContext:
        """That of `inner`, a part of `raw`, whose context this is."""
        most = _most(raw)
        times = None if self.times is None or most is None else product(self.times, most)
        return RuleContext(bool(inner.get("x-kubernetes-embedded-resource")), self.cheap, self.known, self.total, times)

    def check(self, raw: Tree, path: str, uncorrelatable: str) -> list[FieldError]:
        """Errors of a node's rules. `uncorrelatable`: the place around in which old values cannot be told, "" for none."""
        errors: list[FieldError] = []
        try:
            scope = Scope(raw, root=self.is_root)
        except NoTypeError:
            why = "unable to convert structural schema to CEL declarations"
            why = f"internal error: failed to construct type information for x-kubernetes-validations rules: {why}"
            return [FieldError("InternalError", f"{path}.x-kubernetes-validations", f"Internal error: {why}")]
        for index, rule in enumerate(compile_rules(scope, raw["x-kubernetes-validations"], self.known)):
            place = f"{path}.x-kubernetes-validations[{index}]"
            errors += self._check_costs(rule, scope, place)
            if rule.error:
                errors.append(invalid(f"{place}.rule", go_rule(rule.raw), rule.error))
            if rule.message_error:
                errors.append(invalid(f"{place}.messageExpression", go_rule(rule.raw), rule.message_error))
            errors += _check_old_self(rule, place, uncorrelatable)
        return errors

    def _check_costs(self, rule: Rule, scope: Scope, place: str) -> list[FieldError]:
        times = scope.declaration.most_often if self.times is None else self.times
        costs = [("rule", "estimated rule cost", product(rule.max_cost, times))]
        if rule.message_program is not None:
            costs.append(("messageExpression", "estimated messageExpression cost", rule.message_max_cost))
        errors: list[FieldError] = []
        for key, what, cost in costs:
            if self.cheap and cost > STATIC_ESTIMATED_COST_LIMIT:
                errors.append(forbidden_field(f"{place}.{key}", _too_expensive(what, cost, STATIC_ESTIMATED_COST_LIMIT)))
            self.total.add(f"{place}.{key}", cost)
        return errors


def _most(raw: Tree) -> int | None:
    """How many values a value holds at each place of its schema; None: nothing bounds it."""
    if raw.get("type") == "array":
        most = raw.get("maxItems")
    elif raw.get("type") == "object" and raw.get("additionalProperties") is not None:
        most = raw.get("maxProperties")
    else:
        return 1
    return None if most is None else max(most, 0)


def _check_old_self(rule: Rule, place: str, uncorrelatable: str) -> list[FieldError]:
    if rule.uses_old_self:
        if not uncorrelatable:
            return []
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelatable}"
        return [invalid(f"{place}.rule", rule.raw["rule"], why)]
    if rule.raw.get("optionalOldSelf") is None:
        return []
    why = "may not be set if oldSelf is not used in rule"
    return [invalid(f"{place}.optionalOldSelf", rule.raw["optionalOldSelf"], why)]
