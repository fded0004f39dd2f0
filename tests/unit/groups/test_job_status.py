"""The status of a Job: what it may say, and how it may move."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.batch.job import RESOURCE as JOB
from sampan.api.resource import Tree
from tests.unit.groups.kinds import merged, status_errors
from tests.unit.groups.test_job import INDEXED, MINIMAL

EARLIER, LATER = "2023-11-14T22:08:20Z", "2023-11-14T22:10:20Z"
NOT_NEGATIVE = "must be greater than or equal to 0"


def conditions(*types: str) -> list[Tree]:
    return [{"type": type_, "status": "True"} for type_ in types]


def complete(**more: Any) -> Tree:
    types = conditions("SuccessCriteriaMet", "Complete")
    return {"startTime": EARLIER, "completionTime": LATER, "succeeded": 1, "conditions": types} | more


def failed(**more: Any) -> Tree:
    return {"startTime": EARLIER, "failed": 1, "conditions": conditions("FailureTarget", "Failed")} | more


def said(*details: str) -> list[str]:
    """Errors of the conditions, which show no value."""
    return [f"Invalid status.conditions: Invalid value: {detail}" for detail in details]


ROWS: list[tuple[str, Tree, Tree, list[str]]] = [
    ("it begins", {}, {"startTime": EARLIER, "active": 2, "ready": 1}, []),
    ("it succeeds", {"startTime": EARLIER, "active": 1}, complete(), []),
    ("it fails", {"startTime": EARLIER, "active": 1}, failed(), []),
    ("counts are no debts", {}, {"active": -1, "terminating": -2},
     [f"Invalid status.active: Invalid value: -1: {NOT_NEGATIVE}",
      f"Invalid status.terminating: Invalid value: -2: {NOT_NEGATIVE}"]),
    ("a pod is counted once", {}, {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
     ['Invalid status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
      'Duplicate status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"']),
    ("more ready than active", {}, {"active": 1, "ready": 2},
     ["Invalid status.ready: Invalid value: 2: cannot set more ready pods than active"]),
    ("both ends", {}, complete(conditions=conditions("SuccessCriteriaMet", "Complete", "Failed", "FailureTarget")),
     said("cannot set Complete=True and Failed=true conditions", "cannot set Complete=True and FailureTarget=true conditions",
          "cannot set SuccessCriteriaMet=True and Failed=true conditions",
          "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")),
    ("complete without a criterion", {}, complete(conditions=conditions("Complete")),
     said("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")),
    ("failed without a target", {}, failed(conditions=conditions("Failed")),
     said("cannot set Failed=True condition without the FailureTarget=true condition")),
    ("complete without a time", {}, complete(completionTime=None),
     ["Required status.completionTime: Required value: completionTime is required for Complete jobs"]),
    ("a time without being complete", {}, {"startTime": EARLIER, "completionTime": LATER},
     ["Invalid status.completionTime: Invalid value: 2023-11-14 22:10:20 +0000 UTC: "
      "cannot set completionTime when there is no Complete=True condition"]),
    ("ended before it began", {}, complete(startTime=LATER, completionTime=EARLIER),
     ["Invalid status.completionTime: Invalid value: 2023-11-14 22:08:20 +0000 UTC: "
      "completionTime cannot be set before startTime"]),
    ("another end", complete(), complete(completionTime="2023-11-14T22:11:20Z"),
     ["Invalid status.completionTime: Invalid value: 2023-11-14 22:11:20 +0000 UTC: completionTime cannot be mutated"]),
    ("finished with pods", {}, complete(active=1, terminating=2, uncountedTerminatedPods={"failed": ["a"]}),
     ["Invalid status.active: Invalid value: 1: active>0 is invalid for finished job",
      "Invalid status.uncountedTerminatedPods: Invalid value: batch.UncountedTerminatedPods{Succeeded:[]types.UID(nil), "
      'Failed:[]types.UID{"a"}}: uncountedTerminatedPods needs to be empty for finished job',
      "Invalid status.terminating: Invalid value: 2: terminating>0 is invalid for finished job"]),
    ("finished and never begun", {}, failed(startTime=None),
     ["Required status.startTime: Required value: startTime is required for finished job"]),
    ("finished no more", complete(), {"startTime": EARLIER, "succeeded": 1},
     said("cannot disable the terminal Complete=True condition", "cannot disable the SuccessCriteriaMet=True condition")),
    ("fewer than before", {"failed": 2, "succeeded": 2}, {"failed": 1, "succeeded": 1},
     ["Invalid status.failed: Invalid value: 1: cannot decrease the failed counter",
      "Invalid status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"]),
    ("begun anew", {"startTime": EARLIER}, {"startTime": LATER},
     ["Required status.startTime: Required value: startTime cannot be removed for unsuspended job"]),
    ("a criterion after the end", complete(conditions=conditions("Complete")), complete(),
     said("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")),
    ("indexes of a job that has none", {}, {"completedIndexes": "0", "failedIndexes": ""},
     ['Invalid status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion '
      "mode",
      'Invalid status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is null']),
    ("what was wrong already may stay", {"active": 1, "ready": 2, "completedIndexes": "x", "completionTime": LATER},
     {"active": 1, "ready": 2, "completedIndexes": "x", "completionTime": LATER, "failed": 1}, []),
]  # fmt: skip


@pytest.mark.parametrize(("row", "before", "after", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_how_a_status_may_move(row: str, before: Tree, after: Tree, expected: list[str]) -> None:
    after = {field: value for field, value in after.items() if value is not None}
    assert status_errors(JOB, MINIMAL, before, after) == expected


BY_INDEX = merged(MINIMAL, {"spec": INDEXED | {"backoffLimitPerIndex": 1}})


@pytest.mark.parametrize(
    ("completed", "failed", "expected"),
    [
        ("0,2-4", "1", []),
        ("0-1", "", []),
        ("5", "",
         ['Invalid status.completedIndexes: Invalid value: "5": error parsing completedIndexes: too large index: "5"']),
        ("", "1,1", ['Invalid status.failedIndexes: Invalid value: "1,1": error parsing failedIndexes: '
                     "non-increasing order, previous: 1, current: 1"]),
        ("0,2-4", "3", ['Invalid status.failedIndexes: Invalid value: "3": '
                        "failedIndexes and completedIndexes overlap at index: 3"]),
        ("x,4", "0-4", ['Invalid status.completedIndexes: Invalid value: "x,4": error parsing completedIndexes: '
                        'cannot convert string to integer for index: "x"',
                        'Invalid status.failedIndexes: Invalid value: "0-4": '
                        "failedIndexes and completedIndexes overlap at index: 4"]),
    ],
)  # fmt: skip
def test_indexes_are_those_of_the_job_and_of_one_kind(completed: str, failed: str, expected: list[str]) -> None:
    after = {"completedIndexes": completed, "failedIndexes": failed}
    assert status_errors(JOB, BY_INDEX, {}, after) == expected


def test_an_elastic_job_may_count_fewer_successes() -> None:
    elastic = merged(MINIMAL, {"spec": INDEXED | {"parallelism": 5}})
    assert status_errors(JOB, elastic, {"succeeded": 3}, {"succeeded": 1}) == []


def test_a_suspended_job_forgets_when_it_began() -> None:
    suspended = merged(MINIMAL, {"spec": {"suspend": True}})
    assert status_errors(JOB, suspended, {"startTime": EARLIER}, {}) == []


def test_a_success_policy_wants_its_criterion() -> None:
    policy = {"successPolicy": {"rules": [{"succeededCount": 1}]}}
    job = merged(MINIMAL, {"spec": INDEXED | policy})
    assert status_errors(JOB, job, {}, complete(conditions=conditions("Complete"))) == said(
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
    )
