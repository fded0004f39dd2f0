"""Compute resources of containers: names, amounts, requests against limits; and the quality of service they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sampan.api import names, quantity
from sampan.api.errors import FieldError, forbidden_field, invalid, required
from sampan.api.resource import Tree
from sampan.lib.remember import LONGEST

NOT_NEGATIVE = "must be greater than or equal to 0"
_CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
STANDARD_RESOURCES = _CONTAINER_RESOURCES | frozenset(
    (
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
        "requests.storage",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_HUGE_PAGES = "hugepages-"
QUOTA_HUGE_PAGES = (_HUGE_PAGES, f"requests.{_HUGE_PAGES}")


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def may_overcommit(name: str) -> bool:
    return is_native(name) and not name.startswith(_HUGE_PAGES)


def is_extended(name: str) -> bool:
    return not is_native(name) and not name.startswith("requests.") and not names.qualified_name(f"requests.{name}")


def validate_resources(resources: Tree, path: str) -> list[FieldError]:
    """ResourceRequirements of a container."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: list[FieldError] = []
    for name, amount in limits.items():
        if problems := _problems(name, str(amount)):
            errors += [invalid(f"{path}.limits[{name}]", value, why) for value, why in problems]
    for name, amount in requests.items():
        if problems := _problems(name, str(amount)):
            errors += [invalid(f"{path}.requests[{name}]", value, why) for value, why in problems]
        limit = limits.get(name)
        if limit is None:
            if not may_overcommit(name):
                errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif amount != limit:
            errors += _validate_request(name, str(amount), str(limit), path)
    if any(name.startswith(_HUGE_PAGES) for name in (*limits, *requests)) and not any(
        name in ("cpu", "memory") for name in (*limits, *requests)
    ):
        errors.append(forbidden_field(path, "HugePages require cpu or memory"))
    return errors


def _validate_request(name: str, amount: str, limit: str, path: str) -> list[FieldError]:
    asked, most = quantity.parse(amount), quantity.parse(limit)
    if asked != most and not may_overcommit(name):
        return [invalid(f"{path}.requests", amount, f"must be equal to {name} limit of {limit}")]
    if asked > most:
        return [invalid(f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limit}")]
    return []


def resource_name(name: str) -> list[str]:
    """validateResourceName: what is not qualified by a domain must be one of Kubernetes' own."""
    if problems := names.qualified_name(name):
        return problems
    if "/" in name or name in STANDARD_RESOURCES or name.startswith(QUOTA_HUGE_PAGES):
        return []
    return ["must be a standard resource type or fully qualified"]


def container_resource_name(name: str) -> list[str]:
    """validateContainerResourceName."""
    problems = resource_name(name)
    if "/" not in name:
        if name not in _CONTAINER_RESOURCES and not name.startswith(_HUGE_PAGES):
            problems.append("must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        problems.append("doesn't follow extended resource name standard")
    return problems


def _problems(name: str, amount: str) -> tuple[tuple[str, str], ...]:
    """(bad value, why) of one entry of limits or requests. Pods repeat each other, so that this is mostly a look-up."""
    return _kept_problems(name, amount) if len(name) <= LONGEST else _found_problems(name, amount)


def _found_problems(name: str, amount: str) -> tuple[tuple[str, str], ...]:
    problems = [(name, why) for why in container_resource_name(name)]
    parsed = quantity.parse(amount)
    if parsed.nanos < 0:
        problems.append((str(parsed), NOT_NEGATIVE))
    if is_extended(name) and parsed.milli_value % 1000:
        problems.append((str(parsed), "must be an integer"))
    if name.startswith(_HUGE_PAGES) and not _divides(name, parsed):
        problems.append((str(parsed), f"{parsed} is not positive integer multiple of {name}"))
    return tuple(problems)


_kept_problems = lru_cache(maxsize=4096)(_found_problems)


def _divides(name: str, amount: quantity.Quantity) -> bool:
    try:
        page = quantity.parse(name[len(_HUGE_PAGES) :]).value
    except ValueError:
        return False
    return page > 0 and amount.value % page == 0


def quality_of_service(containers: Iterable[Tree]) -> str:
    """ComputePodQOS over all containers, init containers included: Guaranteed, Burstable or BestEffort."""
    requests: dict[str, quantity.Quantity] = {}
    limits: dict[str, quantity.Quantity] = {}
    guaranteed = True
    for container in containers:
        resources = container.get("resources") or {}
        _add(requests, resources.get("requests"))
        if not _add(limits, resources.get("limits")):
            guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _add(totals: dict[str, quantity.Quantity], resources: Tree | None) -> bool:
    """Add cpu and memory where they are above zero; whether both were."""
    if not resources:
        return False
    found = 0
    for name in ("cpu", "memory"):
        amount = resources.get(name)
        if amount is not None and (parsed := quantity.parse(str(amount))).nanos > 0:
            found += 1
            totals[name] = totals[name] + parsed if name in totals else parsed
    return found == 2
