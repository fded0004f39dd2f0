"""RuntimeClass."""

from __future__ import annotations

from sampan.api import names
from sampan.api.errors import FieldError, duplicate, invalid
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.validation.metadata import immutable, validate_labels
from sampan.api.groups.validation.nodelabels import why_deprecated
from sampan.api.groups.validation.resources import validate_resources
from sampan.api.groups.validation.scheduling import validate_tolerations
from sampan.api.repeats import repeats
from sampan.api.resource import Column, Resource, Strategy, Tree


def _validate(tree: Tree) -> list[FieldError]:
    handler = tree.get("handler", "")
    errors = [invalid("handler", handler, why) for why in names.name_is_label(handler)]
    if "overhead" in tree:
        errors += validate_resources({"limits": tree["overhead"].get("podFixed", {})}, "overhead")
    scheduling = tree.get("scheduling", {})
    errors += validate_labels(scheduling.get("nodeSelector", {}), "scheduling.nodeSelector")
    return errors + _validate_tolerations(scheduling.get("tolerations", ()), "scheduling.tolerations")


def _validate_tolerations(tolerations: list[Tree], path: str) -> list[FieldError]:
    errors = validate_tolerations(tolerations, path)
    # For how long a taint is tolerated does not tell tolerations apart.
    kinds = [
        {field: value for field, value in toleration.items() if field != "tolerationSeconds"} for toleration in tolerations
    ]
    return errors + [duplicate(f"{path}[{index}]", tolerations[index]) for index, _ in repeats(kinds)]


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("handler", new.get("handler", ""), old.get("handler", ""))


def _warn(new: Tree, old: Tree | None) -> list[str]:
    selector = new.get("scheduling", {}).get("nodeSelector", ())
    return [f"scheduling.nodeSelector: {why}" for key in selector if (why := why_deprecated(key))]


RESOURCE = Resource(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    definition="io.k8s.api.node.v1.RuntimeClass",
    namespaced=False,
    strategy=Strategy(
        validate=_validate,
        validate_update=_validate_update,
        warn=_warn,
        allow_create_on_update=True,
        allow_unconditional_update=False,
    ),
    columns=(NAME, Column("Handler", lambda tree, now: tree.get("handler", "")), AGE),
)
