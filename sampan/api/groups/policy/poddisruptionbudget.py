"""PodDisruptionBudget."""

from __future__ import annotations

from sampan.api.errors import FieldError, invalid, not_supported
from sampan.api.groups.apps.workloads import percent_of, validate_int_or_percent, validate_not_negative
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import bump_generation, keep_spec, start_generation
from sampan.api.groups.validation.conditions import validate_conditions
from sampan.api.groups.validation.selectors import validate_label_selector
from sampan.api.resource import Column, Resource, Strategy, Tree

DISRUPTION_ALLOWED = "DisruptionAllowed"
"""The type of the condition that says whether any disruption is allowed now."""
SUFFICIENT_PODS, INSUFFICIENT_PODS, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
ALWAYS_ALLOW, IF_HEALTHY = "AlwaysAllow", "IfHealthyBudget"

_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _prepare_create(new: Tree) -> None:
    start_generation(new)
    new["status"] = dict.fromkeys(_COUNTS, 0)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors: list[FieldError] = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        errors.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for field in ("minAvailable", "maxUnavailable"):
        if field in spec:
            errors += validate_int_or_percent(spec[field], f"spec.{field}")
            if (percent_of(spec[field]) or 0) > 100:
                errors.append(invalid(f"spec.{field}", spec[field], "must not be greater than 100%"))
    if (selector := spec.get("selector")) is not None:
        errors += validate_label_selector(selector, "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in (ALWAYS_ALLOW, IF_HEALTHY):
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, (ALWAYS_ALLOW, IF_HEALTHY)))
    return errors


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = validate_conditions(status.get("conditions", ()), "status.conditions")
    return errors + validate_not_negative(status, _COUNTS, "status")


def _amount(field: str) -> Column:
    name = {"minAvailable": "Min Available", "maxUnavailable": "Max Unavailable"}[field]
    return Column(name, lambda tree, now: str(tree.get("spec", {}).get(field, "N/A")))


RESOURCE = Resource(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    definition="io.k8s.api.policy.v1.PodDisruptionBudget",
    short=("pdb",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=bump_generation,
        prepare_status=keep_spec,
        validate=_validate,
        validate_status=_validate_status,
        allow_unconditional_update=False,
    ),
    columns=(
        NAME,
        _amount("minAvailable"),
        _amount("maxUnavailable"),
        Column("Allowed Disruptions", lambda tree, now: tree.get("status", {}).get("disruptionsAllowed", 0), "integer"),
        AGE,
    ),
    status=True,
)
