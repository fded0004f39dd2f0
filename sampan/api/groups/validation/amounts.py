"""Quantities that stand alone (capacities, quotas, limits): not negative, positive, whole where only whole ones make sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.api import quantity
from sampan.api.errors import FieldError, invalid
from sampan.api.groups.validation.resources import NOT_NEGATIVE, is_extended

NOT_POSITIVE = "must be greater than zero"
NOT_WHOLE = "must be an integer"
_COUNTED = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)


def parsed(amount: str | int) -> quantity.Quantity:
    return quantity.parse(str(amount))


def compare(left: str | int, right: str | int) -> int:
    """Below, at or above zero as the left amount is less than, the same as or more than the right, whatever their writing."""
    return parsed(left).nanos - parsed(right).nanos


def validate_basic(amount: str | int, path: str) -> list[FieldError]:
    """validateBasicResource: what shows is the number of whole units."""
    value = parsed(amount).value
    return [invalid(path, value, "must be a valid resource quantity")] if value < 0 else []


def validate_not_negative_amount(amount: str | int, path: str) -> list[FieldError]:
    """ValidateNonnegativeQuantity."""
    found = parsed(amount)
    return [invalid(path, str(found), NOT_NEGATIVE)] if found.nanos < 0 else []


def validate_positive_amount(amount: str | int, path: str) -> list[FieldError]:
    """ValidatePositiveQuantityValue."""
    found = parsed(amount)
    return [] if found.nanos > 0 else [invalid(path, str(found), NOT_POSITIVE)]


def validate_resource_amount(name: str, amount: str | int, path: str) -> list[FieldError]:
    """ValidateResourceQuantityValue: things that are counted, and extended resources, come in whole numbers."""
    errors = validate_not_negative_amount(amount, path)
    found = parsed(amount)
    if (name in _COUNTED or is_extended(name)) and found.milli_value % 1000:
        errors.append(invalid(path, str(found), NOT_WHOLE))
    return errors


def warn_of_fractions(amounts: Mapping[str, str], of: Sequence[str], path: str) -> list[str]:
    """Bytes come whole; `of` names the resources that are counted in bytes."""
    return [
        f'{path}[{name}]: fractional byte value "{parsed(amounts[name])}" is invalid, must be an integer'
        for name in of
        if name in amounts and has_fraction(amounts[name])
    ]


def has_fraction(amount: str | int) -> bool:
    text = str(amount)
    # Of "64Mi" or "100" it is told at once.
    if text.isdigit() or (text.endswith(("i", "k", "M", "G")) and text[:-2].isdigit()):
        return False
    return parsed(text).milli_value % 1000 != 0
