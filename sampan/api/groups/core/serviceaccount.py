"""ServiceAccount."""

from __future__ import annotations

from sampan.api.groups.columns import AGE, NAME
from sampan.api.resource import Column, Resource, Strategy, Tree

_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


def _clean_references(tree: Tree) -> None:
    """Of a reference to a Secret only the name counts; the rest of the object reference is dropped."""
    if secrets := tree.get("secrets"):
        tree["secrets"] = [{"name": secret["name"]} if secret.get("name") else {} for secret in secrets]


def _prepare_update(new: Tree, old: Tree) -> None:
    _clean_references(new)


def _warn(new: Tree, old: Tree | None) -> list[str]:
    """Of an annotation whose days are over, once."""
    annotated, before = (tree is not None and _MOUNTABLE in tree["metadata"].get("annotations", {}) for tree in (new, old))
    if not annotated or before:
        return []
    why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_MOUNTABLE}]: {why}"]


def _secrets(tree: Tree, now: float) -> int:
    return len(tree.get("secrets", ()))


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    definition="io.k8s.api.core.v1.ServiceAccount",
    short=("sa",),
    strategy=Strategy(prepare_create=_clean_references, prepare_update=_prepare_update, warn=_warn),
    columns=(NAME, Column("Secrets", _secrets), AGE),
)
