"""Custom resources in a whole cluster: its controllers find them by discovery, as they find everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sampan.testing import Cluster, ManualClock, StatusError
from tests.component.definitions import Tree, crd, cron

LONG_ENOUGH_SECONDS = 31.0
"""For the garbage collector to look again at what is served."""


@pytest.fixture
def crons(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with Cluster(nodes=0, clock=ManualClock() if request.param else None) as cluster:
        cluster.apply(crd())
        cluster.wait_for("crd/crontabs.stable.example.com", "Established")
        yield cluster


def config_map(name: str, owner: Tree) -> Tree:
    reference = {
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": [reference]}}


@pytest.mark.parametrize("crons", [False], indirect=True)
def test_a_namespace_takes_its_custom_resources_along(crons: Cluster) -> None:
    crons.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    crons.apply(cron("a"), namespace="shop")
    crons.apply(cron("b"))
    crons.delete("ns/shop")
    crons.wait_for("ns/shop", "delete")
    assert [tree["metadata"]["name"] for tree in crons.list("crontabs")] == ["b"]


@pytest.mark.parametrize("crons", [True], indirect=True)
def test_dependents_of_a_custom_resource_are_collected_with_it_and_it_with_its_owner(crons: Cluster) -> None:
    (root,) = crons.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "root"}})
    middle = cron("middle")
    middle["metadata"]["ownerReferences"] = config_map("", root)["metadata"]["ownerReferences"]
    (owner,) = crons.apply(middle)
    crons.apply(config_map("leaf", owner))
    crons.advance(LONG_ENOUGH_SECONDS)
    assert crons.get("cm/leaf")["metadata"]["name"] == "leaf"
    crons.delete("cm/root")
    crons.wait_for("cm/leaf", "delete")
    with pytest.raises(StatusError):
        crons.get("crontab/middle")
