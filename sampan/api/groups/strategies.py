"""What strategies of several kinds do alike: the status belongs to its subresource, the generation follows the spec."""

from __future__ import annotations

from sampan.api.resource import Tree


def keep_field(new: Tree, old: Tree, field: str) -> None:
    """Undo what a write did to a top-level field that it may not touch."""
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)


def start_generation(new: Tree) -> None:
    """Create: no status yet, the first generation."""
    new.pop("status", None)
    new["metadata"]["generation"] = 1


def keep_status(new: Tree, old: Tree) -> None:
    keep_field(new, old, "status")


def keep_spec(new: Tree, old: Tree) -> None:
    """An update of the status subresource."""
    keep_field(new, old, "spec")


def keep_spec_and_labels(new: Tree, old: Tree) -> None:
    """An update of the status of a workload; upstream guards its labels as well."""
    keep_field(new, old, "spec")
    meta = new["metadata"]
    if "labels" in old["metadata"]:
        meta["labels"] = old["metadata"]["labels"]
    else:
        meta.pop("labels", None)


def keep_all_but_status(new: Tree, old: Tree) -> None:
    """An update of the status of one of the newer kinds, where it may touch no more of the metadata than of the spec."""
    keep_field(new, old, "spec")
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        keep_field(new["metadata"], old["metadata"], field)


def drop_terminating(new: Tree, old: Tree) -> None:
    """An update of a status: counting the pods that terminate is an alpha feature, off by default."""
    if "terminatingReplicas" not in old.get("status", {}):
        new.get("status", {}).pop("terminatingReplicas", None)


def bump_generation(new: Tree, old: Tree) -> None:
    """Update: the status stays, and a changed spec is a new generation."""
    keep_field(new, old, "status")
    generation = old["metadata"].get("generation", 0)
    if new.get("spec") != old.get("spec"):
        generation += 1
    if generation:
        new["metadata"]["generation"] = generation
    else:
        new["metadata"].pop("generation", None)
