"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.admissionregistration.mutatingwebhookconfiguration import RESOURCE as MUTATING
from sampan.api.groups.admissionregistration.validatingwebhookconfiguration import RESOURCE as VALIDATING
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, row, update_errors

HOOK: Tree = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://example.com/hook"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
RULE: Tree = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
AT = "webhooks[0]"
CLIENT = f"{AT}.clientConfig"
FORM = "; desired format: https://host[/path]"


def hooks(**fields: Any) -> Tree:
    hook = {key: value for key, value in (HOOK | fields).items() if value is not None}
    return {"metadata": {"name": "a"}, "webhooks": [hook]}


def rules(**fields: Any) -> Tree:
    return hooks(rules=[RULE | fields])


def service(**fields: Any) -> Tree:
    return hooks(clientConfig={"service": {"namespace": "default", "name": "hook"} | fields})


def url(text: str) -> Tree:
    return hooks(clientConfig={"url": text})


DEFAULTS: Tree = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}


def test_what_webhooks_get_by_default() -> None:
    tree = service() | {}
    tree["webhooks"][0]["rules"] = [RULE]
    client = {"service": {"namespace": "default", "name": "hook", "port": 443}}
    defaulted = HOOK | DEFAULTS | {"clientConfig": client, "rules": [RULE | {"scope": "*"}]}
    assert created(VALIDATING, tree) == {"metadata": {"name": "a", "generation": 1}, "webhooks": [defaulted]}
    assert created(MUTATING, tree)["webhooks"] == [defaulted | {"reinvocationPolicy": "Never"}]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (rules(), []),
        (hooks(name="a"), [
            f'Invalid {AT}.name: Invalid value: "a": should be a domain with at least three segments separated by dots',
        ]),
        (hooks(name=None), [f"Required {AT}.name: Required value"]),
        (hooks(failurePolicy="Maybe", matchPolicy="Nearly", reinvocationPolicy="Often"), [
            f'NotSupported {AT}.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
            f'NotSupported {AT}.matchPolicy: Unsupported value: "Nearly": supported values: "Equivalent", "Exact"',
            f'NotSupported {AT}.reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never"',
        ]),
        (hooks(sideEffects=None), [f"Required {AT}.sideEffects: Required value: must specify one of None, NoneOnDryRun"]),
        (hooks(sideEffects="Some"), [
            f'NotSupported {AT}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        ]),
        (hooks(timeoutSeconds=31), [
            f"Invalid {AT}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ]),
        (hooks(objectSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}), [
            f"Required {AT}.objectSelector.matchExpressions[0].values: Required value: "
            "must be specified when `operator` is 'In' or 'NotIn'",
        ]),
        (hooks(admissionReviewVersions=None), [
            f"Required {AT}.admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ]),
        (hooks(admissionReviewVersions=["v2", "v2"]), [
            f'Invalid {AT}.admissionReviewVersions[1]: Invalid value: "v2": duplicate version',
            f'Invalid {AT}.admissionReviewVersions: Invalid value: []string{{"v2", "v2"}}: '
            "must include at least one of v1, v1beta1",
        ]),
        (hooks(clientConfig={}), [f"Required {CLIENT}: Required value: exactly one of url or service is required"]),
        (url("http://me:pw@/#f?q"), [
            f'Invalid {CLIENT}.url: Invalid value: "http": \'https\' is the only allowed URL scheme{FORM}',
            f'Invalid {CLIENT}.url: Invalid value: "": host must be specified{FORM}',
            f'Invalid {CLIENT}.url: Invalid value: "me:pw": user information is not permitted in the URL',
            f'Invalid {CLIENT}.url: Invalid value: "f?q": fragments are not permitted in the URL',
        ]),
        (url("https://a/b?c=d"), [
            f'Invalid {CLIENT}.url: Invalid value: "c=d": query parameters are not permitted in the URL',
        ]),
        (url("https://a:x/"), [
            f'Required {CLIENT}.url: Required value: url must be a valid URL: parse "https://a:x/": '
            f'invalid port ":x" after host{FORM}',
        ]),
        (url("https://a/%zz"), [
            f'Required {CLIENT}.url: Required value: url must be a valid URL: parse "https://a/%zz": '
            f'invalid URL escape "%zz"{FORM}',
        ]),
        (service(name="", namespace="", port=0), [
            f"Required {CLIENT}.service.name: Required value: service name is required",
            f"Required {CLIENT}.service.namespace: Required value: service namespace is required",
            f"Invalid {CLIENT}.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
        ]),
        (service(path="/a/b/"), []),
        (service(path="//"), [f'Invalid {CLIENT}.service.path: Invalid value: "//": segment[0] may not be empty']),
        (service(path="/a//b"), [f'Invalid {CLIENT}.service.path: Invalid value: "/a//b": segment[1] may not be empty']),
        (hooks(matchConditions=[{"name": "a", "expression": "true"}] * 2), [
            f'Duplicate {AT}.matchConditions[1].name: Duplicate value: "a"',
        ]),
        (hooks(matchConditions=[{}]), [
            f"Required {AT}.matchConditions[0].expression: Required value",
            f"Required {AT}.matchConditions[0].name: Required value",
        ]),
    ],
)  # fmt: skip
def test_webhook_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(MUTATING, tree) == expected


RULES = f"{AT}.rules[0]"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (hooks(rules=[{}]), [
            f"Required {RULES}.operations: Required value",
            f"Required {RULES}.apiGroups: Required value",
            f"Required {RULES}.apiVersions: Required value",
            f"Required {RULES}.resources: Required value",
        ]),
        (rules(operations=["*", "LOOK"]), [
            f'Invalid {RULES}.operations: Invalid value: []admissionregistration.OperationType{{"*", "LOOK"}}: '
            "if '*' is present, must not specify other operations",
            f'NotSupported {RULES}.operations[1]: Unsupported value: "LOOK": '
            'supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
        ]),
        (rules(apiGroups=["*", ""], apiVersions=["*", ""]), [
            f"Invalid {RULES}.apiGroups: Invalid value: []string{{\"*\", \"\"}}: "
            "if '*' is present, must not specify other API groups",
            f"Invalid {RULES}.apiVersions: Invalid value: []string{{\"*\", \"\"}}: "
            "if '*' is present, must not specify other API versions",
            f"Required {RULES}.apiVersions[1]: Required value",
        ]),
        (rules(resources=["pods/*", "pods/log", "*/scale", "deployments/scale", ""]), [
            f"Invalid {RULES}.resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log",
            f"Invalid {RULES}.resources[3]: Invalid value: \"deployments/scale\": "
            "if '*/scale' is present, must not specify deployments/scale",
            f"Required {RULES}.resources[4]: Required value",
        ]),
        (rules(resources=["*/*", "pods"]), [
            f'Invalid {RULES}.resources: Invalid value: []string{{"*/*", "pods"}}: '
            "if '*/*' is present, must not specify other resources",
        ]),
        (rules(resources=["*", "pods"]), [
            f'Invalid {RULES}.resources: Invalid value: []string{{"*", "pods"}}: '
            "if '*' is present, must not specify other resources without subresources",
        ]),
        (rules(resources=["*", "pods/log"]), []),
        (rules(scope="Galaxy"), [
            f'NotSupported {RULES}.scope: Unsupported value: "Galaxy": supported values: "*", "Cluster", "Namespaced"',
        ]),
    ],
)  # fmt: skip
def test_rules_of_what_a_webhook_is_asked(tree: Tree, expected: list[str]) -> None:
    assert create_errors(VALIDATING, tree) == expected


def test_webhooks_of_one_configuration_have_names_of_their_own() -> None:
    tree = {"metadata": {"name": "a"}, "webhooks": [HOOK, HOOK]}
    assert create_errors(VALIDATING, tree) == ['Duplicate webhooks[1].name: Duplicate value: "a.example.com"']


@pytest.mark.parametrize(
    "fields",
    [
        {"sideEffects": "Some"},
        {"admissionReviewVersions": ["v9"]},
        {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["-"]}]}},
        {"matchConditions": [{}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_is_wrong_with_a_stored_webhook_is_let_be(fields: Tree) -> None:
    label = {"metadata": {"labels": {"x": "y"}}}
    assert update_errors(VALIDATING, hooks(**fields), label) == []
    assert update_errors(VALIDATING, hooks(), hooks(**fields)) != []


def test_a_changed_webhook_is_a_new_generation() -> None:
    old = created(VALIDATING, hooks())
    for change, generation in ((hooks(), 1), (hooks(timeoutSeconds=5), 2)):
        new = created(VALIDATING, change)
        VALIDATING.strategy.prepare_update(new, old)
        assert new["metadata"]["generation"] == generation


def test_webhook_configurations_in_a_table() -> None:
    assert row(VALIDATING, hooks()) == {"Name": "a", "Webhooks": 1, "Age": "5m"}
