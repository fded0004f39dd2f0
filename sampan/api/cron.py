"""Cron schedules as CronJobs have them: five fields, names of months and days, descriptors (`@daily`, `@every 90m`).

    schedule = parse("*/15 9-17 * * mon-fri", "Europe/Zurich")
    schedule.after(1_700_000_000.0)     # seconds since the epoch of the next activation, None if there is none for years

Syntax, messages and the treatment of clock changes are those of robfig/cron v3 (ParseStandard), which upstream uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from sampan.api import duration
from sampan.api.integers import parse_int64

_YEARS_AHEAD: Final = 5


class CronError(ValueError):
    """Not a schedule; the message is upstream's."""


class ZoneError(ValueError):
    """Not a time zone; the message is Go's."""


class Schedule(Protocol):
    def after(self, now: float) -> float | None:
        """The first activation later than `now`, both in seconds since the epoch; None: there is none in five years."""
        ...


class _Bounds(NamedTuple):
    low: int
    high: int
    names: Mapping[str, int] = {}


_MINUTES: Final = _Bounds(0, 59)
_HOURS: Final = _Bounds(0, 23)
_DAYS: Final = _Bounds(1, 31)
_MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS: Final = _Bounds(1, 12, {name: number for number, name in enumerate(_MONTH_NAMES, 1)})
_DAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEKDAYS: Final = _Bounds(0, 6, {name: number for number, name in enumerate(_DAY_NAMES)})
_FIELDS: Final = (_MINUTES, _HOURS, _DAYS, _MONTHS, _WEEKDAYS)

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    values: frozenset[int]
    any: bool
    """It was written with a star (and no step): then it does not narrow the other kind of day."""


@dataclass(frozen=True, slots=True)
class CalendarSchedule:
    """Activations at whole minutes that the five fields allow, by the clocks of a zone."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field
    zone: tzinfo

    def after(self, now: float) -> float | None:
        moment = self._local((int(now // 60) + 1) * 60)
        last_year = moment.year + _YEARS_AHEAD
        while moment.year <= last_year:
            if moment.month not in self.month.values:
                moment = self._next_month(moment)
            elif not self._is_day(moment):
                moment = self._next_day(moment)
            elif moment.hour not in self.hour.values:
                moment = self._local(self._at(moment.year, moment.month, moment.day, moment.hour, moment.fold) + 3600)
            elif moment.minute not in self.minute.values:
                moment = self._local(moment.timestamp() + 60)
            else:
                return moment.timestamp()
        return None

    def _local(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, self.zone)

    def _at(self, year: int, month: int, day: int, hour: int = 0, fold: int = 0) -> float:
        return datetime(year, month, day, hour, tzinfo=self.zone, fold=fold).timestamp()

    def _next_month(self, moment: datetime) -> datetime:
        year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
        return self._local(self._at(year, month, 1))

    def _next_day(self, moment: datetime) -> datetime:
        # Where clocks change at midnight there is none that day: Python, as Go, then names the hour that follows.
        tomorrow = moment.replace(tzinfo=None) + timedelta(days=1)
        return self._local(self._at(tomorrow.year, tomorrow.month, tomorrow.day))

    def _is_day(self, moment: datetime) -> bool:
        """Where both kinds of day are restricted, either is enough."""
        day = moment.day in self.day.values
        weekday = moment.isoweekday() % 7 in self.weekday.values
        return day and weekday if self.day.any or self.weekday.any else day or weekday


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """`@every`: activations a fixed number of seconds apart, counted from whoever asks."""

    seconds: int

    def after(self, now: float) -> float | None:
        return float(int(now) + self.seconds)


def parse(text: str, time_zone: str = "UTC") -> Schedule:
    """`time_zone` is that of schedules which do not begin with `TZ=`. Raises CronError; ZoneError for `time_zone`."""
    if not text:
        raise CronError("empty spec string")
    zone = load_zone(time_zone)
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, _, text = text.partition(" ")
        name = prefix.partition("=")[2]
        try:
            zone = load_zone(name)
        except ZoneError as error:
            raise CronError(f"provided bad location {name}: {error}") from None
        text = text.strip()
    if text.startswith("@"):
        return _descriptor(text, zone)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    return _calendar(fields, zone)


def load_zone(name: str) -> tzinfo:
    """time.LoadLocation, but for the server's own zone, which is UTC here. Raises ZoneError."""
    if name in ("", "UTC", "Local"):
        return UTC
    if ".." in name.split("/") or name.startswith(("/", "\\")) or "\\" in name:
        raise ZoneError("time: invalid location name")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, no name of a zone, or a directory of them
        raise ZoneError(f"unknown time zone {name}") from None


def _descriptor(text: str, zone: tzinfo) -> Schedule:
    if fields := _DESCRIPTORS.get(text):
        return _calendar(fields.split(), zone)
    if text.startswith("@every "):
        try:
            nanoseconds = duration.nanoseconds(text.removeprefix("@every "))
        except ValueError as error:
            raise CronError(f"failed to parse duration {text}: {error}") from None
        return IntervalSchedule(max(1, nanoseconds // 10**9))
    raise CronError(f"unrecognized descriptor: {text}")


def _calendar(fields: Sequence[str], zone: tzinfo) -> CalendarSchedule:
    minute, hour, day, month, weekday = (_field(text, bounds) for text, bounds in zip(fields, _FIELDS, strict=True))
    return CalendarSchedule(minute, hour, day, month, weekday, zone)


def _field(text: str, bounds: _Bounds) -> _Field:
    """A list of ranges."""
    values: set[int] = set()
    any_ = False
    for piece in filter(None, text.split(",")):
        found = _range(piece, bounds)
        values |= found.values
        any_ |= found.any
    return _Field(frozenset(values), any_)


def _range(text: str, bounds: _Bounds) -> _Field:
    """`number`, `number-number`, each perhaps with `/step`."""
    written, *steps = text.split("/")
    first, *rest = written.split("-")
    any_ = first in ("*", "?")
    if any_:
        start, end = bounds.low, bounds.high
    else:
        start = end = _number(first, bounds.names)
        if len(rest) > 1:
            raise CronError(f"too many hyphens: {text}")
        if rest:
            end = _number(rest[0], bounds.names)
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    step = 1
    if steps:
        step = _number(steps[0], {})
        if not rest:
            end = bounds.high  # "N/step" means "N-max/step"
        any_ &= step <= 1
    _check(start, end, step, bounds, text)
    return _Field(frozenset(range(start, end + 1, step)), any_)


def _check(start: int, end: int, step: int, bounds: _Bounds, text: str) -> None:
    if start < bounds.low:
        raise CronError(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise CronError(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")


def _number(text: str, names: Mapping[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    try:
        number = parse_int64(text)
    except ValueError as error:
        raise CronError(f"failed to parse int from {text}: {error}".replace("strconv.ParseInt:", "strconv.Atoi:", 1)) from None
    if number < 0:
        raise CronError(f"negative number ({number}) not allowed: {text}")
    return number
