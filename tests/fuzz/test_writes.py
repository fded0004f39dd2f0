"""Updates, patches and deletes of every kind and subresource: what is refused, or only tried, changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.component.conftest import Answer
from tests.fuzz import requests
from tests.fuzz.arena import KINDS, WATCHED_OVER, Arena, explore, make, path_of, put_again, remove
from tests.fuzz.oracles import unowned
from tests.fuzz.test_fields import Row, root_of, rows_of

EXAMPLES = 40
ALL_ROWS = 400
WAYS = ("put", "post", *requests.MEDIA, "delete")
PARTS = {
    "pods": ("ephemeralcontainers", "resize", "binding", "eviction"),
    "namespaces": ("finalize",),
    "certificatesigningrequests": ("approval",),
    "serviceaccounts": ("token",),
    "nodes": ("nothing",),
}
VIRTUAL = [resource for resource in builtin() if resource.virtual]


def parts_of(resource: Resource) -> list[str]:
    own = [*PARTS.get(resource.plural, ()), "status"]
    return ["", "", *own, *(["scale"] if resource.scale is not None else [])]


def writes(resource: Resource) -> st.SearchStrategy[tuple[str, str, list[Row], Any, Any, Any]]:
    changes = st.lists(st.sampled_from(rows_of(resource, resource.kind)[:ALL_ROWS]), min_size=1, max_size=3)
    kinds = st.just("") | st.sampled_from(requests.BODY_TYPES)
    return st.tuples(
        st.sampled_from(WAYS), st.sampled_from(parts_of(resource)), changes, requests.options, requests.headers, kinds
    )


@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: f"{resource.plural}.{resource.group}")
def test_a_write_that_is_refused_or_only_tried_changes_nothing(arena: Arena, resource: Resource) -> None:
    explore(writes(resource), EXAMPLES, lambda drawn: arena.run(_write(arena, resource, *drawn)))
    arena.run(remove(arena, resource, arena.run(make(arena, resource, "fuzzed")).tree["metadata"]["name"]))


async def _write(
    arena: Arena, resource: Resource, how: str, part: str, changes: list[Row], query: Any, headers: Any, media: str
) -> None:
    made = await make(arena, resource, "fuzzed")
    where = path_of(resource, made.tree["metadata"]["name"])
    before = await arena.ask("GET", where)
    body = b"" if how == "delete" else requests.written(how, before.tree, root_of(resource), changes)
    method = {"put": "PUT", "post": "POST", "delete": "DELETE"}.get(how, "PATCH")
    media = media or requests.MEDIA.get(how, "application/json")
    target = where + (f"/{part}" if part else "")
    answer = await arena.ask(method, target, body, content_type=media, query=query, headers=headers)
    if resource.kind in WATCHED_OVER:
        return
    after = await arena.ask("GET", where)
    if answer.status >= 400 or "dryRun" in dict(query):
        assert after.tree == before.tree, (method, target, body, query, answer.body)
    elif after.status == 404 or "deletionTimestamp" in after.tree["metadata"]:
        await remove(arena, resource, made.tree["metadata"]["name"])
    else:
        await _bears_writing_again(arena, where, after)


async def _bears_writing_again(arena: Arena, where: str, found: Answer) -> None:
    again = await put_again(arena, where, found)
    assert again.status == 200, (again.body, found.tree)
    assert unowned(again.tree) == unowned(found.tree)


@pytest.mark.parametrize("resource", VIRTUAL, ids=lambda resource: f"{resource.plural}.{resource.group}")
def test_no_review_breaks_the_server(arena: Arena, resource: Resource) -> None:
    bare = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": {"name": "fuzzed"}, "spec": {}}
    changes = st.lists(st.sampled_from(rows_of(resource, resource.kind)[:ALL_ROWS]), min_size=1, max_size=4)
    media = st.sampled_from(requests.BODY_TYPES) | st.just("application/json")

    def review(drawn: Any) -> None:
        rows, query, headers, kind = drawn
        body = requests.written("post", bare, root_of(resource), rows)
        arena.run(arena.ask("POST", path_of(resource), body, content_type=kind, query=query, headers=headers))

    explore(st.tuples(changes, requests.options, requests.headers, media), EXAMPLES, review)
