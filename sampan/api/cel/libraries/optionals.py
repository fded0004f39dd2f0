"""Optional values: `optional.of(x)`, `a.?b`, `list[?0]`, `x.orValue(y)`, `x.optMap(v, v + 1)`.

After the optional types of github.com/google/cel-go/cel/library.go.
"""

from __future__ import annotations

from typing import Final

from sampan.api.cel import types
from sampan.api.cel.comparing import first_and_last, zero
from sampan.api.cel.declarations import Binding, Library, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.macros import OPTIONAL
from sampan.api.cel.values import MISSING, NONE, Listed, Optional, Value

_DECLARATIONS = """
    optional_of                             optional.of(V) -> optional<V>
    optional_ofNonZeroValue                 optional.ofNonZeroValue(V) -> optional<V>
    optional_none                           optional.none() -> optional<V>
    optional_value                          <optional<V>>.value() -> V
    optional_hasValue                       <optional<V>>.hasValue() -> bool
    optional_or_optional                    <optional<V>>.or(optional<V>) -> optional<V>
    optional_orValue_value                  <optional<V>>.orValue(V) -> V
    select_optional_field                   _?._(dyn, string) -> optional<V>
    list_optindex_optional_int              _[?_](list<V>, int) -> optional<V>
    optional_list_optindex_optional_int     _[?_](optional<list<V>>, int) -> optional<V>
    map_optindex_optional_value             _[?_](map<K, V>, K) -> optional<V>
    optional_map_optindex_optional_value    _[?_](optional<map<K, V>>, K) -> optional<V>
    optional_list_index_int                 _[_](optional<list<V>>, int) -> optional<V>
    optional_map_index_value                _[_](optional<map<K, V>>, K) -> optional<V>
    list_last                               <list<V>>.last() -> optional<V>
    list_first                              <list<V>>.first() -> optional<V>
    optional_unwrap                         optional.unwrap(list<optional<V>>) -> list<V>
    optional_unwrapOpt                      <list<optional<V>>>.unwrapOpt() -> list<V>
"""


def _of(value: Value) -> Optional:
    return NONE if value is MISSING else Optional(value)


def _optional(value: Value) -> Optional:
    if not isinstance(value, Optional):
        raise no_such_overload()
    return value


def _unwrap(of: Value) -> list[Value]:
    if not isinstance(of, (list, Listed)):
        raise no_such_overload()
    found = list(of)
    if not all(isinstance(element, Optional) for element in found):
        raise CelRuntimeError("value is not optional")
    return [element.value for element in found if isinstance(element, Optional) and element.has_value]


_BINDINGS: Final[dict[str, Binding]] = {
    "optional_of": Optional,
    "optional_ofNonZeroValue": lambda value: NONE if zero(value) else Optional(value),
    "optional_none": lambda: NONE,
    "optional_value": lambda value: _optional(value).value,
    "optional_hasValue": lambda value: _optional(value).has_value,
    "list_last": lambda of: _of(first_and_last(of)[1]),
    "list_first": lambda of: _of(first_and_last(of)[0]),
    "optional_unwrap": _unwrap,
    "optional_unwrapOpt": _unwrap,
}

LIBRARY: Final = Library(
    "cel.lib.optional",
    declared(_DECLARATIONS, _BINDINGS),
    OPTIONAL,
    (types.optional_of(types.parameter("V")),),
    since=28,
)
