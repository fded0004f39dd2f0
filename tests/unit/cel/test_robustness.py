"""Whatever the text and the data, there is a value or one of the named errors, and soon."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.api.cel import CelError, CelRuntimeError, Environment, types
from tests.unit.cel.expressions import VALUES, VARIABLES, fails

_WORDS = (
    "i s l m d b x names 1 0 'a' 1.5 1u null true [ ] { } ( ) . .? [? , : ? + - * / % ! == < in && || # ` \\ \" ' é //",
    ".size() .all(v, v) .map(v, .exists(a, b, .optMap(v, has( type( dyn( duration('1h') timestamp(0) quantity('1') .format(",
    ".matches('a') .deep .list .transformMap(k, v, .sum() .join() .orValue( int( cidr('::/0') .replace( b'x' v k at string(",
)
PIECES = st.sampled_from([*" ".join(_WORDS).split(), "\n"])
_environment = Environment(VARIABLES)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14).map(" ".join))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        program = _environment.compile(text)
    except CelError:
        return
    low, high = program.estimate_cost()
    assert 0 <= low <= high
    try:
        program.evaluate(VALUES, 10_000)
    except CelRuntimeError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
PROBES = [
    "d == e",
    "d in e",
    "d + e",
    "d < e",
    "d[e]",
    "d.a.b",
    "has(d.a) && d.?a[?0].hasValue()",
    "d.all(v, v == e)",
    "d.map(v, [v])",
    "d.exists(k, v, k == v)",
    "'%s'.format([d])",
    "size(d) > 0 || d.startsWith(e)",
    "d ? e : d",
    "sets.intersects(d, e)",
    "d.sum() == e",
    "{d: e}[d] == e",
]
_PROGRAMS = [
    Environment({"d": types.DYN, "e": types.DYN}).compile(text) for text in PROBES if text != "string(d) + type(e) == ''"
]


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_any_data_has_a_value_or_an_error(d: Any, e: Any) -> None:
    for program in _PROGRAMS:
        try:
            program.evaluate({"d": d, "e": e}, 100_000)
        except CelRuntimeError:
            pass


def _nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(depth):
        tree = {"a": tree}
    return tree


@pytest.mark.parametrize("text", ["d == e", "'%s'.format([d])", "[d].indexOf(e) == 0", "[d].max() == e"])
def test_data_of_any_depth_fails_cleanly(text: str) -> None:
    program = Environment({"d": types.DYN, "e": types.DYN}).compile(text)
    with pytest.raises(CelRuntimeError):
        program.evaluate({"d": _nested(20_000), "e": _nested(20_000)})


def test_what_would_grow_beyond_all_bounds_is_stopped() -> None:
    squared = (
        "optional.of('aaaaaaaaaaaaaaaaaaaa').optMap(a, optional.of(a.replace('', a)).optMap(b, optional.of(b.replace('', b))"
    )
    assert "string of more than" in fails(f"{squared}.optMap(c, c.replace('', c))))")
    doubled = "".join(
        f"optional.of({x} + {x}).optMap({y}, " for x, y in zip("lacefghjknopqrtvwyz", "acefghjknopqrtvwyzA", strict=True)
    )
    assert "list of more than" in fails(f"{doubled}A.size(){')' * 19} != optional.none()", l=list(range(1000)))


def test_a_pattern_that_would_take_forever_elsewhere_takes_no_time() -> None:
    program = Environment({"s": types.STRING}).compile("s.matches('^(a+)+$')")
    assert program.evaluate({"s": "a" * 5000 + "b"}) is False
