"""Comprehensions: `all`, `exists`, `map`, `filter` and the others, each as the loop that it is.

After github.com/google/cel-go/interpreter/interpretable.go, where all are one fold; the costs of the fold's steps, which go to
the accumulator, are the constants here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sampan.api.cel.attributes import shown
from sampan.api.cel.code import ABSORBED, COST, LIMIT, Code, Frame, Run, plain
from sampan.api.cel.comparing import find
from sampan.api.cel.errors import CelRuntimeError, CostExceeded, no_such_overload
from sampan.api.cel.limits import LIST_COST
from sampan.api.cel.values import MISSING, Listed, Mapped, Value, new_map

Bind = Callable[[Frame, Value], None]
"""Puts what a range gives into its variables."""


def _keys_or_elements(of: Value) -> Iterable[Value]:
    if isinstance(of, (list, dict, Listed, Mapped)):
        return of
    raise no_such_overload()


def _pairs(of: Value) -> Iterator[tuple[Value, Value]]:
    if isinstance(of, (list, Listed)):
        return iter(enumerate(of))
    if isinstance(of, (dict, Mapped)):
        return ((key, find(of, key)) for key in of)
    raise no_such_overload()


class Range:
    """What is gone through, and where to put what is found there."""

    def __init__(self, over: Code, variable: int, second: int | None) -> None:
        self.cost = over.cost
        self._run = over.run
        self.variable = variable
        self.second = second

    def open(self, frame: Frame) -> Iterable[Value]:
        of = self._run(frame)
        return _keys_or_elements(of) if self.second is None else _pairs(of)

    def bind(self, frame: Frame, found: Value) -> None:
        if self.second is None:
            frame[self.variable] = found
        else:
            frame[self.variable], frame[self.second] = found  # type: ignore[misc]  # of _pairs


def quantifier(over: Range, test: Code, decisive: bool) -> Code:
    """`all` ends at the first False, `exists` at the first True. An error counts only if nothing decides."""
    look = 3 if decisive else 2
    """To look whether it is decided: the accumulator, its negation for `exists`, and the question itself."""
    each = look + 1 + test.cost
    run_test, open_, bind = test.run, over.open, over.bind
    slot = over.variable
    simple = over.second is None

    def run(frame: Frame) -> bool:
        failed: BaseException | None = None
        decided = False
        for found in open_(frame):
            if decided:
                frame[COST] += look
                break
            if simple:
                frame[slot] = found
            else:
                bind(frame, found)
            cost = frame[COST] = frame[COST] + each
            if cost > frame[LIMIT]:
                raise CostExceeded
            try:
                value = run_test(frame)
            except CostExceeded:
                raise
            except ABSORBED as error:
                failed = failed or error
                continue
            if value is decisive:
                decided = True
            elif value.__class__ is not bool:
                failed = failed or no_such_overload()
        if decided:
            return decisive
        if failed is not None:
            raise failed
        return not decisive

    return plain(run, over.cost + 1)


def exists_one(over: Range, test: Code) -> Code:
    run_test, open_, bind = test.run, over.open, over.bind
    each = test.cost

    def run(frame: Frame) -> bool:
        count = 0
        for found in open_(frame):
            bind(frame, found)
            _spend(frame, each)
            if _truth(run_test(frame)):
                frame[COST] += 2
                count += 1
        return count == 1

    return plain(run, over.cost + 2)


def listing(over: Range, test: Code | None, outcome: Code) -> Code:
    """`map`, `filter` and `transformList`."""
    run_outcome, open_, bind = outcome.run, over.open, over.bind
    passes = _passing(test)
    each = 2 + (0 if outcome.is_constant else LIST_COST) + outcome.cost

    def run(frame: Frame) -> list[Value]:
        gathered = []
        for found in open_(frame):
            bind(frame, found)
            if passes(frame):
                _spend(frame, each)
                gathered.append(run_outcome(frame))
        return gathered

    return plain(run, over.cost + 1)


def mapping(over: Range, test: Code | None, outcome: Code, *, entries: bool) -> Code:
    """`transformMap`, and `transformMapEntry` where each outcome is itself a map."""
    run_outcome, open_, bind = outcome.run, over.open, over.bind
    passes = _passing(test)
    each = (2 if entries else 3) + outcome.cost

    def run(frame: Frame) -> Value:
        gathered: list[tuple[Value, Value]] = []
        known: set[tuple[bool, Value]] = set()
        for found in open_(frame):
            bind(frame, found)
            if not passes(frame):
                continue
            _spend(frame, each)
            value = run_outcome(frame)
            for key, entry in _pairs(value) if entries else ((frame[over.variable], value),):
                _insert(known, key)
                gathered.append((key, entry))
        return new_map(gathered)

    return plain(run, over.cost + 1)


def _insert(known: set[tuple[bool, Value]], key: Value) -> None:
    mark = (key.__class__ is bool, key)
    if mark in known:
        raise CelRuntimeError(f"insert failed: key {shown(key)} already exists")
    known.add(mark)


def binding(start: Code, slot: int, outcome: Callable[[Code], Code]) -> Code:
    """A name for a value, which is found out when it is first asked for. `outcome` compiles what it is asked in."""

    def read(frame: Frame) -> Value:
        value = frame[slot]
        if value is MISSING:
            _spend(frame, start.cost)
            value = frame[slot] = start.run(frame)
        return value

    result = outcome(Code(read, 1, 0, is_attribute=True))

    def run(frame: Frame) -> Value:
        frame[slot] = MISSING
        return result.run(frame)

    return plain(run, result.cost)


def _passing(test: Code | None) -> Run:
    """Whether an element counts."""
    if test is None:
        return lambda frame: True
    run_test, cost = test.run, test.cost

    def passes(frame: Frame) -> bool:
        _spend(frame, cost)
        return _truth(run_test(frame))

    return passes


def _truth(value: Value) -> bool:
    if value is True or value is False:
        return value
    raise no_such_overload()


def _spend(frame: Frame, cost: int) -> None:
    frame[COST] += cost
    if frame[COST] > frame[LIMIT]:
        raise CostExceeded
