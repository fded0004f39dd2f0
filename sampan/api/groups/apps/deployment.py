"""Deployment."""

from __future__ import annotations

from sampan.api.errors import FieldError, forbidden_field, invalid, not_supported, required
from sampan.api.groups.apps.workloads import (
    amount_of,
    percent_of,
    validate_counts,
    validate_int_or_percent,
    validate_not_decremented,
    validate_not_negative,
    validate_replica_template,
    validate_selector,
    warn_of_workload,
)
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, selector_string
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import drop_terminating, keep_spec_and_labels, keep_status, start_generation
from sampan.api.groups.validation.metadata import immutable
from sampan.api.resource import Column, Resource, Scale, Strategy, Tree

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if "replicas" not in spec:
        spec["replicas"] = 1
    strategy = spec.setdefault("strategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    default_template(spec)


def _prepare_update(new: Tree, old: Tree) -> None:
    """Annotations count like the spec: the controller carries them over to its ReplicaSets, and must hear of a change."""
    keep_status(new, old)
    generation = old["metadata"].get("generation", 0)
    annotations, before = new["metadata"].get("annotations", {}), old["metadata"].get("annotations", {})
    changed = new["spec"] != old["spec"] or annotations != before
    new["metadata"]["generation"] = generation + 1 if changed else generation


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec_and_labels(new, old)
    drop_terminating(new, old)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    errors = validate_not_negative(spec, ("replicas",), "spec")
    errors += validate_selector(spec) + validate_replica_template(spec)
    errors += _validate_strategy(spec["strategy"])
    errors += validate_not_negative(spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"), "spec")
    deadline = spec["progressDeadlineSeconds"]
    if deadline <= spec.get("minReadySeconds", 0):
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def _validate_strategy(strategy: Tree) -> list[FieldError]:
    path, type_ = "spec.strategy", strategy["type"]
    rolling = strategy.get("rollingUpdate")
    if type_ == "Recreate":
        if rolling is None:
            return []
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden_field(f"{path}.rollingUpdate", why)]
    if type_ != "RollingUpdate":
        return [not_supported(path, strategy, ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    return _validate_rolling(rolling, f"{path}.rollingUpdate")


def _validate_rolling(rolling: Tree, path: str) -> list[FieldError]:
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    errors = validate_int_or_percent(unavailable, f"{path}.maxUnavailable")
    errors += validate_int_or_percent(surge, f"{path}.maxSurge")
    if not amount_of(unavailable) and not amount_of(surge):
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    if (percent := percent_of(unavailable)) is not None and percent > 100:
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%"))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    return immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = validate_not_negative(status, ("observedGeneration", *_COUNTS, "collisionCount"), "status")
    errors += validate_counts(status, ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return errors + validate_not_decremented(status, old.get("status", {}), "collisionCount")


def _ready(tree: Tree, now: float) -> str:
    return f"{tree.get('status', {}).get('readyReplicas', 0)}/{tree['spec'].get('replicas', 0)}"


def _selector(tree: Tree, now: float) -> str:
    return selector_string(tree["spec"].get("selector"))


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    definition="io.k8s.api.apps.v1.Deployment",
    short=("deploy",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=_prepare_update,
        prepare_status=_prepare_status,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
        warn=warn_of_workload,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Ready", _ready),
        Column("Up-to-date", lambda tree, now: tree.get("status", {}).get("updatedReplicas", 0)),
        Column("Available", lambda tree, now: tree.get("status", {}).get("availableReplicas", 0)),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", _selector, priority=1),
    ),
    status=True,
    scale=Scale(selector=lambda tree: selector_string(tree["spec"].get("selector"))),
)
