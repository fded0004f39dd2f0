"""ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding, but for what expressions are (see test_expressions.py)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.admissionregistration.validatingadmissionpolicy import RESOURCE as POLICY
from sampan.api.groups.admissionregistration.validatingadmissionpolicybinding import RESOURCE as BINDING
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, row, status_errors, update_errors

RULE: Tree = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
MATCHING: Tree = {"resourceRules": [RULE]}
SELECTORS: Tree = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}


def policy(**spec: Any) -> Tree:
    defaults: Tree = {"matchConstraints": MATCHING, "validations": [{"expression": "true"}]}
    return {"metadata": {"name": "a"}, "spec": {k: v for k, v in (defaults | spec).items() if v is not None}}


def validation(**fields: str) -> Tree:
    return policy(validations=[{"expression": "true"} | fields])


def annotation(**fields: str) -> Tree:
    return policy(auditAnnotations=[{"key": "k", "valueExpression": "'v'"} | fields])


VALIDATION, ANNOTATION = "spec.validations[0]", "spec.auditAnnotations[0]"


def test_what_a_policy_gets_by_default() -> None:
    assert created(POLICY, policy()) == {
        "metadata": {"name": "a", "generation": 1},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": SELECTORS | {"resourceRules": [RULE | {"scope": "*"}]},
            "validations": [{"expression": "true"}],
        },
    }


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (policy(), []),
        (policy(paramKind={"apiVersion": "rules.example.com/v1", "kind": "Limit"}), []),
        (policy(failurePolicy="Maybe"), [
            'NotSupported spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
        ]),
        (policy(paramKind={}), [
            "Required spec.paramKind.apiVersion: Required value",
            "Required spec.paramKind.kind: Required value",
        ]),
        (policy(paramKind={"apiVersion": "a/b/c", "kind": "K"}), [
            'Invalid spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        ]),
        (policy(paramKind={"apiVersion": "a/", "kind": "K"}), [
            'Invalid spec.paramKind.apiVersion: Invalid value: "a/": version must be specified',
        ]),
        (policy(matchConstraints=None), ["Required spec.matchConstraints: Required value"]),
        (policy(matchConstraints={}), ["Required spec.matchConstraints.resourceRules: Required value"]),
        (policy(matchConstraints={"resourceRules": [RULE | {"resourceNames": ["a", "a", "b/c"]}]}), [
            'Duplicate spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
            "Invalid spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: \"b/c\": may not contain '/'",
        ]),
        (policy(validations=None), [
            "Required spec.validations: Required value: validations or auditAnnotations must contain at least one item",
            "Required spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
        ]),
        (policy(variables=[{"name": "in", "expression": "1"}, {}]), [
            'Invalid spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier',
            "Required spec.variables[1].name: Required value: name is not specified",
            "Required spec.variables[1].expression: Required value: expression is not specified",
        ]),
        (validation(expression=" "), [f"Required {VALIDATION}.expression: Required value: expression is not specified"]),
        (validation(messageExpression=" ", message=" "), [
            f'Invalid {VALIDATION}.messageExpression: Invalid value: " ": must be non-empty if specified',
            f'Invalid {VALIDATION}.message: Invalid value: " ": message must be non-empty if specified',
        ]),
        (validation(message="a\nb", reason="Sad"), [
            f'Invalid {VALIDATION}.message: Invalid value: "a\\nb": message must not contain line breaks',
            f'NotSupported {VALIDATION}.reason: Unsupported value: "Sad": '
            'supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
        ]),
        (annotation(), []),
        (annotation(valueExpression=""), [
            f"Required {ANNOTATION}.valueExpression: Required value: valueExpression is not specified",
        ]),
        (annotation(valueExpression="'" + "a" * 5120 + "'"), [
            f"Required {ANNOTATION}.valueExpression: Required value: must not exceed 5120 bytes in length",
        ]),
        (policy(auditAnnotations=[{"key": "k", "valueExpression": "'v'"}] * 2), [
            'Duplicate spec.auditAnnotations[1].key: Duplicate value: "k"',
        ]),
    ],
)  # fmt: skip
def test_policy_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(POLICY, tree) == expected


def test_match_conditions_are_looked_at_again_only_when_they_change() -> None:
    old = policy(matchConditions=[{}])
    assert update_errors(POLICY, old, {"spec": {"failurePolicy": "Ignore"}}) == []
    assert update_errors(POLICY, old, {"spec": {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}}) != []


def test_rules_of_the_status_of_a_policy() -> None:
    status = {
        "typeChecking": {"expressionWarnings": [{"fieldRef": " ", "warning": ""}]},
        "conditions": [
            {"type": "A", "status": "Sad", "lastTransitionTime": "2023-11-14T22:08:20Z", "reason": "-"},
            {"type": "A"},
        ],
    }
    fields = [error.partition(": ")[0] for error in status_errors(POLICY, policy(), {}, status)]
    assert fields == [
        "Required status.typeChecking.expressionWarnings[0].warning",
        "Required status.typeChecking.expressionWarnings[0].fieldRef",
        "NotSupported status.conditions[0].status",
        "Invalid status.conditions[0].reason",
        "Duplicate status.conditions[1].type",
        "NotSupported status.conditions[1].status",
        "Required status.conditions[1].lastTransitionTime",
        "Required status.conditions[1].reason",
    ]


def test_policies_in_a_table() -> None:
    assert row(POLICY, policy()) == {"Name": "a", "Validations": 1, "ParamKind": "<unset>", "Age": "5m"}
    tree = policy(paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    assert row(POLICY, tree)["ParamKind"] == "v1/ConfigMap"


def binding(reference: Tree | None = None, **spec: Any) -> Tree:
    defaults: Tree = {"policyName": "p", "validationActions": ["Deny"]} | (
        {"paramRef": reference} if reference is not None else {}
    )
    return {"metadata": {"name": "a"}, "spec": defaults | spec}


def test_what_a_binding_gets_by_default() -> None:
    tree = created(BINDING, binding(matchResources=MATCHING))
    assert tree["spec"]["matchResources"] == SELECTORS | {"resourceRules": [RULE | {"scope": "*"}]}


NAMED: Tree = {"name": "n", "parameterNotFoundAction": "Deny"}
EXCLUSIVE = "Forbidden: name and selector are mutually exclusive"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (binding(), []),
        (binding(NAMED), []),
        (binding(policyName=""), ["Required spec.policyName: Required value"]),
        (binding({}), [
            "Required spec.paramRef: Required value: one of name or selector must be specified",
            "Required spec.paramRef.parameterNotFoundAction: Required value",
        ]),
        (binding(NAMED | {"selector": {}, "parameterNotFoundAction": "Cry"}), [
            f"Forbidden spec.paramRef.name: {EXCLUSIVE}",
            f"Forbidden spec.paramRef.selector: {EXCLUSIVE}",
            'NotSupported spec.paramRef.parameterNotFoundAction: Unsupported value: "Cry": supported values: "Deny", "Allow"',
        ]),
        (binding(validationActions=[]), [
            "Required spec.validationActions: Required value: at least one validation action is required",
        ]),
        (binding(validationActions=["Deny", "Warn", "Deny", "Cry"]), [
            'Duplicate spec.validationActions[2]: Duplicate value: "Deny"',
            'NotSupported spec.validationActions[3]: Unsupported value: "Cry": supported values: "Audit", "Deny", "Warn"',
            'Invalid spec.validationActions: Invalid value: []admissionregistration.ValidationAction{"Deny", "Warn", "Deny", '
            '"Cry"}: must not contain both Deny and Warn (repeating the same validation failure information in the API '
            "response and headers serves no purpose)",
        ]),
    ],
)  # fmt: skip
def test_binding_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(BINDING, tree) == expected


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        (None, "<unset>"),
        ({"name": "n"}, "*/n"),
        ({"name": "n", "namespace": "s"}, "s/n"),
        (
            {"selector": {"matchLabels": {"a": "b"}}},
            "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}",
        ),
    ],
)
def test_bindings_in_a_table(reference: Tree | None, shown: str) -> None:
    assert row(BINDING, binding(reference)) == {"Name": "a", "PolicyName": "p", "ParamRef": shown, "Age": "5m"}
