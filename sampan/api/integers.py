"""Integers as clients write them in queries and selectors: Go's strconv, which is stricter than `int`.

`int` also takes spaces around, underscores within and digits of other scripts.
"""

from __future__ import annotations

import re

_INT64 = re.compile(r"[+-]?[0-9]+").fullmatch
_LONGEST = 400
"""Digits beyond which nobody has to look whether they are zeros: `int` refuses thousands of them in its own words."""


def parse_int64(text: str) -> int:
    """As `strconv.ParseInt(text, 10, 64)`. Raises ValueError with its message."""
    if not _INT64(text):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > _LONGEST or not -(2**63) <= (number := int(text)) < 2**63:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def parse_uint64(text: str) -> int:
    """As `strconv.ParseUint(text, 10, 64)`. Raises ValueError with its message."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > _LONGEST or (number := int(text)) >= 2**64:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number
