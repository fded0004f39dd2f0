from __future__ import annotations

import pytest

from sampan.api.types.base import API
from sampan.api.types.meta_v1 import OwnerReference
from sampan.controllers.ownergraph import OwnerGraph, SlimMeta, SlimObject

SETS = API("apps", "v1", "ReplicaSet", "replicasets", True)
PODS = API("", "v1", "Pod", "pods", True)
NODES = API("", "v1", "Node", "nodes", False)


class Graph:
    """A graph and what it asked to be looked at since the last look."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.graph = OwnerGraph(self.asked.append)
        self._objects: dict[str, SlimObject] = {}

    def put(
        self, uid: str, api: API = PODS, *owners: OwnerReference, namespace: str = "default", deleting: bool = False,
        finalizers: tuple[str, ...] = (),
    ) -> list[str]:  # fmt: skip
        meta = SlimMeta(
            name=uid, uid=uid, namespace=namespace, ownerReferences=list(owners), finalizers=list(finalizers),
            deletionTimestamp="2023-01-01T00:00:00Z" if deleting else "",
        )  # fmt: skip
        old = self._objects.get(uid)
        self._objects[uid] = SlimObject(metadata=meta)
        self.graph.handler(api)(old, self._objects[uid])
        return self.look()

    def remove(self, uid: str) -> list[str]:
        self.graph.handler(PODS)(self._objects.pop(uid), None)
        return self.look()

    def look(self) -> list[str]:
        asked = sorted(set(self.asked))
        self.asked.clear()
        return asked


def owned_by(
    uid: str, *, kind: str = "ReplicaSet", version: str = "apps/v1", name: str = "", block: bool = True
) -> OwnerReference:
    return OwnerReference(apiVersion=version, kind=kind, name=name or uid, uid=uid, blockOwnerDeletion=block)


def test_a_dependent_of_a_known_owner_needs_no_look() -> None:
    g = Graph()
    assert g.put("rs", SETS) == []
    assert g.put("pod", PODS, owned_by("rs")) == []
    assert [d.uid for d in g.graph.dependents("rs")] == ["pod"]


def test_a_dependent_of_an_unknown_owner_is_looked_at() -> None:
    g = Graph()
    assert g.put("pod", PODS, owned_by("rs")) == ["pod"]


@pytest.mark.parametrize(
    ("why", "reference"),
    [
        ("its kind", owned_by("rs", kind="Deployment")),
        ("its group", owned_by("rs", version="v1")),
        ("its name", owned_by("rs", name="other")),
    ],
)
def test_a_reference_that_lies_about_its_owner_is_looked_at(why: str, reference: OwnerReference) -> None:
    g = Graph()
    g.put("rs", SETS)
    assert g.put("pod", PODS, reference) == ["pod"], why


def test_an_owner_in_another_namespace_is_none_but_a_cluster_scoped_one_is() -> None:
    g = Graph()
    g.put("rs", SETS, namespace="elsewhere")
    g.put("node", NODES, namespace="")
    assert g.put("a", PODS, owned_by("rs")) == ["a"]
    assert g.put("b", PODS, owned_by("node", kind="Node", version="v1")) == []


def test_when_an_owner_goes_its_dependents_are_looked_at() -> None:
    g = Graph()
    g.put("rs", SETS)
    g.put("a", PODS, owned_by("rs"))
    g.put("b", PODS, owned_by("rs"))
    assert g.remove("rs") == ["a", "b"]


def test_an_owner_that_waits_is_looked_at_when_a_dependent_lets_go() -> None:
    g = Graph()
    g.put("rs", SETS)
    g.put("a", PODS, owned_by("rs"))
    g.put("b", PODS, owned_by("rs", block=False))
    waiting = g.put("rs", SETS, deleting=True, finalizers=("foregroundDeletion",))
    assert waiting == ["a", "b", "rs"]
    assert [d.uid for d in g.graph.blocking("rs")] == ["a"]
    assert "rs" in g.remove("a")
    assert g.graph.blocking("rs") == []


def test_an_orphaning_owner_is_looked_at_once() -> None:
    g = Graph()
    g.put("rs", SETS)
    assert g.put("rs", SETS, deleting=True, finalizers=("orphan",)) == ["rs"]
    assert g.put("rs", SETS, deleting=True, finalizers=("orphan",)) == []


def test_nothing_is_left_when_all_are_gone() -> None:
    g = Graph()
    g.put("rs", SETS)
    g.put("a", PODS, owned_by("rs"))
    g.remove("rs")
    g.remove("a")
    assert len(g.graph) == 0
    assert g.graph.dependents("rs") == []
