"""The bodies that failures are answered with, beyond what tests of single refusals see."""

from __future__ import annotations

import pytest

from sampan.api.errors import StatusError, bad_request, invalid, not_found, page_not_found


@pytest.mark.parametrize(
    ("error", "details"),
    [
        # kubectl debug reads the details of this one without asking whether there are any.
        (page_not_found(), {}),
        (bad_request("no"), None),
        (not_found("pods", "", "web"), {"name": "web", "kind": "pods"}),
        (StatusError(429, "TooManyRequests", "later", retry_after_seconds=3), {"retryAfterSeconds": 3}),
    ],
)
def test_a_status_has_the_details_that_clients_look_into(error: StatusError, details: dict[str, object] | None) -> None:
    status = error.status()
    assert status.get("details") == details
    assert StatusError.from_status(status, 0).status() == status


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x01b", r'"a\x01b"'), ('"\\', r'"\"\\"'), ("\n\x7f\u200b", r'"\n\x7f\u200b"'), ("ä ☃", '"ä ☃"'), ("\v<", r'"\v<"')],
)
def test_a_bad_text_is_quoted_as_go_quotes_it(text: str, shown: str) -> None:
    assert str(invalid("x", text, "bad")) == f"x: Invalid value: {shown}: bad"
