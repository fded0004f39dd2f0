"""Rules of custom objects on upstream's server and ours: what they refuse, and what an update is forgiven."""

from __future__ import annotations

from typing import Any

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import Tree, definition, object_of, thing
from tests.upstream.generic_wire import DEFINITIONS, Side
from tests.upstream.test_generic_definitions import N, S
from tests.upstream.test_generic_values import KEYED, judged

__all__ = ["both"]


def _ruled(schema: Tree, text: str, **more: Any) -> Tree:
    return {**schema, "x-kubernetes-validations": [{"rule": text, **more}]}


RULED = object_of(
    spec=object_of(
        plain=_ruled(S, "self == 'x'"),
        said=_ruled(S, "self == 'x'", message="must be x"),
        expressed=_ruled(S, "self == 'x'", messageExpression="'not ' + self"),
        failing=_ruled(S, "self == 'x'", messageExpression="['a'][5]", message="fallback"),
        empty=_ruled(S, "self == 'x'", messageExpression="''"),
        lines=_ruled(S, "self == 'x'", messageExpression="'a\\nb'"),
        long=_ruled({"type": "string", "maxLength": 6000}, "self == 'x'", messageExpression="self + self"),
        required=_ruled(object_of(a=S), "has(self.a)", reason="FieldValueRequired", fieldPath=".a"),
        forbidden=_ruled(S, "self == 'x'", reason="FieldValueForbidden"),
        duplicate=_ruled(S, "self == 'x'", reason="FieldValueDuplicate"),
        error=_ruled(S, "[1][int(self)] == 1"),
        division=_ruled(N, "1 / self == 1"),
        immutable=_ruled(S, "self == oldSelf", message="immutable"),
        optional=_ruled(S, "oldSelf.hasValue() ? self == oldSelf.value() : self == 'first'", optionalOldSelf=True),
        lines2=_ruled(S, "self == 'x' ||\nself == 'y'", message="two lines"),
        date=_ruled({"type": "string", "format": "date-time"}, "self > timestamp('2020-01-01T00:00:00Z')"),
        duration=_ruled({"type": "string", "format": "duration"}, "self > duration('1h')"),
        ios=_ruled({"x-kubernetes-int-or-string": True}, "type(self) == int ? self > 1 : self == 'x'"),
        keyed={**KEYED, "items": _ruled(KEYED["items"], "self.n >= oldSelf.n", message="may not sink")},
        map={"type": "object", "additionalProperties": _ruled(N, "self > 1", message="too small")},
        list={"type": "array", "items": _ruled(S, "self != 'bad'")},
        cost=_ruled(
            {"type": "array", "maxItems": 700, "items": {"type": "string", "maxLength": 5}}, "self.all(x, self.all(y, x == y))"
        ),
        number=_ruled(N, "self > 1"),
        boolean=_ruled({"type": "boolean"}, "self"),
        floating=_ruled({"type": "number"}, "self > 1.5"),
        object=_ruled(object_of(a=S), "self.a == 'x'"),
        pattern=_ruled({"type": "string", "pattern": "^x"}, "self.size() > 3", message="short"),
        meta=_ruled(
            {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"x": S}}, "self.metadata.name == 'a'"
        ),
    )
)
RULED["x-kubernetes-validations"] = [{"rule": "self.metadata.name.startsWith('a')", "message": "name begins with a"}]

PLAIN = ("plain", "said", "expressed", "failing", "empty", "lines", "forbidden", "duplicate", "lines2")
UPDATES: list[tuple[Tree, Tree]] = [
    *(({}, {name: "y"}) for name in PLAIN),
    ({}, {"long": "z" * 4000}),
    ({}, {"required": {}}),
    ({}, {"error": "7"}),
    ({}, {"error": "x"}),
    ({}, {"division": 0}),
    ({"immutable": "a"}, {"immutable": "b"}),
    ({"immutable": "a"}, {}),
    ({}, {"optional": "second"}),
    ({"optional": "first"}, {"optional": "second"}),
    ({}, {"date": "2019-01-01T00:00:00Z"}),
    ({}, {"date": "x"}),
    ({}, {"duration": "1m"}),
    ({}, {"ios": 1}),
    ({}, {"ios": "y"}),
    ({"keyed": [{"k": "a", "n": 5}, {"k": "b", "n": 5}]}, {"keyed": [{"k": "b", "n": 6}, {"k": "a", "n": 4}]}),
    ({}, {"map": {"a": 1, "b": 2}}),
    ({}, {"list": ["ok", "bad", "bad"]}),
    ({}, {"cost": ["a"] * 700}),
    ({}, {"number": 0}),
    ({}, {"boolean": False}),
    ({}, {"floating": 1}),
    ({}, {"object": {"a": "y"}}),
    ({}, {"object": {}}),
    ({}, {"pattern": "y"}),
    ({}, {"pattern": "x"}),
    ({}, {"meta": {"apiVersion": "v1", "kind": "x", "metadata": {"name": "b"}}}),
]


