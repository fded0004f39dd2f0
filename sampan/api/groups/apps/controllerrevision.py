"""ControllerRevision: an immutable snapshot of a controller's state, such as a StatefulSet's template."""

from __future__ import annotations

from sampan.api.errors import FieldError, invalid, required
from sampan.api.groups.columns import AGE, NAME, NONE
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Strategy, Tree


def _default(tree: Tree) -> None:
    # The revision is a required integer; without one it is the zeroth.
    tree.setdefault("revision", 0)


def _validate(tree: Tree) -> list[FieldError]:
    errors = [] if tree.get("data") is not None else [required("data", "data is mandatory")]
    if tree["revision"] < 0:
        errors.append(invalid("revision", tree["revision"], "must be greater than or equal to 0"))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("data", new.get("data"), old.get("data"))


def _controller(tree: Tree, now: float) -> str:
    for owner in tree["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            group, slash, _ = owner.get("apiVersion", "").rpartition("/")
            kind = owner.get("kind", "").lower()
            return f"{kind}.{group}/{owner.get('name', '')}" if slash else f"{kind}/{owner.get('name', '')}"
    return NONE


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    definition="io.k8s.api.apps.v1.ControllerRevision",
    strategy=Strategy(validate=_validate, validate_update=_validate_update),
    default=_default,
    columns=(
        NAME,
        Column("Controller", _controller),
        Column("Revision", lambda tree, now: tree.get("revision", 0)),
        AGE,
    ),
)
