"""What the newest Python forgives and the oldest supported one, of Debian 12, does not."""

from __future__ import annotations

import ast
from pathlib import Path

import sampan


def raises(handler: ast.ExceptHandler) -> list[ast.Raise]:
    return [node for node in ast.walk(handler) if isinstance(node, ast.Raise) and node.exc is not None]


def test_nothing_new_is_raised_where_a_group_is_caught() -> None:
    """Before 3.11.4 an exception raised in an `except*` block comes out wrapped in a group, unseen by `except` of its kind."""
    found = []
    for file in sorted(Path(sampan.__file__).parent.rglob("*.py")):
        text = file.read_text()
        if "except*" not in text:
            continue
        tries = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.TryStar)]
        found += [f"{file}:{raised.lineno}" for node in tries for handler in node.handlers for raised in raises(handler)]
    assert not found
