"""The grammar: literals, precedence, and the words for what is no expression."""

from __future__ import annotations

import pytest

from tests.unit.cel.expressions import fails, refused, value

START = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

LITERALS = [
    ("0", 0),
    ("-9223372036854775808", -(2**63)),
    ("0xFF", 255),
    ("-0x10", -16),
    ("18446744073709551615u", 2**64 - 1),
    ("0xffU", 255),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("2.5E-1", 0.25),
    ("true", True),
    ("null", None),
    ("'single'", "single"),
    ('"double"', "double"),
    ("'''a\n'b'\n'''", "a\n'b'\n"),
    ('"""say "hi" """', 'say "hi" '),
    (r"r'\d+'", r"\d+"),
    (r"R'''\'''", "\\"),
    (r"'\a\b\f\n\r\t\v\\\'\"\?\`'", "\a\b\f\n\r\t\v\\'\"?`"),
    (r"'\x41\u00e9\U0001F600\101'", "Aé😀A"),
    ("b'abc'", b"abc"),
    ("b'é'", b"\xc3\xa9"),
    (r"b'\xff\377'", b"\xff\xff"),
    (r"br'\n'", rb"\n"),
    ("[1, 2, 3,]", [1, 2, 3]),
    ("[]", []),
    ("{'a': 1, 'b': 2,}", {"a": 1, "b": 2}),
    ("1 // a remark\n + 2", 3),
]


@pytest.mark.parametrize(("text", "expected"), LITERALS)
def test_a_literal_is_its_value(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected) or expected in (255, 2**64 - 1)


PRECEDENCE = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("10 - 3 - 2", 5),
    ("20 / 2 / 5", 2),
    ("7 % 4 * 2", 6),
    ("1 + 1 == 2", True),
    ("1 < 2 == true", True),
    ("false && false || true", True),
    ("true || false && false", True),
    ("!true || true", True),
    ("!!true", True),
    ("!!!true", False),
    ("--i", 7),
    ("---i", -7),
    ("- 1", -1),
    ("-i + 10", 3),
    ("true ? 1 : false ? 2 : 3", 1),
    ("false ? 1 : false ? 2 : 3", 3),
    ("1 in l && 2 in l", True),
    ("[1, 2][0] + m['one'] + m.two", 4),
    ("'a' + 'b' in ['ab']", True),
    (".i", 7),
]


@pytest.mark.parametrize(("text", "expected"), PRECEDENCE)
def test_operators_bind_as_in_the_specification(text: str, expected: object) -> None:
    assert value(text) == expected


SYNTAX_ERRORS = [
    ("", f"1:1: Syntax error: mismatched input '<EOF>' expecting {START}"),
    ("1 +", f"1:4: Syntax error: mismatched input '<EOF>' expecting {START}"),
    ("i + * 2", f"1:5: Syntax error: extraneous input '*' expecting {START}"),
    ("s == 'a' and b", "1:10: Syntax error: mismatched input 'and' expecting <EOF>"),
    ("i 1", "1:3: Syntax error: extraneous input '1' expecting <EOF>"),
    ("i = 1", "1:3: Syntax error: token recognition error at: '= '"),
    ("b & b", "1:3: Syntax error: token recognition error at: '& '"),
    ("s == 'open", "1:6: Syntax error: token recognition error at: ''open'"),
    ("#", "1:1: Syntax error: token recognition error at: '#'"),
    ("(1 + 2", "1:7: Syntax error: missing ')' at '<EOF>'"),
    ("l[0", "1:4: Syntax error: missing ']' at '<EOF>'"),
    ("[1, 2", "1:6: Syntax error: mismatched input '<EOF>' expecting {']', ','}"),
    ("{'a' 1}", "1:6: Syntax error: missing ':' at '1'"),
    ("{'a'}", "1:5: Syntax error: mismatched input '}' expecting ':'"),
    ("b ? 1", "1:6: Syntax error: mismatched input '<EOF>' expecting ':'"),
    ("d.", "1:3: Syntax error: no viable alternative at input '.'"),
    ("d.1", "1:2: Syntax error: extraneous input '.1' expecting <EOF>"),
    ("d.true", "1:3: Syntax error: mismatched input 'true' expecting IDENTIFIER"),
    ("d.'a'", "1:3: Syntax error: no viable alternative at input '.'a''"),
    ("i\n  + + 1", f"2:5: Syntax error: extraneous input '+' expecting {START}"),
    ("namespace", "1:1: reserved identifier: namespace"),
    ("if(b)", "1:1: reserved identifier: if"),
    ("9223372036854775808", "1:1: invalid int literal"),
    ("1e999", "1:1: invalid double literal"),
    ("99999999999999999999u", "1:1: invalid uint literal"),
    (r"'\ud800'", "1:1: invalid unicode code point"),
    (r"b'\u0041'", "1:1: unable to unescape string"),
    ("has(i)", "1:5: invalid argument to has() macro"),
    ("l.all(1, true)", "1:7: argument must be a simple name"),
    ("l.map(a.b, 1)", "1:8: argument is not an identifier"),
    ("l.all(__result__, true)", "1:7: iteration variable overwrites accumulator variable"),
    ("m.all(k, k, true)", "1:10: duplicate variable name: k"),
]


