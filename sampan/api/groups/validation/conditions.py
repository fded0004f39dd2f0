"""The conditions of a status that are metav1.Conditions. After k8s.io/apimachinery/pkg/apis/meta/v1/validation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid, required, too_long
from sampan.api.groups.validation.metadata import validate_condition_status
from sampan.api.resource import Tree

_MAX_REASON_BYTES = 1024
_MAX_MESSAGE_BYTES = 32 * 1024
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_RULE = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or "
    "'_,:', and must end with an alphanumeric character or '_'"
)
_EXAMPLES = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
_is_reason = re.compile(_REASON).fullmatch


def validate_conditions(conditions: Sequence[Tree], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        type_ = condition.get("type", "")
        if type_ in seen:
            errors.append(duplicate(f"{path}[{index}].type", type_))
        seen.add(type_)
        errors += _validate_condition(condition, f"{path}[{index}]")
    return errors


def _validate_condition(condition: Tree, path: str) -> list[FieldError]:
    type_, reason = condition.get("type", ""), condition.get("reason", "")
    errors = [invalid(f"{path}.type", type_, why) for why in names.qualified_name(type_)]
    errors += validate_condition_status(condition.get("status", ""), f"{path}.status")
    if (generation := condition.get("observedGeneration", 0)) < 0:
        errors.append(invalid(f"{path}.observedGeneration", generation, "must be greater than or equal to zero"))
    if not condition.get("lastTransitionTime"):
        errors.append(required(f"{path}.lastTransitionTime", "must be set"))
    if not reason:
        errors.append(required(f"{path}.reason", "must be set"))
    else:
        if not _is_reason(reason):
            why = names.pattern_message(_REASON_RULE, _REASON, *_EXAMPLES)
            errors.append(invalid(f"{path}.reason", reason, why))
        if len(reason.encode()) > _MAX_REASON_BYTES:
            errors.append(too_long(f"{path}.reason", _MAX_REASON_BYTES))
    if len(condition.get("message", "").encode()) > _MAX_MESSAGE_BYTES:
        errors.append(too_long(f"{path}.message", _MAX_MESSAGE_BYTES))
    return errors
