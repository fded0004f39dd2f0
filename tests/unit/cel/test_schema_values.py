"""JSON trees of a schema in expressions: what can be seen of them, and how they compare."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.cel import CelRuntimeError, Environment, adapter_of, cel_type_of, declaration_of, schema_value, types
from sampan.api.cel.escaping import escape, unescape

STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SCHEMA = _object(
    name=STRING,
    size=INTEGER,
    ratio={"type": "number"},
    on={"type": "boolean"},
    maybe={"type": "string", "nullable": True},
    either={"x-kubernetes-int-or-string": True},
    days={"type": "array", "items": {"type": "string", "format": "date"}},
    since={"type": "string", "format": "date-time"},
    span={"type": "string", "format": "duration"},
    octets={"type": "string", "format": "byte"},
    tags={"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
    ports={
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": _object(port=INTEGER, protocol=STRING, name=STRING),
    },
    labels={"type": "object", "additionalProperties": STRING},
    limits={"type": "object", "additionalProperties": INTEGER},
    nulls={"type": "array", "items": {"type": "integer", "nullable": True}},
    inner={**_object(a=STRING), "x-kubernetes-preserve-unknown-fields": True},
    unseen={"x-kubernetes-preserve-unknown-fields": True},
    embedded={"type": "object", "x-kubernetes-embedded-resource": True},
    namespace=STRING,
)
SCHEMA["properties"]["dotted.name/with-dash__"] = STRING
TREE: dict[str, Any] = {
    "name": "web",
    "size": 3,
    "ratio": 2,
    "on": True,
    "maybe": None,
    "either": "50%",
    "days": ["2024-02-29"],
    "since": "2024-02-29t12:00:00.5z",
    "span": "90s",
    "octets": "aGk=",
    "tags": ["b", "a"],
    "ports": [{"port": 80, "protocol": "TCP", "name": "http"}, {"port": 53, "protocol": "UDP"}],
    "labels": {"app.kubernetes.io/name": "web", "tier": "front"},
    "limits": {"cpu": 2},
    "nulls": [1, None],
    "inner": {"a": "x", "b": {"c": 1}},
    "unseen": [1, {"x": 2}],
    "embedded": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p", "labels": {}}, "spec": {"x": 1}},
    "namespace": "here",
    "dotted.name/with-dash__": "odd",
}
_environment = Environment({"self": cel_type_of(SCHEMA), "oldSelf": cel_type_of(SCHEMA)})
_adapt = adapter_of(SCHEMA)


def _value(text: str, tree: dict[str, Any] | None = None, old: dict[str, Any] | None = None) -> Any:
    new = TREE if tree is None else {**TREE, **tree}
    before = TREE if old is None else {**TREE, **old}
    return _environment.compile(text).evaluate({"self": _adapt(new), "oldSelf": _adapt(before)})


SEEN: list[tuple[str, object]] = [
    ("self.name + string(self.size) + string(self.ratio)", "web32"),
    ("type(self.ratio) == double && type(self.size) == int", True),
    ("self.on ? self.name : ''", "web"),
    ("self.either == '50%' && type(self.either) == string", True),
    ("self.days[0].getDayOfYear()", 59),
    ("self.since.getMilliseconds()", 500),
    ("self.span == duration('1m30s')", True),
    ("self.octets == b'hi'", True),
    ("self.tags.exists(t, t == 'a') && 'b' in self.tags", True),
    ("self.ports.map(p, p.port)", [80, 53]),
    ("self.ports[1].protocol", "UDP"),
    ("self.labels['app.kubernetes.io/name'] + self.labels.tier", "webfront"),
    ("self.labels.map(k, k)", ["app.kubernetes.io/name", "tier"]),
    ("self.labels.all(k, v, k.size() > v.size() || k == 'tier')", True),
    ("self.limits.cpu + 1", 3),
    ("self.nulls.exists(n, n == 1) && !self.nulls.all(n, n == 1)", True),
    ("self.__namespace__ + self.namespace", "herehere"),
    ("self.dotted__dot__name__slash__with__dash__dash__underscores__", "odd"),
    ("self.embedded.kind + self.embedded.metadata.name", "Podp"),
    ("self.inner.a", "x"),
    ("has(self.name) && !has(self.maybe) && has(self.embedded.metadata.name)", True),
    ("has(self.ports[0].name) && !has(self.ports[1].name)", True),
    ("has(self.labels.tier) && !has(self.labels.none)", True),
    ("self.?maybe.orValue('none') + self.ports[1].?name.orValue('none')", "nonenone"),
    ("size(self.labels) + size(self.tags) + size(self.name)", 7),
]


@pytest.mark.parametrize(("text", "expected"), SEEN, ids=[row[0] for row in SEEN])
def test_fields_are_values_of_the_types_of_their_schemas(text: str, expected: object) -> None:
    assert _value(text) == expected


@pytest.mark.parametrize("name", ["unseen", "nonesuch", "inner.b", "embedded.spec", "embedded.metadata.labels"])
def test_what_the_schema_does_not_describe_cannot_be_named(name: str) -> None:
    with pytest.raises(Exception, match=f"undefined field '{name.rpartition('.')[2]}'"):
        _environment.compile(f"self.{name} == 1")


EQUAL: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    ("self == oldSelf", {}, {}, True),
    ("self == oldSelf", {}, {"size": 4}, False),
    ("self == oldSelf", {"unseen": 1}, {"unseen": 2}, False),
    ("self.inner == oldSelf.inner", {"inner": {"a": "x", "b": 1}}, {"inner": {"a": "x", "b": 2}}, False),
    ("self.tags == oldSelf.tags", {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, True),
    ("self.tags == ['a', 'b']", {}, {}, True),
    ("self.tags == oldSelf.tags", {"tags": ["a", "c"]}, {"tags": ["b", "a"]}, False),
    ("self.ports == oldSelf.ports", {"ports": TREE["ports"][::-1]}, {}, True),
    ("self.ports == oldSelf.ports", {"ports": TREE["ports"][:1]}, {}, False),
    ("self.ports == oldSelf.ports", {"ports": [TREE["ports"][1], {"port": 80, "protocol": "TCP", "name": "x"}]}, {}, False),
    ("self.labels == oldSelf.labels", {"labels": dict(reversed(TREE["labels"].items()))}, {}, True),
    ("self.since == oldSelf.since", {"since": "2024-02-29T14:00:00.500+02:00"}, {}, True),
    ("self.tags + ['c', 'a'] == ['a', 'b', 'c']", {}, {}, True),
    ("(self.tags + ['c', 'a']).size() == 3", {}, {}, True),
    ("self.days + self.days == self.days", {}, {}, False),
    ("(self.ports + oldSelf.ports).size() == 2", {}, {"ports": [{"port": 53, "protocol": "UDP", "name": "dns"}]}, True),
    ("(self.ports + oldSelf.ports)[1].name == 'dns'", {}, {"ports": [{"port": 53, "protocol": "UDP", "name": "dns"}]}, True),
]


@pytest.mark.parametrize(("text", "new", "old", "expected"), EQUAL)
def test_values_compare_and_add_as_their_list_types_say(
    text: str, new: dict[str, Any], old: dict[str, Any], expected: bool
) -> None:
    assert _value(text, new, old) is expected


WRONG = [
    ("self.size > 0", {"size": "3"}, "invalid data, expected int, got string"),
    ("self.size > 0", {"size": True}, "invalid data, expected int, got bool"),
    ("self.name == ''", {"name": 1}, "invalid data, expected string, got int64"),
    ("self.since == timestamp(0)", {"since": "yesterday"}, "Invalid date-time formatted string yesterday: cannot parse"),
    ("self.tags.size() > 0", {"tags": "x"}, "invalid data, expected an array for the provided schema with type=array"),
    ("self.labels.size() > 0", {"labels": []}, "invalid data, expected a map for the provided schema with type=object"),
    ("self.days.all(d, d > timestamp(0))", {"days": [None]}, "invalid data, got null for schema with nullable=false"),
    ("self.maybe == ''", {}, "no such key: maybe"),
]


@pytest.mark.parametrize(("text", "tree", "expected"), WRONG)
def test_a_tree_that_is_not_what_its_schema_says_fails_where_it_is_looked_at(
    text: str, tree: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CelRuntimeError) as caught:
        _value(text, tree)
    assert str(caught.value) == expected


ESCAPES = [
    ("plain", "plain"),
    ("namespace", "__namespace__"),
    ("if", "__if__"),
    ("a.b", "a__dot__b"),
    ("a-b", "a__dash__b"),
    ("a/b", "a__slash__b"),
    ("a__b", "a__underscores__b"),
    ("_a_b_", "_a_b_"),
    ("__", "__underscores__"),
    ("", None),
    ("1a", None),
    ("a b", None),
    ("é", None),
    ("$ref", None),
]


@pytest.mark.parametrize(("name", "escaped"), ESCAPES)
def test_a_name_is_escaped_and_back(name: str, escaped: str | None) -> None:
    assert escape(name) == escaped
    if escaped is not None:
        assert unescape(escaped) == name


def test_an_escape_that_is_none_stands_for_no_name() -> None:
    assert unescape("a__nonesuch__b") is None
    assert unescape("a__if__b") is None


def test_a_whole_object_has_a_kind_and_a_name_whatever_its_schema_says() -> None:
    schema = _object(spec=_object(replicas=INTEGER))
    environment = Environment({"self": cel_type_of(schema, resource_root=True)})
    tree = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a", "labels": {}}, "spec": {"replicas": 1}}
    program = environment.compile("self.kind + self.metadata.name + string(self.spec.replicas)")
    assert program.evaluate({"self": schema_value(tree, schema, resource_root=True)}) == "Thinga1"
    with pytest.raises(Exception, match="undefined field 'labels'"):
        environment.compile("self.metadata.labels")


def test_types_are_named_by_where_they_stand() -> None:
    assert str(cel_type_of(SCHEMA, name="Thing")) == "Thing"
    assert str(cel_type_of({"type": "array", "items": _object(a=INTEGER)}, name="T")) == "list(T.@idx)"
    assert str(cel_type_of({"type": "object", "additionalProperties": _object(a=INTEGER)}, name="T")) == "map(string, T.@elem)"
    assert cel_type_of({"x-kubernetes-int-or-string": True}) == types.DYN
    assert declaration_of({"x-kubernetes-preserve-unknown-fields": True}) is None
    assert declaration_of({"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": True}}) is None
