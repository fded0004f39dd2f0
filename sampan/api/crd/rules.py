"""`x-kubernetes-validations`: rules in CEL on custom objects.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules, after
k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sampan.api.cel import CelRuntimeError, CostExceeded
from sampan.api.cel.limits import RUNTIME_COST_BUDGET
from sampan.api.crd.correlation import OldItems, Pair
from sampan.api.crd.expressions import Bindings, NoTypeError, Rule, Scope, compile_rules
from sampan.api.crd.structure import Structure, Tree, Value
from sampan.api.crd.verdict import NOWHERE
from sampan.api.errors import FieldError, Forgiven, duplicate, forbidden_field, invalid, required
from sampan.api.gotext import quoted

BUDGET: Final = RUNTIME_COST_BUDGET
_MAX_MESSAGE_BYTES: Final = 5 * 1024
_NO_MORE: Final = "no further validation rules will be run"


class Rules:
    """Of a schema node and all below it."""

    __slots__ = ("fields", "items", "own", "problem", "scope", "structure", "values")

    def __init__(self, structure: Structure, root: bool) -> None:
        self.structure = structure
        self.problem = ""
        """Why the node's own rules cannot be compiled at all."""
        self.scope: Scope | None = None
        if structure.rules:
            try:
                self.scope = Scope(structure.raw, root=root)
            except NoTypeError as error:
                self.problem = str(error)
        self.own = compile_rules(self.scope, structure.rules) if self.scope is not None else []
        self.fields = {
            name: rules for name, inner in structure.properties.items() if (rules := rules_of(inner, root=inner.embedded))
        }
        self.items = rules_of(structure.items, root=structure.items.embedded) if structure.items else None
        self.values = rules_of(structure.additional, root=structure.additional.embedded) if structure.additional else None

    def validate(self, new: Tree, pair: Pair | None) -> list[FieldError]:
        """Errors of an object, Forgiven ones too; `pair` has the one that it replaces."""
        return _Run(BUDGET).start(self, new, "", None if pair is None else pair.old, pair)

    def validate_default(self, default: Value, path: str, budget: int) -> tuple[list[FieldError], int]:
        """Errors of a default, as a value that stays and as one that is new; and what is left of the budget."""
        staying = _Run(budget)
        errors = staying.start(self, default, path, default, None)
        left = staying.budget
        if not errors:
            new = _Run(budget)
            errors = new.start(self, default, path, None, None)
            left = min(left, new.budget)
        return errors, left


def rules_of(structure: Structure | None, *, root: bool) -> Rules | None:
    """None where a schema has no rules at all. `root`: whether it is the root of an object, or of an embedded one."""
    return Rules(structure, root) if structure is not None and _has_rules(structure) else None


def _has_rules(structure: Structure) -> bool:
    inner = (structure.items, structure.additional, *structure.properties.values())
    return bool(structure.rules) or any(_has_rules(below) for below in inner if below is not None)


class _Forgiving(NamedTuple):
    """What decides whether an error may stand: the pair of the place, or, where that has none, of the nearest around it."""

    here: Pair | None
    around: Pair | None

    @property
    def forgives(self) -> bool:
        pair = self.here or self.around
        return pair is not None and pair.is_equal

    def key(self, name: str) -> _Forgiving:
        if self.here is None:
            return self
        if self.around is None and name in ("apiVersion", "kind"):
            return _NEVER
        return _Forgiving(self.here.key(name), self.here)

    def item(self, index: int) -> _Forgiving:
        return self if self.here is None else _Forgiving(self.here.item(index), self.here)


_NEVER: Final = _Forgiving(None, None)


class _Spent(Exception):
    """The budget is: whatever else there is to check stays unchecked."""


