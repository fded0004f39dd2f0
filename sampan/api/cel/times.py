"""Timestamps and durations: nanoseconds, read and written as Go does, and their parts in any time zone.

After github.com/google/cel-go/common/types/{timestamp,duration}.go and Go's time package.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sampan.api import duration
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.values import Duration, Timestamp

SECOND: Final = 10**9
_LOW: Final = -62135596800
"""0001-01-01T00:00:00Z, in seconds."""
_HIGH: Final = 253402300799
_EPOCH: Final = datetime(1970, 1, 1)

_stamp = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
).fullmatch


def checked_duration(nanoseconds: int) -> Duration:
    if not -(2**63) <= nanoseconds < 2**63:
        raise CelRuntimeError("integer overflow")
    return Duration(nanoseconds)


def timestamp(seconds: int, nanoseconds: int = 0, offset: int = 0) -> Timestamp:
    """Raises CelRuntimeError outside of the years 1 to 9999."""
    whole = seconds + nanoseconds // SECOND
    if not _LOW <= whole <= _HIGH:
        raise CelRuntimeError("timestamp overflow")
    at = Timestamp(seconds * SECOND + nanoseconds)
    if offset:
        at.offset = offset
    return at


ZERO: Final = timestamp(_LOW)
"""What Go has for a time that was never set."""


def add_duration(at: Timestamp, span: int) -> Timestamp:
    total = int(at) + int(span)
    return timestamp(total // SECOND, total % SECOND, at.offset)


def between(left: int, right: int) -> Duration:
    """How much later the first is."""
    return checked_duration(int(left) - int(right))


def parse_duration(text: str) -> Duration | None:
    """As Go's time.ParseDuration; None for what is no duration."""
    try:
        return Duration(duration.nanoseconds(text))
    except ValueError:
        return None


def format_duration(span: Duration) -> str:
    """Seconds with what fraction it takes: "1.5s"."""
    whole, rest = divmod(abs(int(span)), SECOND)
    # As Go, by way of a double: what it has no digits for is not shown.
    seconds = whole + rest / SECOND
    text = repr(seconds) if "e" not in repr(seconds) else f"{seconds:.9f}".rstrip("0")
    text = text.removesuffix(".0").rstrip(".")
    return f"{'-' if span < 0 else ''}{text}s"


def parse_timestamp(text: str) -> Timestamp | None:
    """RFC 3339. None for what is no time. Raises CelRuntimeError outside of the years 1 to 9999."""
    match = _stamp(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    leap = year == 0
    try:
        at = datetime(2000 if leap else year, month, day, hour, minute, second)
    except ValueError:
        return None
    if leap:
        raise CelRuntimeError("timestamp overflow")
    offset = 0 if match[8] == "Z" else _offset(match[8])
    if offset is None:
        return None
    seconds = (at - _EPOCH) // timedelta(seconds=1) - offset
    return timestamp(seconds, int((match[7] or "0")[:9].ljust(9, "0")), offset)


def _offset(text: str) -> int | None:
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 24 or minutes > 60:
        return None
    return (hours * 3600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def format_timestamp(at: Timestamp) -> str:
    """RFC 3339 with as many digits of a second as it takes."""
    seconds, nanoseconds = divmod(int(at), SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds + at.offset)
    except OverflowError:
        raise CelRuntimeError("timestamp overflow") from None
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    zone = "Z"
    if at.offset:
        minutes = abs(at.offset) // 60
        zone = f"{'-' if at.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{moment.year:04d}{moment:-%m-%dT%H:%M:%S}{fraction}{zone}"


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    if ":" in name:
        hours, _, minutes = name.partition(":")
        try:
            shift = int(hours) * 60 + int(minutes) * (-1 if name[0] == "-" else 1)
            return timezone(timedelta(minutes=shift))
        except ValueError:
            raise CelRuntimeError(f'strconv.Atoi: parsing "{hours}": invalid syntax') from None
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CelRuntimeError(f"unknown time zone {name}") from None


def in_zone(at: Timestamp, zone: str = "UTC") -> datetime:
    """The wall clock there; less what is finer than a second. Raises CelRuntimeError for no zone."""
    place = _zone(zone)
    moment = _EPOCH + timedelta(seconds=int(at) // SECOND)
    try:
        return moment.replace(tzinfo=UTC).astimezone(place).replace(tzinfo=None)
    except OverflowError:
        return moment


def milliseconds(at: int) -> int:
    return int(at) % SECOND // 10**6
