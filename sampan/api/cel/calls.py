"""Calls of functions: what is bound to them, with values from closures, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sampan.api.cel.code import ABSORBED, COST, LIMIT, Code, Frame, Run, constant, plain
from sampan.api.cel.declarations import Binding
from sampan.api.cel.errors import CelProgramError, CelRuntimeError, CostExceeded
from sampan.api.cel.patterns import Pattern, compiled
from sampan.api.cel.tracking import Meter, by_result, cost_of, pattern
from sampan.api.cel.types import CelType, Kind
from sampan.api.cel.values import Listed, Mapped, Uint, Value, type_of

_PATTERNS = frozenset(("matches", "find", "findAll"))
_SAME_TYPE = {
    "_<_": lambda left, right: left < right,
    "_<=_": lambda left, right: left <= right,
    "_>_": lambda left, right: left > right,
    "_>=_": lambda left, right: left >= right,
}
_COMPARISONS = frozenset(("_==_", "_!=_", *_SAME_TYPE))
_ALIKE = frozenset((Kind.INT, Kind.UINT, Kind.STRING, Kind.BYTES, Kind.TIMESTAMP, Kind.DURATION, Kind.BOOL))
"""Types whose values Python orders as CEL does. A double may be NaN, which CEL does not order at all."""


def takes(parameters: Sequence[CelType], given: Sequence[Value]) -> bool:
    """Whether a function of such parameters may be called with these values."""
    return len(parameters) == len(given) and all(map(_fits, parameters, given))


def _fits(parameter: CelType, value: Value) -> bool:
    if parameter.is_dyn or parameter.kind is Kind.PARAMETER:
        return True
    if parameter.name != type_of(value).name:
        return False
    if parameter.kind is Kind.LIST:
        first = next(iter(cast("list[Value]", value)), None) if len(cast("list[Value] | Listed", value)) else None
        return first is None or _fits(parameter.parameters[0], first)
    if parameter.kind is Kind.MAP and isinstance(value, (dict, Mapped)) and len(value):
        return _fits(parameter.parameters[0], next(iter(value)))
    return True


def call(function: str, overload: str, binding: Binding, arguments: list[Code], types: list[CelType]) -> Code:
    """A call whose arguments are all looked at before it."""
    cost = cost_of(function, overload, types)
    known = sum(argument.cost for argument in arguments)
    binding = _quick(function, types) or binding
    if isinstance(cost, int):
        return plain(_free(binding, arguments), known + cost)
    if len(types) == 2 and types[0].kind is types[1].kind is Kind.STRING and function in _COMPARISONS:
        return plain(_compared_texts(binding, arguments, cost), known)
    return plain(_metered(binding, arguments, cost), known)


def _quick(function: str, types: list[CelType]) -> Binding | None:
    """Python's own operators, where the types leave no doubt; what is null all the same ends as a TypeError."""
    if len(types) != 2 or types[0] != types[1] or types[0].kind not in _ALIKE:
        return None
    if function == "_==_":
        return lambda left, right: left == right if left.__class__ is right.__class__ else False
    if function == "_!=_":
        return lambda left, right: left != right if left.__class__ is right.__class__ else True
    return _SAME_TYPE.get(function)


def _free(binding: Binding, arguments: list[Code]) -> Binding:
    runs = [argument.run for argument in arguments]
    if len(runs) == 1:
        (only,) = runs
        return lambda frame: binding(only(frame))
    if len(runs) == 2:
        left, right = runs
        if arguments[1].is_constant:
            value = arguments[1].constant
            return lambda frame: binding(left(frame), value)
        return lambda frame: binding(left(frame), right(frame))
    return lambda frame: binding(*[run(frame) for run in runs])


def _metered(binding: Binding, arguments: list[Code], meter: Meter) -> Binding:
    runs = [argument.run for argument in arguments]

    def run(frame: Frame) -> Value:
        before = frame[COST]
        try:
            given = tuple([run(frame) for run in runs])
        except CostExceeded:
            raise
        except ABSORBED:
            frame[COST] = before
            _charge_failed(frame, runs, meter)
            raise
        frame[COST] += meter(given, None)
        if frame[COST] > frame[LIMIT]:
            raise CostExceeded
        return binding(*given)

    return _metered_by_result(binding, runs, meter) if meter is by_result else run


def _compared_texts(binding: Binding, arguments: list[Code], meter: Meter) -> Run:
    """Comparisons of strings are the most frequent calls, so they do without a call of the meter."""
    left, right = (argument.run for argument in arguments)
    otherwise = _metered(binding, arguments, meter)

    def run(frame: Frame) -> Value:
        before = frame[COST]
        try:
            one, other = left(frame), right(frame)
        except CostExceeded:
            raise
        except ABSORBED:
            frame[COST] = before
            return otherwise(frame)
        if one.__class__ is not str or other.__class__ is not str:
            frame[COST] = before
            return otherwise(frame)
        shorter, length = len(one), len(other)
        if length < shorter:
            shorter = length
        frame[COST] += (shorter + 9) // 10
        return binding(one, other)

    return run


def _metered_by_result(binding: Binding, runs: list[Run], meter: Meter) -> Binding:
    def run(frame: Frame) -> Value:
        given = tuple([run(frame) for run in runs])
        result = binding(*given)
        frame[COST] += meter(given, result)
        if frame[COST] > frame[LIMIT]:
            raise CostExceeded
        return result

    return run


def _charge_failed(frame: Frame, runs: list[Run], meter: Meter) -> None:
    """Of one or two arguments, upstream looks at both, and charges for the call as if an error were a value of size 1."""
    given: list[Value] = []
    for run in runs:
        try:
            given.append(run(frame))
        except CostExceeded:
            raise
        except ABSORBED:
            if len(runs) > 2:
                return
            given.append(None)
    frame[COST] += meter(tuple(given), None)


def fixed_pattern(function: str, overload: str, arguments: list[Code]) -> Binding | None:
    """What looks for a pattern that is always the same, and is read once. Raises CelProgramError for what is no pattern."""
    if function not in _PATTERNS or not arguments[1].is_constant or type(arguments[1].constant) is not str:
        return None
    try:
        found = compiled(arguments[1].constant)
    except CelRuntimeError as error:
        raise CelProgramError(str(error)) from None
    return _search(function, found)


def _search(function: str, found: Pattern) -> Binding:
    if function == "find":
        return lambda text, _: found.first(text)
    if function == "findAll":
        return lambda text, _, most=-1: found.all(text, most)
    return lambda text, _: found.found_in(text)


def membership(item: Code, container: list[Value]) -> Code | None:
    """`item in ['a', 'b']`: one look, for which upstream asks nothing. None where the elements do not allow it."""
    if not container:
        return constant(False)
    if not all(type(element) in (bool, int, Uint, float, str) for element in container):
        return None
    known = {(element.__class__ is bool, element) for element in container}
    run_item = item.run

    def run(frame: Frame) -> bool:
        value = run_item(frame)
        return (value.__class__ is bool, value) in known if type(value) in _HASHED else False

    return plain(run, item.cost)


_HASHED = frozenset((bool, int, Uint, float, str))
__all__ = ["call", "fixed_pattern", "membership", "pattern", "takes"]
