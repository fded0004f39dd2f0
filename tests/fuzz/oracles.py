"""What holds of every answer, whatever was asked."""

from __future__ import annotations

import re
from typing import Any

from tests.component.conftest import Answer

Tree = dict[str, Any]

DELIBERATE = re.compile(
    r"failed to convert new object|failed to create typed (patch|live) object|failed to merge config|failed to update managed"
    r"|list element types are not identical|does not contain declared merge key|unknown patch type|delete patch type with no"
    r"|requested impersonation without impersonating a user"
)
"""Upstream answers these with 500, having no better code for an error of its patch libraries and of impersonation."""


def judge(answer: Answer, asked: Any = "") -> None:
    """`asked`: what it is the answer to, for whoever reads of a failure."""
    shown = f"{asked}: {answer.status} {answer.body[:600]!r}"
    if answer.status >= 500:
        assert isinstance(answer.tree, dict) and DELIBERATE.search(answer.tree["message"]), shown
    if answer.status < 400 or not answer.body:
        return
    if isinstance(answer.tree, dict):
        assert (answer.tree.get("kind"), answer.tree.get("status"), answer.tree.get("code")) == (
            "Status",
            "Failure",
            answer.status,
        ), shown
        assert answer.tree.get("message"), shown
    else:
        assert answer.header("content-type")[0].startswith("text/plain"), shown


def unowned(tree: Tree) -> Tree:
    """Without what every write may change, though it changes nothing else."""
    return {**tree, "metadata": {key: value for key, value in tree["metadata"].items() if key != "managedFields"}}
