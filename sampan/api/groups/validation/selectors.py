"""Label selectors as objects carry them (metav1.LabelSelector), and the older plain maps of labels."""

from __future__ import annotations

from typing import Any

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, invalid, required
from sampan.api.groups.validation.metadata import validate_labels
from sampan.api.resource import Tree


def validate_label_selector(selector: Tree, path: str) -> list[FieldError]:
    """ValidateLabelSelector, values included."""
    errors: list[FieldError] = []
    if labels := selector.get("matchLabels"):
        errors += validate_labels(labels, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions", ())):
        errors += _validate_expression(expression, f"{path}.matchExpressions[{index}]")
    return errors


def _validate_expression(expression: Tree, path: str) -> list[FieldError]:
    operator, values, key = expression.get("operator", ""), expression.get("values"), expression.get("key", "")
    errors: list[FieldError] = []
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_field(f"{path}.values", why))
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    errors += [invalid(f"{path}.key", key, why) for why in names.qualified_name(key)]
    for index, value in enumerate(values or ()):
        errors += [invalid(f"{path}.values[{index}]", value, why) for why in names.label_value(value)]
    return errors


def matches(selector: Tree, labels: dict[str, Any]) -> bool:
    """Whether a valid selector selects these labels."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression_matches(expression, labels) for expression in selector.get("matchExpressions", ()))


def _expression_matches(expression: Tree, labels: dict[str, Any]) -> bool:
    key, operator = expression.get("key", ""), expression.get("operator")
    if operator == "In":
        return key in labels and labels[key] in expression.get("values", ())
    if operator == "NotIn":
        return key not in labels or labels[key] not in expression.get("values", ())
    return (key in labels) == (operator == "Exists")
