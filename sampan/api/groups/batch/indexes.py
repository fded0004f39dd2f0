"""Sets of indexes as Indexed Jobs write them: "1,3-5,7"."""

from __future__ import annotations

from typing import NamedTuple

from sampan.api.integers import parse_int64


class BadIndexes(ValueError):
    """Not a set of indexes; the message is upstream's."""


class Interval(NamedTuple):
    first: int
    last: int


def parse_interval(text: str, completions: int) -> Interval:
    """Raises BadIndexes."""
    limits = text.split("-")
    if len(limits) > 2:
        why = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise BadIndexes(f'the fragment "{text}" {why}')
    bounds = [_index(limit, completions) for limit in limits]
    if len(bounds) == 2 and bounds[0] >= bounds[1]:
        raise BadIndexes(f"non-increasing order, previous: {bounds[0]}, current: {bounds[1]}")
    return Interval(bounds[0], bounds[-1])


def _index(text: str, completions: int) -> int:
    try:
        number = parse_int64(text)
    except ValueError:
        raise BadIndexes(f'cannot convert string to integer for index: "{text}"') from None
    if number >= completions:
        raise BadIndexes(f'too large index: "{text}"')
    return number


def count_indexes(text: str, completions: int) -> int:
    """How many indexes a set has, which must be written in rising order. Raises BadIndexes."""
    total, last = 0, -1
    for piece in text.split(",") if text else ():
        interval = parse_interval(piece, completions)
        if last >= interval.first:
            raise BadIndexes(f"non-increasing order, previous: {last}, current: {interval.first}")
        total += interval.last - interval.first + 1
        last = interval.last
    return total


def first_overlap(completed: str, failed: str, completions: int) -> int | None:
    """The first index that is in both sets. What is no interval is passed over: its format is judged elsewhere."""
    ours, theirs = _intervals(completed, completions), _intervals(failed, completions)
    one = other = 0
    while one < len(ours) and other < len(theirs):
        mine, yours = ours[one], theirs[other]
        if mine.first <= yours.last and yours.first <= mine.last:
            return max(mine.first, yours.first)
        if mine.first <= yours.first:
            one += 1
        else:
            other += 1
    return None


def _intervals(text: str, completions: int) -> list[Interval]:
    found = []
    for piece in text.split(",") if text else ():
        try:
            found.append(parse_interval(piece, completions))
        except BadIndexes:
            continue
    return found
