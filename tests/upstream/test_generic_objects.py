"""Custom objects on upstream's server and ours: the same requests, the same answers."""

from __future__ import annotations

from tests.upstream.generic_fixture import Both, both
from tests.upstream.generic_schemas import definition, thing
from tests.upstream.generic_wire import DEFINITIONS, Side

__all__ = ["both"]


def test_an_object_is_made_read_changed_and_deleted_alike(both: Both) -> None:
    def scenario(side: Side) -> None:
        tree = definition("Simple")
        side.create(DEFINITIONS, tree)
        path = side.served(tree)
        side.get(f"{DEFINITIONS}/{tree['metadata']['name']}")
        made = side.create(path, thing("Simple", spec={"a": 1}))
        side.create(path, thing("Simple", spec={"a": 1}))
        side.get(f"{path}/a")
        side.get(path)
        side.update(f"{path}/a", {**made.tree, "spec": {"a": 2}})
        side.update(f"{path}/a", {**made.tree, "spec": {"a": 3}})
        side.patch(f"{path}/a", {"spec": {"b": "x"}})
        side.delete(f"{path}/a")
        side.delete(f"{path}/a")
        side.get(f"{path}/a")

    both(scenario)
