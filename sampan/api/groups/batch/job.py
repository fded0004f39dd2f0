"""Job."""

from __future__ import annotations

import copy

from sampan.api import duration, names
from sampan.api.errors import FieldError, go_map, invalid, required
from sampan.api.groups.batch.job_status import validate_job_status
from sampan.api.groups.batch.job_validation import INDEXED, validate_job_spec
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, format_selector, seconds_of
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, keep_spec, start_generation
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.podwarnings import warn_of_name, warn_of_template
from sampan.api.groups.validation.selectors import matches, validate_label_selector
from sampan.api.resource import Column, Resource, Strategy, Tree

CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
LEGACY_CONTROLLER_UID, LEGACY_JOB_NAME = "controller-uid", "job-name"
DELETE_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)
_IMMUTABLE = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_MANY, _MANY_AT_ONCE = 100_000, 10_000
_UNTRACKABLE = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be "
    "able to track completedIndexes when a big number of indexes fail"
)


def default_failure_policy(spec: Tree) -> None:
    for rule in spec.get("podFailurePolicy", {}).get("rules", ()):
        for pattern in rule.get("onPodConditions", ()):
            if not pattern.get("status"):
                pattern["status"] = "True"


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if "parallelism" not in spec:
        spec["parallelism"] = 1
        spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    spec.setdefault("manualSelector", False)
    default_template(spec)
    default_failure_policy(spec)
    if tree["metadata"].get("resourceVersion"):
        _default_labels(tree)


def _default_labels(tree: Tree) -> None:
    """A Job without labels has those of its pods. A new one gets them when those are complete."""
    if not tree["metadata"].get("labels") and (labels := tree["spec"]["template"].get("metadata", {}).get("labels")):
        tree["metadata"]["labels"] = dict(labels)


def _prepare_create(new: Tree) -> None:
    start_generation(new)
    if not new["spec"]["manualSelector"]:
        _generate_selector(new)
    _default_labels(new)


def _generate_selector(new: Tree) -> None:
    """Select by the Job's own UID. What the client set stays, for validation to refuse if it is another's."""
    spec, name, uid = new["spec"], new["metadata"].get("name", ""), new["metadata"].get("uid", "")
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for key, value in _expected_labels(name, uid).items():
        labels.setdefault(key, value)
    spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault(CONTROLLER_UID, uid)


def _expected_labels(name: str, uid: str) -> dict[str, str]:
    return {LEGACY_CONTROLLER_UID: uid, LEGACY_JOB_NAME: name, CONTROLLER_UID: uid, JOB_NAME: name}


def _validate(tree: Tree) -> list[FieldError]:
    spec, meta = tree["spec"], tree["metadata"]
    errors = _validate_generated(tree) if not spec["manualSelector"] and "selector" in spec else []
    errors += validate_job_spec(spec, "spec") + _validate_selector(spec)
    completions = spec.get("completions", 0)
    if spec["completionMode"] == INDEXED and completions > 0:
        hostname = f"{meta.get('name', '')}-{completions - 1}"
        if names.dns_label(hostname):
            why = f"will not able to create pod with invalid DNS label: {hostname}"
            errors.append(invalid("metadata.name", meta.get("name", ""), why))
    return errors


