"""FlowSchema and PriorityLevelConfiguration."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.flowcontrol.flowschema import RESOURCE as SCHEMA
from sampan.api.groups.flowcontrol.mandatory import LEVELS, SCHEMAS
from sampan.api.groups.flowcontrol.prioritylevelconfiguration import RESOURCE as LEVEL
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, row, status_errors, update_errors

USER: Tree = {"kind": "User", "user": {"name": "alice"}}
RESOURCES: Tree = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}
RULE: Tree = {"subjects": [USER], "resourceRules": [RESOURCES]}
AT = "spec.rules[0]"


def schema(rule: Tree | None = None, name: str = "a", **spec: Any) -> Tree:
    defaults: Tree = {"priorityLevelConfiguration": {"name": "b"}}
    return {"metadata": {"name": name}, "spec": defaults | ({"rules": [rule]} if rule else {}) | spec}


def subject(**fields: Any) -> Tree:
    return schema(RULE | {"subjects": [fields]})


def resources(**fields: Any) -> Tree:
    return schema(RULE | {"resourceRules": [RESOURCES | fields]})


def urls(*paths: str) -> Tree:
    return schema({"subjects": [USER], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": list(paths)}]})


def test_a_schema_is_tried_in_the_middle_unless_it_says_otherwise() -> None:
    tree = created(SCHEMA, schema() | {"status": {"conditions": []}})
    assert tree == {
        "metadata": {"name": "a", "generation": 1},
        "spec": {"priorityLevelConfiguration": {"name": "b"}, "matchingPrecedence": 1000},
    }


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (schema(RULE), []),
        ({"metadata": {"name": "a"}}, [
            "Required spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
        ]),
        (schema(matchingPrecedence=-1), [
            "Invalid spec.matchingPrecedence: Invalid value: -1: must be a positive value",
        ]),
        (schema(matchingPrecedence=10001), [
            "Invalid spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
        ]),
        (schema(matchingPrecedence=1), [
            "Invalid spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
        ]),
        (schema(distinguisherMethod={"type": "ByMood"}), [
            "NotSupported spec.distinguisherMethod.type: Unsupported value: "
            'flowcontrol.FlowDistinguisherMethod{Type:"ByMood"}: supported values: "ByNamespace", "ByUser"',
        ]),
        (schema({"subjects": []}), [
            f"Required {AT}.subjects: Required value: subjects must contain at least one value",
            f"Required {AT}: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
        ]),
        (subject(kind="Cat"), [
            f'NotSupported {AT}.subjects[0].kind: Unsupported value: "Cat": '
            'supported values: "Group", "ServiceAccount", "User"',
        ]),
        (subject(kind="User", group={"name": "g"}), [
            f"Required {AT}.subjects[0].user: Required value: user is required when subject kind is 'User'",
            f"Forbidden {AT}.subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'",
        ]),
        (subject(kind="ServiceAccount", serviceAccount={"name": "*"}), [
            f"Required {AT}.subjects[0].serviceAccount.namespace: Required value: must specify namespace for service account",
        ]),
        (resources(verbs=["get", "dance"]), [
            f'NotSupported {AT}.resourceRules[0].verbs: Unsupported value: []string{{"get", "dance"}}: supported values: '
            '"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"',
        ]),
        (resources(verbs=["*", "get"], apiGroups=[], resources=["*", "pods"], namespaces=["*", "a"]), [
            f'Invalid {AT}.resourceRules[0].verbs: Invalid value: []string{{"*", "get"}}: '
            "if '*' is present, must not specify other verbs",
            f"Required {AT}.resourceRules[0].apiGroups: Required value: resource rules must supply at least one api group",
            f'Invalid {AT}.resourceRules[0].resources: Invalid value: []string{{"*", "pods"}}: '
            "if '*' is present, must not specify other resources",
            f'Invalid {AT}.resourceRules[0].namespaces: Invalid value: []string{{"*", "a"}}: '
            "if '*' is present, must not specify other namespaces",
        ]),
        (resources(namespaces=[]), [
            f"Required {AT}.resourceRules[0].namespaces: Required value: "
            "resource rules that are not cluster scoped must supply at least one namespace",
        ]),
        (resources(namespaces=[], clusterScope=True), []),
        (urls("/", "/healthz", "/metrics/*"), []),
        (urls("", "a", "/a b", "//", "/*/*", "/a*"), [
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[0]: Invalid value: "": must not be empty',
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[1]: Invalid value: "a": must start with slash',
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[2]: Invalid value: "/a b": must not contain white-space',
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[3]: Invalid value: "//": must not contain double slash',
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[4]: Invalid value: "/*/*": wildcard can only do suffix matching',
            f'Invalid {AT}.nonResourceRules[0].nonResourceURLs[5]: Invalid value: "/a*": wildcard can only do suffix matching',
        ]),
    ],
)  # fmt: skip
def test_flow_schema_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(SCHEMA, tree) == expected


def test_mandatory_objects_are_as_they_must_be() -> None:
    for resource, specs in ((SCHEMA, SCHEMAS), (LEVEL, LEVELS)):
        for name, spec in specs.items():
            assert create_errors(resource, {"metadata": {"name": name}, "spec": spec}) == []
    [error] = update_errors(SCHEMA, {"metadata": {"name": "catch-all"}, "spec": SCHEMAS["catch-all"]}, {"spec": {"rules": []}})
    assert error.endswith("spec of 'catch-all' must equal the fixed value")
    other = {"spec": {"limited": {"nominalConcurrencyShares": 6}}}
    [error] = update_errors(LEVEL, {"metadata": {"name": "catch-all"}, "spec": LEVELS["catch-all"]}, other)
    assert error.endswith("spec of 'catch-all' must equal the fixed value")


def test_how_much_the_exempt_lend_may_change() -> None:
    exempt: Tree = {"metadata": {"name": "exempt"}, "spec": LEVELS["exempt"]}
    assert update_errors(LEVEL, exempt, {"spec": {"exempt": {"lendablePercent": 50}}}) == []
    errors = update_errors(LEVEL, exempt, {"spec": {"exempt": {"lendablePercent": 101, "nominalConcurrencyShares": -1}}})
    assert errors == [
        "Invalid spec.exempt.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
        "Invalid spec.exempt.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
    ]
    *_, error = update_errors(LEVEL, exempt, {"spec": {"type": "Limited", "exempt": None}})
    assert error.endswith("spec of 'exempt' except the 'spec.exempt' field must equal the fixed value")


def test_a_condition_of_either_has_a_type_of_its_own() -> None:
    for resource, tree in ((SCHEMA, schema()), (LEVEL, level())):
        assert status_errors(resource, tree, {}, {"conditions": [{"type": "A"}, {"type": "A"}, {}]}) == [
            'Duplicate status.conditions[1].type: Duplicate value: "A"',
            "Required status.conditions[2].type: Required value: must not be empty",
        ]


def test_a_status_update_leaves_the_rest_alone() -> None:
    old = created(SCHEMA, schema())
    new = {"metadata": {"name": "a", "labels": {"x": "y"}, "resourceVersion": "7"}, "spec": {}, "status": {"conditions": []}}
    SCHEMA.strategy.prepare_status(new, old)
    assert new == old | {"metadata": old["metadata"] | {"resourceVersion": "7"}, "status": {"conditions": []}}


def test_flow_schemas_in_a_table() -> None:
    tree = schema(distinguisherMethod={"type": "ByUser"}, matchingPrecedence=500)
    cells = {"Name": "a", "PriorityLevel": "b", "MatchingPrecedence": 500, "DistinguisherMethod": "ByUser", "Age": "5m"}
    assert row(SCHEMA, tree) == cells | {"MissingPL": "?"}
    dangling = tree | {"status": {"conditions": [{"type": "Dangling", "status": "False"}]}}
    assert row(SCHEMA, dangling) == cells | {"MissingPL": "False"}


def level(name: str = "a", type_: str = "Limited", response: Tree | None = None, **limited: Any) -> Tree:
    part = {"limitResponse": response or {"type": "Reject"}} | limited
    return {"metadata": {"name": name}, "spec": {"type": type_, "limited": part}}


def queuing(**fields: int) -> Tree:
    return level(response={"type": "Queue", "queuing": fields})


LIMITED = "spec.limited"
QUEUING = f"{LIMITED}.limitResponse.queuing"


@pytest.mark.parametrize(
    ("tree", "spec"),
    [
        (queuing(), {"type": "Limited", "limited": {
            "limitResponse": {"type": "Queue", "queuing": {"handSize": 8, "queues": 64, "queueLengthLimit": 50}},
            "nominalConcurrencyShares": 30,
            "lendablePercent": 0,
        }}),
        (level(nominalConcurrencyShares=0), {"type": "Limited", "limited": {
            "limitResponse": {"type": "Reject"}, "nominalConcurrencyShares": 0, "lendablePercent": 0,
        }}),
        (
            {"metadata": {"name": "exempt"}, "spec": {"type": "Exempt", "exempt": {}}},
            {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
        ),
    ],
)  # fmt: skip
def test_what_a_level_gets_by_default(tree: Tree, spec: Tree) -> None:
    assert created(LEVEL, tree)["spec"] == spec


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (level(), []),
        (queuing(queues=512, handSize=4), []),
        ({"metadata": {"name": "a"}}, [
            'NotSupported spec.type: Unsupported value: "": supported values: "Exempt", "Limited"',
        ]),
        ({"metadata": {"name": "a"}, "spec": {"type": "Exempt"}}, [
            "Invalid spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
        ]),
        ({"metadata": {"name": "a"}, "spec": {"type": "Limited", "exempt": {}}}, [
            "Forbidden spec.exempt: Forbidden: must be nil if the type is Limited",
            "Required spec.limited: Required value: must not be empty when type is Limited",
        ]),
        (level(nominalConcurrencyShares=-1, lendablePercent=-1, borrowingLimitPercent=-1), [
            f"Invalid {LIMITED}.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer",
            f"Invalid {LIMITED}.lendablePercent: Invalid value: -1: must be between 0 and 100, inclusive",
            f"Invalid {LIMITED}.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer",
        ]),
        (level(response={"type": "Wait"}), [
            f'NotSupported {LIMITED}.limitResponse.type: Unsupported value: "Wait": supported values: "Queue", "Reject"',
        ]),
        (level(response={"type": "Queue"}), [
            f"Required {QUEUING}: Required value: must not be empty if limited.limitResponse.type is Limited",
        ]),
        (level(response={"type": "Reject", "queuing": {}}), [
            f"Forbidden {QUEUING}: Forbidden: must be nil if limited.limitResponse.type is not Limited",
        ]),
        (queuing(queues=-1, handSize=-1, queueLengthLimit=-1), [
            f"Invalid {QUEUING}.queueLengthLimit: Invalid value: -1: must be positive",
            f"Invalid {QUEUING}.queues: Invalid value: -1: must be positive",
            f"Invalid {QUEUING}.handSize: Invalid value: -1: must be positive",
        ]),
        (queuing(queues=10_000_001, handSize=1), [
            f"Invalid {QUEUING}.queues: Invalid value: 10000001: must not be greater than 10000000",
        ]),
        (queuing(queues=4), [
            f"Invalid {QUEUING}.handSize: Invalid value: 8: should not be greater than queues (4)",
        ]),
        (queuing(queues=512), [
            f"Invalid {QUEUING}.handSize: Invalid value: 8: "
            "required entropy bits of deckSize 512 and handSize 8 should not be greater than 60",
        ]),
    ],
)  # fmt: skip
def test_priority_level_rules(tree: Tree, expected: list[str]) -> None:
    assert create_errors(LEVEL, tree) == expected


def test_priority_levels_in_a_table() -> None:
    cells = {"Name": "a", "Type": "Limited", "NominalConcurrencyShares": 30, "Age": "5m"}
    none = {"Queues": "<none>", "HandSize": "<none>", "QueueLengthLimit": "<none>"}
    assert row(LEVEL, created(LEVEL, level())) == cells | none
    assert row(LEVEL, created(LEVEL, queuing())) == cells | {"Queues": 64, "HandSize": 8, "QueueLengthLimit": 50}
