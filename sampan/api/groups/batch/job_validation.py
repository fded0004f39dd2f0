"""The spec of a Job, in a Job or in a CronJob's template, after defaults. After pkg/apis/batch/validation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sampan.api import names
from sampan.api.errors import (
    FieldError,
    GoText,
    duplicate,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from sampan.api.groups.apps.workloads import NOT_NEGATIVE, validate_not_negative
from sampan.api.groups.batch.indexes import BadIndexes, count_indexes
from sampan.api.groups.validation.podspec import validate_template
from sampan.api.repeats import repeats
from sampan.api.resource import Tree

INDEXED = "Indexed"
_MODES = ("NonIndexed", "Indexed")
_MAX_PARALLELISM = _MAX_FAILED = _MANY_COMPLETIONS = 100_000
_MAX_PARALLELISM_OF_MANY = _MAX_FAILED_OF_MANY = 10_000
_MAX_RULES = _MAX_PATTERNS = 20
_MAX_EXIT_CODES = 255
_MAX_INDEXES_LENGTH = 64 * 1024
_MAX_MANAGED_BY = 63
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_http_path = re.compile(_HTTP_PATH).fullmatch


def validate_job_spec(spec: Tree, path: str) -> list[FieldError]:
    """All but the selector, which a CronJob's template does not have yet."""
    errors = validate_not_negative(
        spec,
        (
            "parallelism",
            "completions",
            "activeDeadlineSeconds",
            "backoffLimit",
            "ttlSecondsAfterFinished",
            "backoffLimitPerIndex",
            "maxFailedIndexes",
        ),
        path,
    )
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if "managedBy" in spec:
        errors += _validate_managed_by(spec["managedBy"], f"{path}.managedBy")
    errors += _validate_mode(spec, path)
    if (policy := spec.get("podFailurePolicy")) is not None:
        errors += _validate_failure_policy(policy, spec, f"{path}.podFailurePolicy.rules")
    if (policy := spec.get("successPolicy")) is not None:
        if spec.get("completionMode") != INDEXED:
            errors.append(invalid(f"{path}.successPolicy", policy, "requires indexed completion mode"))
        else:
            errors += _validate_success_policy(policy, spec, f"{path}.successPolicy.rules")
    if (replacement := spec.get("podReplacementPolicy")) is not None:
        supported = ("Failed",) if "podFailurePolicy" in spec else _REPLACEMENTS
        if replacement not in supported:
            errors.append(not_supported(f"{path}.podReplacementPolicy", replacement, supported))
    errors += validate_template(spec["template"], f"{path}.template")
    return errors + _validate_restarts(spec, f"{path}.template.spec.restartPolicy")


def _validate_restarts(spec: Tree, path: str) -> list[FieldError]:
    policy = spec["template"]["spec"]["restartPolicy"]
    if policy == "Always":  # which is what nobody chose, too
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"))]
    if "podFailurePolicy" in spec and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _validate_managed_by(manager: str, path: str) -> list[FieldError]:
    if not manager:
        return [required(path)]
    host, _, rest = manager.partition("/")
    errors: list[FieldError] = []
    if not host or not rest:
        errors.append(invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        errors += [invalid(path, host, why) for why in names.dns_subdomain(host)]
        if not _http_path(rest):
            errors.append(invalid(path, rest, names.pattern_message("Invalid path", _HTTP_PATH)))
    if len(manager.encode()) > _MAX_MANAGED_BY:
        errors.append(too_long(path, _MAX_MANAGED_BY))
    return errors


def _validate_mode(spec: Tree, path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    errors: list[FieldError] = []
    if mode is not None and mode not in _MODES:
        errors.append(not_supported(f"{path}.completionMode", mode, _MODES))
    if mode == INDEXED:
        errors += _validate_indexed(spec, path)
    elif mode in (None, "NonIndexed"):
        errors += [
            invalid(f"{path}.{field}", spec[field], "requires indexed completion mode")
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if field in spec
        ]
    return errors


def _validate_indexed(spec: Tree, path: str) -> list[FieldError]:
    completions, parallelism, failed = (spec.get(f) for f in ("completions", "parallelism", "maxFailedIndexes"))
    errors: list[FieldError] = []
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _MAX_PARALLELISM:
        why = f"must be less than or equal to {_MAX_PARALLELISM} when completion mode is Indexed"
        errors.append(invalid(f"{path}.parallelism", parallelism, why))
    if completions is not None and failed is not None and failed > completions:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if failed is not None and failed > _MAX_FAILED:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {_MAX_FAILED}"))
    if completions is not None and completions > _MANY_COMPLETIONS and "backoffLimitPerIndex" in spec:
        errors += _validate_many(parallelism, failed, path)
    return errors


def _validate_many(parallelism: int | None, failed: int | None, path: str) -> list[FieldError]:
    """So many indexes that what is said of each would fill the status."""
    above = f"when completions are above {_MANY_COMPLETIONS} and used with backoff limit per index"
    errors: list[FieldError] = []
    if failed is None:
        errors.append(required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MANY_COMPLETIONS}"))
    if parallelism is not None and parallelism > _MAX_PARALLELISM_OF_MANY:
        why = f"must be less than or equal to {_MAX_PARALLELISM_OF_MANY} {above}"
        errors.append(invalid(f"{path}.parallelism", parallelism, why))
    if failed is not None and failed > _MAX_FAILED_OF_MANY:
        why = f"must be less than or equal to {_MAX_FAILED_OF_MANY} {above}"
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, why))
    return errors


