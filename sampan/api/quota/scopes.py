"""Scopes: which pods a quota counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sampan.api.groups.validation.resources import quality_of_service
from sampan.api.resource import Tree

EXISTS = "Exists"


class Scope(NamedTuple):
    """One requirement; a quota counts what meets all of its own."""

    name: str
    operator: str = EXISTS
    values: tuple[str, ...] = ()


def scopes_of(spec: Tree) -> tuple[Scope, ...]:
    """Of a ResourceQuota's spec."""
    found = [Scope(name) for name in spec.get("scopes", ())]
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions", ()):
        values = tuple(expression.get("values") or ())
        found.append(Scope(expression.get("scopeName", ""), expression.get("operator", ""), values))
    return tuple(found)


def pod_matches(pod: Tree, scopes: Sequence[Scope]) -> bool:
    return all(_matches(pod, scope) for scope in scopes)


def _matches(pod: Tree, scope: Scope) -> bool:
    spec = pod.get("spec") or {}
    if scope.name in ("Terminating", "NotTerminating"):
        has_deadline: bool = spec.get("activeDeadlineSeconds", -1) >= 0
        return has_deadline == (scope.name == "Terminating")
    if scope.name in ("BestEffort", "NotBestEffort"):
        return (_quality(pod) == "BestEffort") == (scope.name == "BestEffort")
    if scope.name == "CrossNamespacePodAffinity":
        return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in _terms(spec))
    return scope.name == "PriorityClass" and _class_matches(spec.get("priorityClassName", ""), scope)


def _quality(pod: Tree) -> str:
    given: str = (pod.get("status") or {}).get("qosClass", "")
    spec = pod.get("spec") or {}
    return given or quality_of_service((*spec.get("containers", ()), *spec.get("initContainers", ())))


def _class_matches(name: str, scope: Scope) -> bool:
    """As a label selector sees a label that is there if the pod has a class."""
    if scope.operator == "In":
        return bool(name) and name in scope.values
    if scope.operator == "NotIn":
        return not name or name not in scope.values
    return bool(name) if scope.operator == EXISTS else not name


def _terms(spec: Tree) -> Iterator[Tree]:
    """Every term of the pod's affinity to other pods, and against them."""
    affinity = spec.get("affinity") or {}
    for field in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(field) or {}
        yield from rules.get("requiredDuringSchedulingIgnoredDuringExecution", ())
        weighted: Iterable[Tree] = rules.get("preferredDuringSchedulingIgnoredDuringExecution", ())
        for preferred in weighted:
            yield preferred.get("podAffinityTerm") or {}
