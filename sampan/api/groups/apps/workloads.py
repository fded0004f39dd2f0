"""Rules that the workloads of the group apps share: selector and template, counts, what a status may say."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, go_map, invalid, not_supported, required
from sampan.api.groups.validation.podspec import validate_template
from sampan.api.groups.validation.podwarnings import warn_of_name, warn_of_template
from sampan.api.groups.validation.selectors import matches, validate_label_selector
from sampan.api.integers import parse_int64
from sampan.api.resource import Tree

NOT_NEGATIVE = "must be greater than or equal to 0"


def validate_not_negative(owner: Tree, fields: Sequence[str], path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{field}", owner[field], NOT_NEGATIVE)
        for field in fields
        if field in owner and owner[field] < 0
    ]  # fmt: skip


def validate_selector(spec: Tree) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    errors = validate_label_selector(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for deployment"))
    return errors


def validate_replica_template(spec: Tree) -> list[FieldError]:
    """The template of pods that are replaced for ever: it fits the selector and always restarts."""
    template, selector = spec["template"], spec.get("selector")
    path = "spec.template"
    errors: list[FieldError] = []
    labels = template.get("metadata", {}).get("labels")
    # No selector selects nothing, an empty one everything.
    if selector is not None and validate_label_selector(selector, ""):
        return [invalid("spec.selector", selector, "invalid label selector")]
    if selector is None or not matches(selector, labels or {}):
        why = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.metadata.labels", go_map(labels), why))
    errors += validate_template(template, path)
    pod = template.get("spec", {})
    if pod["restartPolicy"] != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        why = "activeDeadlineSeconds in ReplicaSet is not Supported"
        errors.append(forbidden_field(f"{path}.spec.activeDeadlineSeconds", why))
    return errors


def warn_of_workload(new: Tree, old: Tree | None) -> list[str]:
    """Of a name that pods are called by, and of the template of a new generation."""
    return (warn_of_name(new) if old is None else []) + warn_of_new_template(new, old)


def warn_of_new_template(new: Tree, old: Tree | None) -> list[str]:
    if old is not None and new["metadata"].get("generation") == old["metadata"].get("generation"):
        return []
    return warn_of_template(new["spec"].get("template", {}), "spec.template")


def validate_int_or_percent(value: int | str, path: str) -> list[FieldError]:
    if isinstance(value, int):
        return [] if value >= 0 else [invalid(path, value, NOT_NEGATIVE)]
    return [invalid(path, value, why) for why in names.percent(value)]


def percent_of(value: int | str) -> int | None:
    """The number of a percentage; None for what is none."""
    if not isinstance(value, str) or names.percent(value):
        return None
    return int(value[:-1]) if len(value) <= 20 else 2**63 - 1  # Python refuses to read thousands of digits


def amount_of(value: int | str) -> int:
    """The number, of a percentage or not; a text that is neither is 0."""
    if isinstance(value, int):
        return value
    percent = percent_of(value)
    if percent is not None:
        return percent
    try:
        return parse_int64(value)
    except ValueError:
        return 0


def validate_counts(status: Tree, fields: Sequence[str]) -> list[FieldError]:
    """No part of the replicas is more than the whole."""
    errors: list[FieldError] = []
    total, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    for field in fields:
        count = status.get(field, 0)
        if count > total:
            errors.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas", 0)
    if available > ready:
        errors.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
    return errors


def validate_not_decremented(status: Tree, before: Tree, field: str) -> list[FieldError]:
    """A counter of the status that only goes up."""
    if field not in before or status.get(field, 0) >= before[field]:
        return []
    return [invalid(f"status.{field}", status.get(field, 0), "cannot be decremented")]
