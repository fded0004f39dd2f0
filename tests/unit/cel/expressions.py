"""Expressions to test with: their value, their error, their cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sampan.api.cel import CelError, CelRuntimeError, CelType, Environment, Optional, Program, types

VARIABLES: dict[str, CelType] = {
    "b": types.BOOL,
    "i": types.INT,
    "u": types.UINT,
    "x": types.DOUBLE,
    "s": types.STRING,
    "l": types.list_of(types.INT),
    "names": types.list_of(types.STRING),
    "m": types.map_of(types.STRING, types.INT),
    "d": types.DYN,
}
VALUES: dict[str, Any] = {
    "b": True,
    "i": 7,
    "x": 1.5,
    "s": "seven",
    "l": [1, 2, 3],
    "names": ["ada", "grace"],
    "m": {"one": 1, "two": 2},
    "d": {"deep": {"list": [1, "two", None]}, "flag": False, "none": None},
}
BUDGET = 10**7


def compiled(text: str, version: str = "1.33", variables: Mapping[str, CelType] | None = None) -> Program:
    return Environment(VARIABLES if variables is None else variables, version=version).compile(text)


def value(text: str, **bindings: Any) -> Any:
    """What the expression comes to; of an optional, a tuple of what is in it."""
    result = compiled(text).evaluate({**VALUES, **bindings}, BUDGET)
    return shown(result)


def shown(result: Any) -> Any:
    if isinstance(result, Optional):
        return (shown(result.value),) if result.has_value else ()
    return [shown(element) for element in result] if isinstance(result, list) else result


def fails(text: str, **bindings: Any) -> str:
    """The words with which its evaluation fails."""
    program = compiled(text)
    with pytest.raises(CelRuntimeError) as caught:
        program.evaluate({**VALUES, **bindings}, BUDGET)
    return str(caught.value)


def refused(text: str, version: str = "1.33", variables: Mapping[str, CelType] | None = None) -> str:
    """Why it does not compile."""
    with pytest.raises(CelError) as caught:
        compiled(text, version, variables)
    return str(caught.value)


def spent(text: str, **bindings: Any) -> int:
    program = compiled(text)
    program.evaluate({**VALUES, **bindings}, BUDGET)
    return program.spent
