"""CronJob."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.batch.cronjob import RESOURCE as CRON_JOB
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, update_errors
from tests.unit.groups.test_job import MINIMAL as JOB
from tests.unit.groups.test_job import POD_SPEC

MINIMAL: Tree = {
    "metadata": {"name": "tick", "namespace": "default"},
    "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": JOB["spec"]}},
}
NOT_NEGATIVE = "must be greater than or equal to 0"
NO_ZONE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"


def test_a_minimal_cron_job_is_filled_in() -> None:
    assert created(CRON_JOB, MINIMAL | {"status": {"active": []}}) == {
        "metadata": {"name": "tick", "namespace": "default", "generation": 1},
        "spec": {
            "schedule": "*/5 * * * *",
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {"template": {"spec": POD_SPEC}}},
        },
    }


JOB_SPEC = "spec.jobTemplate.spec"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"schedule": "@daily", "timeZone": "Europe/Zurich", "startingDeadlineSeconds": 10}, []),
        ({"timeZone": "Etc/GMT+5"}, []),
        ({"schedule": None}, ["Required spec.schedule: Required value"]),
        ({"schedule": "* * *"},
         ['Invalid spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]']),
        ({"schedule": "TZ=UTC * * * * *"}, [f'Invalid spec.schedule: Invalid value: "TZ=UTC * * * * *": {NO_ZONE}']),
        ({"timeZone": ""}, ['Invalid spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string']),
        ({"timeZone": "Mars/Olympus"},
         ['Invalid spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus']),
        ({"timeZone": "../etc"}, ['Invalid spec.timeZone: Invalid value: "../etc": unknown time zone ../etc']),
        ({"timeZone": "Local"},
         ['Invalid spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
          "https://www.iana.org/time-zones"]),
        ({"concurrencyPolicy": "Queue"},
         ['NotSupported spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"']),
        ({"startingDeadlineSeconds": -1, "successfulJobsHistoryLimit": -2, "failedJobsHistoryLimit": -3},
         [f"Invalid spec.startingDeadlineSeconds: Invalid value: -1: {NOT_NEGATIVE}",
          f"Invalid spec.successfulJobsHistoryLimit: Invalid value: -2: {NOT_NEGATIVE}",
          f"Invalid spec.failedJobsHistoryLimit: Invalid value: -3: {NOT_NEGATIVE}"]),
        ({"jobTemplate": {"spec": {"backoffLimit": -1}}},
         [f"Invalid {JOB_SPEC}.backoffLimit: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": None}}}}},
         [f'Required {JOB_SPEC}.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
        ({"jobTemplate": {"spec": {"selector": {}, "manualSelector": True}}},
         [f"Invalid {JOB_SPEC}.selector: Invalid value: {{}}: `selector` will be auto-generated",
          f'NotSupported {JOB_SPEC}.manualSelector: Unsupported value: true: supported values: "nil", "false"']),
    ],
)  # fmt: skip
def test_rules_of_a_cron_job(spec: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(CRON_JOB, merged(MINIMAL, {"spec": spec})) == expected


def test_its_name_leaves_room_for_those_of_jobs() -> None:
    assert create_errors(CRON_JOB, merged(MINIMAL, {"metadata": {"name": "a" * 52}})) == []
    assert create_errors(CRON_JOB, merged(MINIMAL, {"metadata": {"name": "a" * 53}})) == [
        f'Invalid metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'
    ]


ZONED = {"spec": {"schedule": "CRON_TZ=UTC 0 0 * * *"}}


@pytest.mark.parametrize(
    ("row", "old", "change", "expected"),
    [
        ("anything", {}, {"schedule": "0 0 * * *", "suspend": True, "timeZone": "UTC"}, []),
        ("a bad schedule", {}, {"schedule": "x"},
         ['Invalid spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]']),
        ("a zone in the schedule", {}, ZONED["spec"],
         [f'Invalid spec.schedule: Invalid value: "CRON_TZ=UTC 0 0 * * *": {NO_ZONE}']),
        ("a zone that was there", ZONED, {"schedule": "TZ=UTC 1 0 * * *"}, []),
        ("two zones", ZONED, {"timeZone": "UTC"},
         ['Invalid spec.schedule: Invalid value: "CRON_TZ=UTC 0 0 * * *": '
          "cannot use both timeZone field and TZ or CRON_TZ in schedule"]),
        ("a bad zone that was there", {"spec": {"timeZone": "Gone/By"}}, {"suspend": True}, []),
        ("a bad zone", {}, {"timeZone": "Gone/By"},
         ['Invalid spec.timeZone: Invalid value: "Gone/By": unknown time zone Gone/By']),
        ("an old name", {"metadata": {"name": "a" * 60}}, {"suspend": True}, []),
    ],
)  # fmt: skip
def test_what_an_update_may_say(row: str, old: Tree, change: Tree, expected: list[str]) -> None:
    assert update_errors(CRON_JOB, merged(MINIMAL, old), {"spec": change}) == expected, row


def test_warnings() -> None:
    warn = CRON_JOB.strategy.warn
    assert warn is not None
    new = created(CRON_JOB, merged(MINIMAL, ZONED))
    assert warn(new, None) == []
    (warning,) = warn(new, new)
    assert warning.startswith("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead")
    (warning,) = warn(created(CRON_JOB, merged(MINIMAL, {"metadata": {"name": "a.b"}})), None)
    assert warning.endswith("a DNS label is recommended: [must not contain dots]")


def test_its_table() -> None:
    tree = created(CRON_JOB, MINIMAL)
    assert row(CRON_JOB, tree) == {
        "Name": "tick", "Schedule": "*/5 * * * *", "Timezone": "<none>", "Suspend": "False", "Active": 0,
        "Last Schedule": "<none>", "Age": "5m", "Containers": "web", "Images": "nginx", "Selector": "<none>",
    }  # fmt: skip
    status = {"active": [{"name": "tick-1"}], "lastScheduleTime": "2023-11-14T22:13:00Z"}
    found = row(CRON_JOB, merged(tree, {"spec": {"suspend": True, "timeZone": "UTC"}, "status": status}))
    assert (found["Timezone"], found["Suspend"], found["Active"], found["Last Schedule"]) == ("UTC", "True", 1, "20s")
