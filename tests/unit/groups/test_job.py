"""Job: its defaults, its spec's rules, what an update may change. Its status has a file of its own."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.batch.job import RESOURCE as JOB
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, update_errors
from tests.unit.groups.test_pod import CONTAINER, SPEC

UID = "1-2-3"
MINIMAL: Tree = {
    "metadata": {"name": "pi", "namespace": "default", "uid": UID},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "web", "image": "nginx"}]}}},
}
GENERATED = {
    "controller-uid": UID,
    "job-name": "pi",
    "batch.kubernetes.io/controller-uid": UID,
    "batch.kubernetes.io/job-name": "pi",
}
POD_SPEC = {key: value for key, value in SPEC.items() if key != "enableServiceLinks"} | {
    "containers": [CONTAINER], "restartPolicy": "Never",
}  # fmt: skip
NOT_NEGATIVE = "must be greater than or equal to 0"
INDEXED: Tree = {"completionMode": "Indexed", "completions": 5, "parallelism": 2}
RULES = "spec.podFailurePolicy.rules"
LABELS = "spec.template.metadata.labels"
AMOUNTS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")


def indexed(**spec: Any) -> Tree:
    return INDEXED | spec


def failing(*rules: Tree, **spec: Any) -> Tree:
    return {"podFailurePolicy": {"rules": list(rules)}, **spec}


def codes(*values: int, operator: str = "In", **more: Any) -> Tree:
    return {"action": "FailJob", "onExitCodes": {"operator": operator, "values": list(values)}, **more}


def test_a_minimal_job_is_filled_in_and_selects_its_own_pods() -> None:
    assert created(JOB, MINIMAL | {"status": {"active": 3}}) == {
        "metadata": {"name": "pi", "namespace": "default", "uid": UID, "generation": 1, "labels": GENERATED},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "suspend": False,
            "podReplacementPolicy": "TerminatingOrFailed",
            "manualSelector": False,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": UID}},
            "template": {"metadata": {"labels": GENERATED}, "spec": POD_SPEC},
        },
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"parallelism": 3}, {"parallelism": 3, "completions": None}),
        ({"completions": 3}, {"parallelism": 1, "completions": 3}),
        ({"parallelism": 0, "completions": 0}, {"parallelism": 0, "completions": 0}),
        (indexed(backoffLimitPerIndex=1), {"backoffLimit": 2147483647}),
        ({"backoffLimitPerIndex": 1, "backoffLimit": 0}, {"backoffLimit": 0}),
        (failing(), {"podReplacementPolicy": "Failed"}),
        ({"suspend": True}, {"suspend": True}),
    ],
)
def test_defaults_follow_from_what_is_given(spec: Tree, expected: Tree) -> None:
    found = created(JOB, merged(MINIMAL, {"spec": spec}))["spec"]
    assert {field: found.get(field) for field in expected} == expected


def test_a_condition_of_a_pod_is_meant_to_be_true() -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}, {"type": "X", "status": "False"}]}
    found = created(JOB, merged(MINIMAL, {"spec": failing(rule)}))["spec"]["podFailurePolicy"]["rules"][0]
    assert [pattern["status"] for pattern in found["onPodConditions"]] == ["True", "False"]


def test_own_labels_stay_and_a_manual_selector_is_left_alone() -> None:
    tree = created(JOB, merged(MINIMAL, {"metadata": {"labels": {"a": "b"}}}))
    assert tree["metadata"]["labels"] == {"a": "b"}
    manual = {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}
    tree = created(JOB, merged(MINIMAL, {"spec": manual}))
    assert (tree["spec"]["selector"], tree["metadata"]["labels"]) == ({"matchLabels": {"a": "b"}}, {"a": "b"})
    assert create_errors(JOB, merged(MINIMAL, {"spec": manual})) == []


def test_labels_are_filled_in_again_when_an_update_drops_them() -> None:
    tree = merged(created(JOB, MINIMAL), {"metadata": {"labels": None, "resourceVersion": "5"}})
    JOB.default(tree)
    assert tree["metadata"]["labels"] == GENERATED


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            dict.fromkeys(AMOUNTS, -1), [f"Invalid spec.{field}: Invalid value: -1: {NOT_NEGATIVE}" for field in AMOUNTS],
        ),
        ({"completionMode": "Some"},
         ['NotSupported spec.completionMode: Unsupported value: "Some": supported values: "NonIndexed", "Indexed"']),
        ({"completionMode": "Indexed", "parallelism": 1},
         ["Required spec.completions: Required value: when completion mode is Indexed"]),
        (indexed(parallelism=100001), ["Invalid spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 "
                                       "when completion mode is Indexed"]),
        ({"backoffLimitPerIndex": 1, "maxFailedIndexes": 1},
         ["Invalid spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
          "Invalid spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode"]),
        (indexed(maxFailedIndexes=6),
         ["Required spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
          "Invalid spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions"]),
        (indexed(completions=100001, backoffLimitPerIndex=1, parallelism=10001),
         ["Required spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
          "Invalid spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are above "
          "100000 and used with backoff limit per index"]),
        (indexed(completions=200000, backoffLimitPerIndex=1, maxFailedIndexes=100001),
         ["Invalid spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000",
          "Invalid spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 10000 when completions are "
          "above 100000 and used with backoff limit per index"]),
        ({"managedBy": ""}, ["Required spec.managedBy: Required value"]),
        ({"managedBy": "me"},
         ['Invalid spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")']),
        ({"managedBy": "example.com/" + "x" * 60}, ["TooLong spec.managedBy: Too long: may not be more than 63 bytes"]),
        ({"managedBy": "example.com/a b"},
         ['Invalid spec.managedBy: Invalid value: "a b": Invalid path (regex used for validation is '
          "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"]),
        ({"podReplacementPolicy": "Never"},
         ['NotSupported spec.podReplacementPolicy: Unsupported value: "Never": '
          'supported values: "Failed", "TerminatingOrFailed"']),
        (failing(codes(1), podReplacementPolicy="TerminatingOrFailed"),
         ['NotSupported spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"']),
        ({"template": {"spec": {"restartPolicy": None}}},
         ['Required spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
        (failing(codes(1), template={"spec": {"restartPolicy": "OnFailure"}}),
         ['Invalid spec.template.spec.restartPolicy: Invalid value: "OnFailure": '
          'only "Never" is supported when podFailurePolicy is specified']),
        ({"template": {"spec": {"containers": []}}}, ["Required spec.template.spec.containers: Required value"]),
        ({"manualSelector": True},
         ["Required spec.selector: Required value",
          f"Invalid {LABELS}: Invalid value: map[string]string(nil): `selector` does not match template `labels`"]),
        ({"selector": {"matchLabels": {"a": "b"}}},
         ['Invalid spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"1-2-3"}}: '
          "`selector` not auto-generated",
          f"Invalid {LABELS}: Invalid value: map[string]string{{"
          '"batch.kubernetes.io/controller-uid":"1-2-3", "batch.kubernetes.io/job-name":"pi", '
          '"controller-uid":"1-2-3", "job-name":"pi"}: `selector` does not match template `labels`']),
        ({"template": {"metadata": {"labels": {"job-name": "e"}}}},
         [f"Invalid {LABELS}[job-name]: Invalid value: map[string]string{{"
          '"batch.kubernetes.io/controller-uid":"1-2-3", "batch.kubernetes.io/job-name":"pi", '
          '"controller-uid":"1-2-3", "job-name":"e"}: must be \'pi\'']),
    ],
)  # fmt: skip
def test_rules_of_a_job(spec: Tree, expected: list[str]) -> None:
    assert create_errors(JOB, merged(MINIMAL, {"spec": spec})) == expected


ACTIONS = '"Count", "FailIndex", "FailJob", "Ignore"'


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (codes(1, 2, 255, containerName="web") | {}, []),
        ({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}, []),
        (codes(1, action=None), [f"Required {RULES}[0].action: Required value: valid values: "
                                 '["Count" "FailIndex" "FailJob" "Ignore"]']),
        (codes(1, action="Retry"),
         [f'NotSupported {RULES}[0].action: Unsupported value: "Retry": supported values: {ACTIONS}']),
        (codes(1, action="FailIndex"),
         [f'Invalid {RULES}[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set']),
        ({"action": "Ignore"},
         [f"Invalid {RULES}[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"]),
        (codes(1, onPodConditions=[{"type": "X"}]),
         [f"Invalid {RULES}[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"]),
        (codes(1, operator="Is"), [f'NotSupported {RULES}[0].onExitCodes.operator: Unsupported value: "Is": '
                                   'supported values: "In", "NotIn"']),
        (codes(1, operator=""), [f'Required {RULES}[0].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]']),
        (codes(), [f"Invalid {RULES}[0].onExitCodes.values: Invalid value: []int32(nil): at least one value is required"]),
        (codes(0, 1), [f"Invalid {RULES}[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"]),
        (codes(0, 1, operator="NotIn"), []),
        (codes(1, 1), [f"Duplicate {RULES}[0].onExitCodes.values[1]: Duplicate value: 1"]),
        (codes(2, 1), [f"Invalid {RULES}[0].onExitCodes.values: Invalid value: []int32{{2, 1}}: must be ordered"]),
        (codes(*range(1, 257)), [f"TooMany {RULES}[0].onExitCodes.values: Too many: 256: must have at most 255 items"]),
        ({"action": "Count", "onExitCodes": {"containerName": "db", "operator": "In", "values": [1]}},
         [f'Invalid {RULES}[0].onExitCodes.containerName: Invalid value: "db": '
          "must be one of the container or initContainer names in the pod template"]),
        ({"action": "Count", "onPodConditions": [{"type": "X", "status": "Maybe"}]},
         [f'NotSupported {RULES}[0].onPodConditions[0].status: Unsupported value: "Maybe": '
          'supported values: "False", "True", "Unknown"']),
        ({"action": "Count", "onPodConditions": [{"type": "X"}] * 21},
         [f"TooMany {RULES}[0].onPodConditions: Too many: 21: must have at most 20 items"]),
    ],
)  # fmt: skip
def test_rules_of_a_failure_policy(rule: Tree, expected: list[str]) -> None:
    rule = {key: value for key, value in rule.items() if value is not None}
    assert create_errors(JOB, merged(MINIMAL, {"spec": failing(rule)})) == expected


SUCCESS = "spec.successPolicy.rules"
PARSING = f"Invalid {SUCCESS}[0].succeededIndexes: Invalid value: "


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"succeededCount": 2}, {"succeededIndexes": "0,2-4"}, {"succeededIndexes": "0-1", "succeededCount": 2}], []),
        ([], [f"Required {SUCCESS}: Required value: at least one rules must be specified when the successPolicy is specified"]),
        ([{}],
         [f"Required {SUCCESS}[0]: Required value: at least one of succeededCount or succeededIndexes must be specified"]),
        ([{"succeededCount": -1}], [f"Invalid {SUCCESS}[0].succeededCount: Invalid value: -1: {NOT_NEGATIVE}"]),
        ([{"succeededCount": 6}], [f"Invalid {SUCCESS}[0].succeededCount: Invalid value: 6: "
                                   "must be less than or equal to 5 (the number of specified completions)"]),
        ([{"succeededIndexes": "0-1", "succeededCount": 3}],
         [f"Invalid {SUCCESS}[0].succeededCount: Invalid value: 3: must be less than or equal to 2 "
          "(the number of indexes in the specified succeededIndexes field)"]),
        ([{"succeededIndexes": "5"}], [f'{PARSING}"5": error parsing succeededIndexes: too large index: "5"']),
        ([{"succeededIndexes": "a"}],
         [f'{PARSING}"a": error parsing succeededIndexes: cannot convert string to integer for index: "a"']),
        ([{"succeededIndexes": "3-2"}],
         [f'{PARSING}"3-2": error parsing succeededIndexes: non-increasing order, previous: 3, current: 2']),
        ([{"succeededIndexes": "2,1"}],
         [f'{PARSING}"2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1']),
        ([{"succeededIndexes": "0-1-2"}],
         [f'{PARSING}"0-1-2": error parsing succeededIndexes: the fragment "0-1-2" violates the requirement that an index '
          "interval can have at most two parts separated by '-'"]),
        ([{"succeededCount": 1}] * 21, [f"TooMany {SUCCESS}: Too many: 21: must have at most 20 items"]),
    ],
)  # fmt: skip
def test_rules_of_a_success_policy(rules: list[Tree], expected: list[str]) -> None:
    assert create_errors(JOB, merged(MINIMAL, {"spec": indexed(successPolicy={"rules": rules})})) == expected


def test_a_success_policy_is_for_indexed_jobs() -> None:
    (error,) = create_errors(JOB, merged(MINIMAL, {"spec": {"successPolicy": {"rules": [{"succeededCount": 1}]}}}))
    assert error == (
        'Invalid spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode'
    )


def test_the_pods_of_an_indexed_job_must_find_names() -> None:
    name = "a" * 62
    (error,) = create_errors(JOB, merged(MINIMAL, {"metadata": {"name": name}, "spec": indexed(completions=11)}))
    assert error.endswith(f"will not able to create pod with invalid DNS label: {name}-10")


AFFINITY = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
MOVED = {"spec": {"nodeSelector": {"a": "b"}, "affinity": AFFINITY, "tolerations": [{"operator": "Exists"}]},
         "metadata": {"annotations": {"a": "b"}, "labels": {"a": "b"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "spec", "change", "fields"),
    [
        ("what may change", {}, {"parallelism": 3, "suspend": True, "backoffLimit": 9, "activeDeadlineSeconds": 5}, []),
        ("completions", {}, {"completions": 2}, ["spec.completions"]),
        ("completions with parallelism", INDEXED, {"completions": 7, "parallelism": 7}, []),
        ("completions by themselves", INDEXED, {"completions": 7}, ["spec.completions"]),
        ("mode", INDEXED, {"completionMode": "NonIndexed"}, ["spec.completionMode"]),
        ("policies", indexed(backoffLimitPerIndex=1), {"backoffLimitPerIndex": 2, "managedBy": "a.b/c"},
         ["spec.backoffLimitPerIndex", "spec.managedBy"]),
        ("template", {}, {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}, ["spec.template"]),
        ("where its pods run", {}, {"template": MOVED}, ["spec.template"]),
        ("where its pods will run", {"suspend": True}, {"template": MOVED}, []),
        ("where they will not", {"suspend": True, "template": MOVED},
         {"template": {"spec": {"affinity": None, "nodeSelector": None}}}, []),
        ("with whom", {"suspend": True}, {"template": {"spec": {"affinity": {"podAffinity": {}}}}}, ["spec.template"]),
    ],
)  # fmt: skip
def test_what_an_update_may_change(row: str, spec: Tree, change: Tree, fields: list[str]) -> None:
    errors = update_errors(JOB, merged(MINIMAL, {"spec": spec}), {"spec": change})
    assert [error.split()[1].rstrip(":") for error in errors] == fields, row


def test_a_job_that_ran_stays_where_it_was_to_run() -> None:
    old = created(JOB, merged(MINIMAL, {"spec": {"suspend": True}}))
    new = merged(old, {"spec": {"template": MOVED}})
    assert JOB.strategy.validate_update(new, old) == []
    old["status"] = {"startTime": "2023-11-14T22:08:20Z"}
    assert [error.message[-18:] for error in JOB.strategy.validate_update(new, old)] == ["field is immutable"]
    tandem = update_errors(JOB, merged(MINIMAL, {"spec": INDEXED}), {"spec": {"completions": 7}})
    assert tandem == ["Invalid spec.completions: Invalid value: 7: can only be modified in tandem with spec.parallelism"]
    below = "Invalid spec.parallelism: Invalid value: -1: must be greater than or equal to 0"
    assert update_errors(JOB, MINIMAL, {"spec": {"parallelism": -1}}) == [below, below]


def test_warnings() -> None:
    warn = JOB.strategy.warn
    assert warn is not None
    assert warn(created(JOB, MINIMAL), None) == []
    (warning,) = warn(created(JOB, merged(MINIMAL, {"metadata": {"name": "a.b"}})), None)
    assert warning == (
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
        "a DNS label is recommended: [must not contain dots]"
    )
    many = created(JOB, merged(MINIMAL, {"spec": indexed(completions=100001, parallelism=10001)}))
    (warning,) = warn(many, None)
    assert warning.startswith("spec: In Indexed Jobs with a number of completions higher than 10^5")
    assert warn(many, many) == []


def condition(type_: str, status: str = "True") -> Tree:
    return {"type": type_, "status": status}


STARTED = {"startTime": "2023-11-14T22:10:20Z"}


@pytest.mark.parametrize(
    ("change", "cells"),
    [
        ({}, {"Status": "Running", "Completions": "0/1", "Duration": ""}),
        ({"status": {**STARTED, "conditions": [condition("Suspended", "False")]}}, {"Status": "Running", "Duration": "3m"}),
        ({"status": {**STARTED, "completionTime": "2023-11-14T22:11:00Z", "succeeded": 1,
                     "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}},
         {"Status": "Complete", "Completions": "1/1", "Duration": "40s"}),
        ({"status": {"conditions": [condition("FailureTarget"), condition("Failed")]}}, {"Status": "Failed"}),
        ({"status": {"conditions": [condition("FailureTarget")]}}, {"Status": "FailureTarget"}),
        ({"status": {"conditions": [condition("Suspended")]}}, {"Status": "Suspended"}),
        ({"metadata": {"deletionTimestamp": "2023-11-14T22:11:00Z"}}, {"Status": "Terminating"}),
        ({"spec": {"completions": None, "parallelism": 3}, "status": {"succeeded": 2}}, {"Completions": "2/1 of 3"}),
        ({"spec": {"completions": None}}, {"Completions": "0/1"}),
    ],
)  # fmt: skip
def test_its_table(change: Tree, cells: Tree) -> None:
    found = row(JOB, merged(created(JOB, MINIMAL), change))
    assert {name: found[name] for name in cells} == cells
    assert (found["Age"], found["Containers"], found["Images"]) == ("5m", "web", "nginx")
    assert found["Selector"] == f"batch.kubernetes.io/controller-uid={UID}"


def test_its_successes_can_be_selected() -> None:
    select = JOB.selectable["status.successful"]
    assert (select({"status": {"succeeded": 4}}), select({})) == ("4", "0")
    assert (JOB.strategy.garbage_collection, JOB.short, JOB.categories) == ("orphan", (), ("all",))
