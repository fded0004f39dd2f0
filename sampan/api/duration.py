"""Spans of time in words, exactly as kubectl shows ages: `human(90)` is "90s", `human(200)` is "3m20s"; and as Go reads them.

Ages are those of k8s.io/apimachinery/pkg/util/duration: two or three significant figures, truncated, never rounded. Reading is
that of Go's time.ParseDuration: `nanoseconds("1.5s")`, `parse("1.5s")` in seconds; and `worded("2 days")` for CRDs' format.
"""

from __future__ import annotations

import re
from typing import Final

from sampan.api.integers import parse_int64

INVALID = "<invalid>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31_536_000


_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_LONGEST: Final = 2**63
_LONGEST_DIGITS: Final = 19
_part = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)").match
_shown_in_hex = re.compile(r"[^ -\x7f]").sub


def nanoseconds(text: str) -> int:
    """Of a text such as "1h15m30.5s", to the last one as Go's time.ParseDuration has it. Raises ValueError in its words."""
    negative = text[:1] == "-"
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest) or not at:
        found = _part(rest, at)
        assert found is not None, "all of it may be absent"
        total += _amount(text, found[1], found[2] or "", found[3])
        if total > _LONGEST:
            raise _invalid(text)
        at = found.end()
    if total == _LONGEST and not negative:
        raise _invalid(text)
    return -total if negative else total


def parse(text: str) -> float:
    """The same in seconds."""
    return nanoseconds(text) / 1e9


def _amount(text: str, whole: str, fraction: str, unit: str) -> int:
    """Nanoseconds of one number with its unit in `text`."""
    whole, digits = whole.lstrip("0"), len(whole)
    if (not digits and not fraction) or len(whole) > _LONGEST_DIGITS or (count := int(whole or "0")) > _LONGEST:
        raise _invalid(text)
    if not unit:
        raise ValueError(f"time: missing unit in duration {_quoted(text)}")
    if unit not in _UNITS:
        raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
    size = _UNITS[unit]
    return count * size + (_fraction(fraction, size) if fraction else 0)


def _fraction(digits: str, unit: int) -> int:
    """By way of a double, as Go: where that rounds, so does this."""
    count, scale = 0, 1.0
    for digit in digits:
        longer = count * 10 + int(digit)
        if longer > _LONGEST or count > (_LONGEST - 1) // 10:
            break  # what follows is too fine to be seen
        count, scale = longer, scale * 10
    return int(float(count) * (unit / scale))


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {_quoted(text)}")


def _quoted(text: str) -> str:
    """With the bytes of what is no printable ASCII in hex, as Go's package time quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_shown_in_hex(_hex, escaped)}"'


def _hex(found: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))


_WORDS: Final = (
    ("ns", (), "nano", 1),
    ("us", ("µs",), "micro", 10**3),
    ("ms", (), "milli", 10**6),
    ("s", (), "sec", 10**9),
    ("m", (), "min", 60 * 10**9),
    ("h", ("hr",), "hour", _HOUR * 10**9),
    ("d", (), "day", _DAY * 10**9),
    ("w", ("wk",), "week", 7 * _DAY * 10**9),
)
# Digits are looked at from their first only, so that many of them without a unit do not take the square of their number.
_amounts = re.compile(r"(?<![0-9])([0-9]+)\s*([A-Za-zµ]+)", re.ASCII).findall


def worded(text: str) -> int:
    """Nanoseconds of one of Go's or of any numbers with units in a text, such as "2 days": OpenAPI's format "duration".

    After k8s.io/kube-openapi/pkg/validation/strfmt. Raises ValueError in its words.
    """
    try:
        return nanoseconds(text)
    except ValueError:
        pass
    found = [(_atoi(number), _size(unit.lower())) for number, unit in _amounts(text)]
    if not any(size for _, size in found):
        raise ValueError(f"unable to parse {text} as duration")
    total = sum(count * size for count, size in found)
    return (total + _LONGEST) % (2 * _LONGEST) - _LONGEST  # Go's integers go round


def _size(word: str) -> int:
    """Of a unit; 0 for what is none."""
    return next((size for short, others, stem, size in _WORDS if word == short or word in others or word.startswith(stem)), 0)


def _atoi(number: str) -> int:
    try:
        return parse_int64(number)
    except ValueError as error:
        raise ValueError(str(error).replace("ParseInt", "Atoi", 1)) from None


def _two(high: int, high_unit: str, low: int, low_unit: str) -> str:
    return f"{high}{high_unit}{low}{low_unit}" if low else f"{high}{high_unit}"


def human(seconds: float) -> str:
    """HumanDuration. A clock that is less than two seconds behind counts as now."""
    whole = int(seconds)
    if whole < -1:
        return INVALID
    if whole < 2 * _MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * _MINUTE:
        return _two(whole // _MINUTE, "m", whole % _MINUTE, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "m")
    if whole < 48 * _HOUR:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole // _YEAR, "y", whole % _YEAR // _DAY, "d")
    return f"{whole // _YEAR}y"


def short(seconds: float) -> str:
    """ShortHumanDuration: one unit only."""
    whole = int(seconds)
    if whole < -1:
        return INVALID
    if whole < _MINUTE:
        return f"{max(whole, 0)}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < _DAY:
        return f"{whole // _HOUR}h"
    if whole < _YEAR:
        return f"{whole // _DAY}d"
    return f"{whole // _YEAR}y"
