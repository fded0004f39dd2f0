"""How the status of a Job may move: what is over stays over, and what it says adds up.

After ValidateJobStatusUpdate of pkg/apis/batch/validation and the options that pkg/registry/batch/job gives it. Most rules look
only at fields that the update changes, so that a status which is wrong already can still be written elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sampan.api.errors import FieldError, GoText, duplicate, go_strings, invalid, required
from sampan.api.groups.apps.workloads import validate_not_negative
from sampan.api.groups.batch.indexes import BadIndexes, count_indexes, first_overlap
from sampan.api.groups.batch.job_validation import INDEXED, without_value
from sampan.api.resource import Tree

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")


def validate_job_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = validate_not_negative(status, _COUNTS, "status")
    errors += _validate_uncounted(status.get("uncountedTerminatedPods", {}), "status.uncountedTerminatedPods")
    for rules in (_validate_ends, _validate_finished, _validate_indexes, _validate_criteria, _validate_transition):
        errors += rules(_Change(new, old))
    return errors


class _Change:
    """A status before and after, and what became of it."""

    def __init__(self, new: Tree, old: Tree) -> None:
        self.spec: Tree = new["spec"]
        self.now: Tree = new.get("status", {})
        self.before: Tree = old.get("status", {})
        self.is_, self.was = _conditions(self.now), _conditions(self.before)

    def changed(self, *fields: str) -> bool:
        return any(self.now.get(field) != self.before.get(field) for field in fields)

    def turned(self, *types: str) -> bool:
        return any((type_ in self.is_) != (type_ in self.was) for type_ in types)

    @property
    def finished(self) -> bool:
        return _is_finished(self.is_)

    @property
    def turned_finished(self) -> bool:
        return self.finished != _is_finished(self.was)

    @property
    def indexed(self) -> bool:
        return bool(self.spec.get("completionMode") == INDEXED)


def _conditions(status: Tree) -> frozenset[str]:
    """The types of the conditions that are true."""
    return frozenset(c.get("type", "") for c in status.get("conditions", ()) if c.get("status") == "True")


def _is_finished(conditions: frozenset[str]) -> bool:
    return "Complete" in conditions or "Failed" in conditions


def _impossible(detail: str) -> FieldError:
    return without_value("status.conditions", detail)


def go_time(stamp: str | None) -> GoText:
    """A metav1.Time as Go prints it."""
    if not stamp:
        return GoText("null")
    return GoText(datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M:%S +0000 UTC"))


def _validate_uncounted(pods: Tree, path: str) -> list[FieldError]:
    seen: set[str] = set()
    errors: list[FieldError] = []
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(field, ())):
            where = f"{path}.{field}[{index}]"
            if not uid:
                errors.append(invalid(where, uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(where, uid))
            seen.add(uid)
    return errors


def _validate_ends(change: _Change) -> list[FieldError]:
    """Conditions that exclude or need each other, and the times that go with them."""
    is_, status = change.is_, change.now
    complete, started, ended = "Complete" in is_, status.get("startTime"), status.get("completionTime")
    errors: list[FieldError] = []
    if change.turned("Complete", "Failed") and complete and "Failed" in is_:
        errors.append(_impossible("cannot set Complete=True and Failed=true conditions"))
    if change.turned("Complete", "FailureTarget") and complete and "FailureTarget" in is_:
        errors.append(_impossible("cannot set Complete=True and FailureTarget=true conditions"))
    if change.turned("Complete") or change.changed("completionTime"):
        if ended and not complete:
            why = "cannot set completionTime when there is no Complete=True condition"
            errors.append(invalid("status.completionTime", go_time(ended), why))
        if complete and not ended:
            errors.append(required("status.completionTime", "completionTime is required for Complete jobs"))
    # Times are in one form, so that they sort as text.
    if change.changed("startTime", "completionTime") and started and ended and ended < started:
        errors.append(invalid("status.completionTime", go_time(ended), "completionTime cannot be set before startTime"))
    if change.turned("Failed", "FailureTarget") and "Failed" in is_ and "FailureTarget" not in is_:
        errors.append(_impossible("cannot set Failed=True condition without the FailureTarget=true condition"))
    if change.turned("Complete", "SuccessCriteriaMet") and complete and "SuccessCriteriaMet" not in is_:
        errors.append(_impossible("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"))
    return errors


def _validate_finished(change: _Change) -> list[FieldError]:
    """A finished job has started and has nothing running or uncounted."""
    if not change.finished:
        return _validate_ready(change)
    status, ended = change.now, change.turned_finished
    errors: list[FieldError] = []
    if (ended or change.changed("active")) and status.get("active", 0) > 0:
        errors.append(invalid("status.active", status["active"], "active>0 is invalid for finished job"))
    if (ended or change.changed("startTime")) and "startTime" not in status:
        errors.append(required("status.startTime", "startTime is required for finished job"))
    pods = status.get("uncountedTerminatedPods", {})
    if (ended or change.changed("uncountedTerminatedPods")) and (pods.get("succeeded") or pods.get("failed")):
        why = "uncountedTerminatedPods needs to be empty for finished job"
        errors.append(invalid("status.uncountedTerminatedPods", _go_uncounted(pods), why))
    if (ended or change.changed("terminating")) and status.get("terminating", 0) > 0:
        errors.append(invalid("status.terminating", status["terminating"], "terminating>0 is invalid for finished job"))
    return errors + _validate_ready(change)


def _validate_ready(change: _Change) -> list[FieldError]:
    ready = change.now.get("ready")
    if ready is None or ready <= change.now.get("active", 0) or not change.changed("ready", "active"):
        return []
    return [invalid("status.ready", ready, "cannot set more ready pods than active")]


def _go_uncounted(pods: Tree) -> GoText:
    def uids(found: Sequence[str]) -> str:
        return go_strings("types.UID", found) if found else "[]types.UID(nil)"

    return GoText(
        f"batch.UncountedTerminatedPods{{Succeeded:{uids(pods.get('succeeded', ()))}, Failed:{uids(pods.get('failed', ()))}}}"
    )


def _validate_indexes(change: _Change) -> list[FieldError]:
    spec, status = change.spec, change.now
    completions, completed, failed = spec.get("completions"), status.get("completedIndexes", ""), status.get("failedIndexes")
    by_index = "backoffLimitPerIndex" in spec
    errors: list[FieldError] = []
    if change.changed("completedIndexes"):
        if completions is not None:
            errors += _format_errors("completedIndexes", completed, completions)
        if completed and not change.indexed:
            why = "cannot set non-empty completedIndexes when non-indexed completion mode"
            errors.append(invalid("status.completedIndexes", completed, why))
    if change.changed("failedIndexes") and failed is not None:
        if completions is not None and by_index:
            errors += _format_errors("failedIndexes", failed, completions)
        if not by_index:
            why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            errors.append(invalid("status.failedIndexes", failed, why))
    if change.changed("completedIndexes", "failedIndexes") and completions is not None and failed:
        overlap = first_overlap(completed, failed, completions)
        if overlap is not None:
            why = f"failedIndexes and completedIndexes overlap at index: {overlap}"
            errors.append(invalid("status.failedIndexes", failed, why))
    return errors


def _format_errors(field: str, text: str, completions: int) -> list[FieldError]:
    try:
        count_indexes(text, completions)
    except BadIndexes as error:
        return [invalid(f"status.{field}", text, f"error parsing {field}: {error}")]
    return []


def _validate_criteria(change: _Change) -> list[FieldError]:
    is_ = change.is_
    met = "SuccessCriteriaMet" in is_
    errors: list[FieldError] = []
    if met and "Failed" in is_:
        errors.append(_impossible("cannot set SuccessCriteriaMet=True and Failed=true conditions"))
    if met and "FailureTarget" in is_:
        errors.append(_impossible("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"))
    if "successPolicy" in change.spec and not met and "Complete" in is_:
        why = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.append(_impossible(why))
    return errors


def _validate_transition(change: _Change) -> list[FieldError]:
    spec, now, before = change.spec, change.now, change.before
    errors = [
        _impossible(f"cannot disable the terminal {type_}=True condition")
        for type_ in _TERMINAL
        if type_ in change.was and type_ not in change.is_
    ]
    # The succeeded of an Indexed job that scales with its parallelism go down with it.
    elastic = change.indexed and spec.get("completions") == spec.get("parallelism")
    for field in ("failed",) if elastic else ("failed", "succeeded"):
        if now.get(field, 0) < before.get(field, 0):
            errors.append(invalid(f"status.{field}", now.get(field, 0), f"cannot decrease the {field} counter"))
    ended, was_ended = now.get("completionTime"), before.get("completionTime")
    if ended and was_ended and ended != was_ended:
        errors.append(invalid("status.completionTime", go_time(ended), "completionTime cannot be mutated"))
    if before.get("startTime") and change.changed("startTime") and not spec.get("suspend"):
        errors.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    met, was_met = "SuccessCriteriaMet" in change.is_, "SuccessCriteriaMet" in change.was
    if was_met and not met:
        errors.append(_impossible("cannot disable the SuccessCriteriaMet=True condition"))
    if "Complete" in change.was and not was_met and met:
        why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(_impossible(why))
    return errors
