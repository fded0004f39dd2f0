"""Conditions of the one form that newer kinds share (metav1.Condition)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid, required, too_long
from sampan.api.groups.validation.metadata import validate_condition_status
from sampan.api.resource import Tree

_REASON_BYTES, _MESSAGE_BYTES = 1024, 32 * 1024
_REASON_FORMAT = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_RULE = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or "
    "'_,:', and must end with an alphanumeric character or '_'"
)
_reason = re.compile(_REASON_FORMAT).fullmatch


def validate_conditions(conditions: Sequence[Tree], path: str) -> list[FieldError]:
    """ValidateConditions."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        type_, where = condition.get("type", ""), f"{path}[{index}]"
        if type_ in seen:
            errors.append(duplicate(f"{where}.type", type_))
        seen.add(type_)
        errors += _validate_condition(condition, where)
    return errors


def _validate_condition(condition: Tree, path: str) -> list[FieldError]:
    type_, reason = condition.get("type", ""), condition.get("reason", "")
    generation = condition.get("observedGeneration", 0)
    errors = [invalid(f"{path}.type", type_, why) for why in names.qualified_name(type_)]
    errors += validate_condition_status(condition.get("status", ""), f"{path}.status")
    if generation < 0:
        errors.append(invalid(f"{path}.observedGeneration", generation, "must be greater than or equal to zero"))
    if not condition.get("lastTransitionTime"):
        errors.append(required(f"{path}.lastTransitionTime", "must be set"))
    if not reason:
        errors.append(required(f"{path}.reason", "must be set"))
    elif not _reason(reason):
        examples = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
        errors.append(invalid(f"{path}.reason", reason, names.pattern_message(_REASON_RULE, _REASON_FORMAT, *examples)))
    if len(reason.encode()) > _REASON_BYTES:
        errors.append(too_long(f"{path}.reason", _REASON_BYTES))
    if len(condition.get("message", "").encode()) > _MESSAGE_BYTES:
        errors.append(too_long(f"{path}.message", _MESSAGE_BYTES))
    return errors
