"""Ages in words: upstream's table of HumanDuration and ShortHumanDuration."""

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
