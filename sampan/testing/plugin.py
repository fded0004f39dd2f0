"""The pytest plugin: installed with the package, it offers the `cluster` fixture.

def test_my_operator(cluster):
    cluster.apply("deploy/crd.yaml")
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sampan.testing.cluster import Cluster


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A real cluster of this test's own, with one simulated node, in this process; gone when the test ends."""
    from sampan.testing.cluster import Cluster

    with Cluster() as running:
        yield running