@pytest.mark.parametrize(("text", "expected"), SYNTAX_ERRORS)
def test_what_is_no_expression_is_told_in_the_words_of_cel_go(text: str, expected: str) -> None:
    assert refused(text).startswith(f"ERROR: <input>:{expected}")


def test_an_error_shows_its_line_and_points_into_it() -> None:
    assert refused("i +\n\tfoo") == "ERROR: <input>:2:2: undeclared reference to 'foo' (in container '')\n |  foo\n | .^"


def test_errors_come_in_order_of_their_places() -> None:
    first, second = refused("[foo, bar]").split("\nERROR: ")
    assert "1:2: undeclared reference to 'foo'" in first
    assert "1:7: undeclared reference to 'bar'" in second


def test_wide_characters_before_an_error_are_dotted_wide() -> None:
    assert refused("'é' + foo").endswith("\n | 'é' + foo\n | .．....^")


def test_no_more_than_a_hundred_errors_are_shown() -> None:
    shown = refused("[" + ", ".join(["foo"] * 120) + "]")
    assert shown.count("ERROR: ") == 100
    assert shown.endswith("20 more errors were truncated")


TOO_MUCH = [
    ("'" + "a" * 100_000 + "'", "expression code point size exceeds limit: size: 100002, limit 100000"),
    ("(" * 400 + "1" + ")" * 400, "expression recursion limit exceeded: 250"),
    ("[" * 5000 + "]" * 5000, "expression recursion limit exceeded: 250"),
    ("1" + " + 1" * 300, "max recursion depth exceeded"),
    ("d" + ".a" * 300, "max recursion depth exceeded"),
    ("true ? 1 : " * 300 + "1", "expression recursion limit exceeded: 250"),
    ("optional.of(1)" + ".optMap(v, v)" * 40, "optMap() receiver is too large"),
]


@pytest.mark.parametrize(("text", "expected"), TOO_MUCH, ids=[row[1] for row in TOO_MUCH])
def test_what_is_too_long_or_too_deep_is_refused(text: str, expected: str) -> None:
    assert expected in refused(text)


def test_long_chains_of_and_and_or_are_not_deep() -> None:
    assert value(" && ".join(["b"] * 2000)) is True
    assert value(" || ".join(["!b"] * 2000)) is False


OPTIONAL = [
    ("m.?one", (1,)),
    ("m.?three", ()),
    ("m[?'two']", (2,)),
    ("l[?7]", ()),
    ("d.?deep.list[1]", ("two",)),
    ("d.?nothing.list[1]", ()),
    ("[?m.?one, ?m.?three, 5]", [1, 5]),
    ("{?'a': m.?one, ?'b': m.?three}", {"a": 1}),
    ("m.?three.orValue(9)", 9),
    ("m.?three.or(m.?two).value()", 2),
    ("optional.of(3).optMap(v, v + 1)", (4,)),
    ("optional.none().optMap(v, v)", ()),
    ("m.?one.optFlatMap(v, l[?v])", (2,)),
    ("optional.ofNonZeroValue('').hasValue()", False),
    ("optional.ofNonZeroValue(timestamp(0)).hasValue()", True),
    ("has(d.?deep.list)", True),
    ("l.first().value() + l.last().value()", 4),
    ("[m.?one, m.?three].unwrapOpt()", [1]),
    ("m.?one == optional.of(1) && m.?three == optional.none()", True),
]


@pytest.mark.parametrize(("text", "expected"), OPTIONAL)
def test_optional_values_say_whether_they_are_there(text: str, expected: object) -> None:
    assert value(text) == expected


def test_an_optional_without_a_value_has_none() -> None:
    assert fails("m.?three.value()") == "optional.none() dereference"


def test_optional_syntax_came_with_1_28() -> None:
    assert "unsupported syntax '.?'" in refused("m.?one", version="1.27")
    assert "unsupported syntax '[?'" in refused("m[?'one']", version="1.27")
    assert "unsupported syntax '?'" in refused("[?m]", version="1.27")
