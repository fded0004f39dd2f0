"""Namespace. Its finalizers of `spec` are changed through the subresource `finalize` only."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, invalid
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import keep_field, keep_spec
from sampan.api.groups.validation.metadata import validate_finalizer_name
from sampan.api.resource import Column, Resource, Strategy, Tree

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"


def _default(tree: Tree) -> None:
    meta = tree["metadata"]
    if name := meta.get("name"):
        meta.setdefault("labels", {})[NAME_LABEL] = name
    status = tree.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Active"


def _prepare_create(new: Tree) -> None:
    new["status"] = {"phase": "Active"}
    spec = new.setdefault("spec", {})
    finalizers = spec.get("finalizers", [])
    if FINALIZER not in finalizers:
        spec["finalizers"] = [*finalizers, FINALIZER]
    meta = new["metadata"]
    if name := meta.get("name"):
        # Here a generated name is known, which it was not when defaults were set.
        meta.setdefault("labels", {})[NAME_LABEL] = name


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_field(new, old, "status")
    new["spec"] = old.get("spec", {})


def _validate(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in tree.get("spec", {}).get("finalizers", ()):
        errors += validate_finalizer_name(finalizer, "spec.finalizers")
    return errors


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    phase = new.get("status", {}).get("phase", "")
    if not new["metadata"].get("deletionTimestamp"):
        if phase != "Active":
            return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")]
    elif phase != "Terminating":
        return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")]
    return []


def _phase(tree: Tree) -> str:
    phase: str = tree.get("status", {}).get("phase", "")
    return phase


def _status(tree: Tree, now: float) -> str:
    return _phase(tree)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    definition="io.k8s.api.core.v1.Namespace",
    short=("ns",),
    namespaced=False,
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=_validate,
        validate_status=_validate_status,
    ),
    default=_default,
    columns=(NAME, Column("Status", _status), AGE),
    selectable={"status.phase": _phase},
    status=True,
    name_is_valid=names.name_is_label,
)
