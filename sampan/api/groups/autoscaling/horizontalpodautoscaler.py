"""HorizontalPodAutoscaler: autoscaling/v2, which is stored, and v1, which is shown from it."""

from __future__ import annotations

import copy

from sampan.api.errors import FieldError
from sampan.api.groups.autoscaling.hpa_conversion import default_metrics, to_v1, to_v2
from sampan.api.groups.autoscaling.hpa_validation import validate_hpa, validate_hpa_status
from sampan.api.groups.columns import AGE, NAME, NONE, UNKNOWN
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.resource import Column, Resource, Strategy, Tree
from sampan.api.standing import settled

_SHOWN_METRICS = 2
_PERIOD_SECONDS = 15
_SCALE_UP: Tree = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": _PERIOD_SECONDS},
        {"type": "Percent", "value": 100, "periodSeconds": _PERIOD_SECONDS},
    ],
}
_SCALE_DOWN: Tree = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": _PERIOD_SECONDS}],
}


def _default(tree: Tree) -> None:
    spec = tree.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = default_metrics()
    if (behavior := spec.get("behavior")) is not None:
        for field, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            behavior[field] = copy.deepcopy(rules) | behavior.get(field, {})


def _drop_tolerances(spec: Tree) -> None:
    """A tolerance of one's own is an alpha feature, off by default."""
    for rules in spec.get("behavior", {}).values():
        rules.pop("tolerance", None)


def _prepare_create(new: Tree) -> None:
    new["status"] = {"desiredReplicas": 0}
    _drop_tolerances(new["spec"])


def _prepare_update(new: Tree, old: Tree) -> None:
    keep_status(new, old)
    if not any("tolerance" in rules for rules in old["spec"].get("behavior", {}).values()):
        _drop_tolerances(new["spec"])


def _validate(tree: Tree) -> list[FieldError]:
    """Of a new object; an update has `_validate_change`."""
    return validate_hpa(tree)


def _validate_change(new: Tree, old: Tree) -> list[FieldError]:
    return validate_hpa(new, 0 if old["spec"].get("minReplicas") == 0 else 1)


def _reference(tree: Tree, now: float) -> str:
    reference = tree["spec"].get("scaleTargetRef", {})
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _targets(tree: Tree, now: float) -> str:
    """What each metric is, and what it shall be."""
    metrics, current = tree["spec"].get("metrics", ()), tree.get("status", {}).get("currentMetrics") or ()
    if not metrics:
        return NONE
    shown = [_target(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    text = ", ".join(shown[:_SHOWN_METRICS])
    return f"{text} + {len(shown) - _SHOWN_METRICS} more..." if len(shown) > _SHOWN_METRICS else text


def _target(metric: Tree, status: Tree) -> str:
    type_ = metric.get("type", "")
    field = type_[:1].lower() + type_[1:]
    source = metric.get(field)
    if source is None:
        return "<unknown type>"
    target, current = source.get("target", {}), status.get(field, {}).get("current", {})
    if type_ in ("External", "Object"):
        if "averageValue" in target:
            return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
        return f"{current.get('value', UNKNOWN)}/{target.get('value', '0')}"
    if type_ == "Pods":
        return f"{current.get('averageValue', UNKNOWN)}/{target.get('averageValue', '0')}"
    name = source.get("name", "")
    if "averageValue" in target:
        return f"{name}: {current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{name}: {UNKNOWN if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"


def _fewest(tree: Tree, now: float) -> str:
    return str(tree["spec"].get("minReplicas", "<unset>"))


_COLUMNS = (
    NAME,
    Column("Reference", _reference),
    Column("Targets", _targets),
    Column("MinPods", _fewest),
    Column("MaxPods", lambda tree, now: tree["spec"].get("maxReplicas", 0)),
    Column("Replicas", lambda tree, now: tree.get("status", {}).get("currentReplicas", 0)),
    AGE,
)

V2 = Resource(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    definition="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    short=("hpa",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=_prepare_update,
        prepare_status=keep_spec,
        validate=_validate,
        validate_change=_validate_change,
        validate_status=validate_hpa_status,
    ),
    default=_default,
    columns=_COLUMNS,
    status=True,
)

# What v1 does is what v2 does, to the same object in the other form: that is where the whole of it can be seen.


def _replace(tree: Tree, stored: Tree) -> None:
    """In place, metadata and all: whoever holds them goes on to."""
    shown, meta = to_v1(stored), tree["metadata"]
    fresh = shown["metadata"]
    meta.clear()
    meta.update(fresh)
    tree.clear()
    tree.update(shown | {"metadata": meta})


def _default_v1(tree: Tree) -> None:
    stored = to_v2(tree)
    _default(stored)
    _replace(tree, stored)


def _prepare_create_v1(new: Tree) -> None:
    stored = to_v2(new)
    _prepare_create(stored)
    _replace(new, stored)


def _prepare_update_v1(new: Tree, old: Tree) -> None:
    stored = to_v2(new)
    _prepare_update(stored, to_v2(old))
    _replace(new, stored)


def _prepare_status_v1(new: Tree, old: Tree) -> None:
    stored = to_v2(new)
    keep_spec(stored, to_v2(old))
    _replace(new, stored)


def _shown(column: Column) -> Column:
    """The same column of an object in the form of v1."""
    cell = column.cell
    assert callable(cell)
    of_v2 = cell
    return Column(column.name, lambda tree, now: of_v2(to_v2(tree), now), column.type_, column.priority, column.format_)


V1 = Resource(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    definition="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    short=("hpa",),
    categories=("all",),
    strategy=Strategy(
        prepare_create=_prepare_create_v1,
        prepare_update=_prepare_update_v1,
        prepare_status=_prepare_status_v1,
        validate=lambda tree: _validate(to_v2(tree)),
        validate_change=lambda new, old: _validate_change(to_v2(new), to_v2(old)),
        validate_status=lambda new, old: validate_hpa_status(to_v2(new), to_v2(old)),
    ),
    default=_default_v1,
    columns=tuple(map(_shown, _COLUMNS)),
    status=True,
    stored_as=("autoscaling", "v2", "horizontalpodautoscalers"),
    to_stored=settled("io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", to_v2),
    from_stored=settled("io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler", to_v1),
)

RESOURCES = (V2, V1)
