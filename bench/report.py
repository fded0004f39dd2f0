"""Rows of the benchmark and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    work: str
    value: float
    unit: str
    goal: str = ""
    """What docs call for on two cores, as text such as "≥ 4000"."""
    bare: float | None = None
    """The same unit, measured of the bare thing in this run."""
    bare_name: str = ""
    p99_ms: float | None = None


def table(rows: Sequence[Row]) -> str:
    head = ("work", "measured", "unit", "p99 ms", "goal", "ratio", "to bare")
    body = [
        (
            row.work,
            _number(row.value),
            row.unit,
            "" if row.p99_ms is None else _number(row.p99_ms),
            row.goal,
            "" if not row.bare else f"{row.value / row.bare:.2f}",
            "" if not row.bare else f"{row.bare_name} {_number(row.bare)}",
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
    right = {1, 3, 5}
    lines = []
    for line in (head, tuple("-" * width for width in widths), *body):
        cells = [cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
