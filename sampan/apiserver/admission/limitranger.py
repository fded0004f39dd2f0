"""LimitRanger: containers, pods and claims keep within the LimitRanges of their namespace, which also give defaults.

After plugin/pkg/admission/limitranger. https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sampan.api import podresources
from sampan.api.podresources import LIMITS, REQUESTS, Amounts, parsed
from sampan.api.quantity import ZERO, Quantity
from sampan.api.resource import Resource, Tree
from sampan.apiserver.admission.chain import CREATE, UPDATE, Attributes, Judge
from sampan.apiserver.admission.indexes import CacheIndex
from sampan.apiserver.registry.objects import CachedObject
from sampan.apiserver.registry.watchcache import WatchCache

ANNOTATION = "kubernetes.io/limit-ranger"
_LARGEST_IN_MILLIS = ((1 << 63) - 1) // 1000
_PLURALS = ("pods", "persistentvolumeclaims")


class Limit(NamedTuple):
    """One item of a LimitRange."""

    type: str
    min: Amounts
    max: Amounts
    ratio: Amounts
    default: Mapping[str, str]
    default_request: Mapping[str, str]


def limits_of(tree: Tree) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            item.get("type", ""),
            parsed(item.get("min")),
            parsed(item.get("max")),
            parsed(item.get("maxLimitRequestRatio")),
            item.get("default", {}),
            item.get("defaultRequest", {}),
        )
        for item in tree.get("spec", {}).get("limits") or ()
    )


def set_defaults(pod: Tree, limits: Sequence[Limit]) -> None:
    """Fill in what containers leave out, and note it in an annotation."""
    requests: dict[str, str] = {}
    most: dict[str, str] = {}
    for limit in limits:
        if limit.type == "Container":
            requests.update(limit.default_request)
            most.update(limit.default)
    if not requests and not most:
        return
    done: list[str] = []
    for field, called in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(field, ()):
            done += _fill(container, requests, most, called)
    if done:
        note = f"LimitRanger plugin set: {'; '.join(done)}"
        pod["metadata"]["annotations"] = pod["metadata"].get("annotations", {}) | {ANNOTATION: note}


def _fill(container: Tree, requests: Mapping[str, str], most: Mapping[str, str], called: str) -> Iterator[str]:
    resources = container.setdefault("resources", {})
    for kind, word, wanted in ((REQUESTS, "request", requests), (LIMITS, "limit", most)):
        given = resources.get(kind) or {}
        missing = {name: wanted[name] for name in sorted(wanted) if name not in given}
        if missing:
            resources[kind] = given | missing
            yield f"{', '.join(missing)} {word} for {called} {container.get('name', '')}"


def pod_problems(pod: Tree, limits: Sequence[Limit]) -> list[str]:
    problems: list[str] = []
    for limit in limits:
        if limit.type == "Container":
            for field in ("containers", "initContainers"):
                for container in pod["spec"].get(field, ()):
                    requests = podresources.of_container(container, REQUESTS)
                    problems += _problems(limit, requests, podresources.of_container(container, LIMITS))
        elif limit.type == "Pod":
            requests = podresources.of_containers(pod, REQUESTS)
            problems += _problems(limit, requests, podresources.of_containers(pod, LIMITS))
    return problems


def claim_problems(claim: Tree, limits: Sequence[Limit]) -> list[str]:
    """What a claim asks for; its limits are nobody's concern."""
    problems: list[str] = []
    requests = parsed(claim["spec"].get("resources", {}).get("requests"))
    for limit in limits:
        if limit.type == "PersistentVolumeClaim":
            problems += _each(limit.min, partial(_below, limit.type, requests, {}))
            problems += _each(limit.max, partial(_request_above, limit.type, requests))
    return problems


def _problems(limit: Limit, requests: Amounts, limits: Amounts) -> list[str]:
    return [
        *_each(limit.min, partial(_below, limit.type, requests, limits)),
        *_each(limit.max, partial(_above, limit.type, requests, limits)),
        *_each(limit.ratio, partial(_apart, limit.type, requests, limits)),
    ]


