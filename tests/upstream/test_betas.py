"""Kinds that the reference has only as betas: whole objects, their Tables, what their writers may touch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.component.conftest import Answer
from tests.fuzz.arena import path_of
from tests.samples import sample
from tests.unit.groups.kinds import merged
from tests.upstream.betas import BETAS
from tests.upstream.pair import Each, Pair
from tests.upstream.test_machinery import APPLY, AT_ONCE, JSON_PATCH, MERGE, STRATEGIC, TABLE

Tree = dict[str, Any]
KINDS = {resource.kind: resource for resource in builtin() if (resource.group, resource.version, resource.plural) in BETAS}
TIME = "2024-05-06T07:08:09Z"
CONDITION = {"type": "A", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": TIME}
POLICY = {"type": "Pods", "value": 1, "periodSeconds": 2}
METRICS: list[Tree] = [
    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1024Mi"}}},
    {
        "type": "Pods",
        "pods": {
            "metric": {"name": "p", "selector": {"matchLabels": {"a": "b"}}},
            "target": {"type": "AverageValue", "averageValue": "1500m"},
        },
    },
    {
        "type": "Object",
        "object": {
            "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "s"},
            "metric": {"name": "o"},
            "target": {"type": "Value", "value": "0.5"},
        },
    },
    {
        "type": "External",
        "external": {
            "metric": {"name": "e", "selector": {"matchExpressions": [{"key": "k", "operator": "Exists"}]}},
            "target": {"type": "AverageValue", "averageValue": "2"},
        },
    },
    {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": {
        "type": "Utilization", "averageUtilization": 50}}},
]  # fmt: skip


class Row(NamedTuple):
    full: Tree
    """Laid over the sample."""
    changes: tuple[Tree, ...]
    statuses: tuple[Any, ...] = ()


ROWS = {
    "CronJob": Row(
        {
            "spec": {
                "schedule": "@hourly",
                "startingDeadlineSeconds": 10,
                "concurrencyPolicy": "Forbid",
                "suspend": True,
                "successfulJobsHistoryLimit": 0,
                "failedJobsHistoryLimit": 2,
                "jobTemplate": {
                    "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
                    "spec": {"parallelism": 2, "completions": 3, "activeDeadlineSeconds": 9, "ttlSecondsAfterFinished": 5},
                },
            }
        },
        (
            {"spec": {"schedule": "0 0 * * 0"}},
            {"spec": {"concurrencyPolicy": "Replace", "suspend": False}},
            {"spec": {"concurrencyPolicy": "Sometimes", "startingDeadlineSeconds": -1, "failedJobsHistoryLimit": -1}},
            {"spec": {"jobTemplate": {"spec": {"parallelism": 5, "template": {"spec": {"restartPolicy": "OnFailure"}}}}}},
            {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}}},
            {"spec": {"jobTemplate": {"spec": {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}}}}},
            {"spec": {"startingDeadlineSeconds": None, "successfulJobsHistoryLimit": None}},
        ),
        (
            {"lastScheduleTime": TIME},
            {"active": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "namespace": "default", "uid": "u"}]},
            None,
        ),
    ),
    "PodDisruptionBudget": Row(
        {"spec": {"minAvailable": None, "maxUnavailable": "30%", "selector": {"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "k", "operator": "In", "values": ["v"]}]}}},
        (
            {"spec": {"maxUnavailable": 2}},
            {"spec": {"minAvailable": 1}},
            {"spec": {"maxUnavailable": "101%"}},
            {"spec": {"maxUnavailable": -1}},
            {"spec": {"maxUnavailable": "x"}},
            {"spec": {"selector": {"matchLabels": {"x": "y"}, "matchExpressions": None}}},
            {"spec": {"selector": None}},
            {"spec": {"maxUnavailable": None, "minAvailable": "0%"}},
            {"spec": {"maxUnavailable": None, "minAvailable": None}},
        ),
        (
            {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2, "observedGeneration": 1},
            {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "disruptedPods": {"p": TIME}},
            {"disruptionsAllowed": -1, "currentHealthy": -1, "desiredHealthy": -1, "expectedPods": -1},
            {},
        ),
    ),
    "EndpointSlice": Row(
        {
            "metadata": {"labels": {"kubernetes.io/service-name": "s"}},
            "endpoints": [
                {
                    "addresses": ["10.1.2.3", "10.1.2.4"],
                    "conditions": {"ready": True, "serving": True, "terminating": False},
                    "hostname": "h",
                    "nodeName": "n",
                    "targetRef": {"kind": "Pod", "name": "p", "namespace": "default"},
                },
                {"addresses": ["10.1.2.5"], "conditions": {"ready": False}},
            ],
            "ports": [
                {"name": "a", "port": 80, "appProtocol": "http"},
                {"name": "b", "port": 53, "protocol": "UDP"},
                {"name": "c"},
            ],
        },
        (
            {"endpoints": [{"addresses": ["10.1.2.3"]}]},
            {"endpoints": [{"addresses": []}, {}]},
            {"endpoints": [{"addresses": ["fd00::1", "x", "10.1.2.300"], "hostname": "A_", "nodeName": "A_"}]},
            {"addressType": "IPv6"},
            {"addressType": "Other"},
            {"ports": [{"port": 1}, {"port": 2}]},
            {"ports": [{"name": "A_", "protocol": "X", "appProtocol": "a b"}]},
            {"ports": [{"name": "n", "port": 70000}]},
            {"metadata": {"labels": {"x": "y"}}},
            {"metadata": {"annotations": {"x": "y"}}},
            {"ports": [], "endpoints": []},
        ),
    ),
    "HorizontalPodAutoscaler": Row(
        {
            "spec": {
                "minReplicas": 2,
                "metrics": METRICS,
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 5, "policies": [POLICY]},
                    "scaleDown": {"selectPolicy": "Disabled"},
                },
            }
        },
        (
            {"spec": {"maxReplicas": 9}},
            {"spec": {"maxReplicas": 1}},
            {"spec": {"minReplicas": 0}},
            {"spec": {"minReplicas": None}},
            {"spec": {"metrics": METRICS[:2]}},
            {"spec": {"metrics": []}},
            {"spec": {"metrics": [{"type": "Pods"}, {"type": "X"}, {}]}},
            {"spec": {"metrics": [METRICS[0] | {"type": "Pods"}]}},
            {"spec": {"behavior": None}},
            {"spec": {"behavior": {"scaleUp": {"policies": [], "selectPolicy": "X"}}}},
            {"spec": {"scaleTargetRef": {"kind": "a/b", "name": "", "apiVersion": "x"}}},
        ),
        (
            {"currentReplicas": 2, "desiredReplicas": 3, "observedGeneration": 1, "lastScaleTime": TIME},
            {
                "currentReplicas": 2,
                "desiredReplicas": 3,
                "conditions": [{"type": "AbleToScale", "status": "True", "lastTransitionTime": TIME}],
                "currentMetrics": [{"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "5Mi"}}}],
            },
            {"currentReplicas": -2, "desiredReplicas": -3},
        ),
    ),
    "FlowSchema": Row(
        {
            "spec": {
                "matchingPrecedence": 17,
                "distinguisherMethod": {"type": "ByNamespace"},
                "rules": [
                    {
                        "subjects": [
                            {"kind": "Group", "group": {"name": "g"}},
                            {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "default"}},
                        ],
                        "resourceRules": [
                            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], "namespaces": ["a"]},
                            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True},
                        ],
                        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["/a/*"]}],
                    }
                ],
            }
        },
        (
            {"spec": {"matchingPrecedence": 10001}},
            {"spec": {"matchingPrecedence": 1}},
            {"spec": {"distinguisherMethod": {"type": "X"}}},
            {"spec": {"distinguisherMethod": None}},
            {"spec": {"priorityLevelConfiguration": {"name": ""}}},
            {"spec": {"rules": [{"subjects": [{"kind": "User", "group": {"name": "g"}}], "nonResourceRules": []}]}},
            {"spec": {"rules": None}},
        ),
        ({"conditions": [CONDITION]}, {"conditions": [{"type": "A"}, {"type": "A"}]}),
    ),
    "PriorityLevelConfiguration": Row(
        {
            "spec": {
                "limited": {
                    "nominalConcurrencyShares": 7,
                    "limitResponse": {"type": "Queue", "queuing": {"queues": 4, "handSize": 2, "queueLengthLimit": 3}},
                }
            }
        },
        (
            {"spec": {"limited": {"nominalConcurrencyShares": 8}}},
            {"spec": {"limited": {"limitResponse": {"queuing": {"handSize": 9}}}}},
            {"spec": {"limited": {"limitResponse": {"queuing": {"queues": 0, "handSize": 0, "queueLengthLimit": 0}}}}},
            {"spec": {"limited": {"limitResponse": {"queuing": {"queues": -1, "handSize": -1, "queueLengthLimit": -1}}}}},
            {"spec": {"limited": {"limitResponse": {"type": "Reject"}}}},
            {"spec": {"limited": {"limitResponse": {"type": "X"}}}},
            {"spec": {"type": "Exempt"}},
            {"spec": {"type": "X"}},
            {"spec": {"limited": None}},
        ),
        ({"conditions": [CONDITION]}, {"conditions": [{"type": "A"}, {"type": "A"}]}),
    ),
    "CSIStorageCapacity": Row(
        {"nodeTopology": {"matchLabels": {"zone": "a"}}, "capacity": "1024Mi"},
        (
            {"capacity": "2Gi"},
            {"capacity": None},
            {"capacity": "-1"},
            {"storageClassName": "other"},
            {"nodeTopology": {"matchLabels": {"zone": "b"}}},
        ),
    ),
}  # fmt: skip


@pytest.fixture(params=ROWS)
def kind(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Resource]:
    resource = KINDS[request.param]
    assert pair.has(resource)
    yield resource
    pair.both("DELETE", path_of(resource, "sample"), AT_ONCE)


def full(kind: Resource) -> Tree:
    return merged(sample(kind), ROWS[kind.kind].full)


def made(pair: Pair, kind: Resource) -> Each:
    return Each(*(answer.tree for answer in pair.ask("POST", path_of(kind) + "?fieldManager=m", full(kind))))


def counted(before: Each, after: tuple[Answer, Answer]) -> tuple[int, ...]:
    """By how much each generation grew."""
    pairs = zip((before.theirs, before.ours), (answer.tree for answer in after), strict=True)
    return tuple(new["metadata"].get("generation", 0) - old["metadata"].get("generation", 0) for old, new in pairs)


def put(pair: Pair, kind: Resource, change: Tree, *, part: str = "") -> None:
    """A change of what is stored, of which is compared, too, whether the generation counts it."""
    one, note = path_of(kind, "sample"), json.dumps(change)
    before = Each(*(answer.tree for answer in pair.both("GET", one)))
    change = merged({"metadata": {"resourceVersion": None}}, change)
    pair.ask("PUT", one + part + "?fieldManager=m", Each(*(merged(tree, change) for tree in before)), note=note)
    pair.compare(f"generation of {kind.kind}", *counted(before, pair.both("GET", one)), note=note)


def test_whole_objects_and_their_tables(pair: Pair, kind: Resource) -> None:
    one = path_of(kind, "sample")
    pair.ask("POST", path_of(kind) + "?fieldManager=m&dryRun=All", {**full(kind), "status": {"observedGeneration": 4}})
    made(pair, kind)
    for query in ("", "?includeObject=None", "?includeObject=Object", "?includeObject=x"):
        pair.ask("GET", one + query, accept=TABLE)
    pair.ask("GET", path_of(kind) + "?fieldSelector=metadata.name=sample", accept=TABLE)
    for selector in (
        "metadata.name=sample",
        "metadata.namespace=default",
        "spec.suspend=true",
        "status.phase=x",
        "spec.type=Limited",
    ):
        pair.ask("GET", f"{path_of(kind)}?fieldSelector={selector}&limit=1", accept=TABLE + ",application/json")
    for part in ("scale", "status", "eviction", "log"):
        pair.ask("GET", f"{one}/{part}")
    pair.agree()


def test_what_an_update_may_touch(pair: Pair, kind: Resource) -> None:
    first = made(pair, kind)
    for change in ({"metadata": {"labels": {"l": "m"}}}, {"status": {"observedGeneration": 5}}, *ROWS[kind.kind].changes):
        put(pair, kind, change)
        pair.both(
            "PUT", path_of(kind, "sample"), Each(*(merged(tree, {"metadata": {"resourceVersion": None}}) for tree in first))
        )
    pair.agree()


def test_what_an_update_of_the_status_may_touch(pair: Pair, kind: Resource) -> None:
    one = path_of(kind, "sample")
    made(pair, kind)
    for status in (*ROWS[kind.kind].statuses, {"odd": 1}, "x"):
        change = {"metadata": {"labels": {"l": "m"}}, "status": status}
        put(pair, kind, merged(ROWS[kind.kind].changes[0], change), part="/status")
        pair.ask("GET", one, accept=TABLE, note=json.dumps(status))
    pair.ask("PATCH", one + "/status?fieldManager=s", {"metadata": {"labels": {"n": "o"}}, "status": {}}, content_type=MERGE)
    pair.agree()


def test_patches(pair: Pair, kind: Resource) -> None:
    one = path_of(kind, "sample")
    made(pair, kind)
    for change in ROWS[kind.kind].changes:
        for content_type in (MERGE, STRATEGIC):
            pair.ask("PATCH", one + "?dryRun=All&fieldManager=m", change, content_type=content_type)
    operations = [{"op": "test", "path": "/metadata/name", "value": "sample"}, {"op": "remove", "path": "/metadata/labels"}]
    for count in (1, 2):
        pair.ask("PATCH", one + "?dryRun=All&fieldManager=m", operations[:count], content_type=JSON_PATCH)
    pair.agree()


def test_applies(pair: Pair, kind: Resource) -> None:
    one = path_of(kind, "sample")
    for change in ({}, *ROWS[kind.kind].changes):
        pair.ask("PATCH", one + "?fieldManager=a&force=true", merged(full(kind), change), content_type=APPLY)
    pair.ask("PATCH", one + "?fieldManager=b", merged(full(kind), ROWS[kind.kind].changes[0]), content_type=APPLY)
    pair.agree()
