"""HorizontalPodAutoscaler between autoscaling/v1 and v2: what v1 has no field for stands in its annotations."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.api.groups.autoscaling.horizontalpodautoscaler import V1, V2
from sampan.api.groups.autoscaling.hpa_conversion import (
    BEHAVIOR,
    CONDITIONS,
    CURRENT_METRICS,
    METRICS,
    to_v1,
    to_v2,
)
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, status_errors, update_errors
from tests.unit.groups.test_horizontalpodautoscaler import CONTAINER, CPU, EXTERNAL, MINIMAL, OBJECT, PODS, UP_POLICIES

IN_V1 = merged(MINIMAL, {"spec": {"targetCPUUtilizationPercentage": 70}})
CONDITION = {"type": "AbleToScale", "status": "True", "lastTransitionTime": "2023-11-14T22:08:20Z", "reason": "R"}


def annotation(tree: Tree, key: str) -> Any:
    return json.loads(tree["metadata"]["annotations"][key])


def test_a_minimal_one_in_v1() -> None:
    assert created(V1, merged(MINIMAL, {"spec": {"minReplicas": 2}})) == {
        "apiVersion": "autoscaling/v1",
        "metadata": MINIMAL["metadata"],
        "spec": MINIMAL["spec"] | {"minReplicas": 2, "targetCPUUtilizationPercentage": 80},
        "status": {"currentReplicas": 0, "desiredReplicas": 0},
    }


def test_the_utilization_of_cpu_is_a_metric_in_v2() -> None:
    stored = to_v2(created(V1, IN_V1))
    assert stored["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    ]
    assert (stored["apiVersion"], stored["status"]) == ("autoscaling/v2", {"desiredReplicas": 0})
    assert to_v1(stored)["spec"]["targetCPUUtilizationPercentage"] == 70


def test_other_metrics_stand_in_an_annotation_as_v1_would_have_them() -> None:
    shown = to_v1(merged(MINIMAL, {"spec": {"metrics": [CPU, EXTERNAL, PODS, OBJECT, CONTAINER]}}))
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 80
    assert annotation(shown, METRICS) == [
        {"type": "External", "external": {"metricName": "queue", "targetAverageValue": "5"}},
        {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "100m"}},
        {"type": "Object", "object": {
            "target": {"kind": "Ingress", "name": "i"}, "metricName": "rps", "targetValue": "2k",
        }},
        {"type": "ContainerResource", "containerResource": {
            "name": "memory", "targetAverageUtilization": 50, "container": "app",
        }},
    ]  # fmt: skip


def test_the_status_stands_in_annotations() -> None:
    current = {"averageUtilization": 30, "averageValue": "300m"}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
    status = {"currentReplicas": 2, "desiredReplicas": 3, "currentMetrics": metrics, "conditions": [CONDITION]}
    shown = to_v1(created(V2, MINIMAL) | {"status": status})
    assert shown["status"] == {"currentReplicas": 2, "desiredReplicas": 3, "currentCPUUtilizationPercentage": 30}
    assert annotation(shown, CURRENT_METRICS) == [
        {"type": "Resource", "resource": {
            "name": "cpu", "currentAverageUtilization": 30, "currentAverageValue": "300m",
        }}
    ]  # fmt: skip
    assert annotation(shown, CONDITIONS) == [CONDITION]
    assert to_v2(shown)["status"] == status


def test_the_behavior_is_written_as_upstreams_internal_type() -> None:
    behavior = {"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": UP_POLICIES[:1]}}
    shown = to_v1(merged(MINIMAL, {"spec": {"behavior": behavior}}))
    assert shown["metadata"]["annotations"][BEHAVIOR] == (
        '{"ScaleUp":{"StabilizationWindowSeconds":0,"SelectPolicy":"Max",'
        '"Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":15}],"Tolerance":null},"ScaleDown":null}'
    )
    assert to_v2(shown)["spec"]["behavior"] == behavior


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"type":3}]', '{"a":1}', '[{"object":"x"}]', "null", '[{"resource":[]}]'])
def test_annotations_that_hold_something_else_are_dropped(text: str) -> None:
    annotations = dict.fromkeys((METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR), text) | {"mine": "stays"}
    stored = to_v2(merged(IN_V1, {"metadata": {"annotations": annotations}}))
    assert stored["metadata"]["annotations"] == {"mine": "stays"}
    assert len(stored["spec"]["metrics"]) == 1 and "behavior" not in stored["spec"]


def test_rules_are_those_of_v2_in_either_form() -> None:
    assert create_errors(V1, IN_V1) == []
    assert create_errors(V1, merged(IN_V1, {"spec": {"maxReplicas": 0, "targetCPUUtilizationPercentage": -1}})) == [
        "Invalid spec.maxReplicas: Invalid value: 0: must be greater than 0",
        "Invalid spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        "Invalid spec.metrics[0].resource.target.averageUtilization: Invalid value: -1: must be greater than 0",
    ]
    assert update_errors(V1, IN_V1, {"spec": {"minReplicas": 9}}) == [
        "Invalid spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`"
    ]
    assert status_errors(V1, IN_V1, {}, {"currentReplicas": -1, "desiredReplicas": 0}) == [
        "Invalid status.currentReplicas: Invalid value: -1: must be greater than or equal to 0"
    ]


def test_an_update_in_v1_keeps_the_whole_status() -> None:
    stored = created(V2, MINIMAL) | {"status": {"desiredReplicas": 3, "conditions": [CONDITION]}}
    old = to_v1(stored)
    new = merged(copy.deepcopy(old), {"spec": {"maxReplicas": 9}, "metadata": {"annotations": None}, "status": None})
    V1.strategy.prepare_update(new, old)
    assert to_v2(new)["status"] == stored["status"]
    assert to_v2(new)["spec"]["maxReplicas"] == 9
    new = merged(copy.deepcopy(old), {"spec": {"maxReplicas": 9}, "status": {"desiredReplicas": 4}})
    V1.strategy.prepare_status(new, old)
    assert (new["spec"], new["status"]["desiredReplicas"]) == (old["spec"], 4)


def test_metadata_stay_the_same_object_while_they_are_rewritten() -> None:
    tree = copy.deepcopy(IN_V1)
    meta = tree["metadata"]
    V1.default(tree)
    V1.strategy.prepare_create(tree)
    assert tree["metadata"] is meta


def test_its_table_in_v1_shows_all_metrics() -> None:
    tree = to_v1(merged(created(V2, MINIMAL), {"spec": {"metrics": [PODS, CPU]}}))
    assert row(V1, tree)["Targets"] == "<unknown>/100m, cpu: <unknown>/80%"
    assert V1.stored_as == (V2.group, V2.version, V2.plural)


NAMES = st.sampled_from(["queue", "hits", "rps"])
AMOUNTS = st.sampled_from(["1", "100m", "2k", "1Gi"])
SELECTORS = st.sampled_from([None, {"matchLabels": {"a": "b"}}])
LEVELS = st.integers(1, 100)


def named(name: str, selector: Tree | None) -> Tree:
    return {"name": name} | ({"selector": selector} if selector else {})


def sources(name: str, container: str) -> st.SearchStrategy[Tree]:
    """Metrics by resource: of all but CPU's utilization, which v1 has a field for."""
    by_level = LEVELS.map(lambda level: {"type": "Utilization", "averageUtilization": level})
    by_amount = AMOUNTS.map(lambda amount: {"type": "AverageValue", "averageValue": amount})
    type_ = "ContainerResource" if container else "Resource"
    more = {"container": container} if container else {}
    targets = by_amount if name == "cpu" and not container else by_level | by_amount
    field = type_[:1].lower() + type_[1:]
    return targets.map(lambda target: {"type": type_, field: {"name": name, "target": target, **more}})


