"""What expressions come to: arithmetic, equality, conversions, times, loops, and errors that are passed over."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.api.cel import CelRuntimeError, Environment, LazyMap, types
from tests.unit.cel.expressions import compiled, fails, value

LOW, HIGH = -(2**63), 2**63 - 1
INT64 = st.one_of(st.integers(LOW, HIGH), st.sampled_from([LOW, LOW + 1, -1, 0, 1, HIGH - 1, HIGH]))


def _go_divide(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


OPERATIONS = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _go_divide,
    "%": lambda left, right: left - right * _go_divide(left, right),
}
_TWO_INTS = Environment({"left": types.INT, "right": types.INT})
_PROGRAMS = {operator: _TWO_INTS.compile(f"left {operator} right") for operator in OPERATIONS}
_DYNAMIC = {operator: _TWO_INTS.compile(f"dyn(left) {operator} dyn(right)") for operator in OPERATIONS}


@given(st.sampled_from(sorted(OPERATIONS)), INT64, INT64)
def test_arithmetic_is_that_of_64_bits_and_never_wraps(operator: str, left: int, right: int) -> None:
    bindings = {"left": left, "right": right}
    for program in (_PROGRAMS[operator], _DYNAMIC[operator]):
        try:
            got: Any = program.evaluate(bindings)
        except CelRuntimeError as error:
            got = str(error)
        if operator in "/%" and right == 0:
            assert got == ("division by zero" if operator == "/" else "modulus by zero")
            continue
        exact = OPERATIONS[operator](left, right)
        # Upstream refuses the rest of the one quotient that has too many bits, too.
        fits = LOW <= exact <= HIGH and not (operator == "%" and left == LOW and right == -1)
        assert got == (exact if fits else "integer overflow")


@given(INT64, INT64)
def test_integers_are_ordered_and_equal_as_numbers_are(left: int, right: int) -> None:
    order = _TWO_INTS.compile("[left < right, left <= right, left > right, left >= right, left == right, left != right]")
    assert order.evaluate({"left": left, "right": right}) == [
        left < right,
        left <= right,
        left > right,
        left >= right,
        left == right,
        left != right,
    ]


ROWS: list[tuple[str, object]] = [
    # numbers
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("7 % -2", 1),
    ("1u + 2u", 3),
    ("5u - 3u", 2),
    ("1.0 / 0.0", math.inf),
    ("-1.0 / 0.0", -math.inf),
    ("0.0 / 0.0 == 0.0 / 0.0", False),
    ("x * 2.0", 3.0),
    ("-x", -1.5),
    # equality across types
    ("dyn(1) == 1u && dyn(1) == 1.0 && dyn(1u) == 1.0", True),
    ("dyn(true) == 1", False),
    ("dyn('1') == 1", False),
    ("dyn(null) == false", False),
    ("dyn([1, 2]) == [1.0, 2.0]", True),
    ("dyn({'a': 1}) == {'a': 1u}", True),
    ("[1, 2] == [2, 1]", False),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
    ("dyn({1: 'a'})[1.0] == 'a' && dyn({1: 'a'})[1u] == 'a'", True),
    ("dyn({true: 'a'})[true] == 'a' && !(dyn(1) in {true: 'a'})", True),
    ("type(1) == int && type('') == string && type([]) == list && type({}) == map && type(null) == null_type", True),
    ("type(type(1)) == type", True),
    ("b'a' == bytes('a')", True),
    # order
    ("'a' < 'b' && 'B' < 'a' && 'a' < 'aa'", True),
    ("b'\\xff' > b'a'", True),
    ("false < true", True),
    ("dyn(1) < 1.5 && dyn(2u) > 1", True),
    # membership
    ("2 in l", True),
    ("'one' in m && !('three' in m)", True),
    ("s in ['six', 'seven']", True),
    ("d.deep.list[1] in ['two']", True),
    ("dyn(1.0) in [1, 2]", True),
    ("[1] in [[1], [2]]", True),
    ("i in []", False),
    # strings
    ("size('héllo')", 5),
    ("size(bytes('héllo'))", 6),
    ("s.contains('eve') && s.startsWith('se') && s.endsWith('en')", True),
    ("s.matches('^s.*n$') && matches(s, 'eve') && !s.matches('^eve')", True),
    ("'a' + 'b'", "ab"),
    # conversions
    ("int('-42') + int(3.99) + int(-3.99) + int(5u)", -37),
    ("uint(3) + uint('4')", 7),
    ("double('1e3') + double(2)", 1002.0),
    ("string(1.0) + string(0.1) + string(1e6) + string(123456.0)", "10.11e+06123456"),
    ("string(true) + string(b'x') + string(-1) + string(2u)", "truex-12"),
    ("bool('T') && !bool('false')", True),
    ("string(bytes('é'))", "é"),
    # ternary, has
    ("b ? 'yes' : 'no'", "yes"),
    ("has(m.one) && !has(m.three)", True),
    ("has(d.deep.list) && !has(d.deep.other) && has(d.none)", True),
    # loops
    ("l.all(v, v > 0) && !l.all(v, v > 1)", True),
    ("l.exists(v, v == 3) && !l.exists(v, v == 4)", True),
    ("l.exists_one(v, v > 2) && !l.exists_one(v, v > 1)", True),
    ("l.map(v, v * v)", [1, 4, 9]),
    ("l.map(v, v > 1, v * v)", [4, 9]),
    ("l.filter(v, v % 2 == 1)", [1, 3]),
    ("m.map(k, k)", ["one", "two"]),
    ("m.all(k, m[k] > 0)", True),
    ("[].all(v, false) && ![].exists(v, true)", True),
    ("l.map(v, l.filter(w, w < v))", [[], [1], [1, 2]]),
    ("l.all(v, l.exists(v, v == 3))", True),
    ("m.all(k, v, k.size() == 3 && v < 3)", True),
    ("l.exists(at, v, at == 2 && v == 3)", True),
    ("l.existsOne(at, v, at == v - 1) || l.exists_one(at, v, v == 2)", True),
    ("l.transformList(at, v, at * v)", [0, 2, 6]),
    ("l.transformList(at, v, at > 0, at * v)", [2, 6]),
    ("m.transformMap(k, v, v + 1)", {"one": 2, "two": 3}),
    ("m.transformMap(k, v, v > 1, k)", {"two": "two"}),
    ("l.transformMapEntry(at, v, {string(v): at})", {"1": 0, "2": 1, "3": 2}),
]


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_an_expression_comes_to(text: str, expected: object) -> None:
    assert value(text) == expected


ABSORBED = [
    ("1 / 0 > 0 || true", True),
    ("true || 1 / 0 > 0", True),
    ("1 / 0 > 0 && false", False),
    ("false && 1 / 0 > 0", False),
    ("m.three > 0 || m.one > 0", True),
    ("l.exists(v, 1 / (v - 1) > 0)", True),
    ("l.all(v, 1 / (v - 1) > 0 && v < 2)", False),
    ("d.deep.list.exists(v, v > 0)", True),
    ("d.flag || !d.flag", True),
]


@pytest.mark.parametrize(("text", "expected"), ABSORBED)
def test_and_and_or_pass_over_errors_that_decide_nothing(text: str, expected: bool) -> None:
    assert value(text) is expected


FAILURES = [
    ("m.three", "no such key: three"),
    ("m['three'] + 1", "no such key: three"),
    ("l[3]", "index out of bounds: 3"),
    ("l[-1]", "index out of bounds: -1"),
    ("d.deep.missing", "no such key: missing"),
    ("d[1]", "no such key: 1"),
    ("d.deep.list['a']", "unsupported index type 'string' in list"),
    ("1 / 0 > 0 || false", "division by zero"),
    ("m.three > 0 && true", "no such key: three"),
    ("l.all(v, 1 / (v - 1) >= 0)", "division by zero"),
    ("u", "no such attribute(s): u"),
    ("0u - 1u", "unsigned integer overflow"),
    ("-(-9223372036854775807 - 1)", "integer overflow"),
    ("uint(i - 8)", "unsigned integer overflow"),
    ("int(x * 1e300)", "integer overflow"),
    ("int(s)", "type conversion error from 'string' to 'int'"),
    ("timestamp(s)", "type conversion error from 'string' to 'google.protobuf.Timestamp'"),
    ("string(b'\\xff' + bytes(''))", "invalid UTF-8 in bytes, cannot convert to string"),
    ("double('NaN') < x", "NaN values cannot be ordered"),
    ("d + 1", "no such overload: _+_"),
    ("d.deep.list[1] - 1", "no such overload: _-_"),
    ("d.flag + 1", "no such overload: _+_"),
    ("dyn(1) + 'a'", "no such overload"),
    ("d.deep.charAt(1)", "no such overload: charAt(map, int)"),
    ("d.none > 1", "no such overload: _>_"),
    ("d.deep ? 1 : 2", "no such overload"),
    ("d.deep && true", "no such overload"),
    ("d.flag.all(v, v)", "no such overload"),
    ("s.matches(s + '(')", "error parsing regexp: missing closing ): `seven(`"),
    ("l.transformMapEntry(at, v, {'same': v})", "insert failed: key same already exists"),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow"),
    ("timestamp(0).getHours('Nowhere/Land')", "unknown time zone Nowhere/Land"),
]


@pytest.mark.parametrize(("text", "expected"), FAILURES, ids=[row[0] for row in FAILURES])
def test_an_evaluation_fails_in_the_words_of_cel_go(text: str, expected: str) -> None:
    assert fails(text) == expected


STAMP = "timestamp('2023-12-25T23:30:05.678+02:00')"
TIMES: list[tuple[str, object]] = [
    (f"{STAMP}.getFullYear()", 2023),
    (f"{STAMP}.getMonth()", 11),
    (f"{STAMP}.getDate()", 25),
    (f"{STAMP}.getDayOfMonth()", 24),
    (f"{STAMP}.getDayOfWeek()", 1),
    (f"{STAMP}.getDayOfYear()", 358),
    (f"{STAMP}.getHours()", 21),
    (f"{STAMP}.getHours('America/New_York')", 16),
    (f"{STAMP}.getHours('+05:30')", 3),
    (f"{STAMP}.getMinutes('-00:30')", 0),
    (f"{STAMP}.getSeconds()", 5),
    (f"{STAMP}.getMilliseconds()", 678),
    (f"string({STAMP})", "2023-12-25T23:30:05.678+02:00"),
    ("string(timestamp(0))", "1970-01-01T00:00:00Z"),
    ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
    ("timestamp('2020-03-01T00:00:00Z') - timestamp('2020-02-28T00:00:00Z') == duration('48h')", True),
    ("timestamp(0) + duration('1h') > timestamp(0)", True),
    ("duration('1h30m').getHours()", 1),
    ("duration('1h30m').getMinutes()", 90),
    ("duration('-1.5s').getSeconds()", -1),
    ("duration('1.5s').getMilliseconds()", 1500),
    ("string(duration('1h1m1.5s'))", "3661.5s"),
    ("string(duration('2ns'))", "0.000000002s"),
    ("duration('1h') == duration('60m') && duration('1us') == duration('1µs')", True),
    ("int(duration('1us'))", 1000),
]


@pytest.mark.parametrize(("text", "expected"), TIMES, ids=[row[0] for row in TIMES])
def test_times_have_parts_in_any_zone(text: str, expected: object) -> None:
    assert value(text) == expected


def test_constants_that_can_never_be_converted_are_no_program() -> None:
    from sampan.api.cel import CelProgramError

    for text, message in [("int('x')", "'string' to 'int'"), ("uint(-1)", "unsigned"), ("'a'.find('(')", "missing closing )")]:
        with pytest.raises(CelProgramError, match=message.replace(")", r"\)")):
            compiled(text)


def test_a_lazy_map_makes_what_it_is_asked_for_and_only_once() -> None:
    asked = []

    def make() -> int:
        asked.append(True)
        return 4

    variables = types.object_type("variables", {"four": types.INT, "never": types.INT})
    program = Environment({"variables": variables}).compile("variables.four + variables.four")
    assert program.evaluate({"variables": LazyMap({"four": make, "never": lambda: 1 // 0})}) == 8
    assert len(asked) == 1
