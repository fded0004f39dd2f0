"""What a call costs when it is done, by what it was given.

After github.com/google/cel-go/interpreter/runtimecost.go and k8s.io/apiserver/pkg/cel/library/cost.go. What an expression costs
besides its calls is counted where it is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from sampan.api.cel.limits import (
    AUTHORIZATION_COST,
    LIST_COST,
    REGEX_FACTOR,
    STRUCT_COST,
    TRAVERSAL_FACTOR,
)
from sampan.api.cel.types import CelType, Kind
from sampan.api.cel.values import Listed, Mapped, Opaque, Value, size_of

Meter = Callable[[tuple[Value, ...], Value], int]
"""(arguments with the receiver first, result) → cost."""

_SCALARS: Final = frozenset((Kind.BOOL, Kind.INT, Kind.UINT, Kind.DOUBLE, Kind.TIMESTAMP, Kind.DURATION, Kind.NULL, Kind.TYPE))


def traversal(size: int, factor: float = 1) -> int:
    """To go through so many characters; no float is involved in what every string comparison does."""
    return -(-size // 10) if factor == 1 else ceil(size * factor * TRAVERSAL_FACTOR)


def _traverse_first(arguments: tuple[Value, ...], result: Value) -> int:
    return traversal(size_of(arguments[0]))


def _traverse_twice(arguments: tuple[Value, ...], result: Value) -> int:
    return traversal(size_of(arguments[0]), 2)


def by_result(arguments: tuple[Value, ...], result: Value) -> int:
    """The one meter that has to wait for the result; all others are read before the call, so that none is too long."""
    return traversal(size_of(result), 2)


def _traverse_shorter(arguments: tuple[Value, ...], result: Value) -> int:
    return traversal(min(size_of(arguments[0]), size_of(arguments[1])))


def _traverse_both(arguments: tuple[Value, ...], result: Value) -> int:
    return traversal(size_of(arguments[0]) + size_of(arguments[1]))


def _elements(arguments: tuple[Value, ...], result: Value) -> int:
    return size_of(arguments[1])


def pattern(text_size: int, pattern_size: int) -> int:
    """To look for a pattern; an empty text costs something, too."""
    return ceil((1.0 + text_size) * TRAVERSAL_FACTOR) * ceil(pattern_size * REGEX_FACTOR)


def _pattern(arguments: tuple[Value, ...], result: Value) -> int:
    return pattern(size_of(arguments[0]), size_of(arguments[1]))


def _contains(arguments: tuple[Value, ...], result: Value) -> int:
    return traversal(size_of(arguments[0])) * traversal(size_of(arguments[1]))


def _tree(value: Value) -> int:
    """All of a list, for functions that look at each element."""
    if isinstance(value, str):
        return int(len(value.encode("utf-8", "surrogatepass")) * TRAVERSAL_FACTOR)
    if isinstance(value, bytes):
        return int(len(value) * TRAVERSAL_FACTOR)
    if isinstance(value, (list, Listed)):
        return sum(map(_tree, value))
    if isinstance(value, dict):
        return sum(_tree(key) + _tree(entry) for key, entry in value.items())
    if isinstance(value, Mapped):
        return sum(_tree(key) + _tree(value.find(key)) for key in value)
    return 1


def _whole_first(arguments: tuple[Value, ...], result: Value) -> int:
    return _tree(arguments[0])


def _selector(arguments: tuple[Value, ...], result: Value) -> int:
    size = size_of(arguments[1])
    return LIST_COST + traversal(size) + ceil(ceil(size * 0.5) * float(LIST_COST + STRUCT_COST))


def _sets(factor: float) -> Meter:
    return lambda arguments, result: 1 + int(float(size_of(arguments[0]) * size_of(arguments[1])) * factor)


def _network(arguments: tuple[Value, ...], *, masked: bool, parsed: bool) -> int:
    own, other = size_of(arguments[0]), size_of(arguments[1])
    cost = traversal(2 * own)
    if masked:
        cost += traversal(own) + 1
    return cost + (traversal(other) if parsed else 0)


def _network_meter(*, masked: bool, parsed: bool) -> Meter:
    return lambda arguments, result: _network(arguments, masked=masked, parsed=parsed)


def _validate(arguments: tuple[Value, ...], result: Value) -> int:
    return pattern(size_of(arguments[1]), getattr(arguments[0], "pattern_size", 0))


def _equality(arguments: tuple[Value, ...], result: Value) -> int:
    return 1 if isinstance(arguments[0], Opaque) else _traverse_shorter(arguments, result)


def _by(names: str, cost: int | Meter) -> dict[str, int | Meter]:
    return dict.fromkeys(names.split(), cost)


_TEXT_ORDERS: Final = tuple(
    f"{order}_{of}" for order in ("less", "less_equals", "greater", "greater_equals") for of in ("string", "bytes")
)
_BY_FUNCTION: Final[dict[str, int | Meter]] = {
    "check": AUTHORIZATION_COST,
    **_by("serviceAccount path group resource subresource namespace name allowed reason error errored", 1),
    **_by("fieldSelector labelSelector", _selector),
    **_by("isSorted sum max min indexOf lastIndexOf", _whole_first),
    **_by("url lowerAscii upperAscii substring trim", _traverse_first),
    **_by("replace split", _traverse_twice),
    "join": by_result,
    **_by("find findAll", _pattern),
    **_by("cidr isIP isCIDR ip quantity isQuantity semver isSemver", _traverse_first),
    "ip.isCanonical": _traverse_twice,
    "validate": _validate,
    "_==_": _equality,
    "_!=_": _traverse_shorter,
}
_BY_OVERLOAD: Final[dict[str, int | Meter]] = {
    "list_sets_contains_list": _sets(1),
    "list_sets_intersects_list": _sets(1),
    "list_sets_equivalent_list": _sets(2),
    "cidr_ip": 1,
    "cidr_contains_ip_string": _network_meter(masked=False, parsed=True),
    "cidr_contains_ip_ip": _network_meter(masked=False, parsed=False),
    "cidr_contains_cidr_string": _network_meter(masked=True, parsed=True),
    "cidr_contains_cidr": _network_meter(masked=True, parsed=False),
}
_STANDARD: Final[dict[str, int | Meter]] = {
    **_by("starts_with_string ends_with_string string_to_bytes bytes_to_string strings_quote string_format", _traverse_first),
    "in_list": _elements,
    **dict.fromkeys(_TEXT_ORDERS, _traverse_shorter),
    **_by("add_string add_bytes", _traverse_both),
    "matches_string": _pattern,
    "contains_string": _contains,
}
_NETWORKS: Final = frozenset(("containsIP", "containsCIDR"))


def cost_of(function: str, overload: str, operands: list[CelType]) -> int | Meter:
    """What a call costs, or what finds out. `overload` is empty where it is only known when it is called."""
    if overload in _BY_OVERLOAD:
        return _BY_OVERLOAD[overload]
    if function in _NETWORKS:
        return _network_meter(masked=function == "containsCIDR", parsed=False)
    if function in ("_==_", "_!=_") and all(of.kind in _SCALARS for of in operands):
        return 1
    return _BY_FUNCTION.get(function) or _STANDARD.get(overload, 1)
