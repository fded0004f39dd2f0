"""Whether a value of one type may stand where another is wanted, and what type parameters then are.

After github.com/google/cel-go/checker/types.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.cel.types import DYN, CelType, Kind, opaque

Bindings = dict[CelType, CelType]
"""What type parameters stand for."""

_NULLABLE = frozenset((Kind.OPAQUE, Kind.STRUCT, Kind.ANY, Kind.DURATION, Kind.TIMESTAMP))
_COMPOSED = frozenset((Kind.OPAQUE, Kind.LIST, Kind.MAP))


def _dyn_or_error(of: CelType) -> bool:
    return of.is_dyn or of.kind is Kind.ERROR


def _assignable(bound: Bindings, first: CelType, second: CelType) -> bool:
    if second.kind is Kind.PARAMETER:
        valid, had = _substitutes(bound, first, second)
        if valid or had:
            return valid
    if first.kind is Kind.PARAMETER:
        return _substitutes(bound, second, first)[0]
    if _dyn_or_error(first) or _dyn_or_error(second):
        return True
    if first.kind is Kind.NULL:
        return second.kind is Kind.NULL or second.kind in _NULLABLE
    if second.kind is Kind.NULL:
        return first.kind in _NULLABLE
    if first.kind is not second.kind:
        return False
    if first.kind is Kind.TYPE:
        return True
    if first.name != second.name:
        return False
    if first.kind in _COMPOSED:
        return _all_assignable(bound, first.parameters, second.parameters)
    return True


def _substitutes(bound: Bindings, wanted: CelType, given: CelType) -> tuple[bool, bool]:
    """Whether the parameter `given` may be the type `wanted`, and whether it was bound before."""
    if wanted == given:
        return True, True
    known = bound.get(given)
    if known is None:
        if not _free_of(bound, given, wanted):
            return False, False
        bound[given] = wanted
        return True, False
    if wanted == known:
        return True, True
    if not _assignable(bound, wanted, known):
        return False, True
    general = most_general(wanted, known)
    if _free_of(bound, given, general):
        bound[given] = general
    return True, True


def _all_assignable(bound: Bindings, first: Sequence[CelType], second: Sequence[CelType]) -> bool:
    return len(first) == len(second) and all(_assignable(bound, one, other) for one, other in zip(first, second, strict=True))


def _free_of(bound: Bindings, of: CelType, within: CelType) -> bool:
    """Whether a type is no part of another, which would have no end."""
    if of == within:
        return False
    if within.kind is Kind.PARAMETER:
        known = bound.get(within)
        return known is None or _free_of(bound, of, known)
    if within.kind in _COMPOSED or within.kind is Kind.TYPE:
        return all(_free_of(bound, of, part) for part in within.parameters)
    return True


def assignable(bound: Bindings, first: Sequence[CelType], second: Sequence[CelType]) -> Bindings | None:
    """What parameters stand for, once each of the first is what the second wants; None if it cannot be."""
    trial = dict(bound)
    return trial if _all_assignable(trial, first, second) else None


def most_general(first: CelType, second: CelType) -> CelType:
    """Of two types that agree."""
    return first if _less_specific(first, second) else second


def _less_specific(first: CelType, second: CelType) -> bool:
    if first.is_dyn or first.kind is Kind.PARAMETER:
        return True
    if second.is_dyn or second.kind is Kind.PARAMETER or first.kind is not second.kind:
        return False
    if first.kind is Kind.TYPE:
        return True
    if first.kind in _COMPOSED:
        same = first.name == second.name and len(first.parameters) == len(second.parameters)
        return same and all(map(_less_specific, first.parameters, second.parameters))
    return first == second


def substitute(bound: Bindings, of: CelType, *, to_dyn: bool = False) -> CelType:
    """The type with its parameters replaced, those that stand for nothing by dyn if `to_dyn`."""
    if of.kind is Kind.PARAMETER:
        known = bound.get(of)
        if known is not None:
            return substitute(bound, known, to_dyn=to_dyn)
        return DYN if to_dyn else of
    if not of.parameters:
        return of
    parts = tuple(substitute(bound, part, to_dyn=to_dyn) for part in of.parameters)
    return of if parts == of.parameters else CelType(of.kind, of.name, parts, of.fields)


def function_type(result: CelType, parameters: Sequence[CelType]) -> CelType:
    """Result and parameters as one type, so that both are substituted at once."""
    return opaque("function", result, *parameters)