class _Run:
    """One object's."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.errors: list[FieldError] = []

    def start(self, rules: Rules, value: Value, path: str, old: Value, pair: Pair | None) -> list[FieldError]:
        try:
            self._node(rules, value, path, old, _Forgiving(pair, None))
        except _Spent:
            self.budget = -1
        return self.errors

    def _node(self, rules: Rules, value: Value, path: str, old: Value, forgiving: _Forgiving) -> None:
        if value is None:
            return
        if rules.problem:
            why = f"rule compiler initialization error: {rules.problem}"
            self.errors.append(invalid(path or NOWHERE, rules.structure.type, why))
        elif rules.scope is not None:
            self._own(rules, rules.scope, value, path, old, forgiving)
        if isinstance(value, list) and rules.items is not None:
            before = OldItems(rules.structure, old)
            for index, item in enumerate(value):
                self._node(rules.items, item, f"{path}[{index}]", before.get(item), forgiving.item(index))
        elif isinstance(value, dict):
            self._fields(rules, value, path, old if isinstance(old, dict) else {}, forgiving)

    def _fields(self, rules: Rules, value: Tree, path: str, old: Tree, forgiving: _Forgiving) -> None:
        if rules.structure.map_type not in ("", "granular", "atomic"):
            old = {}
        if rules.values is not None:
            for key, inner in value.items():
                self._node(rules.values, inner, f"{path}[{key}]", old.get(key), forgiving.key(key))
        for name, below in rules.fields.items():
            if name in value:
                place = f"{path}.{name}" if path else name
                self._node(below, value[name], place, old.get(name), forgiving.key(name))

    def _own(self, rules: Rules, scope: Scope, value: Value, path: str, old: Value, forgiving: _Forgiving) -> None:
        type_, place = rules.structure.type, path or NOWHERE
        if self.budget <= 0:
            raise self._stop(place, type_, f"validation failed due to running out of cost budget, {_NO_MORE}")
        bindings = Bindings(scope, value, old)
        for rule in rules.own:
            if rule.error:
                self.errors.append(invalid(place, type_, f"rule compile error: {rule.error}"))
            elif rule.program is not None and not (rule.uses_old_self and old is None and not rule.old_self_is_optional):
                self._rule(rule, bindings, path, type_, forgiving)

    def _stop(self, place: str, type_: str, why: str) -> _Spent:
        self.errors.append(invalid(place, type_, why))
        return _Spent()

    def _rule(self, rule: Rule, bindings: Bindings, path: str, type_: str, forgiving: _Forgiving) -> None:
        place = path or NOWHERE
        try:
            holds = self._evaluate(rule, bindings, place, type_)
        except CelRuntimeError as error:
            self.errors.append(invalid(place, type_, _runtime_text(error, rule)))
            return
        if holds is True:
            return
        if rule.field_path:
            place = f"{path}.{rule.field_path}" if path else rule.field_path
        failure = self._failed(rule, bindings, place, type_)
        if not rule.uses_old_self and forgiving.forgives:
            failure = Forgiven(failure.reason, failure.field, failure.message)
        self.errors.append(failure)

    def _evaluate(self, rule: Rule, bindings: Bindings, place: str, type_: str) -> object:
        """Raises CelRuntimeError, _Spent."""
        program = rule.program
        assert program is not None
        variables = bindings.of(rule)
        try:
            value = program.evaluate(variables)
        except CostExceeded as error:
            self._pay(program.spent, place, type_)
            raise self._stop(
                place, type_, f"'{error}': {_NO_MORE} due to call cost exceeds limit for rule: {rule.text}"
            ) from None
        except CelRuntimeError:
            self._pay(program.spent, place, type_)
            raise
        self._pay(program.spent, place, type_)
        return value

    def _pay(self, cost: int, place: str, type_: str) -> None:
        if cost > self.budget:
            raise self._stop(place, type_, f"validation failed due to running out of cost budget, {_NO_MORE}")
        self.budget -= cost

    def _failed(self, rule: Rule, bindings: Bindings, place: str, type_: str) -> FieldError:
        message = self._message(rule, bindings, place, type_) or rule.message
        match rule.raw.get("reason"):
            case "FieldValueForbidden":
                return forbidden_field(place, message)
            case "FieldValueRequired":
                return required(place, message)
            case "FieldValueDuplicate":
                return duplicate(place, type_)
        return invalid(place, type_, message)

    def _message(self, rule: Rule, bindings: Bindings, place: str, type_: str) -> str:
        """What the rule's messageExpression gives; "" where it has none or it fails."""
        program = rule.message_program
        if program is None:
            return ""
        text: object = None
        try:
            text = program.evaluate(bindings.of(rule))
        except CostExceeded:
            expression = quoted(rule.raw["messageExpression"])
            why = f"{_NO_MORE} due to call cost exceeds limit for messageExpression: {expression}"
            raise self._stop(place, type_, why) from None
        except CelRuntimeError:
            pass
        if program.spent > self.budget:
            raise self._stop(place, type_, f"messageExpression evaluation failed due to running out of cost budget, {_NO_MORE}")
        self.budget -= program.spent
        text = text.strip() if isinstance(text, str) else ""
        return "" if "\n" in text or len(text.encode()) > _MAX_MESSAGE_BYTES else text


def _runtime_text(error: CelRuntimeError, rule: Rule) -> str:
    text = str(error)
    if text.startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{text}': {why}: {rule.text}"
    return f"{text} evaluating rule: {rule.text}"
