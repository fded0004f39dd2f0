"""Rules of a HorizontalPodAutoscaler, in the form of autoscaling/v2. After pkg/apis/autoscaling/validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sampan.api import names, quantity
from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.apps.workloads import validate_not_negative
from sampan.api.groups.validation.resources import container_resource_name
from sampan.api.resource import Tree

MAX_PERIOD_SECONDS = 1800
MAX_STABILIZATION_SECONDS = 3600
_SELECT_POLICIES = ("Disabled", "Max", "Min")
_POLICY_TYPES = ("Percent", "Pods")
_METRIC_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
_TARGET_TYPES = ("Utilization", "Value", "AverageValue")


def validate_hpa(tree: Tree, fewest: int = 1) -> list[FieldError]:
    """`fewest`: what minReplicas may be; zero only for who has it already."""
    spec = tree["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    errors: list[FieldError] = []
    if low is not None and low < fewest:
        errors.append(invalid("spec.minReplicas", low, f"must be greater than or equal to {fewest}"))
    if high < 1:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than 0"))
    if low is not None and high < low:
        errors.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    errors += _validate_reference(spec.get("scaleTargetRef", {}), "spec.scaleTargetRef")
    metrics = spec.get("metrics", ())
    for index, metric in enumerate(metrics):
        errors += _validate_metric(metric, f"spec.metrics[{index}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(forbidden_field("spec.metrics", why))
    for field in ("scaleUp", "scaleDown"):
        rules = spec.get("behavior", {}).get(field)
        if rules is not None:
            errors += _validate_rules(rules, f"spec.behavior.{field}")
    return errors


def validate_hpa_status(new: Tree, old: Tree) -> list[FieldError]:
    return validate_not_negative(new.get("status", {}), ("currentReplicas", "desiredReplicas"), "status")


def _validate_reference(reference: Tree, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        errors += _validate_segment(reference.get(field, ""), f"{path}.{field}", "")
    return errors


def _validate_segment(text: str, path: str, missing: str) -> list[FieldError]:
    return [invalid(path, text, why) for why in names.path_segment(text)] if text else [required(path, missing)]


def _validate_rules(rules: Tree, path: str) -> list[FieldError]:
    window, select, policies = (rules.get(f) for f in ("stabilizationWindowSeconds", "selectPolicy", "policies"))
    errors: list[FieldError] = []
    if window is not None and window < 0:
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > MAX_STABILIZATION_SECONDS:
        why = f"must be less than or equal to {MAX_STABILIZATION_SECONDS}"
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, why))
    if select is not None and select not in _SELECT_POLICIES:
        errors.append(not_supported(f"{path}.selectPolicy", select, _SELECT_POLICIES))
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies or ()):
        errors += _validate_policy(policy, f"{path}.policies[{index}]")
    return errors


def _validate_policy(policy: Tree, path: str) -> list[FieldError]:
    type_, value, period = policy.get("type", ""), policy.get("value", 0), policy.get("periodSeconds", 0)
    errors: list[FieldError] = []
    if type_ not in _POLICY_TYPES:
        errors.append(not_supported(f"{path}.type", type_, _POLICY_TYPES))
    if value <= 0:
        errors.append(invalid(f"{path}.value", value, "must be greater than zero"))
    if period <= 0:
        errors.append(invalid(f"{path}.periodSeconds", period, "must be greater than zero"))
    if period > MAX_PERIOD_SECONDS:
        errors.append(invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {MAX_PERIOD_SECONDS}"))
    return errors


def _validate_metric(metric: Tree, path: str) -> list[FieldError]:
    type_ = metric.get("type", "")
    errors: list[FieldError] = []
    if not type_:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    if type_ not in _METRIC_TYPES:
        errors.append(not_supported(f"{path}.type", type_, _METRIC_TYPES))
    present = [field for field in _SOURCES if metric.get(field) is not None]
    if present:
        errors += _SOURCES[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = type_[:1].lower() + type_[1:] if type_ in _METRIC_TYPES else ""
    if expected and expected not in present:
        errors.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if not expected:
        errors.append(not_supported(f"{path}.type", type_, _METRIC_TYPES))
    if len(present) != 1:
        why = "must populate the given metric source only"
        errors += [forbidden_field(f"{path}.{field}", why) for field in present if field != expected]
    return errors


def _validate_identifier(metric: Tree, path: str) -> list[FieldError]:
    return _validate_segment(metric.get("name", ""), f"{path}.name", "must specify a metric name")


def _validate_target(target: Tree, path: str) -> list[FieldError]:
    type_, utilization = target.get("type", ""), target.get("averageUtilization")
    errors: list[FieldError] = []
    if not type_:
        errors.append(required(f"{path}.type", "must specify a metric target type"))
    if type_ not in _TARGET_TYPES:
        errors.append(invalid(f"{path}.type", type_, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and quantity.parse(str(amount)).nanos <= 0:
            errors.append(invalid(f"{path}.{field}", amount, "must be positive"))
    if utilization is not None and utilization < 1:
        errors.append(invalid(f"{path}.averageUtilization", utilization, "must be greater than 0"))
    return errors


def _validate_object(source: Tree, path: str) -> list[FieldError]:
    target = source.get("target", {})
    errors = _validate_reference(source.get("describedObject", {}), f"{path}.describedObject")
    errors += _validate_identifier(source.get("metric", {}), f"{path}.metric")
    errors += _validate_target(target, f"{path}.target")
    if "value" not in target and "averageValue" not in target:
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _validate_external(source: Tree, path: str) -> list[FieldError]:
    target = source.get("target", {})
    errors = _validate_identifier(source.get("metric", {}), f"{path}.metric") + _validate_target(target, f"{path}.target")
    if "value" not in target and "averageValue" not in target:
        why = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", why))
    if "value" in target and "averageValue" in target:
        why = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden_field(f"{path}.target.value", why))
    return errors


def _validate_pods(source: Tree, path: str) -> list[FieldError]:
    target = source.get("target", {})
    errors = _validate_identifier(source.get("metric", {}), f"{path}.metric") + _validate_target(target, f"{path}.target")
    if "averageValue" not in target:
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _validate_resource(source: Tree, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return errors + _validate_utilization(source.get("target", {}), f"{path}.target")


def _validate_container_resource(source: Tree, path: str) -> list[FieldError]:
    name, container = source.get("name", ""), source.get("container", "")
    if name:
        errors = [invalid(f"{path}.name", name, why) for why in container_resource_name(name)]
    else:
        errors = [required(f"{path}.name", "must specify a resource name")]
    if container:
        errors += [invalid(f"{path}.container", container, why) for why in names.dns_label(container)]
    else:
        errors.append(required(f"{path}.container", "must specify a container"))
    return errors + _validate_utilization(source.get("target", {}), f"{path}.target")


def _validate_utilization(target: Tree, path: str) -> list[FieldError]:
    errors = _validate_target(target, path)
    if "averageUtilization" not in target and "averageValue" not in target:
        why = "must set either a target raw value or a target utilization"
        errors.append(required(f"{path}.averageUtilization", why))
    if "averageUtilization" in target and "averageValue" in target:
        why = "may not set both a target raw value and a target utilization"
        errors.append(forbidden_field(f"{path}.averageValue", why))
    return errors


_SOURCES: Mapping[str, Callable[[Tree, str], list[FieldError]]] = {
    "object": _validate_object,
    "external": _validate_external,
    "pods": _validate_pods,
    "resource": _validate_resource,
    "containerResource": _validate_container_resource,
}
"""In the order in which upstream looks: of several that are given, the first is judged."""
