"""What calls cost at least and at most, and how large what they give may be.

After github.com/google/cel-go/checker/cost.go and k8s.io/apiserver/pkg/cel/library/cost.go.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from sampan.api.cel import limits
from sampan.api.cel.estimates import ONE, UNBOUNDED, Operand, Range, fixed
from sampan.api.cel.syntax import Literal
from sampan.api.cel.types import CelType, Kind

Estimate = tuple[Range, Range | None]
"""Cost, and size of the result where one is known."""
Rule = Callable[[Operand | None, list[Operand]], Estimate | None]
"""(receiver, arguments) → estimate; None: no more is known than of any call."""

_ADDRESS: Final = Range(4, 16)
"""Bytes."""


def estimate(function: str, overload: str, target: Operand | None, arguments: list[Operand]) -> Estimate:
    """Without what the arguments cost themselves."""
    for rule in (_BY_OVERLOAD.get(overload), _BY_FUNCTION.get(function), _STANDARD.get(overload)):
        found = None if rule is None else rule(target, arguments)
        if found is not None:
            return found
    return ONE, None


def _one(target: Operand | None, arguments: list[Operand]) -> Estimate:
    return ONE, None


def _authorization(target: Operand | None, arguments: list[Operand]) -> Estimate:
    return fixed(limits.AUTHORIZATION_COST), None


def _selector(target: Operand | None, arguments: list[Operand]) -> Estimate:
    size = arguments[0].size
    requirements = size.scaled(0.5).scaled(float(limits.LIST_COST + limits.STRUCT_COST))
    return fixed(limits.LIST_COST).plus(size.traversed(), requirements), None


def _each_element(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    """Of functions that look at each element; `indexOf` is one of strings, too."""
    if target is None:
        return None
    if not target.type.parameters:
        return target.size.traversed(), None
    element = target.type.parameters[0]
    each = ONE
    if element.kind in (Kind.STRING, Kind.BYTES):
        each = ONE.plus(target.element_size().traversed())
    return target.size.times(each), None


def _traverse_argument(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if len(arguments) != 1:
        return None
    return arguments[0].size.traversed(), arguments[0].size


def _traverse_receiver(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return None if target is None else (target.size.traversed(), target.size)


def _replace(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if target is None or len(arguments) < 2:
        return None
    size, old, new = target.size, arguments[0].size, arguments[1].size
    most, kept_most = _replaced(size.max, old.min, new.max <= old.min)
    least, kept_least = _replaced(size.min, old.max, old.max <= new.min)
    result = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return size.scaled(2 * limits.TRAVERSAL_FACTOR), result


def _replaced(size: int, old: int, no_gain: bool) -> tuple[int, int]:
    """How often something is replaced where that makes the most (or the least) of it, and what of the text then stays."""
    if old == 0:
        return min(size + 1, UNBOUNDED), size
    if no_gain:
        return 0, size
    return ceil(float(size) / float(old)), 0


def _split(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if target is None:
        return None
    most = target.size.max
    if len(arguments) > 1 and isinstance(arguments[1].node, Literal) and type(arguments[1].node.value) is int:
        most = arguments[1].node.value % 2**64
    return target.size.scaled(2 * limits.TRAVERSAL_FACTOR), Range(0, most)


def _join(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if target is None:
        return None
    size = target.size.times(target.element_size())
    if arguments:
        gaps = Range(max(target.size.min - 1, 0), max(target.size.max - 1, 0))
        size = size.plus(arguments[0].size.times(gaps))
    return size.traversed(), size


def _search(text: Operand, pattern: Operand) -> Range:
    # An empty text costs something, too.
    return text.size.plus(ONE).traversed().times(pattern.size.scaled(limits.REGEX_FACTOR))


def _find(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if target is None or not arguments:
        return None
    return _search(target, arguments[0]), Range(0, target.size.max)


def _contains_network(parsed: str, masked: bool) -> Callable[[str], Rule]:
    def rule_of(overload: str) -> Rule:
        def rule(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
            if target is None or not arguments:
                return None
            cost = _ADDRESS.plus(_ADDRESS).traversed()
            if masked:
                cost = cost.plus(_ADDRESS.traversed(), ONE)
            if overload == parsed:
                cost = cost.plus(arguments[0].size.traversed())
            return cost, None

        return rule

    return rule_of


def _validate(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    if target is None:
        return None
    factor = limits.MAX_NAME_FORMAT_REGEX_SIZE * limits.REGEX_FACTOR
    return arguments[0].size.traversed().scaled(factor), None


_AUTHORIZATION: Final = ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
_ALIKE: Final = frozenset(
    (
        "kubernetes.Quantity",
        "kubernetes.Semver",
        "net.IP",
        "net.CIDR",
        *(f"kubernetes.authorization.{n}" for n in _AUTHORIZATION),
    )
)
"""Types whose values are compared at one blow."""


def _equal(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    left, right = arguments
    if left.type != right.type:
        return None
    of: CelType = left.type
    if of.name in _ALIKE:
        return ONE, None
    if of.name == "kubernetes.NamedFormat":
        return Range(1, limits.MAX_FORMAT_SIZE).traversed(), None
    if of.name == "kubernetes.URL":
        return Range(1, right.size.max if right.size.max != UNBOUNDED else 1).traversed(), None
    return None


def _sets(factor: float) -> Rule:
    def rule(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
        return arguments[0].size.times(arguments[1].size).scaled(factor).plus(ONE), None

    return rule


# Functions of CEL itself.


def _format(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return None if target is None else (target.size.traversed(), None)


def _to_bytes(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    size = arguments[0].size
    return size.traversed(), Range(size.min, size.max * 4 % 2**64)


def _to_string(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    size = arguments[0].size
    return size.traversed(), Range(size.min // 4, size.max)


def _quote(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    size = arguments[0].size
    return size.traversed(), Range(size.min + 2, (size.max * 2 + 2) % 2**64)


def _affix(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return arguments[0].size.traversed(), None


def _in_list(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return arguments[1].size.scaled(1), None


def _matches(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return None if target is None else (_search(target, arguments[0]), None)


def _contains(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return None if target is None else (target.size.traversed().times(arguments[0].size.traversed()), None)


def _add_list(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    return ONE, arguments[0].size.plus(arguments[1].size)


def _add_text(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    size = arguments[0].size.plus(arguments[1].size)
    return size.traversed(), size


def _compare(target: Operand | None, arguments: list[Operand]) -> Estimate | None:
    most = min(arguments[0].size.max, arguments[1].size.max)
    return Range(1 if most else 0, most).traversed(), None


def _by(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_BY_OVERLOAD: Final[dict[str, Rule]] = {
    "list_sets_contains_list": _sets(1),
    "list_sets_intersects_list": _sets(1),
    "list_sets_equivalent_list": _sets(2),
    "cidr_ip": _one,
    **{
        f"cidr_contains_ip_{of}": _contains_network("cidr_contains_ip_string", False)(f"cidr_contains_ip_{of}")
        for of in ("string", "ip")
    },
    **{
        of: _contains_network("cidr_contains_cidr_string", True)(of)
        for of in ("cidr_contains_cidr_string", "cidr_contains_cidr")
    },
}
_BY_FUNCTION: Final[dict[str, Rule]] = {
    "check": _authorization,
    **_by("serviceAccount path group resource subresource namespace name allowed reason error errored", _one),
    **_by("fieldSelector labelSelector", _selector),
    **_by("isSorted sum max min indexOf lastIndexOf", _each_element),
    "url": _traverse_argument,
    **_by("lowerAscii upperAscii substring trim", _traverse_receiver),
    "replace": _replace,
    "split": _split,
    "join": _join,
    **_by("find findAll", _find),
    **_by("masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast", _one),
    **_by("cidr isIP isCIDR ip quantity isQuantity semver isSemver", _affix),
    "ip.isCanonical": lambda target, arguments: (arguments[0].size.scaled(2 * limits.TRAVERSAL_FACTOR), None),
    "validate": _validate,
    "_==_": _equal,
}
_STANDARD: Final[dict[str, Rule]] = {
    "string_format": _format,
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _to_string,
    "strings_quote": _quote,
    **_by("starts_with_string ends_with_string", _affix),
    "in_list": _in_list,
    "matches_string": _matches,
    "contains_string": _contains,
    "add_list": _add_list,
    **_by("add_string add_bytes", _add_text),
    **_by("equals not_equals", _compare),
    **{
        f"{order}_{of}": _compare
        for order in ("less", "less_equals", "greater", "greater_equals")
        for of in ("string", "bytes")
    },
}
