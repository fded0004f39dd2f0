"""HorizontalPodAutoscaler between autoscaling/v1 and v2, which is stored.

After pkg/apis/autoscaling/v1/conversion.go. v1 knows one metric, the utilization of CPU; everything else that an object says
stands there in annotations, in the form that the metrics of v1's days had.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sampan.api.quantity import QuantityError
from sampan.api.resource import Tree
from sampan.api.schema import schema_of

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
DEFAULT_UTILIZATION = 80
_ANNOTATIONS = (METRICS, BEHAVIOR, CURRENT_METRICS, CONDITIONS)
_DEFINITION = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"

_SAME_IN_SPEC = ("scaleTargetRef", "minReplicas", "maxReplicas")
_CONDITION = ("type", "status", "lastTransitionTime", "reason", "message")
_SAME_IN_STATUS = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")


def default_metrics() -> list[Tree]:
    """What is scaled by if nobody says: 80 % of the CPU requested."""
    return [_cpu_metric(DEFAULT_UTILIZATION)]


def _cpu_metric(utilization: int) -> Tree:
    target = {"type": "Utilization", "averageUtilization": utilization}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def to_v2(tree: Tree) -> Tree:
    """The stored form of an autoscaling/v1 object. Annotations that do not hold what they should are dropped."""
    spec, status, meta = tree.get("spec", {}), tree.get("status", {}), dict(tree.get("metadata", {}))
    annotations: dict[str, str] = meta.get("annotations", {})
    shown = tree | {"apiVersion": "autoscaling/v2", "metadata": meta}
    shown["spec"] = _picked(spec, _SAME_IN_SPEC)
    metrics = _admitted(annotations, METRICS, "metrics", _spec_to_v2) or []
    if (utilization := spec.get("targetCPUUtilizationPercentage")) is not None:
        metrics = [*metrics, _cpu_metric(utilization)]
    shown["spec"]["metrics"] = metrics or default_metrics()
    if behavior := _behavior_of(annotations):
        shown["spec"]["behavior"] = behavior
    fresh = _picked(status, _SAME_IN_STATUS)
    if not fresh.get("currentReplicas"):
        fresh.pop("currentReplicas", None)  # none is not written in v2
    current = _admitted(annotations, CURRENT_METRICS, "currentMetrics", _status_to_v2)
    if current is None and (utilization := status.get("currentCPUUtilizationPercentage")) is not None:
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": utilization}}}]
    if current:
        fresh["currentMetrics"] = current
    if conditions := _admitted(annotations, CONDITIONS, "conditions", dict):
        fresh["conditions"] = conditions
    if "status" in tree or fresh:
        shown["status"] = fresh
    _set_annotations(meta, {key: value for key, value in annotations.items() if key not in _ANNOTATIONS})
    return shown


def to_v1(tree: Tree) -> Tree:
    """A stored object as autoscaling/v1 shows it."""
    spec, status, meta = tree.get("spec", {}), tree.get("status", {}), dict(tree.get("metadata", {}))
    shown = tree | {"apiVersion": "autoscaling/v1", "metadata": meta}
    shown["spec"] = _picked(spec, _SAME_IN_SPEC)
    annotations = {key: value for key, value in meta.get("annotations", {}).items() if key not in _ANNOTATIONS}
    others = [metric for metric in spec.get("metrics", ()) if _cpu_utilization(metric, "target") is None]
    of_cpu = [_cpu_utilization(metric, "target") for metric in spec.get("metrics", ()) if _is_cpu(metric)]
    if of_cpu and of_cpu[0] is not None:
        shown["spec"]["targetCPUUtilizationPercentage"] = of_cpu[0]
    if others:
        annotations[METRICS] = _go_json([_spec_to_v1(metric) for metric in others])
    if behavior := spec.get("behavior"):
        annotations[BEHAVIOR] = _go_json(_internal_behavior(behavior))
    fresh = _picked(status, _SAME_IN_STATUS)
    current = status.get("currentMetrics") or []
    for utilization in (_cpu_utilization(metric, "current") for metric in current):
        if utilization is not None:
            fresh["currentCPUUtilizationPercentage"] = utilization
    if current:
        annotations[CURRENT_METRICS] = _go_json([_status_to_v1(metric) for metric in current])
    if conditions := status.get("conditions"):
        annotations[CONDITIONS] = _go_json([_picked(condition, _CONDITION) for condition in conditions])
    if "status" in tree:
        shown["status"] = {"currentReplicas": 0, "desiredReplicas": 0} | fresh
    _set_annotations(meta, annotations)
    return shown


def _picked(tree: Tree, fields: Sequence[str]) -> Tree:
    return {field: tree[field] for field in fields if field in tree}


def _set_annotations(meta: Tree, annotations: Mapping[str, str]) -> None:
    if annotations:
        meta["annotations"] = dict(annotations)
    else:
        meta.pop("annotations", None)


def _go_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _is_cpu(metric: Tree) -> bool:
    return metric.get("type") == "Resource" and metric.get("resource", {}).get("name") == "cpu"


def _cpu_utilization(metric: Tree, part: str) -> int | None:
    utilization: int | None = metric["resource"].get(part, {}).get("averageUtilization") if _is_cpu(metric) else None
    return utilization


def _admitted(annotations: Mapping[str, str], key: str, field: str, convert: Callable[[Tree], Tree]) -> list[Tree] | None:
    """The list that an annotation holds, as v2 has it; None where it holds no such thing."""
    try:
        found = msgspec.json.decode(annotations.get(key, "null"))
    except msgspec.DecodeError:
        return None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return None
    part = "spec" if field == "metrics" else "status"
    try:
        tree = schema_of(_DEFINITION).admit_tree({part: {field: [convert(item) for item in found]}}).tree
    except (ValueError, TypeError, AttributeError, QuantityError):  # of the wrong shape somewhere
        return None
    admitted: list[Tree] = tree.get(part, {}).get(field, [])
    return admitted


# Metrics in the form of v1: name, selector and target side by side, where v2 has `metric` and `target` or `current`.


def _spec_to_v2(metric: Tree) -> Tree:
    shown: Tree = {"type": metric.get("type", "")}
    if (source := metric.get("object")) is not None:
        average = source.get("averageValue")
        target = {"type": "Value" if average is None else "AverageValue", "value": source.get("targetValue", "0")}
        shown["object"] = {
            "describedObject": source.get("target", {}),
            "metric": _metric(source.get("metricName"), source.get("selector")),
            "target": _with(target, averageValue=average),
        }
    if (source := metric.get("pods")) is not None:
        shown["pods"] = {
            "metric": _metric(source.get("metricName"), source.get("selector")),
            "target": {"type": "AverageValue", "averageValue": source.get("targetAverageValue", "0")},
        }
    for field in ("resource", "containerResource"):
        if (source := metric.get(field)) is not None:
            utilization = source.get("targetAverageUtilization")
            target = {"type": "AverageValue" if utilization is None else "Utilization"}
            target = _with(target, averageUtilization=utilization, averageValue=source.get("targetAverageValue"))
            shown[field] = _with({"name": source.get("name", ""), "target": target}, container=source.get("container"))
    if (source := metric.get("external")) is not None:
        value = source.get("targetValue")
        target = _with({"type": "AverageValue" if value is None else "Value"}, value=value)
        shown["external"] = {
            "metric": _metric(source.get("metricName"), source.get("metricSelector")),
            "target": _with(target, averageValue=source.get("targetAverageValue")),
        }
    return shown


def _spec_to_v1(metric: Tree) -> Tree:
    shown: Tree = {"type": metric.get("type", "")}
    if (source := metric.get("object")) is not None:
        named, target = source.get("metric", {}), source.get("target", {})
        flat = {"target": source.get("describedObject", {}), "metricName": named.get("name", "")}
        flat["targetValue"] = target.get("value", "0")
        shown["object"] = _with(flat, selector=named.get("selector"), averageValue=target.get("averageValue"))
    if (source := metric.get("pods")) is not None:
        named, target = source.get("metric", {}), source.get("target", {})
        flat = {"metricName": named.get("name", ""), "targetAverageValue": target.get("averageValue", "0")}
        shown["pods"] = _with(flat, selector=named.get("selector"))
    for field in ("resource", "containerResource"):
        if (source := metric.get(field)) is not None:
            target = source.get("target", {})
            shown[field] = _with(
                {"name": source.get("name", "")},
                targetAverageUtilization=target.get("averageUtilization"),
                targetAverageValue=target.get("averageValue"),
                container=source.get("container"),
            )
    if (source := metric.get("external")) is not None:
        named, target = source.get("metric", {}), source.get("target", {})
        shown["external"] = _with(
            {"metricName": named.get("name", "")},
            metricSelector=named.get("selector"),
            targetValue=target.get("value"),
            targetAverageValue=target.get("averageValue"),
        )
    return shown


def _status_to_v2(metric: Tree) -> Tree:
    shown: Tree = {"type": metric.get("type", "")}
    if (source := metric.get("object")) is not None:
        shown["object"] = {
            "describedObject": source.get("target", {}),
            "metric": _metric(source.get("metricName"), source.get("selector")),
            "current": _with({"value": source.get("currentValue", "0")}, averageValue=source.get("averageValue")),
        }
    if (source := metric.get("pods")) is not None:
        shown["pods"] = {
            "metric": _metric(source.get("metricName"), source.get("selector")),
            "current": {"averageValue": source.get("currentAverageValue", "0")},
        }
    for field in ("resource", "containerResource"):
        if (source := metric.get(field)) is not None:
            current = {"averageValue": source.get("currentAverageValue", "0")}
            current = _with(current, averageUtilization=source.get("currentAverageUtilization"))
            shown[field] = _with({"name": source.get("name", ""), "current": current}, container=source.get("container"))
    if (source := metric.get("external")) is not None:
        current = _with({"value": source.get("currentValue", "0")}, averageValue=source.get("currentAverageValue"))
        named = _metric(source.get("metricName"), source.get("metricSelector"))
        shown["external"] = {"metric": named, "current": current}
    return shown


def _status_to_v1(metric: Tree) -> Tree:
    shown: Tree = {"type": metric.get("type", "")}
    if (source := metric.get("object")) is not None:
        named, current = source.get("metric", {}), source.get("current", {})
        flat = {"target": source.get("describedObject", {}), "metricName": named.get("name", "")}
        flat["currentValue"] = current.get("value", "0")
        shown["object"] = _with(flat, selector=named.get("selector"), averageValue=current.get("averageValue"))
    if (source := metric.get("pods")) is not None:
        named, current = source.get("metric", {}), source.get("current", {})
        flat = {"metricName": named.get("name", ""), "currentAverageValue": current.get("averageValue", "0")}
        shown["pods"] = _with(flat, selector=named.get("selector"))
    for field in ("resource", "containerResource"):
        if (source := metric.get(field)) is not None:
            current = source.get("current", {})
            flat = _with({"name": source.get("name", "")}, currentAverageUtilization=current.get("averageUtilization"))
            flat["currentAverageValue"] = current.get("averageValue", "0")
            shown[field] = _with(flat, container=source.get("container"))
    if (source := metric.get("external")) is not None:
        named, current = source.get("metric", {}), source.get("current", {})
        flat = _with({"metricName": named.get("name", "")}, metricSelector=named.get("selector"))
        flat["currentValue"] = current.get("value", "0")
        shown["external"] = _with(flat, currentAverageValue=current.get("averageValue"))
    return shown


def _metric(name: str | None, selector: Tree | None) -> Tree:
    return _with({"name": name or ""}, selector=selector)


def _with(tree: Tree, **fields: Any) -> Tree:
    """The tree with those of the fields that are there."""
    return tree | {name: value for name, value in fields.items() if value is not None}


# The behavior is written as upstream's internal type, whose fields begin with capitals and are all there.


def _internal_behavior(behavior: Tree) -> Tree:
    return {"ScaleUp": _internal_rules(behavior.get("scaleUp")), "ScaleDown": _internal_rules(behavior.get("scaleDown"))}


def _internal_rules(rules: Tree | None) -> Tree | None:
    if rules is None:
        return None
    policies = [
        {"Type": p.get("type", ""), "Value": p.get("value", 0), "PeriodSeconds": p.get("periodSeconds", 0)}
        for p in rules.get("policies", ())
    ]
    return {
        "StabilizationWindowSeconds": rules.get("stabilizationWindowSeconds"),
        "SelectPolicy": rules.get("selectPolicy"),
        "Policies": policies or None,
        "Tolerance": rules.get("tolerance"),
    }


def _behavior_of(annotations: Mapping[str, str]) -> Tree | None:
    try:
        found = msgspec.json.decode(annotations.get(BEHAVIOR, "null"))
    except msgspec.DecodeError:
        return None
    try:
        tree = schema_of(_DEFINITION).admit_tree({"spec": {"behavior": _uncapitalized(found)}}).tree
    except ValueError:
        return None
    behavior: Tree | None = tree.get("spec", {}).get("behavior")
    return behavior


def _uncapitalized(value: Any) -> Any:
    """Go's decoder does not mind the case of keys."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _uncapitalized(inner) for key, inner in value.items()}
    return [_uncapitalized(item) for item in value] if isinstance(value, list) else value
