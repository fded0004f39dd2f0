"""What may differ between upstream's extension API server and ours, each with its reason."""

from __future__ import annotations

import re

KNOWN: tuple[tuple[str, str, str], ...] = (
    # (request, line of difference, why): regular expressions that must be found in both.
)


def known(request: str, line: str) -> bool:
    return any(re.search(where, request) and re.search(what, line) for where, what, _ in KNOWN)
