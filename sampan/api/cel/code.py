"""What a node is compiled to: a Python closure, and what it costs.

A closure takes the frame of one evaluation, a plain list, as nothing else is as fast to count in and to read from:

    frame[COST]     what was spent
    frame[LIMIT]    what may be spent
    frame[2:]       variables, then what loops and bindings keep

Costs that are known beforehand are summed up while compiling. Whatever decides whether a part is run, as a loop, `&&` or `?:`,
adds the part's sum when it runs it; `charge` looks whether that was too much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sampan.api.cel.errors import CelRuntimeError, CostExceeded
from sampan.api.cel.values import MISSING, Value

COST: Final = 0
LIMIT: Final = 1
VARIABLES: Final = 2
Frame = list[Any]
Run = Callable[[Frame], Any]

ABSORBED: Final = (CelRuntimeError, TypeError, AttributeError)
"""What `&&` and `||` may pass over: errors of CEL, and those of Python for values that an operation does not take."""


@dataclass(frozen=True, slots=True)
class Code:
    """`cost` is what running it costs besides what `run` itself adds.

    Upstream follows variables, selections and indices, and `?:` over them, as one thing, and charges for the thing once. As a
    part of a greater such thing it costs `part_cost`. `conditional`: there is a `?:` at the root of it, which is free.
    """

    run: Run
    cost: int
    part_cost: int
    is_attribute: bool = False
    conditional: bool = False
    constant: Value = MISSING
    """Its value, if that is always the same."""
    slot: int = 0
    """Of a variable."""

    @property
    def is_constant(self) -> bool:
        return self.constant is not MISSING


def constant(value: Value) -> Code:
    return Code(lambda frame: value, 0, 0, constant=value)


def plain(run: Run, cost: int) -> Code:
    """Anything that is no attribute."""
    return Code(run, cost, cost)


def charge(frame: Frame, cost: int) -> None:
    """Raises CostExceeded when there is no more to spend."""
    frame[COST] += cost
    if frame[COST] > frame[LIMIT]:
        raise CostExceeded
