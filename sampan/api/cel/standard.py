"""The standard functions of CEL: operators, conversions, sizes, strings and times.

After github.com/google/cel-go/common/stdlib/standard.go, with the time zone of Kubernetes' environments, which is UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sampan.api.cel import arithmetic, conversions, types
from sampan.api.cel.comparing import compare, contains, equal
from sampan.api.cel.declarations import Binding, Library, Overload, declared
from sampan.api.cel.errors import CelRuntimeError, no_such_overload
from sampan.api.cel.macros import STANDARD
from sampan.api.cel.patterns import compiled
from sampan.api.cel.times import add_duration, between, checked_duration, in_zone, milliseconds
from sampan.api.cel.values import Duration, Listed, Mapped, Timestamp, Value, type_of

_OPERATORS = """
    conditional                     _?_:_(bool, A, A) -> A
    logical_and                     _&&_(bool, bool) -> bool
    logical_or                      _||_(bool, bool) -> bool
    logical_not                     !_(bool) -> bool
    not_strictly_false              @not_strictly_false(bool) -> bool
    equals                          _==_(A, A) -> bool
    not_equals                      _!=_(A, A) -> bool
    add_bytes                       _+_(bytes, bytes) -> bytes
    add_double                      _+_(double, double) -> double
    add_duration_duration           _+_(duration, duration) -> duration
    add_duration_timestamp          _+_(duration, timestamp) -> timestamp
    add_timestamp_duration          _+_(timestamp, duration) -> timestamp
    add_int64                       _+_(int, int) -> int
    add_list                        _+_(list<A>, list<A>) -> list<A>
    add_string                      _+_(string, string) -> string
    add_uint64                      _+_(uint, uint) -> uint
    divide_double                   _/_(double, double) -> double
    divide_int64                    _/_(int, int) -> int
    divide_uint64                   _/_(uint, uint) -> uint
    modulo_int64                    _%_(int, int) -> int
    modulo_uint64                   _%_(uint, uint) -> uint
    multiply_double                 _*_(double, double) -> double
    multiply_int64                  _*_(int, int) -> int
    multiply_uint64                 _*_(uint, uint) -> uint
    negate_double                   -_(double) -> double
    negate_int64                    -_(int) -> int
    subtract_double                 _-_(double, double) -> double
    subtract_duration_duration      _-_(duration, duration) -> duration
    subtract_int64                  _-_(int, int) -> int
    subtract_timestamp_duration     _-_(timestamp, duration) -> timestamp
    subtract_timestamp_timestamp    _-_(timestamp, timestamp) -> duration
    subtract_uint64                 _-_(uint, uint) -> uint
    index_list                      _[_](list<A>, int) -> A
    index_map                       _[_](map<A, B>, A) -> B
    in_list                         @in(A, list<A>) -> bool
    in_map                          @in(A, map<A, B>) -> bool
"""
_FUNCTIONS = """
    size_bytes                      size(bytes) -> int
    bytes_size                      <bytes>.size() -> int
    size_list                       size(list<A>) -> int
    list_size                       <list<A>>.size() -> int
    size_map                        size(map<A, B>) -> int
    map_size                        <map<A, B>>.size() -> int
    size_string                     size(string) -> int
    string_size                     <string>.size() -> int
    type                            type(A) -> type<A>
    bool_to_bool                    bool(bool) -> bool
    string_to_bool                  bool(string) -> bool
    bytes_to_bytes                  bytes(bytes) -> bytes
    string_to_bytes                 bytes(string) -> bytes
    double_to_double                double(double) -> double
    int64_to_double                 double(int) -> double
    string_to_double                double(string) -> double
    uint64_to_double                double(uint) -> double
    duration_to_duration            duration(duration) -> duration
    string_to_duration              duration(string) -> duration
    to_dyn                          dyn(A) -> dyn
    int64_to_int64                  int(int) -> int
    double_to_int64                 int(double) -> int
    duration_to_int64               int(duration) -> int
    string_to_int64                 int(string) -> int
    timestamp_to_int64              int(timestamp) -> int
    uint64_to_int64                 int(uint) -> int
    string_to_string                string(string) -> string
    bool_to_string                  string(bool) -> string
    bytes_to_string                 string(bytes) -> string
    double_to_string                string(double) -> string
    duration_to_string              string(duration) -> string
    int64_to_string                 string(int) -> string
    timestamp_to_string             string(timestamp) -> string
    uint64_to_string                string(uint) -> string
    timestamp_to_timestamp          timestamp(timestamp) -> timestamp
    int64_to_timestamp              timestamp(int) -> timestamp
    string_to_timestamp             timestamp(string) -> timestamp
    uint64_to_uint64                uint(uint) -> uint
    double_to_uint64                uint(double) -> uint
    int64_to_uint64                 uint(int) -> uint
    string_to_uint64                uint(string) -> uint
    contains_string                 <string>.contains(string) -> bool
    ends_with_string                <string>.endsWith(string) -> bool
    starts_with_string              <string>.startsWith(string) -> bool
    matches                         matches(string, string) -> bool
    matches_string                  <string>.matches(string) -> bool
    duration_to_hours               <duration>.getHours() -> int
    duration_to_minutes             <duration>.getMinutes() -> int
    duration_to_seconds             <duration>.getSeconds() -> int
    duration_to_milliseconds        <duration>.getMilliseconds() -> int