def test_rules_refuse_alike_on_create_and_on_update(both: Both) -> None:
    def scenario(side: Side) -> None:
        path = side.define(definition("Ruled", RULED))
        judged(side, path, thing("Ruled", "b"))
        for old, new in UPDATES:
            judged(side, path, thing("Ruled", spec=new))
            made = side.create(path, thing("Ruled", spec=old))
            side.update(f"{path}/a", {**made.tree, "spec": new}, note=str(new)[:60])
            side.patch(f"{path}/a", {"spec": new}, note=str(new)[:60])
            side.ask("DELETE", f"{path}/a")

    both(scenario)


RATCHETS: list[tuple[Tree, Tree]] = [
    ({"bad": "x", "other": "a"}, {"bad": "x", "other": "b"}),
    ({"bad": "x"}, {"bad": "y"}),
    ({"list": [{"k": "a", "v": "x"}, {"k": "b", "v": "x"}]}, {"list": [{"k": "b", "v": "x"}, {"k": "a", "v": "y"}]}),
    ({"atomic": ["x", "y"]}, {"atomic": ["x", "z"]}),
    ({"set": ["x", "y"]}, {"set": ["x", "y", "z"]}),
    ({"map": {"a": "x"}}, {"map": {"a": "x", "b": "x"}}),
    ({"obj": {"a": "x"}}, {"obj": {"a": "x", "b": "y"}}),
    ({"gone": {"x": 1}}, {"gone": {"x": 1}, "other": "b"}),
    ({"req": {}}, {"req": {}, "other": "b"}),
    ({"req": {}}, {"req": {"b": "x"}}),
    ({"rule": "x"}, {"rule": "x", "other": "b"}),
    ({"rule": "x"}, {"rule": "y"}),
    ({"parent": {"a": "x"}}, {"parent": {"a": "x"}, "other": "b"}),
    ({"parent": {"a": "x"}}, {"parent": {"a": "x", "b": "y"}}),
    ({"one": {"a": 1, "b": 1}}, {"one": {"a": 1, "b": 1}, "other": "b"}),
    ({"one": {"a": 1, "b": 1}}, {"one": {"a": 1, "b": 2}}),
    ({"short": "xxxx", "other": "a"}, {"short": "xxxx"}),
]
LOOSE_ITEM = {**object_of(k=S, v=S), "required": ["k"]}
KEYS = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}


def _ratcheted(strict: bool) -> Tree:
    def only(**keywords: Any) -> Tree:
        return keywords if strict else {}

    bad = {**S, **only(enum=["ok"])}
    rule = only(**{"x-kubernetes-validations": [{"rule": "self == 'ok'"}]})
    parent = only(**{"x-kubernetes-validations": [{"rule": "self.a == 'ok'", "message": "a must be ok"}]})
    return object_of(
        spec=object_of(
            other=S,
            bad=bad,
            list={"type": "array", "items": {**LOOSE_ITEM, "properties": {"k": S, "v": bad}}, **KEYS},
            atomic={"type": "array", "items": bad},
            set={"type": "array", "items": bad, "x-kubernetes-list-type": "set"},
            map={"type": "object", "additionalProperties": bad},
            obj={**object_of(a=bad, b=bad)},
            gone={"type": "object", "properties": {"y": S}} if strict else {"type": "object", "properties": {"x": N}},
            req={**object_of(a=S, b=S), **only(required=["a"])},
            rule={**S, **rule},
            parent={**object_of(a=S, b=S), **parent},
            one={**object_of(a=N, b=N), **only(oneOf=[{"required": ["a"]}, {"required": ["b"]}])},
            short={**S, **only(maxLength=2)},
            typed=N if strict else S,
        )
    )


def test_an_update_is_forgiven_what_stood_before_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        loose, strict = definition("Ratchet", _ratcheted(False)), definition("Ratchet", _ratcheted(True))
        path = side.define(loose)
        name = f"{DEFINITIONS}/{loose['metadata']['name']}"
        for index, (old, _) in enumerate(RATCHETS):
            side.create(path, thing("Ratchet", f"a{index}", spec=old))
        side.patch(name, {"spec": strict["spec"]})
        side.until(f"{path}?fieldSelector=metadata.name", lambda reply: reply.status != 404)
        side.settle(path, thing("Ratchet", "probe", spec={"bad": "x"}))
        for index, (_, new) in enumerate(RATCHETS):
            side.get(f"{path}/a{index}")
            side.patch(f"{path}/a{index}", {"spec": new}, note=str(new)[:60])
            side.apply(f"{path}/a{index}", thing("Ratchet", f"a{index}", spec=new), force="true", note=str(new)[:60])

    both(scenario)
