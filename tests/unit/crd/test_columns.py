"""Printer columns, selectable fields, and the JSONPath that both are made of."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.api.crd.resources import build_resources
from sampan.api.jsonpath import JSONPathError, compile_path
from tests.unit.crd.objects import Tree, created, definition, foo, obj, resource, version

DATA: Tree = {
    "spec": {"a": "x", "n": 3, "f": 1.5, "on": True, "null": None, "big": 2500000.5},
    "list": [{"n": "a", "v": 1}, {"n": "b", "v": 2}, {"n": "c"}],
    "map": {"x.y/z": 1, "k": {"<": [1]}},
    "when": "1970-01-01T00:00:30Z",
}

PATHS: list[tuple[str, Any]] = [
    (".spec.a", ["x"]),
    (".spec.gone", []),
    (".spec.a.b", []),
    (".list[0].n", ["a"]),
    (".list[-1].n", ["c"]),
    (".list[0:2].n", ["a", "b"]),
    (".list[::2].n", ["a", "c"]),
    (".list[*].v", [1, 2]),
    (".list[0,2].n", ["a", "c"]),
    (r".map.x\.y/z", [1]),
    ("['map']['k']", [{"<": [1]}]),
    ('.list[?(@.n=="b")].v', [2]),
    (".list[?(@.n=='b')].v", [2]),
    (".list[?(@.v>1)].n", ["b"]),
    (".list[?(@.v)].n", ["a", "b"]),
    ('.list[?(@.n!="a")].n', ["b", "c"]),
    ("..v", [1, 2]),
    (".spec.*", ["x", 3, 1.5, True, None, 2500000.5]),
]


@pytest.mark.parametrize(("path", "found"), PATHS)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    assert compile_path(path)(DATA) == found


@pytest.mark.parametrize("path", [".list[5]", ".spec[0]", ".spec[?(@.a)]", '.list[?(@.v=="x")]'])
def test_a_path_that_cannot_be_followed_is_an_error(path: str) -> None:
    with pytest.raises(JSONPathError):
        compile_path(path)(DATA)


@pytest.mark.parametrize("path", [".list[", ".list[x]", ".list[?(@.n]", "%", ".list[?(@.a)"])
def test_what_is_no_path_is_an_error(path: str) -> None:
    with pytest.raises(JSONPathError):
        compile_path(path)


CELLS: list[tuple[str, str, Any]] = [
    # (type, path, cell)
    ("string", ".spec.a", "x"),
    ("string", ".spec.n", "3"),
    ("string", ".spec.on", "true"),
    ("string", ".spec.big", "2.5000005e+06"),
    ("string", ".spec.null", "<no value>"),
    ("string", ".spec.gone", None),
    ("string", ".map.k", '{"\\u003c":[1]}'),
    ("string", ".list[*].n", "a"),
    ("string", ".list[9].n", None),
    ("integer", ".spec.n", 3),
    ("integer", ".spec.f", 1),
    ("integer", ".spec.a", None),
    ("number", ".spec.f", 1.5),
    ("boolean", ".spec.on", True),
    ("boolean", ".spec.n", None),
    ("date", ".when", "90s"),
    ("date", ".spec.a", "<invalid>"),
    ("date", ".spec.gone", None),
]


@pytest.mark.parametrize(("type_", "path", "cell"), CELLS)
def test_a_column_shows_what_its_path_finds(type_: str, path: str, cell: Any) -> None:
    kind = resource(additionalPrinterColumns=[{"name": "X", "type": type_, "jsonPath": path}])
    name, column = kind.columns
    assert (name.name, column.type_, callable(column.cell)) == ("Name", type_, True)
    assert callable(column.cell) and column.cell({**foo(), **DATA}, 120.0) == cell


def test_columns_say_what_they_are() -> None:
    columns = [{"name": "A", "type": "integer", "format": "int32", "priority": 1, "jsonPath": ".spec.a"}]
    described = [*columns, {"name": "B", "type": "string", "description": "Why", "jsonPath": ".spec.b"}]
    kind = resource(additionalPrinterColumns=described)
    assert [(c.name, c.priority, c.format_, c.description) for c in kind.columns[1:]] == [
        ("A", 1, "int32", "Custom resource definition column (in JSONPath format): .spec.a"),
        ("B", 0, "", "Why"),
    ]


def test_a_kind_that_names_no_columns_has_its_age() -> None:
    kind = resource()
    assert [(c.name, c.type_) for c in kind.columns] == [("Name", "string"), ("Age", "date")]
    age = kind.columns[1].cell
    assert callable(age) and age(foo(metadata={"creationTimestamp": "1970-01-01T00:00:00Z"}), 3600.0) == "60m"


def test_selectable_fields_are_words() -> None:
    schema = obj(spec=obj(a={"type": "string"}, n={"type": "integer"}, on={"type": "boolean"}))
    kind = resource(schema, selectableFields=[{"jsonPath": f".spec.{name}"} for name in ("a", "n", "on")])
    values = {name: value(foo({"n": 3, "on": False})) for name, value in kind.selectable.items()}
    assert values == {"spec.a": "", "spec.n": "3", "spec.on": "false"}


def test_a_resource_goes_by_the_names_that_were_accepted() -> None:
    names = {"plural": "foos", "singular": "foo", "kind": "Foo", "listKind": "Foos", "shortNames": ["f"], "categories": ["all"]}
    crd = created(definition(scope="Cluster", versions=[version(), version("v2", served=False), version("v3")]))
    crd["status"]["acceptedNames"] = names
    first, third = build_resources(crd)
    assert (first.version, third.version) == ("v1", "v3")
    assert (first.plural, first.singular, first.kind, first.list_kind) == ("foos", "foo", "Foo", "Foos")
    assert (first.short, first.categories, first.namespaced) == (("f",), ("all",), False)
    assert first.definition == "com.example.v1.Foo"


def test_a_deprecated_version_names_the_one_to_use() -> None:
    versions = [
        version("v1", deprecated=True),
        version("v1beta1", deprecated=True, deprecationWarning="go away"),
        version("v2"),
        version("v3", served=False),
    ]
    found = {kind.version: kind.deprecated for kind in build_resources(created(definition(versions=versions)))}
    assert found == {"v1": "example.com/v1 Foo is deprecated; use example.com/v2 Foo", "v1beta1": "go away", "v2": ""}


def test_any_change_beside_the_metadata_is_a_new_generation() -> None:
    kind, with_status = resource(), resource(subresources={"status": {}})
    for strategy, counts_status in ((kind.strategy, True), (with_status.strategy, False)):
        old = foo({"a": 1}, metadata={"name": "a", "generation": 4}, status={"n": 1})
        for change, is_new in (({"spec": {"a": 2}}, True), ({"extra": 1}, True), ({"status": {"n": 2}}, counts_status)):
            new = {**old, "metadata": {"name": "a", "generation": 4, "labels": {"x": "y"}}, **change}
            strategy.prepare_update(new, old)
            assert (new["metadata"]["generation"] == 5) is is_new
            assert new["status"] == (change.get("status", {"n": 1}) if counts_status else {"n": 1})


def test_a_status_update_changes_nothing_else() -> None:
    strategy = resource(subresources={"status": {}}).strategy
    old = foo({"a": 1}, metadata={"name": "a", "managedFields": [1]}, status={"n": 1})
    new = foo({"a": 2}, metadata={"name": "a", "labels": {"x": "y"}, "managedFields": [2]}, status={"n": 2})
    strategy.prepare_status(new, old)
    assert new == foo({"a": 1}, metadata={"name": "a", "managedFields": [2]}, status={"n": 2})


def test_finalizers_that_may_collide_are_warned_of() -> None:
    warn = resource().strategy.warn
    assert warn is not None
    new = foo(metadata={"name": "a", "finalizers": ["example.com/x", "orphan", "plain", "example.com"]})
    assert warn(new, None) == [
        'metadata.finalizers: "example.com": prefer a domain-qualified finalizer name including a path (/) to avoid accidental '
        "conflicts with other finalizer writers",
        'metadata.finalizers: "plain": prefer a domain-qualified finalizer name to avoid accidental conflicts with other '
        "finalizer writers",
    ]
    assert warn(new, new) == []
