"""ReplicaSet."""

from __future__ import annotations

from sampan.api.errors import FieldError
from sampan.api.groups.apps.workloads import (
    validate_counts,
    validate_not_negative,
    validate_replica_template,
    validate_selector,
    warn_of_workload,
)
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, format_selector, selector_string
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, drop_terminating, keep_spec, start_generation
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Scale, Strategy, Tree


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    errors = validate_not_negative(spec, ("replicas", "minReadySeconds"), "spec")
    return errors + validate_selector(spec) + validate_replica_template(spec)


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    fields = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    errors = validate_not_negative(status, fields, "status")
    return errors + validate_counts(status, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"))


def _prepare_create(new: Tree) -> None:
    start_generation(new)
    new["status"] = {"replicas": 0}


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec(new, old)
    drop_terminating(new, old)


def _count(part: str, field: str) -> Column:
    names = {"replicas": "Desired" if part == "spec" else "Current", "readyReplicas": "Ready"}
    return Column(names[field], lambda tree, now: tree.get(part, {}).get(field, 0), "integer")


def _status_replicas(tree: Tree) -> str:
    return str(tree.get("status", {}).get("replicas", 0))


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    definition="io.k8s.api.apps.v1.ReplicaSet",
    short=("rs",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=bump_generation,
        prepare_status=_prepare_status,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
        warn=warn_of_workload,
    ),
    default=_default,
    columns=(
        NAME,
        _count("spec", "replicas"),
        _count("status", "replicas"),
        _count("status", "readyReplicas"),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", lambda tree, now: format_selector(tree["spec"].get("selector")), priority=1),
    ),
    selectable={"status.replicas": _status_replicas},
    status=True,
    scale=Scale(selector=lambda tree: selector_string(tree["spec"].get("selector"))),
)
