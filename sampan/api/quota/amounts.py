"""Arithmetic of amounts by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sampan.api.podresources import Amounts
from sampan.api.quantity import ZERO, Quantity


def total(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    result = dict(one)
    for name, amount in other.items():
        result[name] = result[name] + amount if name in result else amount
    return result


def rest(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    """The one less the other, and never less than nothing."""
    result = {name: amount - other[name] if name in other else amount for name, amount in one.items()}
    return {name: amount if amount > ZERO else ZERO for name, amount in result.items()} | {
        name: ZERO for name in other if name not in one
    }


def only(amounts: Mapping[str, Quantity], names: Iterable[str]) -> Amounts:
    wanted = set(names)
    return {name: amount for name, amount in amounts.items() if name in wanted}


def shown(amounts: Mapping[str, Quantity]) -> str:
    """ "cpu=1,pods=3"."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))


def written(amounts: Mapping[str, Quantity]) -> dict[str, str]:
    """As they stand in an object."""
    return {name: str(amounts[name]) for name in sorted(amounts)}
