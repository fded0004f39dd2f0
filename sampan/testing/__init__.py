"""A real cluster inside a test: API server, controllers, scheduler, simulated nodes, in this process, in under a second.

    from sampan.testing import Cluster

    with Cluster(nodes=2) as cluster:
        cluster.apply("deployment.yaml")
        cluster.wait_for("deployment/web", "Available")
        print(cluster.kubeconfig)                  # for kubectl and every client library

Under pytest, ask for the fixture `cluster` (see plugin.py). Everything is what a real cluster runs but for the containers:
nodes are simulated, pods become ready without a process behind them. Certificates, TLS and RBAC are on. How to make pods fail,
time pass and nodes die stands in docs/testing.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sampan.api.errors import StatusError
    from sampan.lib.clock import ManualClock
    from sampan.testing.cluster import Cluster, WaitTimeout

__all__ = ["Cluster", "ManualClock", "StatusError", "WaitTimeout"]

_HOMES = {
    "Cluster": "sampan.testing.cluster",
    "ManualClock": "sampan.lib.clock",
    "StatusError": "sampan.api.errors",
    "WaitTimeout": "sampan.testing.cluster",
}


def __getattr__(name: str) -> Any:
    """Imports on demand: pytest loads this package for its plugin in every run, also where no cluster is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
