"""CronJob."""

from __future__ import annotations

import re

from sampan.api import cron
from sampan.api.errors import FieldError, invalid, not_supported, required
from sampan.api.groups.apps.workloads import validate_not_negative
from sampan.api.groups.batch.job import default_failure_policy, job_spec_warnings
from sampan.api.groups.batch.job_validation import validate_job_spec
from sampan.api.groups.columns import AGE, NAME, NONE, format_selector, since
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, keep_spec, start_generation
from sampan.api.groups.validation.podwarnings import warn_of_name
from sampan.api.resource import Column, Resource, Strategy, Tree

_POLICIES = ("Allow", "Forbid", "Replace")
_MAX_NAME = 52
_NO_ZONE_IN_SCHEDULE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_zone_part = re.compile(r"[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}").fullmatch


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    # The rest of the Job's defaults come when a Job is made of it.
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    default_template(job)
    default_failure_policy(job)


def _validate(tree: Tree) -> list[FieldError]:
    """An object that has no resourceVersion yet is being created."""
    spec, name = tree["spec"], tree["metadata"].get("name", "")
    errors = _validate_spec(spec)
    if tree["metadata"].get("resourceVersion"):
        return errors
    if schedule := spec.get("schedule"):
        errors += _validate_schedule(schedule)
    errors += _validate_time_zone(spec)
    if len(name.encode()) > _MAX_NAME:  # a Job's name is that and eleven characters
        errors.append(invalid("metadata.name", name, f"must be no more than {_MAX_NAME} characters"))
    return errors


def _validate_spec(spec: Tree) -> list[FieldError]:
    errors = [] if spec.get("schedule") else [required("spec.schedule")]
    errors += validate_not_negative(spec, ("startingDeadlineSeconds",), "spec")
    if spec["concurrencyPolicy"] not in _POLICIES:
        errors.append(not_supported("spec.concurrencyPolicy", spec["concurrencyPolicy"], _POLICIES))
    job, path = spec["jobTemplate"]["spec"], "spec.jobTemplate.spec"
    errors += validate_job_spec(job, path)
    if "selector" in job:
        errors.append(invalid(f"{path}.selector", job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        errors.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    return errors + validate_not_negative(spec, ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"), "spec")


def _validate_schedule(schedule: str, zone_was_there: bool = False, time_zone: str | None = None) -> list[FieldError]:
    """`zone_was_there`: the old schedule named a zone, as none may any more."""
    errors: list[FieldError] = []
    try:
        cron.parse(schedule)
    except cron.CronError as error:
        errors.append(invalid("spec.schedule", schedule, str(error)))
    if "TZ" in schedule and not zone_was_there:
        errors.append(invalid("spec.schedule", schedule, _NO_ZONE_IN_SCHEDULE))
    elif "TZ" in schedule and time_zone is not None:
        why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        errors.append(invalid("spec.schedule", schedule, why))
    return errors


def _validate_time_zone(spec: Tree) -> list[FieldError]:
    zone = spec.get("timeZone")
    if zone is None:
        return []
    if not zone:
        return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if any(part in (".", "..") or not _zone_part(part) for part in zone.split("/")):
        return [invalid("spec.timeZone", zone, f"unknown time zone {zone}")]
    errors: list[FieldError] = []
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        errors.append(invalid("spec.timeZone", zone, why))
    try:
        cron.load_zone(zone)
    except cron.ZoneError as error:
        errors.append(invalid("spec.timeZone", zone, str(error)))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors: list[FieldError] = []
    if schedule := spec.get("schedule"):
        errors += _validate_schedule(schedule, "TZ" in before.get("schedule", ""), spec.get("timeZone"))
    if spec.get("timeZone") != before.get("timeZone"):
        errors += _validate_time_zone(spec)
    return errors


def _warn(new: Tree, old: Tree | None) -> list[str]:
    spec = new["spec"]
    warnings = warn_of_name(new) if old is None else []
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        warnings += job_spec_warnings(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    if old is not None and "TZ" in spec.get("schedule", ""):
        warnings.append(  # upstream's path does name the spec twice
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
        )
    return warnings


def _suspend(tree: Tree, now: float) -> str:
    suspend = tree["spec"].get("suspend")
    return "<unset>" if suspend is None else str(bool(suspend))


def _last_schedule(tree: Tree, now: float) -> str:
    last = tree.get("status", {}).get("lastScheduleTime")
    return since(last, now) if last else NONE


def _job(tree: Tree) -> Tree:
    job: Tree = tree["spec"].get("jobTemplate", {}).get("spec", {})
    return job


def _of_containers(field: str, tree: Tree) -> str:
    containers = _job(tree).get("template", {}).get("spec", {}).get("containers", ())
    return ",".join(container.get(field, "") for container in containers)


RESOURCE = Resource(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    definition="io.k8s.api.batch.v1.CronJob",
    short=("cj",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=start_generation,
        prepare_update=bump_generation,
        prepare_status=keep_spec,
        validate=_validate,
        validate_update=_validate_update,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        Column("Schedule", lambda tree, now: tree["spec"].get("schedule", "")),
        Column("Timezone", lambda tree, now: tree["spec"].get("timeZone", NONE)),
        Column("Suspend", _suspend, "boolean"),
        Column("Active", lambda tree, now: len(tree.get("status", {}).get("active", ())), "integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        Column("Containers", lambda tree, now: _of_containers("name", tree), priority=1),
        Column("Images", lambda tree, now: _of_containers("image", tree), priority=1),
        Column("Selector", lambda tree, now: format_selector(_job(tree).get("selector")), priority=1),
    ),
    status=True,
)
