"""PriorityClass."""

from __future__ import annotations

from sampan.api.errors import FieldError, forbidden_field, not_supported
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Strategy, Tree

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
POLICIES = ("PreemptLowerPriority", "Never")


def _default(tree: Tree) -> None:
    if not tree.get("preemptionPolicy"):
        tree["preemptionPolicy"] = "PreemptLowerPriority"
    # The value is a required integer, so a class without one has priority 0 and says so.
    tree.setdefault("value", 0)


def _why_no_system_class(name: str, tree: Tree) -> str:
    value = SYSTEM_CLASSES.get(name)
    if value is None:
        return f"{name} is not a known system priority class"
    if tree["value"] != value:
        return f"value of {name} PriorityClass must be {value}"
    return f"globalDefault of {name} PriorityClass must be false" if tree.get("globalDefault") else ""


def _validate(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    name = tree["metadata"].get("name", "")
    if name.startswith("system-"):
        if why := _why_no_system_class(name, tree):
            why = f"priority class names with 'system-' prefix are reserved for system use only. error: {why}"
            errors.append(forbidden_field("metadata.name", why))
    elif tree["value"] > HIGHEST_USER_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        errors.append(forbidden_field("value", why))
    if tree["preemptionPolicy"] not in POLICIES:
        errors.append(not_supported("preemptionPolicy", tree["preemptionPolicy"], POLICIES))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    errors = []
    if new["value"] != old.get("value", 0):
        errors.append(forbidden_field("value", "may not be changed in an update."))
    return errors + immutable("preemptionPolicy", new["preemptionPolicy"], old.get("preemptionPolicy"))


def _start(new: Tree) -> None:
    new["metadata"]["generation"] = 1


RESOURCE = Resource(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    definition="io.k8s.api.scheduling.v1.PriorityClass",
    short=("pc",),
    namespaced=False,
    strategy=Strategy(prepare_create=_start, validate=_validate, validate_update=_validate_update),
    default=_default,
    columns=(
        NAME,
        Column("Value", lambda tree, now: tree.get("value", 0), "integer"),
        Column("Global-Default", lambda tree, now: tree.get("globalDefault", False), "boolean"),
        AGE,
        Column("PreemptionPolicy", ".preemptionPolicy"),
    ),
)
