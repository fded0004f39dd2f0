"""Equality and order of values.

Equality is of any two values, order of values of one type and of numbers. After github.com/google/cel-go/common/types.
"""

from __future__ import annotations

from itertools import islice
from typing import cast

from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.limits import MAX_LIST
from sampan.api.cel.times import ZERO
from sampan.api.cel.types import CelType
from sampan.api.cel.values import MISSING, Duration, Listed, Mapped, Opaque, Optional, Timestamp, Uint, Value

_NUMBERS = (int, Uint, float)


def equal(left: Value, right: Value) -> bool:
    """`left == right`. Values of types that cannot be compared are not equal."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is str or kind is int or kind is bool or kind is float:
            return left == right
        if kind is list:
            return _equal_elements(cast("list[Value]", left), cast("list[Value]", right))
        if kind is dict:
            return _equal_dicts(cast("dict[str, Value]", left), cast("dict[str, Value]", right))
        if kind in _PLAIN:
            return left == right
        if kind is CelType:
            return cast(CelType, left).name == cast(CelType, right).name
    if kind in _NUMBERS and other in _NUMBERS:
        return _equal_numbers(cast("int | float", left), cast("int | float", right))
    if isinstance(left, Opaque):
        return left.equals(right)
    return _equal_structures(left, right)


_PLAIN = frozenset((bytes, Uint, Timestamp, Duration, type(None)))


def _equal_numbers(left: int | float, right: int | float) -> bool:
    # Upstream compares as doubles, where one is.
    if isinstance(left, float) or isinstance(right, float):
        return float(left) == float(right)
    return left == right


def _equal_structures(left: Value, right: Value) -> bool:
    if isinstance(left, Optional) and isinstance(right, Optional):
        if not left.has_value or not right.has_value:
            return left.has_value is right.has_value
        return equal(left.value, right.value)
    if isinstance(left, (Listed, Mapped)) and hasattr(left, "equals"):
        return cast(bool, left.equals(right))
    if isinstance(left, (list, Listed)):
        return isinstance(right, (list, Listed)) and _equal_elements(left, right)
    if isinstance(left, (dict, Mapped)):
        return isinstance(right, (dict, Mapped)) and _equal_maps(left, right)
    return False


def _equal_elements(left: list[Value] | Listed, right: list[Value] | Listed) -> bool:
    return len(left) == len(right) and all(map(equal, left, right))


def _equal_dicts(left: dict[str, Value], right: dict[str, Value]) -> bool:
    if len(left) != len(right):
        return False
    for key, value in left.items():
        other = right.get(key, MISSING)
        if other is MISSING or not equal(value, other):
            return False
    return True


def _equal_maps(left: dict[str, Value] | Mapped, right: dict[str, Value] | Mapped) -> bool:
    if len(left) != len(right):
        return False
    for key in left:
        other = find(right, key)
        if other is MISSING or not equal(find(left, key), other):
            return False
    return True


def find(of: Value, key: Value) -> Value:
    """The value of a key of a map, or MISSING."""
    if type(of) is dict:
        return of.get(key, MISSING) if type(key) is str else MISSING
    return cast(Mapped, of).find(key)


def contains(container: Value, item: Value) -> bool:
    """`item in container`. Raises CelRuntimeError for what contains nothing."""
    if type(container) is list:
        return any(equal(item, element) for element in container)
    if type(container) is dict:
        return type(item) is str and item in container
    if isinstance(container, Listed):
        return container.contains(item)
    if isinstance(container, Mapped):
        return container.find(item) is not MISSING
    raise no_such_overload()


def compare(left: Value, right: Value, function: str = "") -> int:
    """-1, 0 or 1. Raises CelRuntimeError for values without an order, for which `function` asked."""
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        return _compare_numbers(cast("int | float", left), cast("int | float", right))
    if kind is other and kind in _ORDERED:
        first, second = cast("tuple[int, int]", (left, right))  # or two strings, two bytes
        return (first > second) - (first < second)
    raise no_such_overload("" if kind in _ORDERED or kind in _NUMBERS else function)


_ORDERED = frozenset((str, bytes, bool, Timestamp, Duration))


def _compare_numbers(left: int | float, right: int | float) -> int:
    if left != left or right != right:
        raise CelRuntimeError("NaN values cannot be ordered")
    if isinstance(left, float) is not isinstance(right, float):
        left, right = float(left), float(right)
    return (left > right) - (left < right)


def elements(of: Value) -> list[Value]:
    """All elements of a list, or keys of a map. Raises CelRuntimeError for what is neither."""
    if type(of) is list:
        return of
    if isinstance(of, (dict, Listed, Mapped)):
        return list(of)
    raise no_such_overload()


def concatenate(left: Value, right: Value) -> Value:
    """Two lists, one after the other."""
    if isinstance(left, (list, Listed)) and isinstance(right, (list, Listed)) and len(left) + len(right) > MAX_LIST:
        raise CelRuntimeError(f"list of more than {MAX_LIST} elements")
    if isinstance(left, Listed):
        return left.plus(right)
    if type(left) is list and isinstance(right, (list, Listed)):
        return [*left, *right]
    raise no_such_overload()


def first_and_last(of: Value) -> tuple[Value, Value]:
    """MISSING twice for an empty list."""
    found = elements(of)
    return (found[0], found[-1]) if found else (MISSING, MISSING)


def zero(value: Value) -> bool:
    """Whether a value is the empty one of its type."""
    if isinstance(value, Timestamp):
        return value == ZERO
    if isinstance(value, (Listed, Mapped)):
        return len(value) == 0
    if isinstance(value, (bool, int, float, str, bytes, list, dict, type(None))):
        return not value
    return False


def limited(of: Value, most: int) -> list[Value]:
    return list(islice(iter(elements(of)), most))
