"""LimitRange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import uuid4

from sampan.api import names, quantity
from sampan.api.errors import FieldError, duplicate, forbidden_field, invalid, required
from sampan.api.groups.columns import NAME
from sampan.api.groups.validation.amounts import parsed
from sampan.api.groups.validation.resources import container_resource_name, may_overcommit, resource_name
from sampan.api.resource import Column, Resource, Strategy, Tree

_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_FOR_CONTAINERS = "may not be specified when `type` is 'Pod'"
_LARGEST = (1 << 63) - 1

Amounts = Mapping[str, quantity.Quantity]


def _name(new: Tree) -> None:
    """One that is given no name is called something."""
    meta = new.setdefault("metadata", {})
    if not meta.get("name"):
        meta["name"] = str(uuid4())


def _default(tree: Tree) -> None:
    for limit in tree.get("spec", {}).get("limits") or ():
        if limit.get("type") == "Container":
            _default_container(limit)


def _default_container(limit: Tree) -> None:
    """The default limit is the maximum, the default request the default limit or else the minimum."""
    limits = limit.get("max", {}) | limit.get("default", {})
    requests = limit.get("min", {}) | limits | limit.get("defaultRequest", {})
    if limits:
        limit["default"] = limits
    if requests:
        limit["defaultRequest"] = requests


def _validate(tree: Tree) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, limit in enumerate(tree.get("spec", {}).get("limits") or ()):
        path, type_ = f"spec.limits[{index}]", limit.get("type", "")
        errors += _validate_type(type_, f"{path}.type")
        if type_ in seen:
            errors.append(duplicate(f"{path}.type", type_))
        seen.add(type_)
        errors += _validate_limit(limit, type_, path)
    return errors


def _validate_type(type_: str, path: str) -> list[FieldError]:
    if problems := names.qualified_name(type_):
        return [invalid(path, type_, why) for why in problems]
    if "/" in type_ or type_ in _TYPES:
        return []
    return [invalid(path, type_, "must be a standard limit type or fully qualified")]


def _validate_limit(limit: Tree, type_: str, path: str) -> list[FieldError]:
    rule = container_resource_name if type_ in ("Pod", "Container") else resource_name
    errors = _validate_names(limit, ("max", "min"), rule, path)
    defaults = ("default", "defaultRequest")
    if type_ == "Pod":
        errors += [forbidden_field(f"{path}.{field}", _FOR_CONTAINERS) for field in defaults if limit.get(field)]
    else:
        errors += _validate_names(limit, defaults, rule, path)
    if type_ == "PersistentVolumeClaim" and "storage" not in {*limit.get("min", ()), *limit.get("max", ())}:
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{path}.limits", why))
    errors += _validate_names(limit, ("maxLimitRequestRatio",), rule, path)
    checked = ("max", "min", *(() if type_ == "Pod" else defaults), "maxLimitRequestRatio")
    for name in dict.fromkeys(name for field in checked for name in limit.get(field, ())):
        amounts = {field: parsed(limit[field][name]) for field in checked if name in limit.get(field, ())}
        errors += _validate_order(name, amounts, path) + _validate_ratio(name, amounts, path)
    return errors


def _validate_names(limit: Tree, fields: tuple[str, ...], rule: Callable[[str], list[str]], path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{field}[{name}]", name, why)
        for field in fields
        for name in limit.get(field, ())
        for why in rule(name)
    ]  # fmt: skip


_ORDER = (
    # (less, called, more, called, where it is complained of, which of the two is shown)
    ("min", "min", "max", "max", "min", "min"),
    ("min", "min", "defaultRequest", "default request", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "default request", "max", "max", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "default request", "default", "default limit", "defaultRequest", "defaultRequest"),
    ("min", "min", "default", "default", "default", "min"),
    ("default", "default", "max", "max", "default", "max"),
)


def _validate_order(name: str, amounts: Amounts, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for less, less_called, more, more_called, where, shown in _ORDER:
        if less in amounts and more in amounts and amounts[less] > amounts[more]:
            why = f"{less_called} value {amounts[less]} is greater than {more_called} value {amounts[more]}"
            errors.append(invalid(f"{path}.{where}[{name}]", str(amounts[shown]), why))
    limit, request = amounts.get("default"), amounts.get("defaultRequest")
    if limit is not None and request is not None and limit != request and not may_overcommit(name):
        why = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        errors.append(invalid(f"{path}.defaultRequest[{name}]", str(request), why))
    return errors


def _validate_ratio(name: str, amounts: Amounts, path: str) -> list[FieldError]:
    ratio = amounts.get("maxLimitRequestRatio")
    if ratio is None:
        return []
    where = f"{path}.maxLimitRequestRatio[{name}]"
    errors: list[FieldError] = []
    if ratio < quantity.of_value(1):
        errors.append(invalid(where, str(ratio), f"ratio {ratio} is less than 1"))
    if "min" in amounts and "max" in amounts:
        most = _quotient(amounts["max"], amounts["min"])
        if min(ratio.milli_value, _LARGEST) / 1000 > most:
            errors.append(invalid(where, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}"))
    return errors


def _quotient(most: quantity.Quantity, least: quantity.Quantity) -> float:
    """In thousandths where the numbers allow; of nothing, any number is infinitely much, as for Go's floats."""
    above, below = most.milli_value, least.milli_value
    if max(above, below) > _LARGEST:
        above, below = min(most.value, _LARGEST), min(least.value, _LARGEST)
    return above / below if below else float("inf")


def _created_at(tree: Tree, now: float) -> str:
    created: str = tree["metadata"].get("creationTimestamp", "")
    return created


RESOURCE = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    definition="io.k8s.api.core.v1.LimitRange",
    short=("limits",),
    strategy=Strategy(prepare_create=_name, validate=_validate, allow_create_on_update=True),
    default=_default,
    columns=(NAME, Column("Created At", _created_at, "date")),
)
