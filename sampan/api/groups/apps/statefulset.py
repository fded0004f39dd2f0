"""StatefulSet."""

from __future__ import annotations

from dataclasses import replace

from sampan.api import names
from sampan.api.errors import FieldError, forbidden_field, go_map, invalid, not_supported, required
from sampan.api.groups.apps.workloads import (
    NOT_NEGATIVE,
    amount_of,
    percent_of,
    validate_int_or_percent,
    validate_not_decremented,
    validate_not_negative,
    warn_of_new_template,
)
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, selector_string
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, keep_spec, start_generation
from sampan.api.groups.validation.claims import warn_of_claim
from sampan.api.groups.validation.metadata import validate_annotations, validate_labels
from sampan.api.groups.validation.podannotations import validate_pod_annotations
from sampan.api.groups.validation.selectors import matches, validate_label_selector
from sampan.api.resource import Column, Resource, Scale, Strategy, Tree

_MANAGEMENT = ("OrderedReady", "Parallel")
_RETENTION = ("Retain", "Delete")
_MUTABLE = (
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)
_ONLY_THESE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_COUNTS = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)
    for claim in spec.get("volumeClaimTemplates", ()):
        _default_claim(claim)


def _default_claim(claim: Tree) -> None:
    """A claim in a template is a whole object, with its kind and the phase it begins in."""
    claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    status = claim.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"


def _drop_max_unavailable(spec: Tree) -> None:
    """How many pods an update may take down at once is an alpha feature, off by default."""
    spec["updateStrategy"].get("rollingUpdate", {}).pop("maxUnavailable", None)


def _prepare_create(new: Tree) -> None:
    start_generation(new)
    new["status"] = {"replicas": 0, "availableReplicas": 0}
    _drop_max_unavailable(new["spec"])


def _prepare_update(new: Tree, old: Tree) -> None:
    if "maxUnavailable" not in old["spec"]["updateStrategy"].get("rollingUpdate", {}):
        _drop_max_unavailable(new["spec"])
    bump_generation(new, old)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    errors: list[FieldError] = []
    policy = spec["podManagementPolicy"]
    if policy not in _MANAGEMENT:
        errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    errors += _validate_strategy(spec["updateStrategy"], "spec.updateStrategy")
    for field in ("whenDeleted", "whenScaled"):
        retention = spec["persistentVolumeClaimRetentionPolicy"][field]
        if retention not in _RETENTION:
            errors.append(not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{field}", retention, _RETENTION))
    errors += validate_not_negative(spec, ("replicas", "minReadySeconds"), "spec")
    if (start := spec.get("ordinals", {}).get("start", 0)) < 0:
        errors.append(invalid("spec.ordinals.start", start, NOT_NEGATIVE))
    # Of the service only new objects are asked: the old ones that cannot make a pod shall at least be deletable.
    if not tree["metadata"].get("resourceVersion") and (service := spec.get("serviceName")):
        errors += [invalid("spec.serviceName", service, why) for why in names.dns_label(service)]
    return errors + _validate_pods(spec)


def _validate_strategy(strategy: Tree, path: str) -> list[FieldError]:
    type_, rolling = strategy["type"], strategy.get("rollingUpdate")
    if type_ == "OnDelete":
        if rolling is None:
            return []
        return [invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")]
    if type_ != "RollingUpdate":
        return [invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    errors = validate_not_negative(rolling, ("partition",), f"{path}.rollingUpdate")
    most = rolling.get("maxUnavailable")
    if most is not None:
        where = f"{path}.rollingUpdate.maxUnavailable"
        errors += validate_int_or_percent(most, where)
        if amount_of(most) == 0:
            errors.append(invalid(where, most, "cannot be 0"))
        if (percent_of(most) or 0) > 100:
            errors.append(invalid(where, most, "must not be greater than 100%"))
    return errors


def _validate_pods(spec: Tree) -> list[FieldError]:
    """Selector and template; upstream looks no further into the template, as it knows the volumes of no claim."""
    selector, template = spec.get("selector"), spec["template"]
    meta, pod, path = template.get("metadata", {}), template.get("spec", {}), "spec.template"
    errors: list[FieldError] = []
    if selector is None:
        errors.append(required("spec.selector"))
        selects = False
    else:
        wrong = validate_label_selector(selector, "spec.selector")
        errors += wrong
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            errors.append(invalid("spec.selector", selector, "empty selector is invalid for statefulset"))
        if wrong:  # and once more without a reason, as upstream
            bare = invalid("spec.selector", selector, "")
            errors.append(replace(bare, message=bare.message.removesuffix(": ")))
        selects = bool(wrong) or matches(selector, meta.get("labels", {}))
    if not selects:
        why = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.metadata.labels", go_map(meta.get("labels")), why))
    errors += validate_labels(meta.get("labels", {}), f"{path}.labels")
    annotations = meta.get("annotations", {})
    errors += validate_annotations(annotations, f"{path}.annotations")
    errors += validate_pod_annotations(annotations, pod, f"{path}.annotations")
    if pod["restartPolicy"] != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        why = "activeDeadlineSeconds in StatefulSet is not Supported"
        errors.append(forbidden_field(f"{path}.spec.activeDeadlineSeconds", why))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    def fixed(tree: Tree) -> Tree:
        return {field: value for field, value in tree["spec"].items() if field not in _MUTABLE}

    return [] if fixed(new) == fixed(old) else [forbidden_field("spec", _ONLY_THESE)]


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = validate_not_negative(status, (*_COUNTS, "observedGeneration", "collisionCount"), "status")
    total, ready, available = (status.get(f, 0) for f in ("replicas", "readyReplicas", "availableReplicas"))
    for field in _COUNTS[1:]:
        if (count := status.get(field, 0)) > total:
            errors.append(invalid(f"status.{field}", count, "cannot be greater than status.replicas"))
    if available > ready:
        errors.append(invalid("status.availableReplicas", available, "cannot be greater than status.readyReplicas"))
    return errors + validate_not_decremented(status, old.get("status", {}), "collisionCount")


def _warn(new: Tree, old: Tree | None) -> list[str]:
    warnings = warn_of_new_template(new, old)
    end = "" if old is None else ".Spec"  # as upstream's paths end
    for index, claim in enumerate(new["spec"].get("volumeClaimTemplates", ())):
        warnings += warn_of_claim(claim.get("spec", {}), f"spec.volumeClaimTemplates[{index}]{end}")
    if new["spec"]["revisionHistoryLimit"] >= 0:
        return warnings
    return [
        *warnings,
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
    ]


def _ready(tree: Tree, now: float) -> str:
    return f"{tree.get('status', {}).get('readyReplicas', 0)}/{tree['spec'].get('replicas', 0)}"


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    definition="io.k8s.api.apps.v1.StatefulSet",
    short=("sts",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
        warn=_warn,
    ),
    default=_default,
    columns=(NAME, Column("Ready", _ready), AGE, CONTAINERS, IMAGES),
    status=True,
    scale=Scale(selector=lambda tree: selector_string(tree["spec"].get("selector"))),
    name_is_valid=names.name_is_label,
)
