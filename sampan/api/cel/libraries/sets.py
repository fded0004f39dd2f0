"""Lists as sets: `sets.contains`, `sets.equivalent`, `sets.intersects`.

After github.com/google/cel-go/ext/sets.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel.comparing import contains, elements
from sampan.api.cel.declarations import Library, declared
from sampan.api.cel.values import Value

_DECLARATIONS = """
    list_sets_contains_list      sets.contains(list<T>, list<T>) -> bool
    list_sets_equivalent_list    sets.equivalent(list<T>, list<T>) -> bool
    list_sets_intersects_list    sets.intersects(list<T>, list<T>) -> bool
"""


def _contains(left: Value, right: Value) -> bool:
    return all(contains(left, element) for element in elements(right))


def _equivalent(left: Value, right: Value) -> bool:
    return _contains(left, right) and _contains(right, left)


def _intersects(left: Value, right: Value) -> bool:
    return any(contains(right, element) for element in elements(left))


_BINDINGS = {
    "list_sets_contains_list": _contains,
    "list_sets_equivalent_list": _equivalent,
    "list_sets_intersects_list": _intersects,
}

LIBRARY: Final = Library("cel.lib.ext.sets", declared(_DECLARATIONS, _BINDINGS), since=29)
