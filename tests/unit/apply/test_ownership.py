from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sampan.api.apply.ownership import (
    UPDATE,
    Owned,
    OwnershipError,
    cap_updaters,
    decode,
    from_client,
    is_reset,
    owner,
    write,
    write_one,
)
from tests.unit.apply.sets import Tree, dotted

ENTRY: Tree = {
    "manager": "m",
    "operation": "Update",
    "apiVersion": "v1",
    "time": "2024-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:data": {".": {}, "f:a": {}}},
}


def entries(raw: msgspec.Raw) -> list[Tree]:
    found: list[Tree] = json.loads(bytes(raw))
    return found


def test_entries_come_back_as_they_were_written() -> None:
    given = [ENTRY, {**ENTRY, "manager": "n", "subresource": "status"}]
    raw = write(from_client(given))
    assert entries(raw) == given
    assert write(decode(raw)) == raw
    assert list(entries(raw)[1]) == ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"]


def test_who_applies_comes_first_then_all_by_time_and_name() -> None:
    given = [
        {**ENTRY, "manager": "c"},
        {**ENTRY, "manager": "b"},
        {**ENTRY, "manager": "a", "time": "2025-01-01T00:00:00Z"},
        {**ENTRY, "manager": "z", "operation": "Apply"},
        {**ENTRY, "manager": "t", "time": None},
    ]
    assert [entry["manager"] for entry in entries(write(from_client(given)))] == ["z", "t", "b", "c", "a"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"operation": "x"}, "operation must be `Apply` or `Update`"),
        ({"apiVersion": ""}, "apiVersion must not be empty"),
        ({"fieldsType": ""}, "missing fieldsType in managed fields entry 0"),
        ({"fieldsType": "x"}, 'invalid fieldsType "x" in managed fields entry 0'),
        ({"fieldsV1": {"x": {}}}, "error decoding set: key must be 2 characters long:"),
        ({"fieldsV1": "x"}, "error decoding set: expected { or n"),
    ],
)
def test_what_is_no_entry_is_refused(change: Tree, why: str) -> None:
    with pytest.raises(OwnershipError) as caught:
        from_client([{**ENTRY, **change}])
    assert str(caught.value) == why


@pytest.mark.parametrize(("given", "resets"), [([], True), ([{}], True), ([ENTRY], False), ([{}, {}], False)])
def test_an_empty_list_or_entry_asks_to_forget_all(given: list[Any], resets: bool) -> None:
    assert is_reset(given) == resets


def test_one_owner_is_written_as_any() -> None:
    raw = write_one("m", "v1", "2024-01-01T00:00:00Z", '{"f:data":{".":{},"f:a":{}}}')
    assert entries(raw) == [ENTRY]
    assert entries(write_one("", "v1", "", "{}"))[0]["manager"] == "unknown"


def test_the_oldest_updates_are_put_together_when_there_are_more_than_ten() -> None:
    def many(count: int) -> dict[Any, Owned]:
        return {
            owner(f"m{i:02}", UPDATE, "v1", ""): Owned("v1", f"2024-01-01T00:00:{i:02}Z", dotted(f"data.k{i}"))
            for i in range(count)
        }

    assert list(cap_updaters(many(10))) == list(many(10))
    capped = cap_updaters(many(13))
    assert len(capped) == 10
    ancient = capped[owner("ancient-changes", UPDATE, "v1", "")]
    assert (ancient.fields, ancient.time) == (dotted("data.k0", "data.k1", "data.k2", "data.k3"), "2024-01-01T00:00:03Z")
    assert len(cap_updaters({**capped, owner("new", UPDATE, "v1", ""): Owned("v1", "2025-01-01T00:00:00Z", dotted("x"))})) == 10


def test_updates_of_several_versions_are_kept_apart() -> None:
    owners = {
        owner(f"m{i:02}", UPDATE, f"v{i % 2}", ""): Owned(f"v{i % 2}", f"2024-01-01T00:00:{i:02}Z", dotted(f"data.k{i}"))
        for i in range(12)
    }
    capped = cap_updaters(owners)
    assert len(capped) == 10
    assert {who.api_version for who in capped if who.manager == "ancient-changes"} == {"v0", "v1"}