def external(name: str, selector: Tree | None, amount: str, average: bool) -> Tree:
    target = {"type": "AverageValue", "averageValue": amount} if average else {"type": "Value", "value": amount}
    return {"type": "External", "external": {"metric": named(name, selector), "target": target}}


def pods(name: str, selector: Tree | None, amount: str) -> Tree:
    target = {"type": "AverageValue", "averageValue": amount}
    return {"type": "Pods", "pods": {"metric": named(name, selector), "target": target}}


METRICS_OF_V2 = st.one_of(
    sources("memory", ""),
    sources("cpu", ""),
    sources("cpu", "app"),
    st.builds(external, NAMES, SELECTORS, AMOUNTS, st.booleans()),
    st.builds(pods, NAMES, SELECTORS, AMOUNTS),
)
RULES = st.fixed_dictionaries(
    {"selectPolicy": st.sampled_from(["Max", "Min", "Disabled"]), "policies": st.just(UP_POLICIES)},
    optional={"stabilizationWindowSeconds": st.integers(0, 3600)},
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(METRICS_OF_V2, max_size=4),
    st.none() | LEVELS,
    st.none() | st.fixed_dictionaries({"scaleUp": RULES}, optional={"scaleDown": RULES}),
    st.lists(st.just(CONDITION), max_size=1),
)
def test_nothing_is_lost_on_the_way_through_v1(
    others: list[Tree], level: int | None, behavior: Tree | None, conditions: list[Tree]
) -> None:
    cpu = [merged(CPU, {"resource": {"target": {"averageUtilization": level}}})] if level else []
    spec: Tree = {"metrics": others + cpu} | ({"behavior": behavior} if behavior else {})
    status: Tree = {"desiredReplicas": 2} | ({"conditions": conditions} if conditions else {})
    stored = merged(created(V2, MINIMAL), {"spec": spec}) | {"status": status, "apiVersion": "autoscaling/v2"}
    if not spec["metrics"]:
        stored["spec"]["metrics"] = [CPU]
    # v1's field holds the utilization of CPU where that is the first metric of the CPU, as upstream's does.
    first_of_cpu = next((m for m in stored["spec"]["metrics"] if m.get("resource", {}).get("name") == "cpu"), None)
    shown = to_v1(copy.deepcopy(stored))
    back = to_v2(copy.deepcopy(shown))
    if level and first_of_cpu != cpu[0]:
        stored["spec"]["metrics"] = others
    assert back == stored
    assert to_v1(back) == to_v1(copy.deepcopy(stored))
