"""Every field of every kind, filled with values at and over the edges of its type."""

from __future__ import annotations

import copy
import json
import random
import time
from typing import Any

import pytest

from sampan.api import definitions
from sampan.api.resource import Resource
from tests.component.conftest import Answer
from tests.fuzz.arena import KINDS, SECONDS, WATCHED_OVER, Arena, path_of, put_again, remove
from tests.fuzz.oracles import unowned
from tests.fuzz.values import Step, Tree, Value, edges, places, put_at
from tests.samples import sample

ROWS = 100
TEMPLATE = "io.k8s.api.core.v1.PodTemplateSpec"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

Row = tuple[tuple[Step, ...], Value]


def root_of(resource: Resource) -> Tree:
    return {"$ref": definitions.REFERENCE_PREFIX + resource.definition}


def rows_of(resource: Resource, seed: Any) -> list[Row]:
    """(place, value), shuffled. What a pod template holds is tried in a Pod, metadata in a ConfigMap."""
    known = {TEMPLATE} if resource.kind != "Pod" else set()
    known |= {OBJECT_META} if resource.kind != "ConfigMap" else set()
    found = places(root_of(resource), known)
    rows = [(path, value) for path, raw in found if path[:1] not in ((), ("kind",), ("apiVersion",)) for value in edges(raw)]
    random.Random(seed).shuffle(rows)
    return rows


@pytest.mark.parametrize("resource", KINDS, ids=lambda resource: f"{resource.plural}.{resource.group}")
def test_what_is_kept_of_any_object_is_what_was_answered_and_can_be_written_again(arena: Arena, resource: Resource) -> None:
    end = time.monotonic() + SECONDS
    if SECONDS:
        for path, value in rows_of(resource, time.time()):
            arena.run(_try(arena, resource, path, value))
            if time.monotonic() > end:
                break
        return
    for path, value in rows_of(resource, resource.kind)[:ROWS]:
        arena.run(_try(arena, resource, path, value))


async def _try(arena: Arena, resource: Resource, path: tuple[Step, ...], value: Value) -> None:
    tree = sample(resource)
    put_at(tree, root_of(resource), path, copy.deepcopy(value))
    body = json.dumps(tree).encode()
    dry = await arena.ask("POST", path_of(resource), body, query={"dryRun": "All"})
    if dry.status >= 400:
        return
    created = await arena.ask("POST", path_of(resource), body)
    assert created.status == 201, (path, value, created.body)
    name = created.tree["metadata"]["name"]
    try:
        await _rewrite(arena, resource, name, created)
    finally:
        await remove(arena, resource, name)


async def _rewrite(arena: Arena, resource: Resource, name: str, created: Answer) -> None:
    where = path_of(resource, name)
    found = await arena.ask("GET", where)
    assert resource.kind in WATCHED_OVER or found.tree == created.tree
    again = await put_again(arena, where, found)
    assert again.status == 200, again.body
    assert unowned(again.tree) == unowned(found.tree) or resource.kind in WATCHED_OVER
    for media, patch in (("json-patch", []), ("merge-patch", {}), ("strategic-merge-patch", {})):
        patched = await arena.ask("PATCH", where, patch, content_type=f"application/{media}+json")
        assert patched.status == 200, patched.body
        assert patched.tree == again.tree or resource.kind in WATCHED_OVER
    for accept in ("application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml"):
        assert (await arena.ask("GET", where, accept=accept)).status == 200
    for field in resource.selectable:
        assert (await arena.ask("GET", path_of(resource), query={"fieldSelector": f"{field}=a"})).status == 200
    if resource.status:
        status = await arena.ask("PUT", path_of(resource, name, "status"), again.tree)
        assert status.status == 200 or (status.status == 409 and resource.kind in WATCHED_OVER), status.body
    wanted = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": {"name": name}}
    query = {"fieldManager": "f", "force": "true"}
    await arena.ask("PATCH", where, wanted, content_type="application/apply-patch+yaml", query=query)
