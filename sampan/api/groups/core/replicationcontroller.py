"""ReplicationController, the ReplicaSet of the first days: its selector is a plain map of labels."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.api.errors import FieldError, forbidden_field, go_map, invalid, not_supported, required
from sampan.api.groups.apps.workloads import validate_counts, validate_not_negative, warn_of_workload
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, format_labels
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, keep_spec
from sampan.api.groups.validation.podspec import validate_template
from sampan.api.resource import Column, Resource, Scale, Strategy, Tree


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "template" not in spec:
        return
    default_template(spec)
    if labels := spec["template"].get("metadata", {}).get("labels"):
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not tree["metadata"].get("labels"):
            tree["metadata"]["labels"] = dict(labels)


def _prepare_create(new: Tree) -> None:
    new["metadata"]["generation"] = 1
    new["status"] = {"replicas": 0}


def _validate(tree: Tree) -> list[FieldError]:
    spec, path = tree["spec"], "spec"
    errors = validate_not_negative(spec, ("minReadySeconds",), path)
    if not spec.get("selector"):
        errors.append(required(f"{path}.selector"))
    errors += validate_not_negative(spec, ("replicas",), path)
    if "template" not in spec:
        return [*errors, required(f"{path}.template")]
    return errors + _validate_template(spec["template"], spec.get("selector", {}), f"{path}.template")


def _validate_template(template: Tree, selector: Mapping[str, str], path: str) -> list[FieldError]:
    labels = template.get("metadata", {}).get("labels")
    errors: list[FieldError] = []
    if any((labels or {}).get(key) != value for key, value in selector.items()):
        why = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.metadata.labels", go_map(labels), why))
    errors += validate_template(template, path)
    pod = template["spec"]
    if pod["restartPolicy"] != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        why = "activeDeadlineSeconds in ReplicationController is not Supported"
        errors.append(forbidden_field(f"{path}.spec.activeDeadlineSeconds", why))
    return errors


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    fields = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
    errors = validate_not_negative(status, fields, "status")
    return errors + validate_counts(status, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"))


def _selector(tree: Tree) -> str:
    labels = tree["spec"].get("selector")
    return format_labels(labels) if labels else ""


def _status_replicas(tree: Tree) -> str:
    return str(tree.get("status", {}).get("replicas", 0))


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    definition="io.k8s.api.core.v1.ReplicationController",
    short=("rc",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=bump_generation,
        prepare_status=keep_spec,
        validate=_validate,
        validate_status=_validate_status,
        warn=warn_of_workload,
        garbage_collection="orphan",
    ),
    default=_default,
    columns=(
        NAME,
        Column("Desired", lambda tree, now: tree["spec"].get("replicas", 0), "integer"),
        Column("Current", lambda tree, now: tree.get("status", {}).get("replicas", 0), "integer"),
        Column("Ready", lambda tree, now: tree.get("status", {}).get("readyReplicas", 0), "integer"),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", lambda tree, now: format_labels(tree["spec"].get("selector")), priority=1),
    ),
    selectable={"status.replicas": _status_replicas},
    status=True,
    scale=Scale(selector=_selector),
)
