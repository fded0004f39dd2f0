"""`x-kubernetes-validations`: rules in CEL on custom objects.

After k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel.
"""

from __future__ import annotations

from sampan.api.crd.correlation import Pair
from sampan.api.crd.structure import Structure, Tree
from sampan.api.errors import FieldError


class Rules:
    """Of a schema node and all below it."""

    def validate(self, new: Tree, pair: Pair | None) -> list[FieldError]:
        raise NotImplementedError


def rules_of(structure: Structure, *, root: bool) -> Rules | None:
    return None
