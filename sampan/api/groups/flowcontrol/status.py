"""What FlowSchemas and PriorityLevelConfigurations have in common: their status."""

from __future__ import annotations

from sampan.api.errors import FieldError, duplicate, required
from sampan.api.resource import Tree

GROUP = "flowcontrol.apiserver.k8s.io"


def prepare_status(new: Tree, old: Tree) -> None:
    """Nothing but the status: of the metadata only who manages the fields, and the revision, are the update's."""
    kept = {field: new["metadata"][field] for field in ("managedFields", "resourceVersion") if field in new["metadata"]}
    new["metadata"] = {**old["metadata"], **kept}
    new["spec"] = old.get("spec", {})


def validate_status(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, condition in enumerate(tree.get("status", {}).get("conditions", ())):
        type_, path = condition.get("type", ""), f"status.conditions[{index}].type"
        if type_ in seen:
            errors.append(duplicate(path, type_))
        seen.add(type_)
        if not type_:
            errors.append(required(path, "must not be empty"))
    return errors


def validate_status_update(new: Tree, old: Tree) -> list[FieldError]:
    return validate_status(new)
