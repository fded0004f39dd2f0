"""The tables of the unit tests, asked of both servers: what creates, updates and status updates refuse, and in what words."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.api.resource import Resource
from sampan.api.scheme import builtin
from tests.fuzz.arena import path_of
from tests.samples import SAMPLES, sample
from tests.unit.groups.kinds import merged
from tests.upstream.pair import Each, Pair
from tests.upstream.recorder import Recorded, recorded

Tree = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AT_ONCE = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
KINDS = [resource for resource in builtin() if (resource.group, resource.kind) in SAMPLES]


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    return recorded(tmp_path_factory.mktemp("recorded") / "rows")


@pytest.fixture
def tables(rows: list[Recorded]) -> Any:
    def of(resource: Resource, *questions: str) -> Iterator[list[Tree]]:
        for row in rows:
            if (row.group_version, row.plural) == (resource.group_version, resource.plural) and row.question in questions:
                yield copy.deepcopy(row.trees)

    return of


@pytest.fixture
def kind(pair: Pair, request: pytest.FixtureRequest) -> Resource:
    """A kind that the reference has, too."""
    resource: Resource = request.param
    if not pair.has(resource):
        pytest.skip("not in the reference's version")
    return resource


of_every_kind = pytest.mark.parametrize(
    "kind", KINDS, indirect=True, ids=lambda resource: f"{resource.group_version}-{resource.plural}"
)


@of_every_kind
def test_a_create_is_refused_alike(pair: Pair, kind: Resource, tables: Any) -> None:
    asked = []
    for (tree,) in tables(kind, "create_errors", "defaulted", "created"):
        tree = whole(kind, tree)
        if tree in asked or tree.get("metadata", {}).get("resourceVersion"):
            continue
        asked.append(tree)
        pair.ask("POST", collection(kind, tree) + "?dryRun=All", tree)
    pair.agree()


@of_every_kind
def test_an_update_is_refused_alike(pair: Pair, kind: Resource, tables: Any) -> None:
    for old, change in tables(kind, "update_errors"):
        old = whole(kind, old)
        made = make(pair, kind, old)
        if made is None:
            continue
        pair.ask("PUT", one(kind, old) + "?dryRun=All", laid_over(made, change), note=json.dumps(change))
        remove(pair, kind, old)
    pair.agree()


@of_every_kind
def test_an_update_of_the_status_is_refused_alike(pair: Pair, kind: Resource, tables: Any) -> None:
    for old, before, after in tables(kind, "status_errors"):
        old = whole(kind, old)
        made = make(pair, kind, old)
        if made is None:
            continue
        for status, query in ((before, ""), (after, "?dryRun=All")):
            change = {"metadata": {"resourceVersion": None}, "status": None}
            body = Each(*({**tree, "status": status} for tree in laid_over(made, change)))
            pair.ask("PUT", f"{one(kind, old)}/status{query}", body, note=json.dumps(status))
        remove(pair, kind, old)
    pair.agree()


@of_every_kind
def test_a_row_shows_the_same_cells(pair: Pair, kind: Resource, tables: Any) -> None:
    for (tree,) in tables(kind, "row"):
        tree = merged(sample(kind), tree)
        tree["metadata"].pop("creationTimestamp", None)
        if make(pair, kind, tree) is None:
            continue
        if kind.status and "status" in tree:
            pair.ask("PUT", one(kind, tree) + "/status", tree)
        pair.ask("GET", one(kind, tree) + "?includeObject=None", accept=TABLE)
        remove(pair, kind, tree)
    pair.agree()


def whole(kind: Resource, tree: Tree) -> Tree:
    """With what a request must say beside the part that a table is about."""
    return {"apiVersion": kind.group_version, "kind": kind.kind, **tree}


def collection(kind: Resource, tree: Tree) -> str:
    return path_of(kind, namespace=tree.get("metadata", {}).get("namespace") or "default")


def one(kind: Resource, tree: Tree) -> str:
    return f"{collection(kind, tree)}/{tree['metadata']['name']}"


def make(pair: Pair, kind: Resource, tree: Tree) -> Each | None:
    """What both stored; None where either refused, which is a difference if only one did."""
    theirs, ours = pair.ask("POST", collection(kind, tree), tree)
    if (theirs.status, ours.status) == (201, 201):
        return Each(theirs.tree, ours.tree)
    if theirs.status != ours.status:
        remove(pair, kind, tree)
    return None


def laid_over(made: Each, change: Tree) -> Each:
    return Each(*(merged(tree, change) for tree in made))


def remove(pair: Pair, kind: Resource, tree: Tree) -> None:
    where = one(kind, tree)
    pair.both("PATCH", where, {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
    pair.both("DELETE", where, AT_ONCE)
