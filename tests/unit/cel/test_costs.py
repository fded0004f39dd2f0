"""What expressions cost: estimates decide which rules a definition may have, and what is spent ends those that take too long.

Figures are those of upstream for the same expressions.
"""

from __future__ import annotations

import pytest

from sampan.api.cel import Cost, CostExceeded, Declaration, Environment, adapter_of, declaration_of, types
from sampan.api.cel.estimates import UNBOUNDED
from sampan.api.cel.libraries.authorization import AUTHORIZER, Authorizer, Decision
from tests.unit.cel.expressions import compiled

STRING = {"type": "string"}
PARTS = {"type": "array", "items": {"type": "object", "properties": {"k": STRING, "v": STRING, "v2": STRING}}}
SCHEMA = {
    "type": "object",
    "properties": {
        "text": STRING,
        "short": {"type": "string", "maxLength": 10},
        "number": {"type": "integer"},
        "parts": {**PARTS, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
        "few": {"type": "array", "maxItems": 10, "items": {"type": "string", "maxLength": 5}},
        "labels": {"type": "object", "additionalProperties": STRING},
        "either": {"x-kubernetes-int-or-string": True},
        "choice": {"type": "string", "enum": ["a", "bcd"]},
        "day": {"type": "string", "format": "date"},
    },
}
TREE = {
    "text": "Rook takes 👑",
    "short": "abc",
    "number": 3,
    "parts": [{"k": "a1", "v": "b1"}, {"k": "a2", "v": "b2"}, {"k": "a3", "v": "b3", "v2": "z"}],
    "few": ["a", "b"],
    "labels": {"a": "1", "b": "2"},
}


def _declaration() -> Declaration:
    declared = declaration_of(SCHEMA)
    assert declared is not None
    return declared


def _program(text: str) -> tuple[Cost, int]:
    declared = _declaration()
    program = Environment({"self": declared.cel_type}).compile(text)
    program.evaluate({"self": adapter_of(SCHEMA)(TREE)})
    return program.estimate_cost(declared), program.spent


SPENT = [
    ("has(self.parts[0].v)", 3),
    ("self.number == self.number", 5),
    ("type(self.number) == int", 4),
    ("self.number + 1 == 4 + 0", 5),
    ("self.text.startsWith('Rook')", 4),
    ("!self.text.startsWith('knight')", 5),
    ("self.text.matches('^[^0-9]*$')", 8),
    ("self.text.indexOf('o') == 1", 4),
    ("self.text.replace(' ', 'x') == 'Rookxtakesx👑'", 7),
    ("self.text.split(' ') == ['Rook', 'takes', '👑']", 6),
    ("self.text.substring(4, 10).trim() == 'takes'", 6),
    ("self.text.lowerAscii() == self.text.lowerAscii()", 10),
    ("'%o %o %o'.format([7, 8, 9]) == '7 10 11'", 2),
    ("self.parts.all(m, m.k.startsWith('a'))", 21),
    ("self.parts.all(m, !has(m.v2) || m.v2 == 'z')", 21),
    ("self.parts.exists(m, m.k.endsWith('1'))", 13),
    ("self.parts.exists_one(m, m.k == 'a3')", 15),
    ("!self.parts.all(m, m.k.endsWith('1'))", 18),
    ("!self.parts.exists(m, m.v == 'x')", 25),
    ("size(self.parts.filter(m, m.k == 'a1')) == 1", 27),
    ("self.parts.exists(m, m.k == 'a1' && m.v == 'b1')", 16),
    ("self.parts.exists(m, m.v2 == 'z')", 24),
    ("!self.parts.all(m, m.v2 != 'z')", 22),
]


@pytest.mark.parametrize(("text", "expected"), SPENT, ids=[row[0] for row in SPENT])
def test_an_evaluation_spends_what_it_does_upstream(text: str, expected: int) -> None:
    assert _program(text)[1] == expected


ESTIMATES = [
    ("self.number == 1", 2),
    ("self.parts.all(m, m.k.startsWith('a'))", 6291453),
    ("self.parts.all(m, !has(m.v2) || m.v2 == 'z')", 8388603),
    ("self.parts.exists(m, m.k.endsWith('1'))", 7340028),
    ("size(self.parts.filter(m, m.k == 'a1')) == 1", 16777215),
    ("self.parts.map(m, m.v).exists(v, v == 'b1')", 19922939),
    ("self.text.matches('^a$')", 314575),
    ("self.short.matches('^a$')", 7),
    ("self.few.all(x, x.startsWith('a'))", 53),
    ("self.few.all(x, x.matches('^a$'))", 73),
    ("self.few.join('').size() > 0", 24),
    ("self.labels.all(k, k == 'a')", 1572863),
    ("self.choice == self.choice", 5),
    ("has(self.day) || true", 1),
]


@pytest.mark.parametrize(("text", "expected"), ESTIMATES, ids=[row[0] for row in ESTIMATES])
def test_an_estimate_knows_the_bounds_of_the_schema(text: str, expected: int) -> None:
    declared = _declaration()
    estimate = Environment({"self": declared.cel_type}).compile(text).estimate_cost(declared)
    assert estimate.max == expected
    assert 0 <= estimate.min <= estimate.max


PLAIN = [
    ("'a'", 0, 0),
    ("i", 1, 1),
    ("m['key']", 2, 2),
    ("[1, 2, 3]", 10, 10),
    ("{'a': 1}", 30, 30),
    ("2 in [1, 2, 3]", 13, 13),
    ("[1, 2, 3].all(v, true)", 20, 20),
    ("b || b || b || b", 1, 4),
    ("b ? i : i + i", 2, 4),
    ("'123'.matches('[0-9]')", 2, 2),
    ("s.matches('[0-9]')", 3, 3689348814741910529),
    ("timestamp(0).getHours()", 2, 2),
    ("['abc', 'd'].join('-')", 11, 1844674407370955274),
    ("quantity('200M') == quantity('0.2G')", 3, 3),
    ("ip('10.0.0.1').isLoopback()", 2, 2),
    ("cidr('10.0.0.0/8').containsIP('10.0.0.1')", 3, 6),
    ("format.dns1123Label().validate('my-label')", 33, 33),
    ("sets.contains([1, 2], [1])", 23, 23),
    ("l.map(v, v)", 12, UNBOUNDED),
]


@pytest.mark.parametrize(("text", "low", "high"), PLAIN, ids=[row[0] for row in PLAIN])
def test_an_estimate_without_bounds_counts_what_stands_there(text: str, low: int, high: int) -> None:
    assert compiled(text).estimate_cost() == Cost(low, high)


def test_two_checks_of_permissions_are_all_that_one_evaluation_affords() -> None:
    environment = Environment({"authorizer": AUTHORIZER})
    check = "authorizer.path('/a').check('get').allowed()"
    authorizer = Authorizer(lambda check: Decision(True))
    assert environment.compile(f"{check} && {check}").evaluate({"authorizer": authorizer}) is True
    with pytest.raises(CostExceeded):
        environment.compile(f"{check} && {check} && {check}").evaluate({"authorizer": authorizer})


def test_the_bounds_of_a_declaration_follow_from_the_size_of_a_request() -> None:
    declared = _declaration()
    assert declared.fields["text"].most_elements == 3145726
    assert declared.fields["short"].most_elements == 40
    assert declared.fields["choice"].most_elements == 3
    assert declared.fields["few"].most_elements == 10
    assert declared.fields["labels"].most_elements == 393215
    assert declared.fields["day"].most_elements == 12
    assert declared.fields["number"].most_often == 1572864
    assert declared.fields["text"].most_often == 1048576


def test_what_spends_more_than_its_budget_is_stopped_and_nothing_absorbs_that() -> None:
    for text in ("l.all(v, v >= 0) || true", "true && l.exists(v, l.all(w, v > w))", "l.map(v, v).size() > 0 || b"):
        program = compiled(text)
        with pytest.raises(CostExceeded, match="operation cancelled: actual cost limit exceeded"):
            program.evaluate({"l": list(range(1000)), "b": True}, 100)
        assert 100 < program.spent < 10_000


def test_loops_in_loops_end_with_the_budget() -> None:
    program = compiled("l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d >= 0))))")
    with pytest.raises(CostExceeded):
        program.evaluate({"l": list(range(10_000))}, 100_000)


def test_long_calls_are_paid_before_they_begin() -> None:
    program = Environment({"l": types.list_of(types.INT)}).compile("sets.contains(l, l)")
    with pytest.raises(CostExceeded):
        program.evaluate({"l": list(range(200_000))}, 1_000_000)


def test_a_failed_evaluation_tells_what_it_spent_too() -> None:
    program = compiled("l.map(v, v).size() / 0 == i")
    with pytest.raises(Exception, match="division by zero"):
        program.evaluate({"l": [1, 2, 3], "i": 1}, 1000)
    assert program.spent > 30
