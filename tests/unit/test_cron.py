"""Cron schedules: syntax, messages, and when they are due."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.api import cron


def due(text: str, after: str, zone: str = "UTC") -> str | None:
    """The next activation after a local time, both "YYYY-MM-DD HH:MM[:SS]" by the zone's clocks."""
    tz = UTC if zone == "UTC" else ZoneInfo(zone)
    start = datetime.fromisoformat(after).replace(tzinfo=tz)
    moment = cron.parse(text, zone).after(start.timestamp())
    return None if moment is None else datetime.fromtimestamp(moment, tz).strftime("%Y-%m-%d %H:%M:%S")[:16]


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2024-01-01 10:00", "2024-01-01 10:01"),
        ("* * * * *", "2024-01-01 10:00:59", "2024-01-01 10:01"),
        ("*/15 * * * *", "2024-01-01 10:46", "2024-01-01 11:00"),
        ("20-35/15 * * * *", "2024-01-01 10:21", "2024-01-01 10:35"),
        ("5/20 * * * *", "2024-01-01 10:06", "2024-01-01 10:25"),
        ("0 9-17 * * mon-fri", "2024-01-05 17:00", "2024-01-08 09:00"),
        ("0 0 1 jan,JUL *", "2024-01-01 00:00", "2024-07-01 00:00"),
        ("0 0 31 * *", "2024-01-31 00:00", "2024-03-31 00:00"),
        ("0 0 29 2 *", "2024-03-01 00:00", "2028-02-29 00:00"),
        ("0 0 13 * 5", "2024-01-01 00:00", "2024-01-05 00:00"),
        ("0 0 13 * ?", "2024-01-01 00:00", "2024-01-13 00:00"),
        ("0 0 13 * */2", "2024-01-01 00:00", "2024-01-02 00:00"),
        ("0 0 * * sun", "2024-01-01 00:00", "2024-01-07 00:00"),
        ("0 0 30 2 *", "2024-01-01 00:00", None),
        ("59 23 31 12 *", "2024-12-31 23:59", "2025-12-31 23:59"),
        ("@hourly", "2024-01-01 10:00", "2024-01-01 11:00"),
        ("@daily", "2024-01-01 10:00", "2024-01-02 00:00"),
        ("@midnight", "2024-02-28 10:00", "2024-02-29 00:00"),
        ("@weekly", "2024-01-01 10:00", "2024-01-07 00:00"),
        ("@monthly", "2024-01-01 00:00", "2024-02-01 00:00"),
        ("@yearly", "2024-01-01 00:00", "2025-01-01 00:00"),
        ("@annually", "2024-06-01 00:00", "2025-01-01 00:00"),
        ("@every 1h30m", "2024-01-01 10:07", "2024-01-01 11:37"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2024-01-01 10:00", "2024-01-02 00:00"),
        ("CRON_TZ=UTC  @daily", "2024-01-01 10:00", "2024-01-02 00:00"),
    ],
)
def test_when_a_schedule_is_due(text: str, after: str, expected: str | None) -> None:
    assert due(text, after) == expected


@pytest.mark.parametrize(
    ("row", "text", "zone", "after", "expected"),
    [
        ("the hour that is left out is passed over", "30 2 * * *", "Europe/Zurich", "2024-03-31 01:00", "2024-04-01 02:30"),
        ("every hour has its turn around it", "0 * * * *", "Europe/Zurich", "2024-03-31 01:00", "2024-03-31 03:00"),
        ("midnight is left out", "0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00", "2018-11-05 00:00"),
        (
            "a day without midnight has its other hours",
            "0 9 * * *",
            "America/Sao_Paulo",
            "2018-11-03 12:00",
            "2018-11-04 09:00",
        ),
        ("an ordinary day", "30 2 * * *", "Asia/Kolkata", "2024-03-31 01:00", "2024-03-31 02:30"),
    ],
)
def test_clocks_that_change(row: str, text: str, zone: str, after: str, expected: str) -> None:
    assert due(text, after, zone) == expected, row


def test_an_hour_that_comes_twice_is_due_twice_for_hourly_work() -> None:
    schedule = cron.parse("0 * * * *", "Europe/Zurich")
    start = datetime(2024, 10, 26, 23, 30, tzinfo=UTC).timestamp()
    moments = []
    for _ in range(3):
        moment = schedule.after(start)
        assert moment is not None
        moments.append(moment - start)
        start = moment
    assert moments == [1800, 3600, 3600]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 * * * * *", "expected exactly 5 fields, found 6: [0 * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * 13 *", "end of range (13) above maximum (12): 13"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        ("*//2 * * * *", "too many slashes: *//2"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("99999999999999999999 * * * *",
         'failed to parse int from 99999999999999999999: strconv.Atoi: parsing "99999999999999999999": value out of range'),
        ("@never", "unrecognized descriptor: @never"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every 5y", 'failed to parse duration @every 5y: time: unknown unit "y" in duration "5y"'),
        ("TZ=Mars/Olympus * * * * *", "provided bad location Mars/Olympus: unknown time zone Mars/Olympus"),
        ("TZ=../etc * * * * *", "provided bad location ../etc: time: invalid location name"),
    ],
)  # fmt: skip
def test_what_is_no_schedule(text: str, message: str) -> None:
    with pytest.raises(cron.CronError) as raised:
        cron.parse(text)
    assert str(raised.value) == message


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["*", "*/7", "3,30", "10-20"]),
    st.sampled_from(["*", "*/5", "0", "22-23"]),
    st.sampled_from(["*", "1", "31", "10-12"]),
    st.sampled_from(["*", "2,7", "*/6"]),
    st.sampled_from(["*", "mon", "0,6"]),
    st.integers(0, 4_000_000_000),
)
def test_an_activation_is_the_first_minute_that_all_fields_allow(
    minute: str, hour: str, day: str, month: str, weekday: str, now: int
) -> None:
    schedule = cron.parse(f"{minute} {hour} {day} {month} {weekday}")
    assert isinstance(schedule, cron.CalendarSchedule)
    found = schedule.after(now)
    assert found is not None and found > now and found % 60 == 0
    assert allows(schedule, found)
    passed_over = range((now // 60 + 1) * 60, int(min(found, now + 5000 * 60)), 60)
    assert not any(allows(schedule, moment) for moment in passed_over)


def allows(schedule: cron.CalendarSchedule, seconds: float) -> bool:
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.minute not in schedule.minute.values or moment.hour not in schedule.hour.values:
        return False
    day, weekday = moment.day in schedule.day.values, moment.isoweekday() % 7 in schedule.weekday.values
    either = not schedule.day.any and not schedule.weekday.any
    return moment.month in schedule.month.values and (day or weekday if either else day and weekday)
