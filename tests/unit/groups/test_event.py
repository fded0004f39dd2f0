"""Event in both of its forms."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.core.event import CORE, NEW_API, from_core, to_core
from sampan.api.resource import Tree
from tests.unit.groups.kinds import CREATED, create_errors, row, update_errors

CORE_EVENT: Tree = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "web.1", "namespace": "default"},
    "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default", "fieldPath": "spec.containers{web}"},
    "type": "Normal",
    "reason": "Started",
    "message": "Started container web\n",
    "source": {"component": "kubelet", "host": "n1"},
    "firstTimestamp": CREATED,
    "lastTimestamp": "2023-11-14T22:12:20Z",
    "count": 3,
}
NEW_EVENT: Tree = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "web.1", "namespace": "default"},
    "regarding": {"kind": "Pod", "name": "web", "namespace": "default"},
    "type": "Normal",
    "reason": "Scheduled",
    "action": "Binding",
    "note": "assigned",
    "eventTime": "2023-11-14T22:08:20.000000Z",
    "reportingController": "default-scheduler",
    "reportingInstance": "default-scheduler-a",
}


def test_the_two_forms_turn_into_each_other() -> None:
    shown = from_core(CORE_EVENT)
    assert shown["regarding"] == CORE_EVENT["involvedObject"]
    assert shown["note"] == CORE_EVENT["message"]
    assert shown["deprecatedCount"] == 3
    assert shown["deprecatedSource"] == CORE_EVENT["source"]
    assert to_core(shown) == CORE_EVENT
    assert to_core(NEW_EVENT)["reportingComponent"] == "default-scheduler"
    assert from_core(to_core(NEW_EVENT)) == NEW_EVENT


def test_the_table_of_events() -> None:
    assert row(CORE, CORE_EVENT) == {
        "Last Seen": "60s",
        "Type": "Normal",
        "Reason": "Started",
        "Object": "pod/web",
        "Subobject": "spec.containers{web}",
        "Source": "kubelet, n1",
        "Message": "Started container web",
        "First Seen": "5m",
        "Count": 3,
        "Name": "web.1",
    }
    assert row(NEW_API, from_core(CORE_EVENT)) == row(CORE, CORE_EVENT)
    new = row(NEW_API, NEW_EVENT)
    assert (new["Last Seen"], new["Count"], new["Source"]) == ("5m", 1, "default-scheduler, default-scheduler-a")
    series = NEW_EVENT | {"series": {"count": 7, "lastObservedTime": "2023-11-14T22:13:10.000000Z"}}
    assert (row(NEW_API, series)["Last Seen"], row(NEW_API, series)["Count"]) == ("10s", 7)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        (
            {"involvedObject": {"kind": "Pod", "namespace": "other"}},
            ['Invalid involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
        ),
        ({"involvedObject": {"kind": "Node", "name": "n1"}}, []),
        (
            {"eventTime": "2023-11-14T22:08:20.000000Z", "reportingComponent": "x", "reportingInstance": "y"},
            ["Required action: Required value"],
        ),
    ],
)
def test_core_rules(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(CORE, CORE_EVENT | change) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"eventTime": ""}, ["Required eventTime: Required value"]),
        ({"type": "Odd"}, ['Invalid type: Invalid value: "": has invalid value: Odd']),
        ({"deprecatedCount": 2}, ['Invalid count: Invalid value: "": needs to be unset']),
        ({"note": "x" * 1025}, ['Invalid message: Invalid value: "": can have at most 1024 characters']),
        (
            {"series": {"count": 1}},
            [
                'Invalid series.count: Invalid value: "": should be at least 2',
                "Required series.lastObservedTime: Required value",
            ],
        ),
    ],
)
def test_rules_of_the_new_api(change: dict[str, Any], expected: list[str]) -> None:
    assert create_errors(NEW_API, NEW_EVENT | change) == expected


def test_only_the_series_of_an_event_changes() -> None:
    series = {"count": 2, "lastObservedTime": "2023-11-14T22:13:10.000000Z"}
    assert update_errors(NEW_API, NEW_EVENT, {"series": series}) == []
    reason = 'Invalid reason: Invalid value: "Other": field is immutable'
    assert update_errors(NEW_API, NEW_EVENT, {"reason": "Other"}) == [reason, reason]


def test_events_are_found_by_their_object_and_vanish_after_an_hour() -> None:
    assert CORE.selectable["involvedObject.name"](CORE_EVENT) == "web"
    assert CORE.selectable["source"](CORE_EVENT) == "kubelet"
    assert NEW_API.selectable["regarding.kind"](NEW_EVENT) == "Pod"
    assert NEW_API.selectable["reportingController"](to_core(NEW_EVENT)) == "default-scheduler"
    assert CORE.ttl_seconds == 3600
