"""The pytest plugin, which comes with the package: the fixtures `cluster` and `cluster_namespace`.

    def test_my_operator(cluster):
        cluster.apply("deploy/operator.yaml")

    @pytest.mark.cluster(nodes=3)
    def test_it_spreads(cluster): ...

Every test has a cluster of its own, unless the ini option `sampan_cluster_scope` says module, package or session: then tests
share it, and keep apart by namespaces, as with `cluster_namespace`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

import pytest

if TYPE_CHECKING:
    from sampan.testing.cluster import Cluster

SCOPE = "sampan_cluster_scope"

Scope = Literal["function", "class", "module", "package", "session"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        SCOPE, "for how long the `cluster` fixture lives: function, class, module, package or session", default="function"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "cluster(nodes=1, clock=None): how the test's `cluster` is made; see sampan.testing.Cluster"
    )


def _scope(fixture_name: str, config: pytest.Config) -> Scope:
    wanted: Scope = config.getini(SCOPE)
    if wanted not in get_args(Scope):
        raise pytest.UsageError(f"{SCOPE} is {wanted!r}, not one of {', '.join(get_args(Scope))}")
    return wanted


@pytest.fixture(scope=_scope)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with one simulated node, in this process; gone when the test ends, or the scope it is shared in."""
    from sampan.testing.cluster import Cluster

    marker = request.node.get_closest_marker("cluster")
    with Cluster(**(marker.kwargs if marker else {})) as running:
        yield running


@pytest.fixture
def cluster_namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace of this test's own, ready for pods; its deletion is asked for when the test ends."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    cluster.wait_for("serviceaccounts/default", lambda account: True, namespace=name)
    yield name
    cluster.delete(f"namespaces/{name}")
