"""HorizontalPodAutoscaler in the form of autoscaling/v2: defaults, rules, table. Conversions have a file of their own."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.groups.autoscaling.horizontalpodautoscaler import V2
from sampan.api.resource import Tree
from tests.unit.groups.kinds import create_errors, created, merged, row, shown, status_errors

MINIMAL: Tree = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
UP_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
DOWN_POLICIES = UP_POLICIES[1:]


def metric(type_: str, **source: Any) -> Tree:
    return {"type": type_, type_[:1].lower() + type_[1:]: source}


def target(type_: str = "AverageValue", **amounts: Any) -> Tree:
    return {"type": type_, **amounts}


EXTERNAL = metric("External", metric={"name": "queue"}, target=target(averageValue="5"))
PODS = metric("Pods", metric={"name": "hits"}, target=target(averageValue="100m"))
OBJECT = metric(
    "Object", describedObject={"kind": "Ingress", "name": "i"}, metric={"name": "rps"}, target=target("Value", value="2k")
)
CONTAINER = metric("ContainerResource", name="memory", container="app", target=target("Utilization", averageUtilization=50))


def test_a_minimal_autoscaler_is_filled_in() -> None:
    assert created(V2, MINIMAL | {"status": {"currentReplicas": 3}}) == {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": MINIMAL["spec"] | {"minReplicas": 1, "metrics": [CPU]},
        "status": {"desiredReplicas": 0},
    }


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        ({}, {"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": UP_POLICIES},
              "scaleDown": {"selectPolicy": "Max", "policies": DOWN_POLICIES}}),
        ({"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled", "tolerance": "100m"}},
         {"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": UP_POLICIES},
          "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled", "policies": DOWN_POLICIES}}),
        ({"scaleUp": {"policies": DOWN_POLICIES}},
         {"scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": DOWN_POLICIES},
          "scaleDown": {"selectPolicy": "Max", "policies": DOWN_POLICIES}}),
    ],
)  # fmt: skip
def test_a_behavior_is_completed(behavior: Tree, expected: Tree) -> None:
    assert created(V2, merged(MINIMAL, {"spec": {"behavior": behavior}}))["spec"]["behavior"] == expected


M = "spec.metrics[0]"
RULES = "spec.behavior.scaleUp"
TYPES = '"ContainerResource", "External", "Object", "Pods", "Resource"'


def rules(**rules: Any) -> Tree:
    return {"behavior": {"scaleUp": rules}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"metrics": [EXTERNAL, PODS, OBJECT, CONTAINER, CPU]}, []),
        ({"minReplicas": 0}, ["Invalid spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
                              "Forbidden spec.metrics: Forbidden: must specify at least one Object or External metric to "
                              "support scaling to zero replicas"]),
        ({"maxReplicas": None}, ["Invalid spec.maxReplicas: Invalid value: 0: must be greater than 0",
                                 "Invalid spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"]),
        ({"minReplicas": 6}, ["Invalid spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`"]),
        ({"scaleTargetRef": {"kind": None, "name": "a/b"}},
         ["Required spec.scaleTargetRef.kind: Required value",
          'Invalid spec.scaleTargetRef.name: Invalid value: "a/b": may not contain \'/\'']),
        ({"metrics": [{}]}, [f"Required {M}.type: Required value: must specify a metric source type",
                             f'NotSupported {M}.type: Unsupported value: "": supported values: {TYPES}',
                             f'NotSupported {M}.type: Unsupported value: "": supported values: {TYPES}']),
        ({"metrics": [{"type": "Pods"}]},
         [f"Required {M}.pods: Required value: must populate information for the given metric source"]),
        ({"metrics": [PODS | {"resource": CPU["resource"]}]},
         [f"Forbidden {M}.resource: Forbidden: must populate the given metric source only"]),
        ({"metrics": [metric("Resource", target=target("Utilization"))]},
         [f"Required {M}.resource.name: Required value: must specify a resource name",
          f"Required {M}.resource.target.averageUtilization: Required value: "
          "must set either a target raw value or a target utilization"]),
        ({"metrics": [metric("Resource", name="cpu", target=target(averageUtilization=0, averageValue="0"))]},
         [f'Invalid {M}.resource.target.averageValue: Invalid value: "0": must be positive',
          f"Invalid {M}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
          f"Forbidden {M}.resource.target.averageValue: Forbidden: "
          "may not set both a target raw value and a target utilization"]),
        ({"metrics": [metric("Pods", metric={}, target={"type": "Many"})]},
         [f"Required {M}.pods.metric.name: Required value: must specify a metric name",
          f'Invalid {M}.pods.target.type: Invalid value: "Many": must be either Utilization, Value, or AverageValue',
          f"Required {M}.pods.target.averageValue: Required value: must specify a positive target averageValue"]),
        ({"metrics": [metric("External", metric={"name": "a"}, target=target(value="1", averageValue="1"))]},
         [f"Forbidden {M}.external.target.value: Forbidden: "
          "may not set both a target value for metric and a per-pod target"]),
        ({"metrics": [metric("External", metric={"name": "a"}, target={})]},
         [f"Required {M}.external.target.type: Required value: must specify a metric target type",
          f'Invalid {M}.external.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue',
          f"Required {M}.external.target.averageValue: Required value: "
          "must set either a target value for metric or a per-pod target"]),
        ({"metrics": [metric("Object", describedObject={"kind": "K"}, metric={"name": "a"}, target=target())]},
         [f"Required {M}.object.describedObject.name: Required value",
          f"Required {M}.object.target.averageValue: Required value: must set either a target value or averageValue"]),
        ({"metrics": [metric("ContainerResource", name="disk", target=target(averageValue="1"))]},
         [f'Invalid {M}.containerResource.name: Invalid value: "disk": must be a standard resource type or fully qualified',
          f'Invalid {M}.containerResource.name: Invalid value: "disk": must be a standard resource for containers',
          f"Required {M}.containerResource.container: Required value: must specify a container"]),
        ({"metrics": [metric("ContainerResource", name="requests.a/b", container="c", target=target(averageValue="1"))]},
         [f'Invalid {M}.containerResource.name: Invalid value: "requests.a/b": '
          "doesn't follow extended resource name standard"]),
        (rules(stabilizationWindowSeconds=3601, selectPolicy="Some", policies=[]),
         [f"Invalid {RULES}.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
          f'NotSupported {RULES}.selectPolicy: Unsupported value: "Some": supported values: "Disabled", "Max", "Min"',
          f"Required {RULES}.policies: Required value: must specify at least one Policy"]),
        (rules(stabilizationWindowSeconds=-1, policies=[{"type": "Nodes", "value": 0, "periodSeconds": 0}]),
         [f"Invalid {RULES}.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero",
          f'NotSupported {RULES}.policies[0].type: Unsupported value: "Nodes": supported values: "Percent", "Pods"',
          f"Invalid {RULES}.policies[0].value: Invalid value: 0: must be greater than zero",
          f"Invalid {RULES}.policies[0].periodSeconds: Invalid value: 0: must be greater than zero"]),
        (rules(policies=[{"type": "Pods", "value": 1, "periodSeconds": 1801}]),
         [f"Invalid {RULES}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800"]),
    ],
)  # fmt: skip
def test_rules_of_an_autoscaler(spec: Tree, expected: list[str]) -> None:
    assert create_errors(V2, merged(MINIMAL, {"spec": spec})) == expected


def test_who_scales_to_zero_already_may_go_on() -> None:
    judge = V2.strategy.validate_change
    assert judge is not None
    zero = created(V2, merged(MINIMAL, {"spec": {"minReplicas": 0, "metrics": [EXTERNAL]}}))
    one = created(V2, merged(MINIMAL, {"spec": {"metrics": [EXTERNAL]}}))
    assert judge(zero, zero) == []
    assert shown(judge(zero, one)) == ["Invalid spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"]


def test_rules_of_its_status() -> None:
    assert status_errors(V2, MINIMAL, {}, {"currentReplicas": 1, "desiredReplicas": 2}) == []
    assert status_errors(V2, MINIMAL, {}, {"currentReplicas": -1, "desiredReplicas": -2}) == [
        "Invalid status.currentReplicas: Invalid value: -1: must be greater than or equal to 0",
        "Invalid status.desiredReplicas: Invalid value: -2: must be greater than or equal to 0",
    ]


def current(type_: str, **current: Any) -> Tree:
    return {"type": type_, type_[:1].lower() + type_[1:]: {"current": current}}


@pytest.mark.parametrize(
    ("metrics", "statuses", "expected"),
    [
        ([CPU], [], "cpu: <unknown>/80%"),
        ([CPU], [current("Resource", averageUtilization=30, averageValue="30m")], "cpu: 30%/80%"),
        ([metric("Resource", name="memory", target=target(averageValue="1Gi"))], [current("Resource", averageValue="500Mi")],
         "memory: 500Mi/1Gi"),
        ([PODS], [], "<unknown>/100m"),
        ([OBJECT, EXTERNAL], [current("Object", value="1k"), current("External", averageValue="3")], "1k/2k, 3/5 (avg)"),
        ([CONTAINER, PODS, CPU, OBJECT], [], "memory: <unknown>/50%, <unknown>/100m + 2 more..."),
        ([{"type": "Odd"}], [], "<unknown type>"),
        ([], [], "<none>"),
    ],
)  # fmt: skip
def test_what_it_is_and_shall_be(metrics: list[Tree], statuses: list[Tree], expected: str) -> None:
    tree = merged(created(V2, MINIMAL), {"spec": {"metrics": metrics}, "status": {"currentMetrics": statuses}})
    assert row(V2, tree)["Targets"] == expected


def test_its_table() -> None:
    tree = merged(created(V2, MINIMAL), {"status": {"currentReplicas": 2}})
    assert row(V2, tree) == {
        "Name": "web", "Reference": "Deployment/web", "Targets": "cpu: <unknown>/80%", "MinPods": "1", "MaxPods": 5,
        "Replicas": 2, "Age": "5m",
    }  # fmt: skip
    assert (V2.short, V2.categories) == (("hpa",), ("all",))
