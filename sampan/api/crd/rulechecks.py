"""Rules of a definition: that they compile, and what they may cost at worst."""

from __future__ import annotations

from dataclasses import dataclass, field

from sampan.api.crd.structure import Tree
from sampan.api.errors import FieldError


@dataclass(slots=True)
class TotalCost:
    total: int = 0

    def errors(self, path: str) -> list[FieldError]:
        return []


@dataclass(slots=True)
class RuleContext:
    total: TotalCost = field(default_factory=TotalCost)

    @classmethod
    def root(cls, raw: Tree, *, cheap: bool) -> RuleContext:
        return cls()

    def child(self, raw: Tree, inner: Tree, name: str = "") -> RuleContext:
        return self

    def check(self, raw: Tree, path: str, uncorrelatable: str) -> list[FieldError]:
        return []
