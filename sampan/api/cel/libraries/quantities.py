"""Quantities: `quantity('1.5Gi')` and what can be asked of them.

After k8s.io/apiserver/pkg/cel/library/quantity.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sampan.api import quantity as amounts
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.types import object_type
from sampan.api.cel.values import Opaque, Value
from sampan.api.quantity import Quantity, QuantityError
from sampan.lib.remember import remember

QUANTITY: Final = object_type("kubernetes.Quantity")

_DECLARATIONS = """
    string_to_quantity          quantity(string) -> quantity
    is_quantity_string          isQuantity(string) -> bool
    quantity_sign               sign(quantity) -> int
    quantity_is_greater_than    <quantity>.isGreaterThan(quantity) -> bool
    quantity_is_less_than       <quantity>.isLessThan(quantity) -> bool
    quantity_compare_to         <quantity>.compareTo(quantity) -> int
    quantity_get_float          <quantity>.asApproximateFloat() -> double
    quantity_get_int            <quantity>.asInteger() -> int
    quantity_is_integer         <quantity>.isInteger() -> bool
    quantity_add                <quantity>.add(quantity) -> quantity
    quantity_add_int            <quantity>.add(int) -> quantity
    quantity_sub                <quantity>.sub(quantity) -> quantity
    quantity_sub_int            <quantity>.sub(int) -> quantity
"""
_POWERS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_parts = re.compile(r"[+-]?([0-9]*)(?:\.([0-9]*))?([a-zA-Z]*)([-+]?[0-9]*)", re.ASCII).fullmatch


class QuantityValue(Opaque):
    """An amount. `scale` is the power of ten that upstream's 64 bits count; None where it needs more than 64 bits.

    Only what counts whole units can be asked for as an integer: "1000m" is one, and cannot.
    """

    __slots__ = ("amount", "scale")
    cel_type = QUANTITY

    def __init__(self, amount: Quantity, scale: int | None) -> None:
        self.amount = amount
        self.scale = scale

    def equals(self, other: Value) -> bool:
        if not isinstance(other, QuantityValue):
            raise no_such_overload()
        return self.amount == other.amount

    @property
    def integer(self) -> int | None:
        """None for what upstream has no int64 of."""
        if self.scale is None or self.scale < 0:
            return None
        whole, rest = divmod(self.amount.nanos, 10**9)
        return whole if not rest and -(2**63) <= whole < 2**63 else None


def _scale(text: str) -> int | None:
    match = _parts(text)
    if match is None:
        return None
    whole, fraction, suffix, exponent = (group or "" for group in match.groups())
    whole = whole.lstrip("0")
    if suffix.endswith("i"):
        # Powers of two count by themselves, as long as there is no fraction and no more than some 15 digits.
        power = 10 * ("KMGTPE".index(suffix[0]) + 1)
        return 0 if not fraction and 14 - len(whole) - power * 3 // 10 >= 0 else None
    power = _POWERS.get(suffix, 0) if not exponent else int(exponent)
    scale = power - len(fraction)
    return scale if len(whole) + len(fraction) <= 18 and scale >= -9 else None


def _read(text: str) -> QuantityValue:
    if not isinstance(text, str):
        raise no_such_overload()
    return _parsed(text)


@remember(1024)
def _parsed(text: str) -> QuantityValue:
    """Never changed. Rules read the same text for each of a list's items."""
    return QuantityValue(amounts.parse(text), _scale(text))


def _quantity(text: str) -> QuantityValue:
    try:
        return _read(text)
    except QuantityError as error:
        raise CelRuntimeError(str(error)) from None


def _is_quantity(text: str) -> bool:
    try:
        _read(text)
    except QuantityError:
        return False
    return True


def _amount(value: Value) -> Quantity:
    if not isinstance(value, QuantityValue):
        raise no_such_overload()
    return value.amount


def _compare(left: Value, right: Value) -> int:
    one, other = _amount(left), _amount(right)
    return (one > other) - (one < other)


def _integer(value: QuantityValue) -> int:
    whole = value.integer
    if whole is None:
        raise CelRuntimeError("cannot convert value to integer")
    return whole


def _sum(sign: int) -> Callable[[QuantityValue, QuantityValue | int], QuantityValue]:
    def total(left: QuantityValue, right: QuantityValue | int) -> QuantityValue:
        if not isinstance(right, QuantityValue):
            right = QuantityValue(amounts.of_value(right, amounts.EXPONENT), 0)
        amount = right.amount if sign > 0 else -right.amount
        scales = [value.scale for value in (left, right) if value.amount.nanos or value.scale is None]
        scale = None if None in scales else min((s for s in scales if s is not None), default=0)
        return QuantityValue(left.amount + amount, scale)

    return total


_BINDINGS: Final[dict[str, Binding]] = {
    "string_to_quantity": _quantity,
    "is_quantity_string": _is_quantity,
    "quantity_sign": lambda value: (_amount(value).nanos > 0) - (_amount(value).nanos < 0),
    "quantity_is_greater_than": lambda left, right: _compare(left, right) > 0,
    "quantity_is_less_than": lambda left, right: _compare(left, right) < 0,
    "quantity_compare_to": _compare,
    "quantity_get_float": lambda value: _amount(value).nanos / 10**9,
    "quantity_get_int": _integer,
    "quantity_is_integer": lambda value: value.integer is not None,
    "quantity_add": _sum(1),
    "quantity_add_int": _sum(1),
    "quantity_sub": _sum(-1),
    "quantity_sub_int": _sum(-1),
}

LIBRARY: Final = Library("kubernetes.quantity", declared(_DECLARATIONS, _BINDINGS, {"quantity": QUANTITY}), since=28)
