"""Lists: whether they are sorted, their sum, least and greatest element, and where an element is.

After k8s.io/apiserver/pkg/cel/library/lists.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from typing import Final

from sampan.api.cel.arithmetic import add
from sampan.api.cel.comparing import compare, elements, equal
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError
from sampan.api.cel.values import Duration, Uint, Value

_ZEROS: Final[dict[str, Value]] = {"int": 0, "uint": Uint(0), "double": 0.0, "duration": Duration(0)}
_COMPARED: Final = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _is_sorted(of: Value) -> bool:
    found = elements(of)
    return all(compare(before, after) <= 0 for before, after in pairwise(found))


def _sum(zero: Value) -> Binding:
    return lambda of: reduce(add, elements(of), zero)


def _most(name: str, replaces: Callable[[int], bool]) -> Binding:
    def most(of: Value) -> Value:
        found = elements(of)
        if not found:
            raise CelRuntimeError(f"{name} called on empty list")
        return reduce(lambda best, next_: next_ if replaces(compare(best, next_)) else best, found)

    return most


def _index_of(of: Value, item: Value) -> int:
    return next((index for index, element in enumerate(elements(of)) if equal(element, item)), -1)


def _last_index_of(of: Value, item: Value) -> int:
    found = elements(of)
    return next((index for index in reversed(range(len(found))) if equal(found[index], item)), -1)


_max = _most("max", lambda order: order < 0)
_min = _most("min", lambda order: order > 0)
_LINES: Final = "\n".join(
    [f"list_{of}_is_sorted_bool <list<{of}>>.isSorted() -> bool" for of in _COMPARED]
    + [f"list_{of}_sum_{of} <list<{of}>>.sum() -> {of}" for of in _ZEROS]
    + [f"list_{of}_max_{of} <list<{of}>>.max() -> {of}" for of in _COMPARED]
    + [f"list_{of}_min_{of} <list<{of}>>.min() -> {of}" for of in _COMPARED]
    + ["list_a_index_of_int <list<A>>.indexOf(A) -> int", "list_a_last_index_of_int <list<A>>.lastIndexOf(A) -> int"]
)
_BINDINGS: Final[dict[str, Binding]] = {
    **{f"list_{of}_is_sorted_bool": _is_sorted for of in _COMPARED},
    **{f"list_{of}_sum_{of}": _sum(zero) for of, zero in _ZEROS.items()},
    **{f"list_{of}_max_{of}": _max for of in _COMPARED},
    **{f"list_{of}_min_{of}": _min for of in _COMPARED},
    "list_a_index_of_int": _index_of,
    "list_a_last_index_of_int": _last_index_of,
}

LIBRARY: Final = Library("kubernetes.lists", declared(_LINES, _BINDINGS))