"""
_ORDERED = ("bool", "int64", "uint64", "double", "string", "bytes", "timestamp", "duration")
_MIXED = (("int64", "double"), ("int64", "uint64"), ("uint64", "double"), ("uint64", "int64"), ("double", "int64"))
_MIXED_LAST = ("double", "uint64")
CROSS_TYPE_SINCE: Final = 28


def _word(name: str) -> str:
    return name.removesuffix("64")


def _order(prefix: str, function: str, mixed: bool) -> str:
    lines = []
    if mixed:
        pairs = (*_MIXED, _MIXED_LAST)
        lines = [f"{prefix}_{left}_{right} {function}({_word(left)}, {_word(right)}) -> bool" for left, right in pairs]
    else:
        lines = [f"{prefix}_{name} {function}({_word(name)}, {_word(name)}) -> bool" for name in _ORDERED]
    return "\n".join(lines)


_RELATIONS: Final = {"less": "_<_", "less_equals": "_<=_", "greater": "_>_", "greater_equals": "_>=_"}


# Parts of times.

_DATE: Final[dict[str, tuple[str, Callable[[datetime], int]]]] = {
    "getFullYear": ("year", lambda moment: moment.year),
    "getMonth": ("month", lambda moment: moment.month - 1),
    "getDayOfYear": ("day_of_year", lambda moment: moment.timetuple().tm_yday - 1),
    "getDayOfMonth": ("day_of_month", lambda moment: moment.day - 1),
    "getDate": ("day_of_month_1_based", lambda moment: moment.day),
    "getDayOfWeek": ("day_of_week", lambda moment: moment.isoweekday() % 7),
    "getHours": ("hours", lambda moment: moment.hour),
    "getMinutes": ("minutes", lambda moment: moment.minute),
    "getSeconds": ("seconds", lambda moment: moment.second),
}


def _part_of(read: Callable[[datetime], int]) -> Binding:
    return lambda at, zone="UTC": read(in_zone(at, zone))


def _milliseconds(at: Timestamp, zone: str = "UTC") -> int:
    in_zone(at, zone)
    return milliseconds(at)


def _times() -> tuple[Overload, ...]:
    lines, bindings = [], {}
    parts = {
        **{name: (word, _part_of(read)) for name, (word, read) in _DATE.items()},
        "getMilliseconds": ("milliseconds", _milliseconds),
    }
    for name, (word, binding) in parts.items():
        lines.append(f"timestamp_to_{word} <timestamp>.{name}() -> int")
        lines.append(f"timestamp_to_{word}_with_tz <timestamp>.{name}(string) -> int")
        bindings[f"timestamp_to_{word}"] = bindings[f"timestamp_to_{word}_with_tz"] = binding
    return declared("\n".join(lines), bindings)


def _span(unit: int) -> Binding:
    def whole(span: Duration) -> int:
        return int(span) // unit if span >= 0 else -(-int(span) // unit)

    return whole


# What any type may come to at run time only.


def _ordered(function: str, *wanted: int) -> Binding:
    return lambda left, right: compare(left, right, function) in wanted


_LESS, _SAME, _MORE = -1, 0, 1
_COMPARISONS: Final[dict[str, Binding]] = {
    "_<_": _ordered("_<_", _LESS),
    "_<=_": _ordered("_<=_", _LESS, _SAME),
    "_>_": _ordered("_>_", _MORE),
    "_>=_": _ordered("_>=_", _MORE, _SAME),
}


def size(value: Value) -> int:
    if isinstance(value, (str, bytes, list, dict, Mapped, Listed)):
        return len(value)
    raise no_such_overload("size")


def matches(text: Value, pattern: Value) -> bool:
    if type(text) is not str or type(pattern) is not str:
        raise no_such_overload()
    return compiled(pattern).found_in(text)


def logical_not(value: Value) -> bool:
    if type(value) is not bool:
        raise no_such_overload()
    return not value


def _text(method: Callable[[str, str], bool]) -> Binding:
    def test(text: Value, part: Value) -> bool:
        if type(text) is not str or type(part) is not str:
            raise no_such_overload()
        return method(text, part)

    return test


_BINDINGS: Final[dict[str, Binding]] = {
    "logical_not": logical_not,
    "equals": equal,
    "not_equals": lambda left, right: not equal(left, right),
    "add_int64": arithmetic.add_int64,
    "add_uint64": arithmetic.add_uint64,
    "add_double": arithmetic.add_double,
    "add_timestamp_duration": add_duration,
    "add_duration_timestamp": lambda span, at: add_duration(at, span),
    "subtract_int64": arithmetic.subtract_int64,
    "subtract_uint64": arithmetic.subtract_uint64,
    "subtract_double": arithmetic.subtract_double,
    "subtract_duration_duration": lambda left, right: checked_duration(int(left) - int(right)),
    "subtract_timestamp_timestamp": between,
    "contains_string": _text(str.__contains__),
    "ends_with_string": _text(str.endswith),
    "starts_with_string": _text(str.startswith),
    "matches": matches,
    "matches_string": matches,
    "duration_to_hours": _span(3600 * 10**9),
    "duration_to_minutes": _span(60 * 10**9),
    "duration_to_seconds": _span(10**9),
    "duration_to_milliseconds": _span(10**6),
    "in_list": lambda item, container: contains(container, item),
    "in_map": lambda item, container: contains(container, item),
    "type": type_of,
    "to_dyn": lambda value: value,
}
_DISPATCHERS: Final[dict[str, Binding]] = {
    "_+_": arithmetic.add,
    "_-_": arithmetic.subtract,
    "_*_": arithmetic.multiply,
    "_/_": arithmetic.divide,
    "_%_": arithmetic.modulo,
    "-_": arithmetic.negate,
    "!_": logical_not,
    "_==_": equal,
    "_!=_": _BINDINGS["not_equals"],
    "@in": _BINDINGS["in_list"],
    "size": size,
    "type": type_of,
    "dyn": _BINDINGS["to_dyn"],
    "matches": matches,
    **_COMPARISONS,
}


def _all() -> tuple[Overload, ...]:
    bindings = {**_BINDINGS, **conversions.BINDINGS}
    relations = "\n".join(_order(prefix, function, mixed=False) for prefix, function in _RELATIONS.items())
    return declared(_OPERATORS + _FUNCTIONS + relations, bindings) + _times()


def _cross_type() -> tuple[Overload, ...]:
    return declared("\n".join(_order(prefix, function, mixed=True) for prefix, function in _RELATIONS.items()))


LIBRARY: Final = Library(
    "cel",
    _all(),
    STANDARD,
    (
        types.BOOL,
        types.BYTES,
        types.DOUBLE,
        types.DURATION,
        types.INT,
        types.list_of(types.parameter("A")),
        types.map_of(types.parameter("A"), types.parameter("B")),
        types.NULL,
        types.STRING,
        types.TIMESTAMP,
        types.TYPE,
        types.UINT,
    ),
    _DISPATCHERS,
)
CROSS_TYPE: Final = Library("cross-type numeric comparisons", _cross_type(), since=CROSS_TYPE_SINCE)
__all__ = ["CROSS_TYPE", "LIBRARY", "CelRuntimeError", "size"]
