"""What differs because upstream changed between 1.20 and 1.33, or on purpose, each with its reason in a few words."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from tests.upstream.comparing import Difference


class Explained(NamedTuple):
    """Differences at paths like `at`, of requests like `request`; both are found by searching."""

    reason: str
    at: str
    request: str = ""
    ours: str = ""
    """If given, what Sampan's value, as JSON, must look like."""


ROWS: tuple[Explained, ...] = ()

REWORDED: tuple[tuple[str, str], ...] = ()
"""Words of 1.20 and what 1.33 says instead."""


def is_explained(request: str, found: Difference) -> str:
    """The reason, or nothing."""
    for row in ROWS:
        here = re.search(row.at, found.at) and re.search(row.request, request)
        if here and (not row.ours or re.search(row.ours, json.dumps(found.ours))):
            return row.reason
    return ""


def reworded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reworded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [reworded(inner) for inner in value]
    if isinstance(value, str):
        for old, new in REWORDED:
            value = re.sub(old, new, value)
    return value
