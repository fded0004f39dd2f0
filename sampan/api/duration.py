"""Spans of time in words, exactly as kubectl shows ages: `human(90)` is "90s", `human(200)` is "3m20s"; and as Go reads them.

After k8s.io/apimachinery/pkg/util/duration; two or three significant figures, truncated, never rounded.
"""

from __future__ import annotations

import json
import re
from typing import Final

INVALID = "<invalid>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31_536_000


_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_LONGEST: Final = 2**63
_part = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)", re.ASCII).match


def parse(text: str) -> float:
    """Seconds, of a text such as "1h15m30.5s", as Go's time.ParseDuration. Raises ValueError in its words."""
    shown = json.dumps(text, ensure_ascii=False)
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    total = 0
    while rest or not total:
        found = _part(rest)
        assert found is not None, "all of it may be absent"
        whole, fraction, unit = found[1], found[2] or "", found[3]
        if not whole and not fraction:
            raise ValueError(f"time: invalid duration {shown}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {shown}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {json.dumps(unit, ensure_ascii=False)} in duration {shown}")
        if len(whole) > 20:
            raise ValueError(f"time: invalid duration {shown}")
        digits = fraction[:18]
        total += int(whole or "0") * _UNITS[unit] + int(digits or "0") * _UNITS[unit] // 10 ** len(digits)
        rest = rest[found.end() :]
        if total > _LONGEST or (total == _LONGEST and text[:1] != "-"):
            raise ValueError(f"time: invalid duration {shown}")
        if not rest:
            break
    return (-total if text[:1] == "-" else total) / 1e9


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
