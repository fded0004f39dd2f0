"""What CEL expressions of webhooks and policies may name, and what they must give."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.admissionregistration.expressions import Scope, check_expression, check_variable
from sampan.api.groups.admissionregistration.validatingadmissionpolicy import RESOURCE as POLICY
from sampan.api.groups.admissionregistration.validatingwebhookconfiguration import RESOURCE as HOOKS
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors
from tests.unit.groups.test_admissionpolicies import policy
from tests.unit.groups.test_webhookconfigurations import hooks

PLAIN, PARAMETERS, COMPOSED = Scope(), Scope(params=True), Scope(variables=True)
for _name, _text in (("count", "1 + 1"), ("names", "['a', 'b']"), ("broken", "1 +"), ("twice", "variables.count * 2")):
    check_variable(_name, _text, "v", COMPOSED)


def undeclared(text: str, name: str) -> str:
    at = text.index(name)
    why = f"undeclared reference to '{name}' (in container '')"
    return f"compilation failed: ERROR: <input>:1:{at + 1}: {why}\n | {text}\n | {'.' * at}^"


@pytest.mark.parametrize(
    ("text", "scope", "returns", "problem"),
    [
        ("object.spec.replicas > 5 && oldObject == null", PLAIN, ("bool",), ""),
        ("request.userInfo.groups.exists(g, g == 'a') || request.dryRun", PLAIN, ("bool",), ""),
        ("namespaceObject.metadata.labels['a'] == 'b'", PLAIN, ("bool",), ""),
        ("params.max > 1", PARAMETERS, ("bool",), ""),
        ("params.max > 1", PLAIN, ("bool",), undeclared("params.max > 1", "params")),
        ("variables.count == 1", PLAIN, ("bool",), undeclared("variables.count == 1", "variables")),
        ("variables.count > 1 && variables.names.size() == 2 && variables.broken == 1 && variables.twice == 4",
         COMPOSED, ("bool",), ""),
        ("variables.count == 'a'", COMPOSED, ("bool",), None),
        ("variables.nothing == 1", COMPOSED, ("bool",), None),
        ("1", PLAIN, ("bool",), "must evaluate to bool but got int"),
        ("object.ok", PLAIN, ("bool",), "must evaluate to bool but got dyn"),
        ("['a']", PLAIN, ("string",), "must evaluate to string but got list(string)"),
        ("1", PLAIN, ("string", "null_type"), "must evaluate to one of [string null_type] but got int"),
        ("null", PLAIN, ("string", "null_type"), ""),
        ("{'a': 1}", PLAIN, (), ""),
        ("request.nothing == 1", PLAIN, ("bool",), None),
    ],
)  # fmt: skip
def test_what_expressions_are_found_to_be(text: str, scope: Scope, returns: tuple[str, ...], problem: str | None) -> None:
    """A problem of None: there is one, in words of CEL's own tests."""
    errors = check_expression(text, "f", scope, returns)
    if problem == "":
        assert errors == []
        return
    [error] = errors
    assert (error.reason, error.field) == ("FieldValueInvalid", "f")
    assert problem is None or error.message.endswith(f": {problem}")


def fields(tree: Tree) -> list[str]:
    return [error.split(": ")[0] for error in create_errors(POLICY, tree)]


def parts(**spec: Any) -> Tree:
    return policy(variables=[{"name": "a", "expression": "1"}], **spec)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (parts(validations=[{"expression": "variables.a == 1", "messageExpression": "string(variables.a)"}]), []),
        (parts(validations=[{"expression": "variables.b == 1"}]), ["Invalid spec.validations[0].expression"]),
        (policy(variables=[{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]),
         ["Invalid spec.variables[0].expression"]),
        (policy(validations=[{"expression": "true", "messageExpression": "1"}]),
         ["Invalid spec.validations[0].messageExpression"]),
        (policy(validations=[{"expression": "true", "messageExpression": "string(authorizer)"}]),
         ["Invalid spec.validations[0].messageExpression"]),
        (policy(auditAnnotations=[{"key": "k", "valueExpression": "1"}]),
         ["Invalid spec.auditAnnotations[0].valueExpression"]),
        (policy(matchConditions=[{"name": "m", "expression": "params.a == 1"}]),
         ["Invalid spec.matchConditions[0].expression"]),
        (policy(paramKind={"apiVersion": "v1", "kind": "K"},
                matchConditions=[{"name": "m", "expression": "params.a == 1"}]), []),
    ],
)  # fmt: skip
def test_every_expression_of_a_policy_is_looked_at(tree: Tree, expected: list[str]) -> None:
    assert fields(tree) == expected


def test_match_conditions_of_webhooks_are_looked_at() -> None:
    [error] = create_errors(HOOKS, hooks(matchConditions=[{"name": "m", "expression": " object.a "}]))
    assert error == (
        'Invalid webhooks[0].matchConditions[0].expression: Invalid value: "object.a": must evaluate to bool but got dyn'
    )