def _values(supported: Sequence[str]) -> str:
    quoted = " ".join(f'"{value}"' for value in supported)
    return f"valid values: [{quoted}]"


def _validate_failure_policy(policy: Tree, spec: Tree, path: str) -> list[FieldError]:
    rules = policy.get("rules", ())
    errors = [too_many(path, len(rules), _MAX_RULES)] if len(rules) > _MAX_RULES else []
    pod = spec["template"]["spec"]
    containers = {container.get("name") for field in ("containers", "initContainers") for container in pod.get(field, ())}
    for index, rule in enumerate(rules):
        errors += _validate_failure_rule(rule, spec, containers, f"{path}[{index}]")
    return errors


def _validate_failure_rule(rule: Tree, spec: Tree, containers: set[str | None], path: str) -> list[FieldError]:
    action, codes, patterns = rule.get("action", ""), rule.get("onExitCodes"), rule.get("onPodConditions", ())
    errors: list[FieldError] = []
    if not action:
        errors.append(required(f"{path}.action", _values(_ACTIONS)))
    elif action == "FailIndex":
        if "backoffLimitPerIndex" not in spec:
            errors.append(invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    elif action not in _ACTIONS:
        errors.append(not_supported(f"{path}.action", action, _ACTIONS))
    if codes is not None:
        errors += _validate_exit_codes(codes, containers, f"{path}.onExitCodes")
    if patterns:
        errors += _validate_patterns(patterns, f"{path}.onPodConditions")
    if codes is not None and patterns:
        errors.append(without_value(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not patterns:
        errors.append(without_value(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def without_value(path: str, detail: str) -> FieldError:
    """An invalid field whose value is not worth showing."""
    return FieldError("FieldValueInvalid", path, f"Invalid value: {detail}")


def _validate_patterns(patterns: Sequence[Tree], path: str) -> list[FieldError]:
    errors = [too_many(path, len(patterns), _MAX_PATTERNS)] if len(patterns) > _MAX_PATTERNS else []
    for index, pattern in enumerate(patterns):
        where, type_, status = f"{path}[{index}]", pattern.get("type", ""), pattern.get("status", "")
        errors += [invalid(f"{where}.type", type_, why) for why in names.qualified_name(type_)]
        if not status:
            errors.append(required(f"{where}.status", _values(_STATUSES)))
        elif status not in _STATUSES:
            errors.append(not_supported(f"{where}.status", status, _STATUSES))
    return errors


def _validate_exit_codes(requirement: Tree, containers: set[str | None], path: str) -> list[FieldError]:
    operator, container = requirement.get("operator", ""), requirement.get("containerName")
    errors: list[FieldError] = []
    if not operator:
        errors.append(required(f"{path}.operator", _values(_OPERATORS)))
    elif operator not in _OPERATORS:
        errors.append(not_supported(f"{path}.operator", operator, _OPERATORS))
    if container is not None and container not in containers:
        why = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(f"{path}.containerName", container, why))
    return errors + _validate_codes(requirement.get("values", []), operator, f"{path}.values")


def _validate_codes(codes: Sequence[int], operator: str, path: str) -> list[FieldError]:
    shown = GoText("[]int32{" + ", ".join(map(str, codes)) + "}" if codes else "[]int32(nil)")
    errors: list[FieldError] = []
    if not codes:
        errors.append(invalid(path, shown, "at least one value is required"))
    elif len(codes) > _MAX_EXIT_CODES:
        errors.append(too_many(path, len(codes), _MAX_EXIT_CODES))
    again = {index for index, _ in repeats(codes)}
    for index, code in enumerate(codes):
        if operator == "In" and code == 0:
            errors.append(invalid(f"{path}[{index}]", code, "must not be 0 for the In operator"))
        if index in again:
            errors.append(duplicate(f"{path}[{index}]", code))
    if list(codes) != sorted(codes):
        errors.append(invalid(path, shown, "must be ordered"))
    return errors


def _validate_success_policy(policy: Tree, spec: Tree, path: str) -> list[FieldError]:
    rules = policy.get("rules", ())
    errors: list[FieldError] = []
    if not rules:
        errors.append(required(path, "at least one rules must be specified when the successPolicy is specified"))
    if len(rules) > _MAX_RULES:
        errors.append(too_many(path, len(rules), _MAX_RULES))
    completions = spec.get("completions")
    if completions is None:  # an error already, and nothing to measure the rules by
        return errors
    for index, rule in enumerate(rules):
        errors += _validate_success_rule(rule, completions, f"{path}[{index}]")
    return errors


def _validate_success_rule(rule: Tree, completions: int, path: str) -> list[FieldError]:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    errors: list[FieldError] = []
    if indexes is None and count is None:
        errors.append(required(path, "at least one of succeededCount or succeededIndexes must be specified"))
    total = 0
    if indexes is not None:
        where = f"{path}.succeededIndexes"
        if len(indexes.encode()) > _MAX_INDEXES_LENGTH:
            errors.append(too_long(where, _MAX_INDEXES_LENGTH))
        try:
            total = count_indexes(indexes, completions)
        except BadIndexes as error:
            errors.append(invalid(where, indexes, f"error parsing succeededIndexes: {error}"))
    if count is not None:
        where = f"{path}.succeededCount"
        if count < 0:
            errors.append(invalid(where, count, NOT_NEGATIVE))
        if count > completions:
            why = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(invalid(where, count, why))
        if indexes is not None and count > total:
            why = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            errors.append(invalid(where, count, why))
    return errors
