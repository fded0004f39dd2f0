"""Whether a concurrent history of a store can be told as a sequential one that keeps to real time.

After Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with Lowe's memory of configurations that were tried
("Testing for linearizability", 2017): take any operation that began before every other left one ended, apply it to a model,
go on; when stuck, take another. Linearizability holds of a whole if it holds of its parts, so each key is judged by itself.

An operation whose outcome nobody was told (the store was killed, the connection lost) may have taken effect at any time after
it began, or never.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Held = tuple[int, bytes] | None
"""What a key holds: the revision it was written with, and the value."""


class Operation(NamedTuple):
    """One call. `expected` is the revision that an update or delete was told; `revision` is that of the write, or of what a get
    or a refused write found; 0 where nothing was there. `value` is what was written, or read."""

    client: int
    verb: str
    key: str
    began: float
    ended: float
    """Infinity: no outcome was told."""
    value: bytes = b""
    expected: int = 0
    revision: int = 0
    refused: bool = False

    @property
    def unknown(self) -> bool:
        return self.ended == math.inf


def explain(history: Iterable[Operation]) -> str:
    """Empty if the history is linearizable; else which key's is not, with its operations."""
    by_key: dict[str, list[Operation]] = {}
    for operation in history:
        by_key.setdefault(operation.key, []).append(operation)
    for key, operations in by_key.items():
        if not is_linearizable(operations):
            lines = [str(operation) for operation in sorted(operations, key=lambda operation: operation.began)]
            return "\n".join([f"the history of {key} is not linearizable:", *lines])
    return ""


def is_linearizable(operations: Sequence[Operation]) -> bool:
    """Of one key, that holds nothing at first."""
    waiting = sorted(operations, key=lambda operation: operation.began)
    everything = (1 << len(waiting)) - 1
    must = sum(1 << index for index, operation in enumerate(waiting) if not operation.unknown)
    tried: set[tuple[int, Held]] = set()
    stack: list[tuple[int, Held]] = [(everything, None)]
    while stack:
        left, held = stack.pop()
        if not left & must:
            return True
        if (left, held) in tried:
            continue
        tried.add((left, held))
        horizon = min(waiting[index].ended for index in _indices(left))
        for index in _indices(left):
            operation = waiting[index]
            if operation.began > horizon:
                break
            for after in _outcomes(operation, held):
                stack.append((left & ~(1 << index), after))
    return False


def _indices(bits: int) -> Iterable[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


_UNTOLD = -1
"""The revision of a write whose outcome nobody was told: whatever is read there may be it, if the value is its own."""


def _outcomes(operation: Operation, held: Held) -> list[Held]:
    """What the key may hold after the operation, done on `held` with the outcome that was told; empty if that cannot be."""
    now = held[0] if held else 0
    if operation.verb == "get":
        return _agree(held, operation.revision, operation.value)
    if operation.refused:
        return _refused(operation, held)
    fits = now == operation.expected or (now == _UNTOLD and operation.expected > 0)
    if operation.verb == "create":
        fits = held is None
    if not fits:
        return []
    if operation.verb == "delete":
        return [None]
    return [(_UNTOLD if operation.unknown else operation.revision, operation.value)]


def _agree(held: Held, revision: int, value: bytes) -> list[Held]:
    """Whether `revision` and `value` are what is held; a revision that nobody was told is learnt."""
    if held is None or not revision:
        return [held] if held is None and not revision else []
    if held[1] != value or held[0] not in (revision, _UNTOLD):
        return []
    return [(revision, value)]


def _refused(operation: Operation, held: Held) -> list[Held]:
    if operation.verb == "create":
        return [held] if held is not None else []
    found = _agree(held, operation.revision, operation.value)
    return [after for after in found if (after[0] if after else 0) != operation.expected]
