"""What differs between two JSON values, leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

ABSENT = "(absent)"


class Difference(NamedTuple):
    at: str
    theirs: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.at}\n      upstream: {self.theirs!r}\n      sampan:   {self.ours!r}"


class Explained(NamedTuple):
    """Differences at paths like `at`, of requests like `request`, with values like `theirs` and `ours` in JSON; all of them are
    regular expressions that are searched for."""

    reason: str
    at: str = ""
    request: str = ""
    theirs: str = ""
    ours: str = ""


def differences(theirs: Any, ours: Any, at: str = "") -> Iterator[Difference]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            yield from differences(theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{at}.{key}" if at else key)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for index in range(max(len(theirs), len(ours))):
            yield from differences(_item(theirs, index), _item(ours, index), f"{at}[{index}]")
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        yield Difference(at, theirs, ours)


def _item(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else ABSENT
