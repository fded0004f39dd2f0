"""Types: what an expression gives, and the words for what does not fit."""

from __future__ import annotations

import pytest

from sampan.api.cel import CelType, Environment, types
from sampan.api.cel.types import BOOL, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT
from tests.unit.cel.expressions import compiled, refused, value

TYPES: list[tuple[str, CelType]] = [
    ("1", INT),
    ("1u", UINT),
    ("1.0", DOUBLE),
    ("'a'", STRING),
    ("null", types.NULL),
    ("[1]", types.list_of(INT)),
    ("[]", types.list_of(DYN)),
    ("{'a': 1.5}", types.map_of(STRING, DOUBLE)),
    ("[[1], []]", types.list_of(types.list_of(INT))),
    ("l[0]", INT),
    ("m['one']", INT),
    ("m.one", INT),
    ("d.deep", DYN),
    ("d + 1", INT),
    ("d + d", DYN),
    ("d == 1", BOOL),
    ("dyn(1)", DYN),
    ("b ? 1 : i", INT),
    ("l.map(v, string(v))", types.list_of(STRING)),
    ("m.map(k, k)", types.list_of(STRING)),
    ("l.filter(v, v > 1)", types.list_of(INT)),
    ("m.transformMap(k, v, v > 1)", types.map_of(STRING, BOOL)),
    ("l.exists_one(v, v > 1)", BOOL),
    ("timestamp('2020-01-01T00:00:00Z') - timestamp(0)", DURATION),
    ("timestamp(0) + duration('1s')", TIMESTAMP),
    ("type(1)", types.type_of_type(INT)),
    ("int", types.type_of_type(INT)),
    ("m.?one", types.optional_of(INT)),
    ("m.?one.orValue(1)", INT),
    ("names.max()", STRING),
    ("sets.contains(l, [1])", BOOL),
]


@pytest.mark.parametrize(("text", "expected"), TYPES, ids=[row[0] for row in TYPES])
def test_the_type_of_an_expression_is_found_without_running_it(text: str, expected: CelType) -> None:
    assert compiled(text).output_type == expected


TYPE_ERRORS = [
    ("foo", "1:1: undeclared reference to 'foo' (in container '')"),
    ("foo(1)", "1:4: undeclared reference to 'foo' (in container '')"),
    ("s.foo()", "1:6: undeclared reference to 'foo' (in container '')"),
    ("i + 's'", "1:3: found no matching overload for '_+_' applied to '(int, string)'"),
    ("i + 1.0", "1:3: found no matching overload for '_+_' applied to '(int, double)'"),
    ("i == 's'", "1:3: found no matching overload for '_==_' applied to '(int, string)'"),
    ("i == null", "1:3: found no matching overload for '_==_' applied to '(int, null)'"),
    ("s.size(1)", "1:7: found no matching overload for 'size' applied to 'string.(int)'"),
    ("size(1)", "1:5: found no matching overload for 'size' applied to '(int)'"),
    ("!i", "1:1: found no matching overload for '!_' applied to '(int)'"),
    ("-s", "1:1: found no matching overload for '-_' applied to '(string)'"),
    ("l['a']", "1:2: found no matching overload for '_[_]' applied to '(list(int), string)'"),
    ("1u in l", "1:4: found no matching overload for '@in' applied to '(uint, list(int))'"),
    ("b ? 1 : 's'", "1:3: found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
    ("s.x", "1:2: type 'string' does not support field selection"),
    ("b && i", "1:6: expected type 'bool' but found 'int'"),
    ("[1, 'a']", "1:5: expected type 'int' but found 'string'"),
    ("{'a': 1, 'b': 'c'}", "1:15: expected type 'int' but found 'string'"),
    ("{1: 1, 'b': 2}", "1:8: expected type 'int' but found 'string'"),
    ("[?1]", "1:3: expected type 'optional_type(int)' but found 'int'"),
    ("i.all(v, true)", "1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),
    ("l.all(v, v)", "1:10: expected type 'bool' but found 'int'"),
    ("l.all(v, v > 0) && v > 0", "1:20: undeclared reference to 'v' (in container '')"),
    ("Foo{a: 1}", "1:4: undeclared reference to 'Foo' (in container '')"),
    ("int{}", "1:4: 'int' is not a message type"),
    ("duration('x')", "1:10: invalid duration argument"),
    ("timestamp('x')", "1:11: invalid timestamp argument"),
    ("s.matches('(')", "1:11: invalid matches argument"),
    ("quantity('1').value", "1:14: unexpected failed resolution of 'kubernetes.Quantity'"),
]


@pytest.mark.parametrize(("text", "expected"), TYPE_ERRORS, ids=[row[0] for row in TYPE_ERRORS])
def test_what_does_not_fit_is_told_in_the_words_of_cel_go(text: str, expected: str) -> None:
    assert refused(text).startswith(f"ERROR: <input>:{expected}\n | ")


def test_numbers_of_unlike_types_compare_since_1_28() -> None:
    assert value("i > 6.5 && 1u < i && x >= 1u")
    assert "found no matching overload for '_>_' applied to '(int, double)'" in refused("i > 6.5", version="1.27")


def test_a_local_name_hides_a_variable_only_within_its_loop() -> None:
    assert value("names.all(i, i.size() > 2) && i == 7")


def test_a_name_with_dots_may_be_one_variable() -> None:
    environment = Environment({"request.user": STRING, "request": types.map_of(STRING, STRING)})
    program = environment.compile("request.user + request.verb")
    assert program.variables == {"request", "request.user"}
    assert program.evaluate({"request.user": "ada ", "request": {"verb": "gets", "user": "no"}}) == "ada gets"


def test_object_types_have_the_fields_they_declare() -> None:
    of = types.object_type("Thing", {"name": STRING, "parts": types.list_of(types.object_type("Thing.part", {"n": INT}))})
    variables = {"self": of}
    assert compiled("self.parts[0].n + 1", variables=variables).output_type == INT
    assert "1:5: undefined field 'nme'" in refused("self.nme", variables=variables)
    assert "1:14: undefined field 'm'" in refused("self.parts[0].m", variables=variables)
    assert "'_==_' applied to '(Thing, string)'" in refused("self == 'a'", variables=variables)
    assert compiled("self == null", variables=variables).output_type == BOOL


VERSIONS = [
    ("'a'.charAt(0)", "1.23"),
    ("[1].sum()", "1.23"),
    ("'1'.find('[0-9]')", "1.23"),
    ("url('https://a/')", "1.23"),
    ("optional.of(1)", "1.28"),
    ("quantity('1Gi')", "1.28"),
    ("'%d'.format([1])", "1.29"),
    ("strings.quote('a')", "1.29"),
    ("sets.contains([1], [1])", "1.29"),
    ("ip('10.0.0.1')", "1.30"),
    ("cidr('10.0.0.0/8')", "1.30"),
    ("format.dns1123Label()", "1.31"),
    ("m.all(k, v, v > 0)", "1.32"),
    ("semver('1.0.0')", "1.33"),
]


@pytest.mark.parametrize(("text", "since"), VERSIONS)
def test_a_library_is_there_since_its_version(text: str, since: str) -> None:
    before = f"1.{int(since[2:]) - 1}"
    assert compiled(text, since)
    if since != "1.23":
        assert "ERROR: <input>:1:" in refused(text, before)


def test_words_that_cel_keeps_may_be_fields_since_1_31() -> None:
    variables = {"self": types.object_type("Thing", {"__namespace__": STRING})}
    assert compiled("self.namespace == self.__namespace__", variables=variables)
    assert "undefined field 'namespace'" in refused("self.namespace", version="1.30", variables=variables)
