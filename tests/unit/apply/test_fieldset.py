from __future__ import annotations

import pytest

from sampan.api.apply import fieldset
from sampan.api.apply.elements import canonical, in_order
from sampan.api.apply.fieldset import Fields, FieldSetError, difference, intersection, recursive_difference, union
from tests.unit.apply.sets import dotted, fields, json, shown


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("{}", "{}"),
        ('{"f:a":{}}', '{"f:a":{}}'),
        ('{"f:a":{".":{},"f:b":{}}}', '{"f:a":{".":{},"f:b":{}}}'),
        ('{"f:b":{},"f:a":{}}', '{"f:a":{},"f:b":{}}'),
        ('{"f:a":{"f:b":{},".":{}}}', '{"f:a":{".":{},"f:b":{}}}'),
        ('{"f:a":{".":{}}}', '{"f:a":{}}'),
        ('{"f:a":null}', '{"f:a":{}}'),
        # What a later version may know is dropped, not refused.
        ('{"z:a":{},"f:a":{"z:b":{}}}', '{"f:a":{}}'),
        (r'{"k:{ \"b\" : 1, \"a\": \"x\"}":{}}', r'{"k:{\"a\":\"x\",\"b\":1}":{}}'),
        (r'{"v:1.0":{},"f:x":{}}', '{"f:x":{},"v:1":{}}'),
        ('{"i:01":{}}', '{"i:1":{}}'),
    ],
)
def test_a_set_is_written_in_one_way_whatever_way_it_came(written: str, kept: str) -> None:
    assert json(fields(written)) == kept


@pytest.mark.parametrize(
    "written", ["", "[]", "{", '{"f":{}}', '{"fa":{}}', '{"v:x":{}}', '{"k:[]":{}}', '{"i:x":{}}', '{"f:a":1}']
)
def test_what_is_no_set_is_refused(written: str) -> None:
    with pytest.raises(FieldSetError):
        fields(written)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(FieldSetError):
        fields('{"f:a":' * 5000 + "{}" + "}" * 5000)


@pytest.mark.parametrize(
    ("elements", "sorted_"),
    [
        (["f:b", ".", "f:a"], [".", "f:a", "f:b"]),
        (['v:"a"', 'k:{"a":1}', "i:0", "f:z"], ["f:z", 'k:{"a":1}', 'v:"a"', "i:0"]),
        (['k:{"port":8080}', 'k:{"port":443}', 'k:{"port":80}'], ['k:{"port":80}', 'k:{"port":443}', 'k:{"port":8080}']),
        (['k:{"a":"x","b":1}', 'k:{"a":"x"}'], ['k:{"a":"x"}', 'k:{"a":"x","b":1}']),
        (['k:{"name":"a b"}', 'k:{"name":"a"}'], ['k:{"name":"a"}', 'k:{"name":"a b"}']),
        (["v:10", "v:9", 'v:"a"', "v:true"], ["v:9", "v:10", 'v:"a"', "v:true"]),
    ],
)
def test_elements_come_in_upstreams_order(elements: list[str], sorted_: list[str]) -> None:
    assert in_order([canonical(element) if element != "." else element for element in elements]) == sorted_


A, B = dotted("a", "b.c", "b.d", "e.f"), dotted("b.c", "b.d.x", "e", "g")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (union(A, B), {"a", "b.c", "b.d", "b.d.x", "e", "e.f", "g"}),
        (intersection(A, B), {"b.c"}),
        (intersection(B, A), {"b.c"}),
        # A field goes without those within it, and stays when only those within it go.
        (difference(A, B), {"a", "b.d", "e.f"}),
        (difference(B, A), {"b.d.x", "e", "g"}),
        (recursive_difference(A, B), {"a", "b.d"}),
        (recursive_difference(A, dotted("b", "e")), {"a"}),
        (difference(A, A), set()),
        (difference({}, A), set()),
        (intersection(A, {}), set()),
    ],
)
def test_sets_are_joined_met_and_taken_from_each_other(found: Fields, expected: set[str]) -> None:
    assert shown(found) == expected
    assert json(fields(json(found))) == json(found), "it comes in order"


def test_nothing_is_made_anew_that_is_there_already() -> None:
    assert union(A, dotted("b.c")) is A
    assert union({}, A) is A
    assert difference(A, dotted("x", "b.x")) is A


def test_a_field_is_told_from_those_within_it() -> None:
    assert fieldset.has(A, ("f:a",))
    assert fieldset.has(A, ("f:b", "f:c"))
    assert not fieldset.has(A, ("f:b",))
    assert not fieldset.has(A, ("f:a", "f:x"))
    assert fieldset.has(union(A, dotted("b")), ("f:b",))


def test_patterns_pick_fields_of_any_item() -> None:
    found = fields(r'{"f:spec":{"f:x":{},"f:list":{"k:{\"n\":1}":{".":{},"f:a":{".":{},"f:b":{}},"f:c":{}}}}}')
    picked = fieldset.matching(found, (("f:spec", "f:list", "*", "f:a"),))
    assert json(picked) == r'{"f:spec":{"f:list":{"k:{\"n\":1}":{".":{},"f:a":{".":{},"f:b":{}}}}}}'


def test_a_path_is_shown_as_in_upstreams_messages() -> None:
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"a\\"b"', "i:3", "f:x")
    assert fieldset.shown_path(path) == '.spec[containerPort=80,protocol="TCP"][="a\\"b"][3].x'
