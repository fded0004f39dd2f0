"""Who owns what after a row of updates and applies; each row tells what is left of the object and of its owners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from sampan.api.apply.fieldset import EMPTY, shown_path
from sampan.api.apply.ownership import APPLY, UPDATE, Owned, Owner, Ownership, owner
from sampan.api.apply.places import DEDUCED, Place
from sampan.api.apply.update import Conflicts, Converted, Rules, apply, update
from tests.unit.apply.sets import NUMBER, TEXT, Tree, dotted, each, fields, items, json, obj, place

ROOT = place(
    obj(
        text=TEXT,
        number=NUMBER,
        map=each(TEXT),
        maps=each(each(TEXT)),
        atom={**each(TEXT), "x-kubernetes-map-type": "atomic"},
        set=items(TEXT),
        list=items(obj(name=TEXT, value=NUMBER, more=each(TEXT)), "name"),
        struct=obj(a=TEXT, b=TEXT),
    )
)


class Step(NamedTuple):
    does: str
    who: str
    object: Tree
    conflicts: Sequence[str] = ()


def applies(who: str, conflicts: Sequence[str] = (), **tree: Any) -> Step:
    return Step(APPLY, who, tree, conflicts)


def forces(who: str, **tree: Any) -> Step:
    return Step("force", who, tree)


def updates(who: str, **tree: Any) -> Step:
    return Step(UPDATE, who, tree)


def rules(where: Place = ROOT, version: str = "v1", changes: bool = False) -> Rules:
    def convert(tree: Tree, wanted: str) -> Converted | None:
        return (where, tree) if wanted in ("v1", "v2") else None

    return Rules(version, where, EMPTY, (), convert, changes)


def run(steps: Sequence[Step], where: Place = ROOT) -> tuple[Tree, Ownership]:
    live: Tree = {}
    ownership: Ownership = {}
    for number, step in enumerate(steps):
        now = str(number)
        if step.does == UPDATE:
            ownership = update(rules(where), ownership, owner(step.who, UPDATE, "v1", ""), live, step.object, now)
            live = step.object
            continue
        found: list[str] = []
        try:
            who = owner(step.who, APPLY, "v1", "")
            done = apply(rules(where), ownership, who, live, step.object, now, force=step.does == "force")
            live, ownership = done.object if done.object is not None else live, done.ownership
        except Conflicts as error:
            found = [f"{each.owner.manager}: {shown_path(each.path)}" for each in error.conflicts]
        assert found == list(step.conflicts)
    return live, ownership


ROWS: list[tuple[str, list[Step], Tree, dict[str, str]]] = [
    ("an apply owns what it says", [applies("a", text="x", number=1)], {"text": "x", "number": 1}, {"a": "number text"}),
    ("what it says no more goes", [applies("a", text="x", number=1), applies("a", text="x")], {"text": "x"}, {"a": "text"}),
    ("what it takes over must be forced",
     [applies("a", text="x"), applies("b", ["a: .text"], text="y"), forces("b", text="y")], {"text": "y"}, {"b": "text"}),
    ("who agrees owns together",
     [applies("a", text="x"), applies("b", text="x", number=1)], {"text": "x", "number": 1}, {"a": "text", "b": "number text"}),
    ("what one of two gives up stays",
     [applies("a", text="x"), applies("b", text="x"), applies("a", number=1)], {"text": "x", "number": 1},
     {"a": "number", "b": "text"}),
    ("an update takes what it changes", [applies("a", text="x", number=1), updates("u", text="y", number=1)],
     {"text": "y", "number": 1}, {"a": "number", "u": "text"}),
    ("an update that changes nothing owns nothing", [applies("a", text="x"), updates("u", text="x")],
     {"text": "x"}, {"a": "text"}),
    ("an update that takes away leaves no owner", [applies("a", text="x", number=1), updates("u", number=1)],
     {"number": 1}, {"a": "number"}),
    ("an apply conflicts with an update", [updates("u", text="y"), applies("a", ["u: .text"], text="x")],
     {"text": "y"}, {"u": "text"}),
    ("what an update set stays when the applier drops it",
     [applies("a", text="x", number=1), updates("u", text="y", number=1), applies("a", number=1)],
     {"text": "y", "number": 1}, {"a": "number", "u": "text"}),
    ("keys of a map are owned one by one",
     [applies("a", map={"k": "1", "l": "1"}), applies("b", map={"m": "2"}), applies("a", map={"k": "1"})],
     {"map": {"k": "1", "m": "2"}}, {"a": "map.k", "b": "map.m"}),
    ("an atomic map is one field", [applies("a", atom={"k": "1"}), applies("b", ["a: .atom"], atom={"l": "1"})],
     {"atom": {"k": "1"}}, {"a": "atom"}),
    ("items of a set are owned one by one",
     [applies("a", set=["x", "y"]), applies("b", set=["y", "z"]), applies("a", set=["x"])],
     {"set": ["x", "y", "z"]}, {"a": 'set.v:"x"', "b": 'set.v:"y" set.v:"z"'}),
    ("items go by their keys",
     [applies("a", list=[{"name": "x", "value": 1}, {"name": "y"}]), applies("a", list=[{"name": "y"}])],
     {"list": [{"name": "y"}]}, {"a": 'list.k:{"name":"y"} list.k:{"name":"y"}.name'}),
    ("an item stays with what others have in it",
     [applies("a", list=[{"name": "x", "value": 1}]), applies("b", list=[{"name": "x", "more": {"k": "v"}}]),
      applies("a", text="t")],
     {"list": [{"name": "x", "more": {"k": "v"}}], "text": "t"},
     {"a": "text", "b": 'list.k:{"name":"x"} list.k:{"name":"x"}.more.k list.k:{"name":"x"}.name'}),
    ("items keep the order of who applies last",
     [applies("a", list=[{"name": "x"}, {"name": "y"}]), forces("b", list=[{"name": "y"}, {"name": "z"}, {"name": "x"}]),
      applies("a", list=[])],
     {"list": [{"name": "y"}, {"name": "z"}, {"name": "x"}]},
     {"b": " ".join(f'list.k:{{"name":"{n}"}} list.k:{{"name":"{n}"}}.name' for n in "xyz")}),
    ("an emptied struct goes with its last field", [applies("a", struct={"a": "1"}, text="t"), applies("a", text="t")],
     {"text": "t"}, {"a": "text"}),
    ("what was never applied stays", [updates("u", map={"k": "v"}), applies("a", map={"l": "w"}), applies("a", text="t")],
     {"map": {"k": "v"}, "text": "t"}, {"u": "map map.k", "a": "text"}),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "left", "owners"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_owners_change_with_every_write(steps: list[Step], left: Tree, owners: dict[str, str]) -> None:
    live, ownership = run(steps)
    assert live == left
    found = {who.manager: " ".join(_paths(owned)) for who, owned in ownership.items()}
    assert found == owners


def _paths(owned: Owned) -> list[str]:
    from sampan.api.apply.fieldset import paths

    return sorted(".".join(element.removeprefix("f:") for element in path) for path in paths(owned.fields))


def test_where_no_schema_is_all_goes_by_keys_and_lists_are_whole() -> None:
    live, ownership = run([applies("a", x={"y": {"z": 1}}, l=[1]), applies("b", ["a: .l"], l=[2])], DEDUCED)
    assert live == {"x": {"y": {"z": 1}}, "l": [1]}
    (owned,) = ownership.values()
    assert json(owned.fields) == '{"f:l":{},"f:x":{".":{},"f:y":{".":{},"f:z":{}}}}'


def test_times_are_those_of_the_last_change() -> None:
    _, ownership = run([updates("u", text="x"), updates("v", text="x", number=1), updates("u", text="x", number=1)])
    assert {who.manager: owned.time for who, owned in ownership.items()} == {"u": "0", "v": "1"}
    _, ownership = run([applies("a", text="x"), applies("a", text="x")])
    assert [owned.time for owned in ownership.values()] == ["0"]


def test_nobody_owns_what_the_server_keeps_nor_what_a_subresource_leaves_alone() -> None:
    meta = {"name": "a", "uid": "b", "labels": {"k": "v"}}
    through = Rules("v1", DEDUCED, dotted("status", "metadata.labels.x"), (), lambda tree, version: None)
    who = owner("u", UPDATE, "v1", "")
    new = {"kind": "A", "apiVersion": "v1", "metadata": meta, "spec": {"a": 1}, "status": {"b": 1}}
    found = update(through, {}, who, {}, new, "")
    assert json(found[who].fields) == '{"f:metadata":{"f:labels":{".":{},"f:k":{}}},"f:spec":{".":{},"f:a":{}}}'


def test_owners_in_a_version_that_is_gone_are_forgotten() -> None:
    gone = owner("a", APPLY, "v0", "")
    before = {gone: Owned("v0", None, dotted("text"))}
    after = update(rules(), before, owner("u", UPDATE, "v1", ""), {"text": "x"}, {"text": "y"}, "1")
    assert [who.manager for who in after] == ["u"]
    done = apply(rules(), before, owner("b", APPLY, "v1", ""), {"text": "x"}, {"text": "y"}, "1")
    assert [who.manager for who in done.ownership] == ["b"]


def test_an_applier_may_change_its_version() -> None:
    who = owner("a", APPLY, "v2", "")
    before = {who: Owned("v2", "0", dotted("text", "number"))}
    done = apply(rules(), before, who, {"text": "x", "number": 1}, {"text": "x"}, "1")
    assert done.object == {"text": "x"}
    assert [(owned.api_version, owned.time) for owned in done.ownership.values()] == [("v1", "1")]


def test_what_became_atomic_is_owned_as_one() -> None:
    granular = Owned("v1", "0", dotted("atom.k", "text"))
    who: Owner = owner("a", APPLY, "v1", "")
    live = {"atom": {"k": "v"}, "text": "x"}
    after = update(rules(changes=True), {who: granular}, owner("u", UPDATE, "v1", ""), live, {**live, "number": 1}, "1")
    assert after[who].fields == dotted("atom", "text")
    mixed = fields(r'{"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:more":{"f:k":{}}}}}')
    same = update(rules(changes=True), {who: Owned("v1", "0", mixed)}, owner("u", UPDATE, "v1", ""), live, live, "1")
    assert same[who].fields == mixed
