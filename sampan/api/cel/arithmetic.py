"""Numbers of 64 bits: what does not fit is an error, never another number.

After github.com/google/cel-go/common/types/overflow.go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from sampan.api.cel.comparing import concatenate
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.times import add_duration, between, checked_duration
from sampan.api.cel.values import Duration, Listed, Timestamp, Uint, Value

_HIGH: Final = 2**63 - 1
_LOW: Final = -(2**63)
_UNSIGNED: Final = 2**64 - 1


def int64(value: int) -> int:
    """The number itself. Raises CelRuntimeError if it has more than 64 bits."""
    if _LOW <= value <= _HIGH:
        return value
    raise CelRuntimeError("integer overflow")


def uint64(value: int) -> Uint:
    if 0 <= value <= _UNSIGNED:
        return Uint(value)
    raise CelRuntimeError("unsigned integer overflow")


def add_int64(left: int, right: int) -> int:
    value = left + right
    if _LOW <= value <= _HIGH:
        return value
    raise CelRuntimeError("integer overflow")


def subtract_int64(left: int, right: int) -> int:
    return int64(left - right)


def multiply_int64(left: int, right: int) -> int:
    return int64(left * right)


def divide_int64(left: int, right: int) -> int:
    """Towards zero, as Go does."""
    if not right:
        raise CelRuntimeError("division by zero")
    quotient = abs(left) // abs(right)
    return int64(-quotient if (left < 0) is not (right < 0) else quotient)


def modulo_int64(left: int, right: int) -> int:
    """With the sign of the dividend, as Go does."""
    if not right:
        raise CelRuntimeError("modulus by zero")
    if left == _LOW and right == -1:
        raise CelRuntimeError("integer overflow")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate_int64(value: int) -> int:
    return int64(-value)


def add_uint64(left: int, right: int) -> Uint:
    return uint64(left + right)


def subtract_uint64(left: int, right: int) -> Uint:
    return uint64(left - right)


def multiply_uint64(left: int, right: int) -> Uint:
    return uint64(left * right)


def divide_uint64(left: int, right: int) -> Uint:
    if not right:
        raise CelRuntimeError("division by zero")
    return Uint(left // right)


def modulo_uint64(left: int, right: int) -> Uint:
    if not right:
        raise CelRuntimeError("modulus by zero")
    return Uint(left % right)


def add_double(left: float, right: float) -> float:
    return left + right


def subtract_double(left: float, right: float) -> float:
    return left - right


def multiply_double(left: float, right: float) -> float:
    return left * right


def divide_double(left: float, right: float) -> float:
    """As IEEE 754 has it: a division by zero is an infinity, or no number."""
    if right:
        return left / right
    if not left or left != left:
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def negate_double(value: float) -> float:
    return -value


# What the types say at run time only.

_Binary = Callable[..., Value]


def add(left: Value, right: Value) -> Value:
    """`left + right`, whatever they are. Raises CelRuntimeError."""
    kind, other = type(left), type(right)
    if kind is other and kind in _ADD:
        return _ADD[kind](left, right)
    if isinstance(left, Timestamp) and isinstance(right, Duration):
        return add_duration(left, right)
    if isinstance(left, Duration) and isinstance(right, Timestamp):
        return add_duration(right, left)
    if isinstance(left, (list, Listed)):
        return concatenate(left, right)
    raise no_such_overload("" if kind in _ADD or kind is Timestamp else "_+_")


def _join(left: Value, right: Value) -> Value:
    return left + right  # type: ignore[operator]  # two strings or two bytes


_ADD: Final[dict[type, _Binary]] = {
    int: add_int64,
    Uint: add_uint64,
    float: add_double,
    str: _join,
    bytes: _join,
    Duration: lambda left, right: checked_duration(left + right),
}
_SUBTRACT: Final[dict[tuple[type, type], _Binary]] = {
    (int, int): subtract_int64,
    (Uint, Uint): subtract_uint64,
    (float, float): subtract_double,
    (Duration, Duration): lambda left, right: checked_duration(int(left) - int(right)),
    (Timestamp, Duration): lambda left, right: add_duration(left, checked_duration(-int(right))),
    (Timestamp, Timestamp): between,
}
_MULTIPLY: Final[dict[type, _Binary]] = {int: multiply_int64, Uint: multiply_uint64, float: multiply_double}
_DIVIDE: Final[dict[type, _Binary]] = {int: divide_int64, Uint: divide_uint64, float: divide_double}
_MODULO: Final[dict[type, _Binary]] = {int: modulo_int64, Uint: modulo_uint64}


def subtract(left: Value, right: Value) -> Value:
    operation = _SUBTRACT.get((type(left), type(right)))
    if operation is None:
        raise no_such_overload("" if any(type(left) is kind for kind, _ in _SUBTRACT) else "_-_")
    return operation(left, right)


def _of_one_type(function: str, operations: dict[type, _Binary]) -> _Binary:
    def operate(left: Value, right: Value) -> Value:
        operation = operations.get(type(left))
        if operation is None:
            raise no_such_overload(function)
        if type(left) is not type(right):
            raise no_such_overload()
        return operation(left, right)

    return operate


multiply = _of_one_type("_*_", _MULTIPLY)
divide = _of_one_type("_/_", _DIVIDE)
modulo = _of_one_type("_%_", _MODULO)


def negate(value: Value) -> Value:
    if type(value) is int:
        return negate_int64(value)
    if type(value) is float:
        return -value
    if type(value) is Duration:
        return checked_duration(-int(value))
    raise no_such_overload("-_")
