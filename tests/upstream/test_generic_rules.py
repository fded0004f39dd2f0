"""CEL rules of definitions on upstream's server and ours: what compiles, what it may cost, in which words it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of
from tests.upstream.test_generic_definitions import N, S, offer

__all__ = ["both"]

LIST: Tree = {"type": "array", "items": S}
SHORT: Tree = {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 10}}
MAP: Tree = {"type": "object", "additionalProperties": S}
KEYED: Tree = {
    "type": "array",
    "items": {**object_of(k=S, v=S), "required": ["k"]},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
}

# A rule, the schema it stands at, and more fields of the rule.
RULES: list[tuple[str, Tree, Tree]] = [
    ("self == 'x'", S, {}),
    ("self == 1", S, {}),
    ("self", S, {}),
    ("self.size()", S, {}),
    ("", S, {}),
    ("   ", S, {}),
    ("true", S, {}),
    ("self ==", S, {}),
    ("self == 'a", S, {}),
    ("self === 'a'", S, {}),
    ("foo == 'a'", S, {}),
    ("self.foo == 'a'", S, {}),
    ("self.foo()", S, {}),
    ("size(self, 1)", S, {}),
    ("self.matches('(')", S, {}),
    ("self.matches('a{1001}')", S, {}),
    ("self.startsWith(1)", S, {}),
    ("self in ['a', 1]", S, {}),
    ("self in [1, 2]", S, {}),
    ("[1, 'a'].size() > 0", S, {}),
    ("{'a': 1, 2: 3}.size() > 0", S, {}),
    ("self.a == self.b", object_of(a=S, b=N), {}),
    ("self.a == self.b && self.c", object_of(a=S, b=S), {}),
    ("has(self.a) || has(self.c)", object_of(a=S), {}),
    ("has(self)", object_of(a=S), {}),
    ("self.all(x, x == 'a')", LIST, {}),
    ("self.all(x, x.startsWith('a'))", SHORT, {}),
    ("self.all(x, self.all(y, x == y))", LIST, {}),
    ("self.all(x, self.all(y, self.all(z, x == y && y == z)))", LIST, {}),
    ("self.all(x, self.all(y, self.all(z, x == y && y == z)))", SHORT, {}),
    ("self.exists(x, x.a == 1)", LIST, {}),
    ("self.map(x, x + 'a').size() > 0", LIST, {}),
    ("self.filter(x, x == 1).size() > 0", LIST, {}),
    ("self.all(x, y, x < 3 && y == 'a')", LIST, {}),
    ("self.exists_one(x, x == 'a')", MAP, {}),
    ("self.all(k, self[k].size() < 5)", MAP, {}),
    ("self.matches('a*b')", S, {}),
    ("self.matches(self)", S, {}),
    ("self.contains(self)", S, {}),
    ("self.split('a').all(x, x == 'a')", S, {}),
    ("self.lowerAscii().replace('a', 'b').upperAscii() == 'A'", S, {}),
    ("oldSelf == self", S, {}),
    ("self.size() > oldSelf.size()", LIST, {}),
    ("oldSelf.k == self.k", KEYED["items"], {}),
    ("self.all(x, oldSelf.exists(y, x.k == y.k))", KEYED, {}),
    ("oldSelf.orValue('a') == self", S, {"optionalOldSelf": True}),
    ("oldSelf == self", S, {"optionalOldSelf": True}),
    ("self == 'a'", S, {"optionalOldSelf": True}),
    ("oldSelf.hasValue()", S, {}),
    ("self == 'a'", S, {"message": "a\nb"}),
    ("self == 'a'", S, {"message": ""}),
    ("self == 'a'", S, {"message": " "}),
    ("self == 'a'\n", S, {}),
    ("self == 'a' ||\nself == 'b'", S, {}),
    ("self == 'a' ||\nself == 'b'", S, {"message": "ok"}),
    ("self == 'a'", S, {"messageExpression": "self + 'x'"}),
    ("self == 'a'", S, {"messageExpression": "1"}),
    ("self == 'a'", S, {"messageExpression": ""}),
    ("self == 'a'", S, {"messageExpression": "  "}),
    ("self == 'a'", S, {"messageExpression": "self +"}),
    ("self == 'a'", S, {"messageExpression": "nothing"}),
    ("self == 'a'", S, {"messageExpression": "'%s' % self"}),
    ("self == 'a'", S, {"messageExpression": "'%s %d'.format([self])"}),
    ("self == 'a'", S, {"messageExpression": "'%d'.format([self])"}),
    ("self.size() > 0", LIST, {"messageExpression": "self.map(x, self.map(y, self.map(z, x))).size() > 0 ? 'a' : 'b'"}),
    ("self == 'a'", S, {"reason": "FieldValueRequired"}),
    ("self == 'a'", S, {"reason": "Nonsense"}),
    ("self == 'a'", S, {"fieldPath": ".a"}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": ".a"}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": ".b"}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": "a"}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": "['a']"}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": ""}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": " "}),
    ("self.a == 'a'", object_of(a=S), {"fieldPath": ".a\n"}),
    ("self.a.size() > 0", object_of(a=LIST), {"fieldPath": ".a[0]"}),
    ("self.a.size() > 0", object_of(a=object_of(b=S)), {"fieldPath": ".a.b"}),
    ("self.a.size() > 0", object_of(a=MAP), {"fieldPath": ".a.b"}),
    ("self.a.size() > 0", object_of(a=MAP), {"fieldPath": ".a['b']"}),
    ("self.metadata.name == 'a'", object_of(metadata={"type": "object"}), {}),
    ("self > 1", {"x-kubernetes-int-or-string": True}, {}),
    ("type(self) == int", {"x-kubernetes-int-or-string": True}, {}),
    ("self.x == 1", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {}),
    ("self == 'a'", {"type": "string", "nullable": True}, {}),
    ("self.a == null", object_of(a={"type": "string", "nullable": True}), {}),
    ("self == null", S, {}),
    ("self > timestamp('x')", {"type": "string", "format": "date-time"}, {}),
    ("self > duration('1h')", {"type": "string", "format": "duration"}, {}),
    ("self > 'a'", {"type": "string", "format": "date-time"}, {}),
    ("self == b'a'", {"type": "string", "format": "byte"}, {}),
    ("self.__namespace__ == 'a'", object_of(namespace=S), {}),
    ("self.namespace == 'a'", object_of(namespace=S), {}),
    ("self.a__dash__b == 'a'", {"type": "object", "properties": {"a-b": S}}, {}),
    ("self['a'] == 'a'", object_of(a=S), {}),
    ("self.?a.orValue('x') == 'x'", object_of(a=S), {}),
    ("self.a[0] == 'x'", object_of(a=LIST), {}),
    ("self['a']['b'] == 'x'", object_of(a=MAP), {}),
    ("quantity('1Ki').isGreaterThan(quantity(self))", S, {}),
    ("quantity('bad').isGreaterThan(quantity(self))", S, {}),
    ("ip('127.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP(self)", S, {}),
    ("isIP(self) && isURL(self) && url(self).getHost() == ''", S, {}),
    ("ip(self, 'a').family() == 4", S, {}),
    ("format.dns1123Label().validate(self).hasValue()", S, {}),
    ("format.named('x').hasValue()", S, {}),
    # Not semver: 1.33 lets no new rule use what 1.32 does not know; 1.36 cannot be told to be compatible with that.
    ("self.sum() > 3 && self.min() < 3 && self.isSorted()", {"type": "array", "items": N}, {}),
    ("self.sum() == 'a'", LIST, {}),
    ("sets.contains(self, ['a']) && self.indexOf('a') == 0", LIST, {}),
    ("math.greatest(1, 2) == 2", S, {}),
    ("cel.bind(x, self, x == 'a')", S, {}),
    ("dyn(self) == 1", S, {}),
    ("self + 1 == 2", S, {}),
    ("!self", S, {}),
    ("-self == 'a'", S, {}),
    ("self ? true : false", S, {}),
    ("true ? self : 1", S, {}),
    ("self && true || 1", S, {}),
    ("1 / 0 == 1", S, {}),
    ("9223372036854775808 == 1", S, {}),
    ("self < 1.5", N, {}),
    ("self == 1u", N, {}),
    ("int('x') == 1", N, {}),
    ("string(self) == '1'", N, {}),
    ("self.foo.bar.baz", object_of(foo=object_of(bar=object_of())), {}),
    ("self.all(x)", LIST, {}),
    ("self.all(x.y, true)", LIST, {}),
    ("has(self.a[0])", object_of(a=LIST), {}),
    ("google.protobuf.Timestamp{} == self", S, {}),
    ("a.b.c(1, 2", S, {}),
    ("self == 'a' &", S, {}),
    ("self == `a`", S, {}),
    ("'\\z' == self", S, {}),
    ("self in in", S, {}),
    ("self.as == 1", S, {}),
    ("for == 1", S, {}),
    ("(" * 20 + "true" + ")" * 20, S, {}),
    ("self.all(k, v, v == 'a')", MAP, {}),
    ("self.transformList(i, v, v + 'a').size() > 0", LIST, {}),
    ("self.exists(x, x == 'a', 'b')", LIST, {}),
]


@pytest.mark.parametrize("index", range(len(RULES)))
def test_a_rule_is_judged_alike(both: Both, index: int) -> None:
    text, schema, more = RULES[index]
    rules = [{"rule": text, **more}]
    both(
        lambda side: offer(side, definition("Bad", object_of(spec=object_of(x={**schema, "x-kubernetes-validations": rules}))))
    )


def nested(depth: int, schema: Tree) -> Tree:
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def _ruled(schema: Tree, *texts: str, **more: Any) -> Tree:
    return {**schema, "x-kubernetes-validations": [{"rule": text, **more} for text in texts]}


SCHEMAS: dict[str, Tree] = {
    "uncorrelatable set": object_of(
        a={"type": "array", "items": _ruled(S, "self == oldSelf"), "x-kubernetes-list-type": "set"}
    ),
    "uncorrelatable atomic": object_of(a={"type": "array", "items": _ruled(S, "self == oldSelf")}),
    "uncorrelatable optional": object_of(a={"type": "array", "items": _ruled(S, "oldSelf.hasValue()", optionalOldSelf=True)}),
    "correlatable": object_of(a={**KEYED, "items": _ruled(KEYED["items"], "self.k == oldSelf.k")}),
    "deep lists": object_of(a=nested(3, _ruled(S, "self.matches('a')"))),
    "deep bounded lists": object_of(a=nested(2, _ruled({"type": "string", "maxLength": 5}, "self == 'a'"))),
    "many rules": object_of(**{f"a{n}": _ruled(LIST, "self.all(x, x.matches('a+'))") for n in range(3)}),
    "two bad rules": object_of(a=_ruled(S, "self ==", "nothing", "self == 1")),
    "metadata rule": object_of(metadata=_ruled({"type": "object"}, "self.name == 'a'")),
    "root rule": _ruled(
        object_of(a=S), "self.metadata.name.startsWith('a')", "self.kind == 'Bad'", "self.metadata.labels.size() == 0"
    ),
    "root rule with nothing": _ruled(object_of(a=S), "self.b == 'a'"),
    "embedded rule": object_of(
        a=_ruled(
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            "self.metadata.name == 'a'",
            "self.spec.x == 1",
        )
    ),
    "rule of nullable": object_of(a=_ruled({"type": "object", "nullable": True, "properties": {"b": S}}, "self.b == 'a'")),
    "enum bounds": object_of(
        a=_ruled({"type": "array", "items": {"type": "string", "enum": ["a", "bb"]}}, "self.all(x, self.all(y, x == y))")
    ),
    "duration bounds": object_of(
        a=_ruled({"type": "array", "items": {"type": "string", "format": "duration"}}, "self.all(x, self.all(y, x == y))")
    ),
    "date bounds": object_of(
        a=_ruled({"type": "array", "items": {"type": "string", "format": "date"}}, "self.all(x, self.all(y, x == y))")
    ),
    "int bounds": object_of(a=_ruled({"type": "array", "items": N}, "self.all(x, self.all(y, x == y))")),
    "map bounds": object_of(a=_ruled(MAP, "self.all(x, self.all(y, x == y))")),
    "bounded map": object_of(a=_ruled({**MAP, "maxProperties": 10}, "self.all(x, self.all(y, x == y))")),
    "rule in anyOf": object_of(
        a={"type": "object", "properties": {"b": S}, "anyOf": [{"properties": {"b": _ruled({}, "true")}}]}
    ),
    "rule in additional": object_of(a={"type": "object", "additionalProperties": _ruled(S, "self == oldSelf")}),
    "rule in unbounded additional": object_of(
        a={"type": "object", "additionalProperties": _ruled(LIST, "self.all(x, x.contains('a'))")}
    ),
    "extremely expensive": object_of(
        a=_ruled(nested(3, S), "self.all(x, x.all(y, y.all(z, self.all(a, a.all(b, b.all(c, c == z))))))")
    ),
    "message cost": object_of(
        a=_ruled(S, "self == 'a'", messageExpression="self.replace('a', 'b').replace('c', 'd').replace('e', 'f')")
    ),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_rules_in_a_schema_are_judged_alike(both: Both, name: str) -> None:
    both(lambda side: offer(side, definition("Bad", SCHEMAS[name])))