def _each(bounds: Amounts, problem: Callable[[str, Quantity], str]) -> Iterator[str]:
    return (why for name, bound in sorted(bounds.items()) if (why := problem(name, bound)))


def _below(type_: str, requests: Amounts, limits: Amounts, name: str, least: Quantity) -> str:
    request, limit = requests.get(name), limits.get(name)
    shown = f"minimum {name} usage per {type_} is {least}"
    if request is None:
        return f"{shown}.  No request is specified"
    if _less(request, least, limit or ZERO):
        return f"{shown}, but request is {request}"
    if limit is not None and _less(limit, least, request):
        return f"{shown}, but limit is {limit}"
    return ""


def _above(type_: str, requests: Amounts, limits: Amounts, name: str, most: Quantity) -> str:
    request, limit = requests.get(name), limits.get(name)
    shown = f"maximum {name} usage per {type_} is {most}"
    if limit is None:
        return f"{shown}.  No limit is specified"
    if _less(most, limit, request or ZERO):
        return f"{shown}, but limit is {limit}"
    if request is not None and _less(most, request, limit):
        return f"{shown}, but request is {request}"
    return ""


def _request_above(type_: str, requests: Amounts, name: str, most: Quantity) -> str:
    request = requests.get(name)
    shown = f"maximum {name} usage per {type_} is {most}"
    if request is None:
        return f"{shown}.  No request is specified"
    return f"{shown}, but request is {request}" if _less(most, request, ZERO) else ""


def _apart(type_: str, requests: Amounts, limits: Amounts, name: str, most: Quantity) -> str:
    request, limit = requests.get(name, ZERO), limits.get(name, ZERO)
    shown = f"{name} max limit to request ratio per {type_} is {most}"
    precise = _in_millis(request, limit, most)
    asked, allowed = (request.milli_value, limit.milli_value) if precise else (request.value, limit.value)
    if not asked:
        return f"{shown}, but no request is specified or request is 0"
    if not allowed:
        return f"{shown}, but no limit is specified or limit is 0"
    ratio = allowed / asked
    beyond = ratio * 1000 > most.milli_value if most.value <= _LARGEST_IN_MILLIS else ratio > most.value
    return f"{shown}, but provided ratio is {ratio:f}" if beyond else ""


def _in_millis(*amounts: Quantity) -> bool:
    return all(amount.value <= _LARGEST_IN_MILLIS for amount in amounts)


def _less(one: Quantity, other: Quantity, beside: Quantity) -> bool:
    """Compared in thousandths; in whole units where any of the three is too large for that."""
    if _in_millis(one, other, beside):
        return one.milli_value < other.milli_value
    return one.value < other.value


class LimitRanger(Judge):
    name = "LimitRanger"

    def __init__(self, ranges: WatchCache) -> None:
        self._ranges = CacheIndex(ranges, _read)

    def concerns(self, resource: Resource, subresource: str, operation: str) -> bool:
        if resource.group or resource.plural not in _PLURALS:
            return False
        if resource.plural == "pods":  # whose containers no update may change, but for a resize
            return (subresource, operation) in (("", CREATE), ("resize", UPDATE))
        return not subresource and operation in (CREATE, UPDATE)

    def mutate(self, attributes: Attributes) -> None:
        ranges = self._ranges.at(attributes.namespace)
        if ranges and attributes.object is not None and attributes.resource.plural == "pods" and not _deleted(attributes):
            for name in sorted(ranges):
                set_defaults(attributes.object, ranges[name])

    def validate(self, attributes: Attributes) -> None:
        ranges = self._ranges.at(attributes.namespace)
        if not ranges or attributes.object is None or _deleted(attributes):
            return
        find = pod_problems if attributes.resource.plural == "pods" else claim_problems
        for name in sorted(ranges):
            if problems := list(dict.fromkeys(find(attributes.object, ranges[name]))):
                raise attributes.refused(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _read(obj: CachedObject) -> tuple[Limit, ...]:
    return limits_of(obj.tree())


def _deleted(attributes: Attributes) -> bool:
    return attributes.old is not None and "deletionTimestamp" in attributes.old["metadata"]
