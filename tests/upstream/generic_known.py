"""What may differ between upstream's extension API server and ours, each with its reason."""

from __future__ import annotations

import re

KNOWN: tuple[tuple[str, str, str], ...] = (
    # (request, line of difference, why): regular expressions that must be found in both.
    (
        "customresourcedef",
        r"must (not contain line breaks|be non-empty if specified|be a valid path)",
        "1.34 does not repeat the field",
    ),
    ("customresourcedef", r"google\.protobuf\.Timestamp", "messages cannot be constructed here"),
    ("customresourcedef", r"^header warning: .*unrecognized format", "1.34 warns of formats it does not know"),
    (
        "customresourcedef",
        r"Required value[:'\"].* \| .*Required value: schemas are required",
        "1.34 says it without the words",
    ),
)


def known(request: str, line: str) -> bool:
    return any(re.search(where, request) and re.search(what, line) for where, what, _ in KNOWN)
