"""Ages in words: upstream's table of HumanDuration and ShortHumanDuration; and durations as Go reads them."""

from __future__ import annotations

import pytest

from sampan.api import duration

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 86400 * 365


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1s"),
        (0.9, "0s"),
        (70, "70s"),
        (119.9, "119s"),
        (2 * MINUTE, "2m"),
        (190, "3m10s"),
        (10 * MINUTE, "10m"),
        (70 * MINUTE, "70m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 10 * MINUTE, "3h10m"),
        (47 * HOUR, "47h"),
        (49 * HOUR, "2d1h"),
        (8 * DAY + 2 * HOUR, "8d"),
        (367 * DAY, "367d"),
        (2 * YEAR, "2y"),
        (4 * YEAR, "4y"),
        (2 * YEAR + 25 * DAY, "2y25d"),
        (8 * YEAR + 2 * DAY, "8y"),
        (-1, "0s"),
        (-1.9, "0s"),
        (-2, "<invalid>"),
    ],
)
def test_a_span_has_two_significant_figures(seconds: float, words: str) -> None:
    assert duration.human(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (HOUR - 1, "59m"),
        (DAY - 1, "23h"),
        (YEAR - 1, "364d"),
        (YEAR, "1y"),
        (-3, "<invalid>"),
    ],
)
def test_a_short_span_has_one_unit(seconds: float, words: str) -> None:
    assert duration.short(seconds) == words


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        *(("0", 0), ("-0", 0), ("1h30m", 5_400 * 10**9), ("1.5s", 1_500_000_000), (".5ms", 500_000), ("-3us", -3000)),
        *(("+2ns", 2), ("2µs", 2000), ("2μs", 2000), ("1.s", 10**9), ("1h15m30.918273645s", 4_530_918_273_645)),
        *(
            ("00000000000000000000000000007s", 7 * 10**9),
            ("1.00000000000000000000000000001s", 10**9),
            ("1m" * 500, 30_000 * 10**9),
        ),
        *(("9223372036854775807ns", 2**63 - 1), ("-9223372036854775808ns", -(2**63)), ("9223372036.854775807s", 2**63 - 1)),
        # By way of a double, as Go.
        *(("0.3333333333333333333h", 1200 * 10**9), ("0.830103483285477580700h", 2_988_372_539_827)),
    ],
)
def test_a_duration_is_read_to_the_nanosecond_as_go_reads_it(text: str, nanoseconds: int) -> None:
    assert duration.nanoseconds(text) == nanoseconds
    assert duration.parse(text) == nanoseconds / 1e9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", 'missing unit in duration "5"'),
        ("5 s", 'unknown unit " s" in duration "5 s"'),
        ("1e3s", 'unknown unit "e" in duration "1e3s"'),
        ("soon", 'invalid duration "soon"'),
        ("", 'invalid duration ""'),
        ("-", 'invalid duration "-"'),
        ("1s.", 'invalid duration "1s."'),
        ("9223372036854775808ns", 'invalid duration "9223372036854775808ns"'),
        ("-9223372036854775809ns", 'invalid duration "-9223372036854775809ns"'),
        ("9223372036854775807ns1ns", 'invalid duration "9223372036854775807ns1ns"'),
        ("1" * 30 + "h", 'invalid duration "' + "1" * 30 + 'h"'),
        ("1" * 5000 + "y", 'invalid duration "' + "1" * 5000 + 'y"'),
        ("3000000h", 'invalid duration "3000000h"'),
        ("1é", r'unknown unit "\xc3\xa9" in duration "1\xc3\xa9"'),
        ('"\\\n', r'invalid duration "\"\\\x0a"'),
    ],
)
def test_what_is_no_duration_is_refused_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="time") as raised:
        duration.nanoseconds(text)
    assert str(raised.value) == f"time: {message}"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h30m", 5_400 * 10**9),
        ("22 ns", 22),
        ("about 3 days", 3 * 86_400 * 10**9),
        ("1 WK, 2 hrs 1hr", (7 * 24 + 1) * 3600 * 10**9),
    ],
)
def test_words_are_read_where_go_reads_nothing(text: str, nanoseconds: int) -> None:
    assert duration.worded(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 fortnight", "unable to parse 1 fortnight as duration"),
        ("9223372036854775808 s", 'strconv.Atoi: parsing "9223372036854775808": value out of range'),
    ],
)
def test_words_without_a_number_and_a_unit_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"as duration$|out of range$") as raised:
        duration.worded(text)
    assert str(raised.value) == message
