"""DaemonSet."""

from __future__ import annotations

from sampan.api.errors import FieldError, forbidden_field, go_map, invalid, not_supported, required
from sampan.api.groups.apps.workloads import (
    amount_of,
    percent_of,
    validate_int_or_percent,
    validate_not_decremented,
    validate_not_negative,
    warn_of_new_template,
)
from sampan.api.groups.columns import AGE, CONTAINERS, IMAGES, NAME, format_labels, format_selector
from sampan.api.groups.core.pod_defaults import default_template
from sampan.api.groups.strategies import bump_generation, keep_spec, start_generation
from sampan.api.groups.validation.metadata import immutable
from sampan.api.groups.validation.podspec import validate_template
from sampan.api.groups.validation.selectors import matches, validate_label_selector
from sampan.api.integers import parse_int64
from sampan.api.resource import Column, Resource, Strategy, Tree

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""The annotation that counts changes of the template; once a field, it is the server's to write."""

_COUNTS = (
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
    "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
)  # fmt: skip


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    default_template(spec)


def _template_generation(tree: Tree) -> int:
    text = tree["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, "")
    try:
        return parse_int64(text)
    except ValueError:
        return 0


def _set_template_generation(tree: Tree, generation: int) -> None:
    tree["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = str(generation)


def _prepare_create(new: Tree) -> None:
    start_generation(new)
    new["status"] = dict.fromkeys(_COUNTS[:4], 0)
    _set_template_generation(new, max(1, _template_generation(new)))


def _prepare_update(new: Tree, old: Tree) -> None:
    bump_generation(new, old)
    changed = new["spec"].get("template") != old["spec"].get("template")
    _set_template_generation(new, _template_generation(old) + changed)


def _prepare_status(new: Tree, old: Tree) -> None:
    keep_spec(new, old)
    _set_template_generation(new, _template_generation(old))


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree["spec"]
    template, selector = spec["template"], spec.get("selector")
    pod, path = template.get("spec", {}), "spec.template"
    errors = validate_label_selector(selector, "spec.selector") if selector is not None else []
    labels = template.get("metadata", {}).get("labels")
    # No selector selects nothing; of one that is wrong nobody can tell.
    if not errors and (selector is None or not matches(selector, labels or {})):
        why = "`selector` does not match template `labels`"
        errors.append(invalid(f"{path}.metadata.labels", go_map(labels), why))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += validate_template(template, path)
    if pod["restartPolicy"] != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        why = "activeDeadlineSeconds in DaemonSet is not Supported"
        errors.append(forbidden_field(f"{path}.spec.activeDeadlineSeconds", why))
    errors += validate_not_negative(spec, ("minReadySeconds",), "spec")
    errors += _validate_strategy(spec["updateStrategy"], "spec.updateStrategy")
    return errors + validate_not_negative(spec, ("revisionHistoryLimit",), "spec")


def _validate_strategy(strategy: Tree, path: str) -> list[FieldError]:
    if strategy["type"] == "OnDelete":
        return []
    if strategy["type"] != "RollingUpdate":
        return [not_supported(path, strategy, ("RollingUpdate", "OnDelete"))]
    rolling, path = strategy["rollingUpdate"], f"{path}.rollingUpdate"
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    amounts = (("maxUnavailable", unavailable), ("maxSurge", surge))
    errors = [error for field, amount in amounts for error in validate_int_or_percent(amount, f"{path}.{field}")]
    for field, amount in amounts:
        if (percent_of(amount) or 0) > 100:
            errors.append(invalid(f"{path}.{field}", amount, "must not be greater than 100%"))
    if amount_of(unavailable) and amount_of(surge):
        errors.append(invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    if not amount_of(unavailable) and not amount_of(surge):
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    """The spec is looked at a second time, as upstream does."""
    return _validate(new) + immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    status = new.get("status", {})
    errors = validate_not_negative(status, _COUNTS, "status")
    return errors + validate_not_decremented(status, old.get("status", {}), "collisionCount")


def _warn(new: Tree, old: Tree | None) -> list[str]:
    same = old is not None and _template_generation(new) == _template_generation(old)
    return [] if same else warn_of_new_template(new, None)


def _count(name: str, field: str) -> Column:
    return Column(name, lambda tree, now: tree.get("status", {}).get(field, 0), "integer")


def _node_selector(tree: Tree, now: float) -> str:
    return format_labels(tree["spec"].get("template", {}).get("spec", {}).get("nodeSelector"))


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    definition="io.k8s.api.apps.v1.DaemonSet",
    short=("ds",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=_prepare_status,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
        warn=_warn,
    ),
    default=_default,
    columns=(
        NAME,
        _count("Desired", "desiredNumberScheduled"),
        _count("Current", "currentNumberScheduled"),
        _count("Ready", "numberReady"),
        _count("Up-to-date", "updatedNumberScheduled"),
        _count("Available", "numberAvailable"),
        Column("Node Selector", _node_selector),
        AGE,
        CONTAINERS,
        IMAGES,
        Column("Selector", lambda tree, now: format_selector(tree["spec"].get("selector")), priority=1),
    ),
    status=True,
)
