"""Label and field selectors: what they match, how they print, and how they refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sampan.api import selectors

WEB = {"app": "web", "tier": "front", "rank": "7"}

MATCHES = [
    ("", True),
    ("app=web", True),
    ("app==web", True),
    ("app=db", False),
    ("app!=db", True),
    ("app!=web", False),
    ("missing!=x", True),
    ("missing=x", False),
    ("app in (web,db)", True),
    ("app in (db, dns)", False),
    ("app notin (db)", True),
    ("missing notin (db)", True),
    ("app notin (web)", False),
    ("app", True),
    ("missing", False),
    ("!missing", True),
    ("! missing", True),
    ("!app", False),
    ("rank>6", True),
    ("rank>7", False),
    ("rank<8", True),
    ("rank < 7", False),
    ("app>1", False),
    ("missing>1", False),
    ("app=web,tier=front", True),
    ("app=web,tier=back", False),
    ("app=web , tier in (back,front) ,!legacy", True),
    ("app=", False),
    ("missing=", False),
    ("missing in ()", False),
    ("in=web", False),
    ("app in (in,notin,web)", True),
]


@pytest.mark.parametrize(("text", "matched"), MATCHES)
def test_a_label_selector_matches(text: str, matched: bool) -> None:
    assert selectors.parse_labels(text).matches(WEB) is matched


def test_an_empty_value_is_a_value() -> None:
    for text in ("a=", "a==", "a in ()", "a in (,)", "a in (b,)", "a=,b!=x"):
        assert selectors.parse_labels(text).matches({"a": ""}), text


PRINTED = [
    ("b=1,a=2", "a=2,b=1"),
    ("a in (z,y,z)", "a in (y,z)"),
    ("a notin (b)", "a notin (b)"),
    ("!a", "!a"),
    (" a ", "a"),
    ("a>1,b<2", "a>1,b<2"),
    ("a!=b", "a!=b"),
    ("a==b", "a==b"),
]


@pytest.mark.parametrize(("text", "printed"), PRINTED)
def test_a_label_selector_prints_sorted_and_parses_back(text: str, printed: str) -> None:
    selector = selectors.parse_labels(text)
    assert str(selector) == printed
    assert selectors.parse_labels(printed) == selector


REFUSED = [
    ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("=a", "found '=', expected: !, identifier, or 'end of string'"),
    ("a,", "found '', expected: identifier after ','"),
    ("a,,b", "found ',', expected: identifier after ','"),
    ("a=b c", "found 'c', expected: ',' or 'end of string'"),
    ("a in b", "unable to parse requirement: found 'b' expected: '('"),
    ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
    ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
    ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
    ("!", "unable to parse requirement: found '', expected: identifier"),
    ("a=!", "unable to parse requirement: found '!', expected: identifier"),
    (
        "a>b",
        "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
    ),
    (
        "a>" + "9" * 5000,
        f'unable to parse requirement: values[0]: Invalid value: "{"9" * 5000}": '
        "for 'Gt', 'Lt' operators, the value must be an integer",
    ),
    (",".join(f"a{n}" for n in range(1001)), "selector has 1001 requirements: must have at most 1000"),
    ("a/b/c", 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a qualified name must consist of'),
    ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be an empty string or'),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_bad_label_selector_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(selectors.SelectorError) as refused:
        selectors.parse_labels(text)
    assert str(refused.value).startswith(message)


def test_a_label_selector_object_becomes_a_selector() -> None:
    expressions: list[dict[str, Any]] = [
        {"key": "tier", "operator": "In", "values": ["front", "back"]},
        {"key": "legacy", "operator": "DoesNotExist"},
        {"key": "rank", "operator": "NotIn", "values": ["8"]},
        {"key": "app", "operator": "Exists"},
    ]
    selector = selectors.from_label_selector({"matchLabels": {"app": "web"}, "matchExpressions": expressions})
    assert selector.matches(WEB)
    assert not selector.matches({**WEB, "legacy": ""})
    structs = [SimpleNamespace(values=e.get("values", []), key=e["key"], operator=e["operator"]) for e in expressions]
    struct = SimpleNamespace(matchLabels={"app": "web"}, matchExpressions=structs)
    assert selectors.from_label_selector(struct) == selector


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.from_label_selector(None).matches({})
    assert selectors.from_label_selector({}).matches({}) and selectors.from_label_selector({}).empty


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(selectors.SelectorError, match='"Gt" is not a valid label selector operator'):
        selectors.from_label_selector({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]})


def test_an_exact_label_is_known() -> None:
    selector = selectors.parse_labels("app=web,tier in (a),x in (a,b)")
    assert [selector.exact(key) for key in ("app", "tier", "x", "y")] == ["web", "a", None, None]


POD = {"metadata.name": "web", "spec.nodeName": "", "status.phase": "Running"}

FIELDS = [
    ("", True),
    ("metadata.name=web", True),
    ("metadata.name==web", True),
    ("metadata.name!=web", False),
    ("metadata.name=web,status.phase!=Failed", True),
    ("spec.nodeName=", True),
    ("spec.nodeName!=", False),
    (",,", True),
    ("=", True),
    ("!=,metadata.name=x", False),
]


@pytest.mark.parametrize(("text", "matched"), FIELDS)
def test_a_field_selector_matches(text: str, matched: bool) -> None:
    assert selectors.parse_fields(text).matches(POD) is matched


def test_a_field_value_may_be_escaped() -> None:
    selector = selectors.parse_fields(r"a=x\,y\=z\\")
    assert selector.exact("a") == "x,y=z\\"
    assert str(selector) == r"a=x\,y\=z\\"


REFUSED_FIELDS = [
    ("a", "invalid selector: 'a'; can't understand 'a'"),
    ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
    ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_FIELDS)
def test_a_bad_field_selector_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(selectors.SelectorError) as refused:
        selectors.parse_fields(text)
    assert str(refused.value) == message


def test_a_transformed_field_selector_asks_for_the_changed_fields() -> None:
    changed = selectors.parse_fields("name=a").transform(lambda field, value: ("metadata." + field, value))
    assert str(changed) == "metadata.name=a"