def _validate_generated(tree: Tree) -> list[FieldError]:
    meta, spec = tree["metadata"], tree["spec"]
    uid = meta.get("uid", "")
    expected = _expected_labels(meta.get("name", ""), uid)
    labels = spec["template"].get("metadata", {}).get("labels", {})
    errors = [] if uid else [required("metadata.uid")]
    for key, value in expected.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            errors.append(required(path, f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid(path, go_map(labels), f"must be '{value}'"))
    selector = spec["selector"]
    if not validate_label_selector(selector, "") and not matches(selector, expected):
        errors.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    return errors


def _validate_selector(spec: Tree) -> list[FieldError]:
    selector, labels = spec.get("selector"), spec["template"].get("metadata", {}).get("labels")
    errors = validate_label_selector(selector, "spec.selector") if selector is not None else [required("spec.selector")]
    if selector is None or (not errors and not matches(selector, labels or {})):
        why = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", go_map(labels), why))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors = validate_job_spec(spec, "spec") + _validate_selector(spec)  # once more, as upstream
    errors += _validate_completions(spec, before)
    errors += immutable("spec.selector", spec.get("selector"), before.get("selector"))
    errors += _validate_template_update(new, old)
    for field in _IMMUTABLE:
        errors += immutable(f"spec.{field}", spec.get(field), before.get(field))
    return errors


def _validate_completions(spec: Tree, before: Tree) -> list[FieldError]:
    """Those of an Indexed Job go with its parallelism."""
    completions = spec.get("completions")
    if spec["completionMode"] != INDEXED:
        return immutable("spec.completions", completions, before.get("completions"))
    if completions is None or completions in (before.get("completions"), spec["parallelism"]):
        return []
    return [invalid("spec.completions", completions, "can only be modified in tandem with spec.parallelism")]


def _validate_template_update(new: Tree, old: Tree) -> list[FieldError]:
    template, before = new["spec"]["template"], old["spec"]["template"]
    if old["spec"].get("suspend") and not old.get("status", {}).get("startTime"):
        before = _with_scheduling_of(template, before)
    return immutable("spec.template", template, before)


def _with_scheduling_of(template: Tree, before: Tree) -> Tree:
    """The old template with what a Job that never started may still change: where its pods may run, and their labels."""
    before = copy.deepcopy(before)
    spec, old_spec = template.get("spec", {}), before.setdefault("spec", {})
    for field in ("nodeSelector", "tolerations", "schedulingGates"):
        _take(old_spec, spec, field)
    for field in ("annotations", "labels"):
        _take(before.setdefault("metadata", {}), template.get("metadata", {}), field)
    if not before["metadata"] and "metadata" not in template:
        del before["metadata"]
    if "affinity" in spec or "affinity" in old_spec:
        affinity = old_spec.setdefault("affinity", {})
        _take(affinity, spec.get("affinity", {}), "nodeAffinity")
        if not affinity and "affinity" not in spec:
            del old_spec["affinity"]
    return before


def _take(target: Tree, source: Tree, field: str) -> None:
    if field in source:
        target[field] = source[field]
    else:
        target.pop(field, None)


def _warn(new: Tree, old: Tree | None) -> list[str]:
    warnings = warn_of_name(new) if old is None else []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        warnings += job_spec_warnings(new["spec"], "spec")
    return warnings


def job_spec_warnings(spec: Tree, path: str) -> list[str]:
    indexed = spec.get("completionMode") == INDEXED
    if indexed and spec.get("completions", 0) > _MANY and spec.get("parallelism", 0) > _MANY_AT_ONCE:
        warnings = [f"{path}: {_UNTRACKABLE}"]
    else:
        warnings = []
    return warnings + warn_of_template(spec["template"], f"{path}.template")


def _state(tree: Tree, now: float) -> str:
    # Of two conditions of one type the first counts.
    conditions: dict[str, str] = {}
    for condition in tree.get("status", {}).get("conditions", ()):
        conditions.setdefault(condition.get("type", ""), condition.get("status", ""))

    def is_true(type_: str) -> bool:
        return conditions.get(type_) == "True"

    if is_true("Complete"):
        return "Complete"
    if is_true("Failed"):
        return "Failed"
    if "deletionTimestamp" in tree["metadata"]:
        return "Terminating"
    if is_true("Suspended"):
        return "Suspended"
    return "FailureTarget" if is_true("FailureTarget") else "Running"


def _completions(tree: Tree, now: float) -> str:
    spec, succeeded = tree["spec"], tree.get("status", {}).get("succeeded", 0)
    if "completions" in spec:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism", 0)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(tree: Tree, now: float) -> str:
    status = tree.get("status", {})
    if not (started := status.get("startTime")):
        return ""
    ended = status.get("completionTime")
    return duration.human((seconds_of(ended) if ended else now) - seconds_of(started))


def _succeeded(tree: Tree) -> str:
    return str(tree.get("status", {}).get("succeeded", 0))


RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    definition="io.k8s.api.batch.v1.Job",
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=bump_generation,
        prepare_status=keep_spec,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=validate_job_status,
        warn=_warn,
        garbage_collection="orphan",
        delete_warning=DELETE_WARNING,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Status", _state),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", lambda tree, now: format_selector(tree["spec"].get("selector")), priority=1),
    ),
    selectable={"status.successful": _succeeded},
    status=True,
)
