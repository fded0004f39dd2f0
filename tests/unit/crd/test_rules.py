"""Rules in CEL: what a definition's may say and cost, and what they have against objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.crd.objects import (
    Tree,
    change_errors,
    definition,
    definition_errors,
    foo,
    obj,
    object_errors,
    resource,
    update_errors,
)

STRING: Tree = {"type": "string"}
INTEGER: Tree = {"type": "integer"}
RULES = "x-kubernetes-validations"
SPEC = "spec.validation.openAPIV3Schema.properties[spec]"
HINT = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
)


def ruled(schema: Tree, *rules: Tree | str) -> Tree:
    return {**schema, RULES: [{"rule": rule} if isinstance(rule, str) else rule for rule in rules]}


def go_rule(rule: str, message_expression: str = "") -> str:
    return (
        f'apiextensions.ValidationRule{{Rule:"{rule}", Message:"", MessageExpression:"{message_expression}", '
        'Reason:(*apiextensions.FieldValueErrorReason)(nil), FieldPath:"", OptionalOldSelf:(*bool)(nil)}'
    )


PAIR = obj(low=INTEGER, high=INTEGER)
GOOD: list[Tree] = [
    ruled(PAIR, "self.low <= self.high"),
    ruled(PAIR, "!has(self.low) || self.low > 0"),
    ruled(obj(**{"namespace": STRING, "a-b": STRING}), "self.__namespace__ == self.a__dash__b"),
    ruled(PAIR, {"rule": "self.low <= self.high", "messageExpression": "self.low > 9 ? 'far too high' : 'too high'"}),
    ruled(PAIR, {"rule": "self.low <= self.high", "fieldPath": ".low", "reason": "FieldValueForbidden"}),
    ruled(PAIR, "self.low >= oldSelf.low"),
    ruled(PAIR, {"rule": "!oldSelf.hasValue() || self.low >= oldSelf.value().low", "optionalOldSelf": True}),
    obj(keys={"type": "array", "maxItems": 10, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
              "items": {**ruled(obj(n={"type": "string", "maxLength": 9}, v=INTEGER), "self.v >= oldSelf.v"),
                        "required": ["n"]}}),
]  # fmt: skip


@pytest.mark.parametrize("schema", GOOD)
def test_a_rule_that_can_be_evaluated_is_accepted(schema: Tree) -> None:
    assert definition_errors(definition(obj(spec=schema))) == []


MISTAKES: list[tuple[Tree, str]] = [
    (ruled(PAIR, "self.middle > 1"),
     f'[0].rule: Invalid value: {go_rule("self.middle > 1")}: compilation failed: '
     "ERROR: <input>:1:5: undefined field 'middle'\n | self.middle > 1\n | ....^"),
    (ruled(PAIR, "self.low"),
     f'[0].rule: Invalid value: {go_rule("self.low")}: cel expression must evaluate to a bool'),
    (ruled(PAIR, {"rule": "true", "messageExpression": "1"}),
     f'[0].messageExpression: Invalid value: {go_rule("true", "1")}: messageExpression must evaluate to a string'),
    (ruled(PAIR, " "), "[0].rule: Required value: rule is not specified"),
    (ruled(PAIR, "true", {"rule": "true", "message": " "}),
     '[1].message: Invalid value: " ": message must be non-empty if specified'),
    (ruled(PAIR, {"rule": "true", "message": "a\nb"}),
     '[0].message: Invalid value: "a\\nb": message must not contain line breaks'),
    (ruled(PAIR, "true &&\nfalse"), "[0].message: Required value: message must be specified if rule contains line breaks"),
    (ruled(PAIR, {"rule": "true", "reason": "Because"}),
     '[0].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
     '"FieldValueInvalid", "FieldValueRequired"'),
    (ruled(PAIR, {"rule": "true", "fieldPath": ".middle"}),
     '[0].fieldPath: Invalid value: ".middle": fieldPath must be a valid path'),
    (ruled(PAIR, {"rule": "true", "optionalOldSelf": True}),
     "[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "mistake"), MISTAKES)
def test_a_rule_that_makes_no_sense_is_refused(schema: Tree, mistake: str) -> None:
    assert definition_errors(definition(obj(spec=schema))) == [f"{SPEC}.{RULES}{mistake}"]


def test_old_values_cannot_be_told_in_lists_that_are_no_maps() -> None:
    schema = obj(l={"type": "array", "maxItems": 3, "items": ruled(PAIR, "self.low >= oldSelf.low")})
    assert definition_errors(definition(obj(spec=schema))) == [
        f'{SPEC}.properties[l].items.{RULES}[0].rule: Invalid value: "self.low >= oldSelf.low": '
        f"oldSelf cannot be used on the uncorrelatable portion of the schema within {SPEC}.properties[l]"
    ]


def test_a_rule_may_not_cost_too_much() -> None:
    words = {"type": "array", "items": STRING}
    schema = obj(spec=obj(a=ruled(words, "self.all(x, self.all(y, x == y))")))
    rule = f"{SPEC}.properties[a].{RULES}[0].rule: Forbidden: "
    whole = "spec.validation.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire "
    whole += "OpenAPIv3 schema"
    assert definition_errors(definition(schema)) == [
        f"{rule}estimated rule cost exceeds budget by factor of more than 100x {HINT}",
        f"{rule}contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        f"{whole} exceeds budget by factor of more than 100x {HINT}",
    ]
    bounded = {**words, "maxItems": 10, "items": {**STRING, "maxLength": 10}}
    assert definition_errors(definition(obj(spec=obj(a=ruled(bounded, "self.all(x, self.all(y, x == y))"))))) == []
    # What costs too much by itself may stay as it is, though not all of it together.
    assert [error.partition(": ")[2] for error in update_errors(definition(schema), definition(schema))] == [
        "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        f"{whole.partition(': ')[2]} exceeds budget by factor of more than 100x {HINT}",
    ]


def test_a_message_may_not_cost_too_much_either() -> None:
    rule = {"rule": "self.low <= self.high", "messageExpression": "string(self.low) + ' is too high'"}
    found = definition_errors(definition(obj(spec=ruled(PAIR, rule))))
    assert found[0] == (
        f"{SPEC}.{RULES}[0].messageExpression: Forbidden: estimated messageExpression cost exceeds budget by factor of more "
        f"than 100x {HINT}"
    )


def test_rules_on_what_is_kept_without_a_type_cannot_be_compiled() -> None:
    schema = obj(spec={"x-kubernetes-preserve-unknown-fields": True, RULES: [{"rule": "true"}]})
    assert definition_errors(definition(schema)) == [
        f"{SPEC}.{RULES}: Internal error: internal error: failed to construct type information for x-kubernetes-validations "
        "rules: unable to convert structural schema to CEL declarations"
    ]


def test_a_default_must_follow_the_rules() -> None:
    schema = obj(spec={**ruled(PAIR, "self.low < self.high"), "default": {"low": 2, "high": 1}})
    assert definition_errors(definition(schema)) == [
        f'{SPEC}.default: Invalid value: "object": failed rule: self.low < self.high'
    ]


VALUES: list[tuple[Tree, Any, list[str]]] = [
    # (schema of spec, spec, errors)
    (ruled(PAIR, "self.low <= self.high"), {"low": 1, "high": 2}, []),
    (ruled(PAIR, "self.low <= self.high"), {"low": 2, "high": 1},
     ['spec: Invalid value: "object": failed rule: self.low <= self.high']),
    (ruled(PAIR, {"rule": "self.low <= self.high", "message": " low is high "}), {"low": 2, "high": 1},
     ['spec: Invalid value: "object": low is high']),
    (ruled(PAIR, {"rule": "self.low <= self.high", "messageExpression": "string(self.low) + ' > ' + string(self.high)"}),
     {"low": 2, "high": 1}, ['spec: Invalid value: "object": 2 > 1']),
    (ruled(PAIR, {"rule": "self.low <= self.high", "message": "no", "messageExpression": "'a\\nb'"}), {"low": 2, "high": 1},
     ['spec: Invalid value: "object": no']),
    (ruled(PAIR, {"rule": "self.low <= self.high", "fieldPath": ".low", "reason": "FieldValueForbidden"}),
     {"low": 2, "high": 1}, ["spec.low: Forbidden: failed rule: self.low <= self.high"]),
    (ruled(PAIR, {"rule": "has(self.low)", "reason": "FieldValueRequired", "fieldPath": ".low"}), {},
     ["spec.low: Required value: failed rule: has(self.low)"]),
    (ruled(PAIR, {"rule": "has(self.low)", "reason": "FieldValueDuplicate"}), {}, ['spec: Duplicate value: "object"']),
    (ruled(PAIR, "self.low <= self.high"), {"low": 1},
     ['spec: Invalid value: "object": no such key: high evaluating rule: self.low <= self.high']),
    (obj(a={"type": "array", "items": ruled(INTEGER, "self > 0")}), {"a": [1, -1]},
     ['spec.a[1]: Invalid value: "integer": failed rule: self > 0']),
    ({"type": "object", "additionalProperties": ruled(STRING, "self.startsWith('x')")}, {"k": "y"},
     ['spec[k]: Invalid value: "string": failed rule: self.startsWith(\'x\')']),
    (obj(a=ruled({**INTEGER, "nullable": True}, "self > 0")), {"a": None}, []),
    # An object that is not what its schema says is not held to rules.
    ({**ruled(PAIR, "self.low <= self.high"), "required": ["high"]}, {"low": 1},
     ["spec.high: Required value",
      '<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; '
      "correct the existing errors to complete validation"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "spec", "errors"), VALUES)
def test_an_object_is_held_to_its_rules(schema: Tree, spec: Any, errors: list[str]) -> None:
    assert object_errors(resource(obj(spec=schema)), spec) == errors


def test_rules_at_the_root_see_the_name() -> None:
    kind = resource(ruled(obj(), "self.metadata.name == 'good'"))
    assert object_errors(kind, metadata={"name": "good"}) == []
    assert object_errors(kind, metadata={"name": "bad"}) == [
        "<nil>: Invalid value: \"object\": failed rule: self.metadata.name == 'good'"
    ]


KEYED = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
TRANSITIONS: list[tuple[Tree, Any, Any, int]] = [
    # (schema of spec, old, new, number of errors)
    (ruled(PAIR, "self.low >= oldSelf.low"), {"low": 1}, {"low": 2}, 0),
    (ruled(PAIR, "self.low >= oldSelf.low"), {"low": 2}, {"low": 1}, 1),
    (obj(a=ruled(INTEGER, "self == oldSelf")), {}, {"a": 1}, 0),
    (obj(a=ruled(INTEGER, {"rule": "oldSelf.hasValue()", "optionalOldSelf": True})), {}, {"a": 1}, 1),
    (obj(a=ruled(INTEGER, {"rule": "oldSelf.hasValue()", "optionalOldSelf": True})), {"a": 2}, {"a": 1}, 0),
    (obj(l={**KEYED, "items": ruled(obj(n=STRING, v=INTEGER), "self.v >= oldSelf.v")}),
     {"l": [{"n": "a", "v": 1}, {"n": "b", "v": 5}]}, {"l": [{"n": "b", "v": 4}, {"n": "c", "v": 0}, {"n": "a", "v": 2}]}, 1),
    # What was bad before and did not change may stay.
    (obj(p=ruled(PAIR, "self.low <= self.high"), x=STRING), {"p": {"low": 2, "high": 1}},
     {"p": {"low": 2, "high": 1}, "x": "new"}, 0),
    (obj(p=ruled(PAIR, "self.low <= self.high"), x=STRING), {"p": {"low": 2, "high": 1}},
     {"p": {"low": 3, "high": 1}, "x": "new"}, 1),
    (obj(l={"type": "array", "items": ruled(INTEGER, "self > 0")}, x=STRING), {"l": [-1]}, {"l": [-1], "x": "new"}, 0),
    (obj(l={"type": "array", "items": ruled(INTEGER, "self > 0")}, x=STRING), {"l": [-1]}, {"l": [-1, 2]}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "old", "new", "count"), TRANSITIONS)
def test_an_update_is_held_to_its_rules(schema: Tree, old: Any, new: Any, count: int) -> None:
    assert len(change_errors(resource(obj(spec=schema)), foo(new), foo(old))) == count


def test_an_object_may_not_cost_more_than_the_server_gives() -> None:
    numbers = obj(a=ruled({"type": "array", "items": INTEGER}, "self.all(x, self.all(y, x >= y || x < y))"))
    kind = resource(obj(spec=numbers))
    assert object_errors(kind, {"a": list(range(20))}) == []
    (error,) = object_errors(kind, {"a": list(range(600))})
    assert error == (
        "spec.a: Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further validation rules will "
        "be run due to call cost exceeds limit for rule: self.all(x, self.all(y, x >= y || x < y))"
    )


def test_all_rules_of_an_object_share_one_budget() -> None:
    inner = ruled({"type": "array", "items": INTEGER}, "self.all(x, self.all(y, x >= y || x < y))")
    kind = resource(obj(spec=obj(l={"type": "array", "items": inner})))
    errors = object_errors(kind, {"l": [list(range(300)) for _ in range(40)]})
    assert len(errors) == 1
    assert errors[0].endswith("validation failed due to running out of cost budget, no further validation rules will be run")
