"""PodTemplate: a pod template that stands by itself, for whoever cares to use it."""

from __future__ import annotations

from sampan.api.errors import FieldError
from sampan.api.groups.columns import NAME, format_labels
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.validation.podspec import validate_template
from sampan.api.groups.validation.podwarnings import warn_of_template
from sampan.api.resource import Column, Resource, Strategy, Tree


def _prepare_create(new: Tree) -> None:
    new["metadata"]["generation"] = 1


def _prepare_update(new: Tree, old: Tree) -> None:
    generation = old["metadata"].get("generation", 0)
    new["metadata"]["generation"] = generation + (new["template"] != old.get("template"))


def _validate(tree: Tree) -> list[FieldError]:
    return validate_template(tree["template"], "template")


def _warn(new: Tree, old: Tree | None) -> list[str]:
    return warn_of_template(new["template"], "template")


def _each(field: str, tree: Tree) -> str:
    containers = tree.get("template", {}).get("spec", {}).get("containers", ())
    return ",".join(container.get(field, "") for container in containers)


def _labels(tree: Tree, now: float) -> str:
    return format_labels(tree.get("template", {}).get("metadata", {}).get("labels"))


RESOURCE = Resource(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    definition="io.k8s.api.core.v1.PodTemplate",
    strategy=Strategy(prepare_create=_prepare_create, prepare_update=_prepare_update, validate=_validate, warn=_warn),
    default=default_template,
    columns=(
        NAME,
        Column("Containers", lambda tree, now: _each("name", tree)),
        Column("Images", lambda tree, now: _each("image", tree)),
        Column("Pod Labels", _labels),
    ),
)
