"""Real clusters for tests. Each is removed when its tests are over, failed or not, and must leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.local import LocalCluster, eventually, what_is_missing
from tests.e2e.space import Space

MISSING = what_is_missing()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Callable[..., LocalCluster]]:
    """Makes clusters that are not started yet; all of them are taken down afterwards."""
    made: list[LocalCluster] = []

    def make(name: str = "") -> LocalCluster:
        home = tmp_path / f"home-{len(made)}"
        home.mkdir()
        made.append(LocalCluster(home, name))
        return made[-1]

    yield make
    for cluster in made:
        cluster.down()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One running cluster of two nodes, shared by tests that keep to namespaces of their own."""
    cluster = LocalCluster(tmp_path_factory.mktemp("live"))
    try:
        cluster.up("--nodes", "2")
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="module")
def space(live: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace of the shared cluster, one for each file of tests."""
    name = request.module.__name__.rpartition("test_")[2].replace("_", "-")
    live.kubectl("create", "namespace", name)
    made = Space(live, name)
    try:
        eventually(
            lambda: made.kubectl("get", "serviceaccount", "default", check=False).returncode == 0, "the namespace is furnished"
        )
        yield made
    finally:
        live.kubectl("delete", "namespace", name, "--wait=false", check=False)
