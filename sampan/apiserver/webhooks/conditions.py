"""matchConditions."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.api.resource import Tree


class Conditions:
    def __init__(self, conditions: Sequence[Tree], *, fails_open: bool) -> None:
        self._conditions = conditions
        self._fails_open = fails_open
