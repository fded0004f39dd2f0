"""ResourceQuota."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sampan.api.errors import FieldError, go_strings, invalid, required
from sampan.api.groups.columns import AGE, NAME
from sampan.api.groups.strategies import keep_spec, keep_status
from sampan.api.groups.validation.amounts import validate_resource_amount
from sampan.api.groups.validation.metadata import IMMUTABLE
from sampan.api.groups.validation.resources import QUOTA_HUGE_PAGES, STANDARD_RESOURCES, resource_name
from sampan.api.resource import Column, Resource, Strategy, Tree

SCOPES = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity")
_QUOTA_RESOURCES = STANDARD_RESOURCES - {"storage"}
_COMPUTE = ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_MOST_REPEATS = 100
_NO_VALUES = frozenset(SCOPES) - {"PriorityClass"}
_ONLY_EXISTS = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def _prepare_create(new: Tree) -> None:
    new.pop("status", None)


def _validate(tree: Tree) -> list[FieldError]:
    spec = tree.get("spec", {})
    errors = _validate_amounts(spec.get("hard", {}), "spec.hard")
    errors += _validate_scopes(spec, "spec.scopes") + _validate_scope_selector(spec, "spec.scopeSelector")
    return errors + _validate_statuses(tree.get("status", {}))


def _validate_statuses(status: Tree) -> list[FieldError]:
    return _validate_amounts(status.get("hard", {}), "status.hard") + _validate_amounts(status.get("used", {}), "status.used")


def _validate_amounts(amounts: Mapping[str, str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, amount in amounts.items():
        where = f"{path}[{name}]"
        errors += [invalid(where, name, why) for why in resource_name(name)]
        if "/" not in name and not _is_standard(name):
            errors.append(invalid(where, name, "must be a standard resource for quota"))
        errors += validate_resource_amount(name, amount, where)
    return errors


def _is_standard(name: str) -> bool:
    return name in _QUOTA_RESOURCES or name.startswith(QUOTA_HUGE_PAGES)


def _counts(scope: str, name: str) -> bool:
    """Whether the resource is one that a quota of this scope can bound."""
    if not _is_standard(name) or scope not in SCOPES:
        return True
    return name == "pods" if scope == "BestEffort" else name in _COMPUTE


def _uncounted(scopes: Iterable[str], spec: Tree) -> dict[str, int]:
    """How many of the spec's resources each scope cannot bound; there is no need to tell of more than a few."""
    hard = spec.get("hard", ())
    return {scope: min(_MOST_REPEATS, sum(not _counts(scope, name) for name in hard)) for scope in set(scopes)}


def _validate_scopes(spec: Tree, path: str) -> list[FieldError]:
    scopes: Sequence[str] = spec.get("scopes", ())
    shown = go_strings("core.ResourceQuotaScope", scopes)
    # Each tells all the scopes: made once, however many are wrong.
    unknown, elsewhere = (invalid(path, shown, f"unsupported scope{what}") for what in ("", " applied to resource"))
    uncounted = _uncounted(scopes, spec)
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in SCOPES:
            errors.append(unknown)
        errors += [elsewhere] * uncounted[scope]
    return errors + [invalid(path, shown, "conflicting scopes") for pair in _CONFLICTS if pair <= set(scopes)]


def _validate_scope_selector(spec: Tree, path: str) -> list[FieldError]:
    selector = spec.get("scopeSelector")
    if selector is None:
        return []
    where = f"{path}.matchExpressions"
    errors: list[FieldError] = []
    expressions = selector.get("matchExpressions", ())
    uncounted = _uncounted((expression.get("scopeName", "") for expression in expressions), spec)
    elsewhere = invalid(where, selector, "unsupported scope applied to resource")
    for expression in expressions:
        scope = expression.get("scopeName", "")
        if scope not in SCOPES:
            errors.append(invalid(f"{where}.scopeName", scope, "unsupported scope"))
        errors += [elsewhere] * uncounted[scope]
        errors += _validate_operator(expression, scope, where)
    chosen = {expression.get("scopeName", "") for expression in expressions}
    shown = go_strings("core.ResourceQuotaScope", spec.get("scopes", ()))
    return errors + [invalid(where, shown, "conflicting scopes") for pair in _CONFLICTS if pair <= chosen]


def _validate_operator(expression: Tree, scope: str, path: str) -> list[FieldError]:
    operator, values = expression.get("operator", ""), expression.get("values", [])
    errors: list[FieldError] = []
    if scope in _NO_VALUES and operator != "Exists":
        errors.append(invalid(f"{path}.operator", operator, _ONLY_EXISTS))
    if operator in ("In", "NotIn"):
        if not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(required(f"{path}.values", why))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(invalid(f"{path}.values", values, why))
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return errors


def _validate_update(new: Tree, old: Tree) -> list[FieldError]:
    scopes, before = new.get("spec", {}).get("scopes", ()), old.get("spec", {}).get("scopes", ())
    if set(scopes) == set(before):
        return []
    return [invalid("spec.scopes", go_strings("core.ResourceQuotaScope", scopes), IMMUTABLE)]


def _validate_status(new: Tree, old: Tree) -> list[FieldError]:
    return _validate_statuses(new.get("status", {}))


def _used(tree: Tree, limits: bool) -> str:
    """ "cpu: 1/2, pods: 3/10": what is used of what there is, of the limits or of all else."""
    status = tree.get("status", {})
    hard, used = status.get("hard", {}), status.get("used", {})
    chosen = [name for name in sorted(hard) if name.startswith("limits.") is limits]
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in chosen)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    definition="io.k8s.api.core.v1.ResourceQuota",
    short=("quota",),
    strategy=Strategy(
        prepare_create=_prepare_create,
        prepare_update=keep_status,
        prepare_status=keep_spec,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=_validate_status,
    ),
    columns=(
        NAME,
        Column("Request", lambda tree, now: _used(tree, limits=False)),
        Column("Limit", lambda tree, now: _used(tree, limits=True)),
        AGE,
    ),
    status=True,
)
